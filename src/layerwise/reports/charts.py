"""The charts of a training and of a trained model. Each returns a matplotlib Figure; `figures` saves it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from layerwise.reports import wording
from layerwise.reports.figures import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PINK,
    SKY,
    TEXT_SIZE,
    legend,
    new_chart,
    new_figure,
    style,
    whole_numbers,
)
from layerwise.tasks.metrics import is_share, label_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Record = Mapping[str, Any]
Floats = NDArray[np.float64]

LOG_FROM_RATIO = 50  # a loss that falls by more than this is drawn on a logarithmic axis
POINTS_AT_MOST = 600  # of one curve; more are averaged in groups
WRITTEN_SHORT_FROM = 100_000  # counts of pixels have no room for all digits
COUNTS_IN_CELLS_TO = 16  # classes up to which a confusion matrix has room for numbers
NAMES_TO = 40  # classes up to which each gets its name
PANELS_AT_MOST = 24


# -- while it trained ---------------------------------------------------------------------------------------


def loss_curves(records: Sequence[Record], *, log: bool | None = None) -> Figure:
    """Draw training and validation loss over epochs on one chart, the best epoch marked.

    The training loss is drawn as reported (pale) and smoothed; log: the loss axis, chosen by its range if None.
    """
    figure, axes = new_chart("epoch", "loss", height=3.9)
    per_epoch = steps_per_epoch(records)
    parts = loss_parts(records)
    drawn: list[float] = []
    for (part, (steps, losses)), colour in zip(parts.items(), (BLUE, GREEN, PINK), strict=False):
        name = "training" if part == "model" else f"training: {part}"
        steps, losses = thin(steps, losses)
        smooth = smoothed(losses)
        axes.plot(steps / per_epoch, losses, color=colour, alpha=0.3, linewidth=0.9)
        axes.plot(steps / per_epoch, smooth, color=colour, linewidth=1.8, label=name)
        drawn += losses.tolist()
    epochs, values, best = validation_curve(records, "loss")
    if len(values):
        mark = "o" if len(values) <= 30 else ""
        axes.plot(epochs, values, color=ORANGE, linewidth=1.8, marker=mark, markersize=3.5, label="validation")
        drawn += values.tolist()
        mark_best(axes, epochs, values, best)
    if log is None:
        log = bool(drawn) and 0 < LOG_FROM_RATIO * min(drawn) < max(drawn)
    if log:
        axes.set_yscale("log")
    whole_numbers(axes.xaxis, 8)
    if drawn:
        legend(axes)
    return figure


def metric_curve(records: Sequence[Record], name: str) -> Figure:
    """Draw one validation metric (accuracy, r2, ...) over epochs, the best epoch marked."""
    title = label_of(name)
    figure, axes = new_chart("epoch", f"validation {title}", height=2.1)
    epochs, values, best = validation_curve(records, name)
    mark = "o" if len(values) <= 30 else ""
    axes.plot(epochs, values, color=ORANGE, linewidth=1.8, marker=mark, markersize=3.5)
    mark_best(axes, epochs, values, best)
    whole_numbers(axes.xaxis, 8)
    if best is not None:
        legend(axes)
    if is_share(name):
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
    return figure


def learning_rate_curve(records: Sequence[Record]) -> Figure:
    """Draw the learning rate of each report over epochs."""
    figure, axes = new_chart("epoch", "learning rate", height=1.7)
    reports = [record for record in records if record["kind"] == "report"]
    epochs = np.array([record["step"] for record in reports]) / steps_per_epoch(records)
    axes.plot(epochs, [record["learning_rate"] for record in reports], color=GREEN, linewidth=1.8)
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="y", nbins=4)
    whole_numbers(axes.xaxis, 8)
    return figure


def steps_per_epoch(records: Sequence[Record]) -> float:
    """Return the steps of an epoch as the records tell."""
    ends = [record["step"] / (record["epoch"] + 1) for record in records if record["kind"] == "evaluation"]
    return max(ends, default=max((record["step"] for record in records), default=1)) or 1


def loss_parts(records: Sequence[Record]) -> dict[str, tuple[Floats, Floats]]:
    """Return (steps, losses) of each part of the task."""
    reports = [record for record in records if record["kind"] == "report"]
    names = list(dict.fromkeys(name for record in reports for name in record["losses"]))
    parts = {}
    for name in names:
        rows = [(record["step"], record["losses"][name]) for record in reports if name in record["losses"]]
        table = np.array(rows, dtype=np.float64)
        parts[name] = (table[:, 0], table[:, 1])
    return parts


def validation_curve(records: Sequence[Record], name: str) -> tuple[Floats, Floats, int | None]:
    """Return the epochs (from 1), the metric's values, and the place of the best epoch among them."""
    rows = [record for record in records if record["kind"] == "evaluation" and name in record["metrics"]]
    epochs = np.array([record["epoch"] + 1 for record in rows], dtype=np.float64)
    values = np.array([record["metrics"][name] for record in rows], dtype=np.float64)
    best = [place for place, record in enumerate(rows) if record["best"]]
    return epochs, values, best[-1] if best else None


def mark_best(axes: Axes, epochs: Floats, values: Floats, best: int | None) -> None:
    """Ring the best epoch; the legend says its number, where it covers no curve."""
    if best is None:
        return
    label = f"best: epoch {epochs[best]:.0f}"
    axes.plot(
        *(epochs[best], values[best], "o"),
        color=INK,
        markersize=9,
        markerfacecolor="none",
        markeredgewidth=1.6,
        label=label,
    )


def thin(steps: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Average neighbours so that a curve has at most 600 points."""
    group = math.ceil(len(values) / POINTS_AT_MOST)
    if group == 1:
        return steps, values
    starts = np.arange(0, len(values), group)
    sizes = np.diff([*starts, len(values)])
    return np.add.reduceat(steps, starts) / sizes, np.add.reduceat(values, starts) / sizes


def smoothed(values: Floats) -> Floats:
    """Return the running mean over about a twentieth of the points, narrower at the start, where losses fall fast."""
    half = len(values) // 40
    if half == 0:
        return values
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    before = np.minimum(places, half)
    after = np.minimum(len(values) - 1 - places, before)
    means: Floats = (sums[places + after + 1] - sums[places - before]) / (before + after + 1)
    return means


# -- a trained classifier -----------------------------------------------------------------------------------


def confusion_chart(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> Figure:
    """Draw a confusion matrix: rows are the truth, shade is the share of the row; right blue, wrong orange."""
    from matplotlib.collections import PatchCollection
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    counts = np.array(confusion)
    class_count = len(counts)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(8.5, max(3.6, 0.46 * class_count + 0.9))
    figure, axes = new_chart("given", "truth", width=side, height=side * 0.96, grid="")
    rows, columns = np.nonzero(counts)
    cells = [Rectangle((column - 0.48, row - 0.48), 0.96, 0.96) for row, column in zip(rows, columns, strict=True)]
    colours = [
        to_rgba(BLUE if row == column else ORANGE, 0.12 + 0.88 * shares[row, column] ** 0.5)
        for row, column in zip(rows, columns, strict=True)
    ]
    axes.add_collection(PatchCollection(cells, facecolors=colours, linewidths=0))
    if class_count <= COUNTS_IN_CELLS_TO:
        _write_cells(axes, counts, shares, 72 * (side - 0.9) / class_count)
    _name_classes(axes, names, (side - 0.9) / class_count)
    axes.set_xlim(-0.5, class_count - 0.5)
    axes.set_ylim(class_count - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.spines["bottom"].set_visible(False)
    return figure


def _write_cells(axes: Axes, counts: NDArray[np.int64], shares: Floats, cell_pt: float) -> None:
    """Write counts into the cells of so many points a side, with the share of the row below where there is room."""
    roomy = len(counts) <= 10
    size = min(TEXT_SIZE + 1.0, 0.25 * cell_pt)
    for row, column in np.argwhere(counts):
        share = shares[row, column]
        count = int(counts[row, column])
        text = (wording.count(count) if count < WRITTEN_SHORT_FROM else wording.compact(count)) + (
            f"\n{wording.share(share)}" if roomy else ""
        )
        colour = PAPER if share > 0.35 else INK
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)


def _name_classes(axes: Axes, names: Sequence[str], cell: float) -> None:
    """Name rows and columns, slanted where a name is wider than a cell of so many inches."""
    if len(names) > NAMES_TO:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    short = [shorten(name, 14) for name in names]
    slanted = max(len(name) for name in short) * 0.6 * TEXT_SIZE / 72 > cell
    places = range(len(names))
    axes.set_xticks(places, short, rotation=45 if slanted else 0, ha="right" if slanted else "center")
    if slanted:
        for label in axes.get_xticklabels():
            label.set_rotation_mode("anchor")
    axes.set_yticks(places, short)
    axes.tick_params(colors=MUTED, labelsize=min(TEXT_SIZE, 24 * cell), length=0)


class Answers(Protocol):
    """Answers given with a probability in (low, high]: how many, how sure on average, how often right."""

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def count(self) -> int: ...
    @property
    def confidence(self) -> float: ...
    @property
    def accuracy(self) -> float: ...


def calibration_chart(parts: Sequence[Answers]) -> Figure:
    """Draw how often answers are right against how sure they are, with the number of answers below."""
    figure = new_figure(height=3.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    style(upper, "", "share that is right")
    style(lower, "probability that the model gives its answer", "answers")
    filled = [part for part in parts if part.count]
    width = 1 / len(parts)
    middles = [(part.low + part.high) / 2 for part in filled]
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="perfectly calibrated")
    upper.bar(middles, [part.accuracy for part in filled], 0.92 * width, color=BLUE, alpha=0.35)
    upper.plot(
        [part.confidence for part in filled],
        [part.accuracy for part in filled],
        "o-",
        color=BLUE,
        markersize=4,
        linewidth=1.4,
        label="this model",
    )
    lower.bar(middles, [part.count for part in filled], 0.92 * width, color=SKY)
    for axes in (upper, lower):
        axes.yaxis.set_label_coords(-0.13, 0.5)
    counts = [part.count for part in filled]
    if max(counts) > 50 * min(counts):
        lower.set_yscale("log")
        lower.minorticks_off()
        lower.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    else:
        whole_numbers(lower.yaxis, 3)
    upper.set_xlim(0, 1)
    upper.set_ylim(0, 1.03)
    legend(upper)
    return figure


# -- a trained regression -----------------------------------------------------------------------------------


def residual_chart(name: str, pairs: Sequence[tuple[float, float]]) -> Figure:
    """Draw given against true values of a target, and the distribution of the residuals. pairs: (true, given)."""
    figure = new_figure(height=2.9)
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    points = np.array(pairs)
    low, high = float(points.min()), float(points.max())
    style(left, f"true {shorten(name, 24)}", f"given {shorten(name, 24)}", grid="both")
    left.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    left.scatter(points[:, 0], points[:, 1], s=13, color=BLUE, alpha=0.5, linewidths=0)
    style(right, "given - true", "samples")
    right.hist(points[:, 1] - points[:, 0], bins="auto", color=SKY)
    right.axvline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    whole_numbers(right.yaxis)
    for axes in (left, right):
        axes.locator_params(axis="x", nbins=5)
    return figure


# -- data ---------------------------------------------------------------------------------------------------


def class_balance_chart(names: Sequence[str], counts: Mapping[str, Sequence[int]]) -> Figure:
    """Draw how many samples of each class every split has. counts: by the name of the split."""
    height = min(9.0, 1.0 + 0.24 * max(3, len(names)))
    figure, axes = new_chart("samples", "", height=height, grid="x")
    start = np.zeros(len(names))
    places = np.arange(len(names))
    for (split, values), colour in zip(counts.items(), (BLUE, ORANGE, SKY), strict=False):
        axes.barh(places, values, left=start, color=colour, height=0.72, label=split)
        start += np.array(values)
    axes.invert_yaxis()
    if len(names) <= NAMES_TO:
        axes.set_yticks(places, [shorten(name, 24) for name in names])
    else:
        axes.set_ylabel("classes", color=MUTED, fontsize=TEXT_SIZE)
    axes.spines["bottom"].set_visible(False)
    whole_numbers(axes.xaxis, 6)
    legend(axes)
    return figure


def value_histogram(name: str, values: Floats) -> Figure:
    """Draw the distribution of one target."""
    figure, axes = new_chart(shorten(name, 40), "samples", height=2.4)
    axes.hist(values[np.isfinite(values)], bins=30, color=BLUE)
    whole_numbers(axes.yaxis, 4)
    return figure


def column_chart(names: Sequence[str], columns: Sequence[Sequence[Any]], title: str = "") -> Figure:
    """Draw each column's distribution: bars of values for words and few values, else a histogram.

    The first 24 columns are shown; the title says so where there are more.
    """
    shown = min(len(names), PANELS_AT_MOST)
    across = min(3, shown)
    down = math.ceil(shown / across)
    figure = new_figure(2.5 * across, 1.6 * down + 0.4)
    title += f" (the first {shown} of {len(names)} columns)" if len(names) > shown else ""
    figure.suptitle(shorten(title, 40 * across), color=INK, fontsize=TEXT_SIZE + 1, x=0.01, ha="left")
    panels = np.atleast_1d(figure.subplots(down, across)).ravel()
    for axes, name, values in zip(panels, names, columns, strict=False):
        style(axes, title=shorten(name, 28))
        axes.tick_params(labelsize=TEXT_SIZE - 2.0)
        _draw_column(axes, [value for value in values if not _is_missing(value)])
    for axes in panels[shown:]:
        axes.set_visible(False)
    return figure


def _draw_column(axes: Axes, values: Sequence[Any]) -> None:
    if any(isinstance(value, str | bool) for value in values) or len(set(values)) <= 6:
        words, counts = np.unique([str(value) for value in values], return_counts=True)
        order = np.argsort(-counts, kind="stable")[:6]
        axes.barh([shorten(str(words[place]), 12) for place in order[::-1]], counts[order[::-1]], color=GREEN)
        axes.grid(False, axis="y")
        axes.grid(True, axis="x", color=GRID, linewidth=0.7)
        axes.set_xlabel("samples", color=MUTED, fontsize=TEXT_SIZE - 2)
        whole_numbers(axes.xaxis, 3)
        return
    axes.hist(values, bins=20, color=BLUE)
    axes.set_ylabel("samples", color=MUTED, fontsize=TEXT_SIZE - 2)
    whole_numbers(axes.yaxis, 3)
    if all(value == round(value) for value in values):
        whole_numbers(axes.xaxis, 4)
    else:
        axes.locator_params(axis="x", nbins=4)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def weight_chart(features: Sequence[str], weights: Floats) -> Figure:
    """Draw how strongly the first layer reads each feature.

    weights: (neurons, features). One neuron: signed bars; several: the length of each feature's weight vector.
    The 20 strongest features are shown.
    """
    signed = len(weights) == 1
    strengths = weights[0] if signed else np.sqrt((weights**2).sum(0))
    order = np.argsort(-np.abs(strengths), kind="stable")[:20]
    label = "weight" if signed else "length of the weights of all first-layer neurons"
    figure, axes = new_chart(label, "", height=1.0 + 0.2 * len(order), grid="x")
    colours = [BLUE if strengths[place] >= 0 else ORANGE for place in order]
    axes.barh([shorten(features[place], 28) for place in order], strengths[order], color=colours, height=0.7)
    axes.invert_yaxis()
    axes.axvline(0, color=GRID, linewidth=1)
    axes.spines["bottom"].set_visible(False)
    return figure


def shorten(text: str, length: int) -> str:
    """Cut a name that is too long for its place, and keep matplotlib from reading dollars as formulas."""
    cut = text if len(text) <= length else text[: length - 1] + "…"
    return cut.replace("$", r"\$")
