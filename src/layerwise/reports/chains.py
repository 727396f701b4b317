"""A network as a picture: the signals of one sample on its way forward, and the gradients on the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.functions.chain import Chain, Step
from layerwise.reports.chain_text import number
from layerwise.reports.figures import BLUE, GRID, INK, MUTED, ORANGE, PAPER, TEXT_SIZE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

NEURONS_AT_MOST = 8  # of a layer that are drawn
NUMBER_SIZE = (0.3, 0.3)  # what the number of an edge takes, in layers and in neurons
EDGES_WITH_NUMBERS = 6  # of a layer up to which each edge has its number


@dataclass(frozen=True)
class Column:
    """A layer as it is drawn: its values, the gradients by them, and the weights that lead to it."""

    title: str
    values: Floats
    slopes: Floats
    count: int
    weights: Floats | None  # (here, before)
    weight_slopes: Floats | None


def chain_figure(chain: Chain) -> Figure:
    """Draw the network twice: w a on its edges and values in its neurons; dJ/dw on its edges and dJ/dz in its neurons.

    Only layers of neurons are drawn; of wide ones the first eight.
    """
    columns = _columns(chain.steps)
    width = min(15.0, 1.6 + 1.75 * len(columns))
    rows = max(len(column.values) for column in columns)
    figure = new_figure(width, 2.0 + 2 * max(2.0, 0.66 * rows))
    forward, backward = figure.subplots(2, 1)
    _draw(forward, columns, "forward: values in the neurons, weight · value on the edges", is_forward=True)
    _draw(backward, columns, "backward: dJ/d(value) in the neurons, dJ/d(weight) on the edges", is_forward=False)
    cost = f"J = {number(chain.cost)}"
    for axes in (forward, backward):
        axes.text(len(columns) - 0.55, 0, cost, color=INK, fontsize=TEXT_SIZE + 1, va="center")
    return figure


def _columns(steps: Sequence[Step]) -> list[Column]:
    """Return the input and every step; a dense step brings its weights, an activation one edge a neuron."""
    first = steps[0]
    columns = [_column("x", first.input, first.slope_in, None, None)]
    for step in steps:
        weights = slopes = None
        if step.kind == "dense":
            weights, slopes = step.parameters[f"W{step.name[1:]}"], step.parameter_slopes[f"W{step.name[1:]}"]
        columns.append(_column(f"{step.name}\n{step.label}", step.output, step.slope_out, weights, slopes))
    return columns


def _column(title: str, values: Floats, slopes: Floats, weights: Floats | None, weight_slopes: Floats | None) -> Column:
    n = NEURONS_AT_MOST
    kept = None if weights is None else weights[:n, :n]
    kept_slopes = None if weight_slopes is None else weight_slopes[:n, :n]
    return Column(title, values[:n], slopes[:n], len(values), kept, kept_slopes)


def _draw(axes: Axes, columns: Sequence[Column], title: str, *, is_forward: bool) -> None:
    axes.set_title(title, color=INK, fontsize=TEXT_SIZE + 1, loc="left")
    axes.set_axis_off()
    axes.set_xlim(-0.5, len(columns) + 0.1)
    tallest = max(len(column.values) for column in columns)
    axes.set_ylim(-tallest / 2 - 0.55, tallest / 2 + 0.35)
    for place, (before, column) in enumerate(pairwise(columns), start=1):
        _draw_edges(axes, place, before, column, is_forward=is_forward)
    for place, column in enumerate(columns):
        numbers = column.values if is_forward else column.slopes
        largest = float(np.abs(numbers).max(initial=0.0)) or 1.0
        for height, value in zip(_heights(len(numbers)), numbers, strict=True):
            colour = ORANGE if value > 0 else BLUE
            axes.scatter(
                place,
                height,
                s=1600,
                color=PAPER,
                edgecolors=colour,
                linewidths=0.8 + 2.2 * abs(value) / largest,
                zorder=3,
            )
            axes.text(
                place, height, short(value), ha="center", va="center", fontsize=TEXT_SIZE - 0.5, color=INK, zorder=4
            )
        more = f"\nfirst {len(numbers)} of {column.count}" if column.count > len(numbers) else ""
        axes.text(
            place, -tallest / 2 - 0.05, column.title + more, ha="center", va="top", fontsize=TEXT_SIZE - 1, color=MUTED
        )


def _draw_edges(axes: Axes, place: int, before: Column, column: Column, *, is_forward: bool) -> None:
    """Draw the edges into one layer: orange for positive numbers, blue for negative ones, wide for large ones."""
    here, there = _heights(len(column.values)), _heights(len(before.values))
    if column.weights is None or column.weight_slopes is None:
        for low, high in zip(there, here, strict=False):
            axes.plot([place - 1, place], [low, high], color=GRID, linewidth=1.2, zorder=1)
        return
    signals = column.weights * before.values if is_forward else column.weight_slopes
    largest = float(np.abs(signals).max(initial=0.0)) or 1.0
    has_numbers = signals.size <= EDGES_WITH_NUMBERS
    written: list[Floats] = []
    for (i, j), value in np.ndenumerate(signals):
        colour = ORANGE if value > 0 else BLUE
        strength = abs(value) / largest
        line = [place - 1, place], [there[j], here[i]]
        axes.plot(*line, color=colour, linewidth=0.5 + 2.5 * strength, alpha=0.25 + 0.6 * strength, zorder=1)
        if has_numbers:
            spot = _free_spot(float(there[j]), float(here[i]), written)
            written.append(spot)
            axes.text(
                place - 1 + spot[0],
                spot[1],
                short(value),
                ha="center",
                va="center",
                fontsize=TEXT_SIZE - 1,
                color=INK,
                bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
                zorder=2,
            )


def _free_spot(low: float, high: float, written: Sequence[Floats]) -> Floats:
    """Return the place (along, height) on an edge for its number that is farthest from those written before."""
    along = np.linspace(0.34, 0.7, 29)
    spots = np.stack([along, low + along * (high - low)], 1)
    if not written:
        return np.array([0.5, (low + high) / 2])
    apart = (spots[:, None] - np.array(written)) / NUMBER_SIZE  # (spots, written, 2)
    nearest: Floats = np.abs(apart).max(2).min(1)
    best: Floats = spots[int(np.argmax(np.minimum(nearest, 1.5) - 0.2 * np.abs(along - 0.5)))]
    return best


def short(value: float) -> str:
    """Return at most two significant digits, which is what a circle holds: -0.39, -.011, 2e-5."""
    text = f"{value + 0.0:.{2 if abs(value) >= 1e-3 else 1}g}" if abs(value) >= 1e-12 else "0"
    return text.replace("e-0", "e-") if "e" in text else text.replace("0.0", ".0") if len(text) > 5 else text


def _heights(count: int) -> Floats:
    """Return where the neurons of a layer stand, the first one on top."""
    return (count - 1) / 2 - np.arange(count, dtype=np.float64)
