"""Pictures of one neuron: its decision seen edge-on, its answers, its weights, its cost and the way down to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.functions.cost import NeuronCost
from layerwise.neuron.functions.minibatches import BatchDescent, Noise
from layerwise.neuron.tables.losses import LOSSES
from layerwise.reports.charts import shorten
from layerwise.reports.figures import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PINK,
    SKY,
    TEXT_SIZE,
    legend,
    new_figure,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.floating[Any]]

POINTS_AT_MOST = 1200  # samples drawn
WEIGHTS_AT_MOST = 20
SURFACE_POINTS = 41  # a side; each is a cost over all samples
MARGIN_LOSSES = ("hinge", "squared-hinge")
ABOVE_LEGEND = 22  # points from the axes to a title that has a legend below it


def neuron_figure(
    descent: BatchDescent,
    test_costs: Floats,
    features: Sequence[str],
    sides: Sequence[str],
    target_name: str,
    mistakes: Floats | None = None,
) -> Figure:
    """Draw decision, answers, cost and the weights' path, and for more than two features their weights.

    sides: what the lower and the upper target mean; empty where the targets are numbers.
    mistakes: (2, looks), the share of wrong answers on the training and on the test rows, drawn in place of the cost.
    """
    cost, v = descent.cost, descent.end
    has_weights = len(features) > 2
    figure = new_figure(12.4 if has_weights else 9.0, 6.8)
    grid = figure.add_gridspec(2, 3 if has_weights else 2)
    shown = _some(len(cost.targets))
    first = figure.add_subplot(grid[0, 0])
    if not sides:
        draw_fit(first, cost, v, shown, features, target_name)
    elif len(features) == 2:
        draw_plane(first, cost, v, shown, features, sides)
    else:
        draw_edge_on(first, cost, v, shown, sides)
    draw_answers(figure.add_subplot(grid[0, 1]), cost, v, shown, sides, target_name)
    if mistakes is None:
        draw_costs(figure.add_subplot(grid[1, 0]), descent, test_costs)
    else:
        draw_mistakes(figure.add_subplot(grid[1, 0]), descent, mistakes)
    draw_weight_path(figure.add_subplot(grid[1, 1]), descent)
    if has_weights:
        draw_weights(figure.add_subplot(grid[:, 2]), v[:-1], features, sides)
    return figure


def draw_edge_on(axes: Axes, cost: NeuronCost, v: Floats, shown: NDArray[np.int64], sides: Sequence[str]) -> None:
    """Look along the decision plane: across it the distance to it, along it the direction in which samples differ most.

    Projected so, the plane is a line and no sample changes sides.
    """
    length = float(np.linalg.norm(v[:-1])) or 1.0
    inputs = cost.inputs[shown]
    normal = (v[:-1] / length).astype(inputs.dtype)
    distances = (cost.sums(v, shown)) / length
    within = inputs - inputs.mean(0)
    within = within - np.outer(within @ normal, normal)
    along = within @ _main_direction(within)
    style(axes, "distance to the decision plane", "along the plane, where samples differ most", grid="")
    axes.set_title("decision plane, seen edge-on", color=INK, fontsize=TEXT_SIZE, loc="left", pad=ABOVE_LEGEND)
    _scatter_sides(axes, distances, along, cost.targets[shown], sides)
    axes.axvline(0, color=INK, linewidth=1.6)
    if cost.loss in MARGIN_LOSSES:
        _draw_margin(axes, [-1 / length, 1 / length])
    legend(axes)


def draw_plane(
    axes: Axes, cost: NeuronCost, v: Floats, shown: NDArray[np.int64], features: Sequence[str], sides: Sequence[str]
) -> None:
    """Draw two features with the decision line, and the margin of a support vector machine."""
    x, y = cost.inputs[shown].T
    style(axes, shorten(features[0], 30), shorten(features[1], 30), grid="")
    axes.set_title("decision line", color=INK, fontsize=TEXT_SIZE, loc="left", pad=ABOVE_LEGEND)
    _scatter_sides(axes, x, y, cost.targets[shown], sides)
    limits = axes.get_xlim(), axes.get_ylim()
    across, up = np.meshgrid(np.linspace(*limits[0], 80), np.linspace(*limits[1], 80))
    z = across * v[0] + up * v[1] + v[2]
    axes.contour(across, up, z, levels=[0], colors=INK, linewidths=1.6)
    if cost.loss in MARGIN_LOSSES:
        axes.contour(across, up, z, levels=[-1, 1], colors=MUTED, linewidths=1.0, linestyles="dashed")
        axes.plot([], [], color=MUTED, linewidth=1.0, linestyle="dashed", label="margin, z = ±1")
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])
    legend(axes)


def draw_fit(
    axes: Axes, cost: NeuronCost, v: Floats, shown: NDArray[np.int64], features: Sequence[str], target_name: str
) -> None:
    """Draw the targets over the feature with the largest weight, and the line where the others are at their means."""
    place = int(np.argmax(np.abs(v[:-1])))
    x = cost.inputs[shown, place]
    style(axes, f"{shorten(features[place], 26)} (standardised)", shorten(target_name, 26))
    title = "line along the feature with the largest weight" if len(features) > 1 else "line"
    axes.set_title(title, color=INK, fontsize=TEXT_SIZE, loc="left")
    axes.scatter(x, cost.targets[shown], s=11, color=BLUE, alpha=0.45, linewidths=0)
    ends = np.linspace(x.min(), x.max(), 100)
    others = cost.inputs.mean(0) @ v[:-1] - cost.inputs[:, place].mean() * v[place]
    axes.plot(ends, cost.outputs(ends * v[place] + others + v[-1]), color=INK, linewidth=1.8)


def draw_answers(
    axes: Axes, cost: NeuronCost, v: Floats, shown: NDArray[np.int64], sides: Sequence[str], target_name: str
) -> None:
    """Draw the activation over the weighted sum, with the samples at their targets; numbers against the answers.

    Where the activation is the identity, what each sample costs is drawn instead.
    """
    z = cost.sums(v, shown)
    targets = cost.targets[shown]
    if not sides:
        answers = cost.outputs(z)
        low, high = float(min(answers.min(), targets.min())), float(max(answers.max(), targets.max()))
        style(axes, f"answer for {shorten(target_name, 28)}", "truth", grid="both", title="answers against the truth")
        axes.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.scatter(answers, targets, s=11, color=BLUE, alpha=0.45, linewidths=0)
        return
    ends = _ends(z)
    if cost.activation == "identity":
        draw_prices(axes, cost, z, shown, ends, sides)
        return
    is_probability = cost.activation == "sigmoid"
    style(
        axes,
        "weighted sum z = w · x + b",
        f"probability of {shorten(sides[1], 20)}" if is_probability else "answer a(z)",
        title=f"{cost.activation}: the answer for each z",
    )
    axes.plot(ends, cost.outputs(ends), color=INK, linewidth=1.8)
    scatter = np.random.default_rng(0).uniform(-0.04, 0.04, len(z)) * (float(np.ptp(cost.targets)) or 1)
    _scatter_sides(axes, z, targets + scatter, targets, sides)
    axes.set_xlim(ends[0], ends[-1])
    axes.axvline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))


def draw_prices(
    axes: Axes, cost: NeuronCost, z: Floats, shown: NDArray[np.int64], ends: Floats, sides: Sequence[str]
) -> None:
    """Draw the loss over the weighted sum, a curve for each side, with the samples on it."""
    style(axes, "weighted sum z = w · x + b", "loss of a sample", title=f"{cost.loss}: what each sample costs")
    targets, row = cost.targets[shown], LOSSES[cost.loss]
    for target, colour in ((cost.targets.min(), BLUE), (cost.targets.max(), ORANGE)):
        axes.plot(ends, row.value(ends, np.full_like(ends, target)), color=colour, linewidth=1.3, alpha=0.8)
    _scatter_sides(axes, z, cost.losses(z, shown), targets, sides)
    axes.set_xlim(ends[0], ends[-1])
    axes.axvline(0, color=INK, linewidth=1.6)
    if cost.loss in MARGIN_LOSSES:
        _draw_margin(axes, [-1, 1])


def _ends(z: Floats) -> Floats:
    """Return 200 sums from end to end of nearly all that the samples have."""
    low, high = np.quantile(z, [0.005, 0.995])
    room = 0.06 * (high - low) + 1e-9
    return np.linspace(low - room, high + room, 200)


def draw_costs(axes: Axes, descent: BatchDescent, test_costs: Floats) -> None:
    """Draw the cost over the epochs, on the training and the test rows."""
    style(axes, "epoch", "cost J", title=f"cost ({descent.optimizer}, rate {descent.settings.learning_rate:.3g})")
    axes.plot(descent.epochs, descent.costs, color=BLUE, linewidth=1.8, label="training")
    axes.plot(descent.epochs, test_costs, color=ORANGE, linewidth=1.5, label="test")
    positive = descent.costs[descent.costs > 0]
    if len(positive) == len(descent.costs) and positive.max() > 50 * positive.min():
        axes.set_yscale("log")
    legend(axes, loc="upper right")


def draw_mistakes(axes: Axes, descent: BatchDescent, mistakes: Floats) -> None:
    """Draw the share of wrong answers over the epochs, on the training and the test rows."""
    title = f"mistakes ({descent.optimizer}, rate {descent.settings.learning_rate:.3g})"
    style(axes, "epoch", "share of the rows", title=title)
    for shares, colour, label in zip(mistakes, (BLUE, ORANGE), ("training", "test"), strict=True):
        axes.plot(descent.epochs, shares, color=colour, linewidth=1.6, label=label)
    axes.set_ylim(0, None)
    legend(axes, loc="upper right")


def draw_weight_path(axes: Axes, descent: BatchDescent) -> None:
    """Draw the cost in the plane in which the weights moved most, through their end, and their path in it."""
    cost, end = descent.cost, descent.end
    moves = descent.points - end
    if moves.shape[1] == 2:
        across, up = np.eye(2)
        names = ("weight - end", "bias - end")
    else:
        _, sizes, directions = np.linalg.svd(moves, full_matrices=False)
        across, up = directions[0], directions[1]
        share = float((sizes[:2] ** 2).sum() / ((sizes**2).sum() or 1.0))
        names = (f"main direction ({100 * share:.3g} % in this plane)", "second direction")
    path = np.stack([moves @ across, moves @ up], 1)
    style(axes, *names, grid="", title="path of the weights on the cost surface")
    low, high = path.min(0), path.max(0)
    reach = np.maximum(high - low, 0.35 * float((high - low).max()) or 1.0)
    middle = (low + high) / 2
    sides = [np.linspace(m - 0.7 * r, m + 0.7 * r, SURFACE_POINTS) for m, r in zip(middle, reach, strict=True)]
    x, y = np.meshgrid(*sides)
    heights = cost.surface(end, across, up, x, y)
    lowest = float(min(heights.min(), descent.costs.min()))
    top = float(heights.max()) - lowest
    if top > 0:
        levels = lowest + top * np.linspace(0, 1, 15)[1:] ** 2.5
        axes.contourf(x, y, heights, levels=[lowest - 1e-9 * (1 + top), *levels], cmap="Blues_r", alpha=0.55)
        axes.contour(x, y, heights, levels=levels, colors=MUTED, linewidths=0.4, alpha=0.6)
    axes.plot(path[:, 0], path[:, 1], color=ORANGE, linewidth=1.4)
    axes.plot(*path[0], "o", color=INK, markersize=6)
    is_right = path[0, 0] > middle[0]
    axes.annotate(
        "start",
        path[0],
        xytext=(-6 if is_right else 6, 5),
        ha="right" if is_right else "left",
        textcoords="offset points",
        color=INK,
        fontsize=TEXT_SIZE - 0.5,
    )
    axes.plot(*path[-1], "*", color=GREEN, markersize=11, markeredgecolor="white")


def draw_weights(axes: Axes, weights: Floats, features: Sequence[str], sides: Sequence[str]) -> None:
    """Draw the largest weights as bars, those for the upper side in orange as its samples are."""
    order = np.argsort(-np.abs(weights), kind="stable")[:WEIGHTS_AT_MOST]
    order = order[np.argsort(-weights[order], kind="stable")]
    title = f"weights: + for {shorten(sides[1], 16)}, - for {shorten(sides[0], 16)}" if sides else "weights"
    style(axes, "", "", grid="x", title=title)
    colours = [ORANGE if weights[place] > 0 else BLUE for place in order]
    axes.barh([shorten(features[place], 22) for place in order], weights[order], color=colours, height=0.7)
    axes.invert_yaxis()
    axes.axvline(0, color=GRID, linewidth=1)
    axes.spines["bottom"].set_visible(False)
    axes.locator_params(axis="x", nbins=4)


def _draw_margin(axes: Axes, places: Sequence[float]) -> None:
    for place, label in zip(places, ("margin, z = ±1", None), strict=True):
        axes.axvline(place, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), label=label)


def _scatter_sides(axes: Axes, x: Floats, y: Floats, targets: Floats, sides: Sequence[str]) -> None:
    is_upper = targets > 0
    for chosen, colour, mark, name in ((~is_upper, BLUE, "o", sides[0]), (is_upper, ORANGE, "^", sides[1])):
        label = shorten(name, 22)
        axes.scatter(x[chosen], y[chosen], s=13, color=colour, marker=mark, alpha=0.55, linewidths=0, label=label)


def _main_direction(rows: Floats) -> Floats:
    """Return the direction in which centred rows differ most, by the power method."""
    direction: Floats = np.full(rows.shape[1], rows.shape[1] ** -0.5, rows.dtype)
    for _ in range(60):
        turned = rows.T @ (rows @ direction)
        length = float(np.linalg.norm(turned))
        if length == 0:
            break
        direction = turned / rows.dtype.type(length)
    return direction


def _some(count: int) -> NDArray[np.int64]:
    """Return the places of at most so many samples, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, POINTS_AT_MOST)).round().astype(np.int64))


# -- batches ------------------------------------------------------------------------------------------------


def batch_figure(descents: Sequence[BatchDescent], noise: Sequence[Noise]) -> Figure:
    """Draw the cost over the epochs for each batch size, the paths of the weights, and the noise by batch size."""
    figure = new_figure(13.0, 4.0)
    left, middle, right = figure.subplots(1, 3)
    colours = [(SKY, BLUE, ORANGE, GREEN, PINK)[place % 5] for place in range(len(descents))]
    left.locator_params(axis="x", integer=True)
    style(left, "epoch", "cost over all samples", title=f"same rate, {descents[0].settings.learning_rate:.3g}")
    for descent, colour in zip(descents, colours, strict=True):
        costs = np.where(descent.costs < 10 * descents[0].costs[0] + 1e-12, descent.costs, np.nan)
        left.plot(descent.epochs, costs, color=colour, linewidth=1.5, label=_batch_name(descent))
    legend(left, loc="upper right")
    _draw_paths(middle, descents, colours)
    _draw_noise(right, noise)
    return figure


def _batch_name(descent: BatchDescent) -> str:
    count = len(descent.cost.targets)
    steps = round(float(descent.steps[-1] / descent.epochs[-1]))
    size = f"all {count}" if descent.batch_size == count else str(descent.batch_size)
    return f"batches of {size}: {steps} {'step' if steps == 1 else 'steps'} an epoch"


def _draw_paths(axes: Axes, descents: Sequence[BatchDescent], colours: Sequence[str]) -> None:
    """Draw all paths in the plane in which they spread most."""
    whole = np.concatenate([descent.points[np.isfinite(descent.points).all(1)] for descent in descents])
    whole = whole[np.abs(whole).max(1) < 1e6]
    _, _, directions = np.linalg.svd(whole - whole.mean(0), full_matrices=False)
    style(axes, "main direction of the weights", "second direction", grid="both", title="paths from the same start")
    for descent, colour in zip(descents, colours, strict=True):
        kept = descent.points[np.abs(descent.points).max(1) < 1e6]
        path = kept @ directions[:2].T
        axes.plot(path[:, 0], path[:, 1], color=colour, linewidth=1.3, marker=".", markersize=3)
        axes.plot(*path[-1], "*", color=colour, markersize=11, markeredgecolor="white", zorder=4)
    axes.plot(*(descents[0].points[0] @ directions[:2].T), "o", color=INK, markersize=6)


def _draw_noise(axes: Axes, noise: Sequence[Noise]) -> None:
    style(
        axes, "batch size", "distance from the full gradient / its length", grid="both", title="noise of the gradient"
    )
    sizes = np.array([row.batch_size for row in noise])
    measured = np.array([row.deviation for row in noise])
    predicted = np.array([row.predicted for row in noise])
    is_seen = predicted > 1e-9
    axes.plot(sizes[is_seen], predicted[is_seen], color=MUTED, linewidth=1.4, label="theory, drawn without repetition")
    root = predicted[0] / np.sqrt(sizes / sizes[0])
    axes.plot(sizes, root, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="1 / root of the batch size")
    axes.plot(sizes[is_seen], measured[is_seen], "o", color=ORANGE, markersize=5, label="measured")
    axes.set_xscale("log")
    axes.set_yscale("log")
    legend(axes, loc="lower left")
