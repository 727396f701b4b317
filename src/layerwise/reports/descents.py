"""Pictures of gradient descent: the function, the path on it, and the value over the steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.functions.descent import Descent
from layerwise.reports.figures import (
    BLUE,
    GREEN,
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

Floats = NDArray[np.float64]

COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, INK, MUTED)
PANELS_AT_MOST = 9
LEVELS = 18
GRID_POINTS = 160
APART = 0.13  # of the panel, between two numbers beside points
ZOOM = 3.0  # a path that runs away is drawn to this multiple of the way from start to minimum


def descent_figure(descents: Sequence[Descent]) -> Figure:
    """Draw each path on its function, up to nine of them, and the values of all over the steps.

    A function of more than two variables has no such picture; its values and the lengths of its gradients are drawn.
    """
    size = descents[0].points[0].size
    if size > 2 or descents[0].objective.function is None:
        figure = new_figure(8.4, 3.4)
        left, right = figure.subplots(1, 2)
        draw_values(left, descents)
        draw_gradients(right, descents)
        return figure
    shown = descents[:PANELS_AT_MOST]
    across = 4 if len(shown) in (4, 7, 8) else min(3, len(shown))
    down = math.ceil(len(shown) / across)
    if len(descents) == 1:
        figure = new_figure(9.0, 3.9)
        panel, values = figure.subplots(1, 2, width_ratios=[1.25, 1])
        panels = [panel]
    else:
        figure = new_figure(3.3 * across + 0.4, 3.0 * down + 2.6)
        grid = figure.add_gridspec(down + 1, across, height_ratios=[*[3.0] * down, 2.4])
        panels = [figure.add_subplot(grid[place // across, place % across]) for place in range(len(shown))]
        values = figure.add_subplot(grid[down, :])
    draw = draw_curve if size == 1 else draw_contours
    limits = _limits(descents)
    for axes, descent, colour in zip(panels, shown, _colours(shown), strict=True):
        draw(axes, descent, limits, colour)
    draw_values(values, descents)
    return figure


def draw_curve(axes: Axes, descent: Descent, limits: Floats, colour: str) -> None:
    """Draw a function of one variable and the points of the path on it, the first ones numbered."""
    function = descent.objective.function
    assert function is not None
    (name,) = function.names
    style(axes, name, f"f({name})", title=f"{descent.label}: {_short_verdict(descent)}")
    x = np.linspace(limits[0, 0], limits[0, 1], 400)
    heights = function(x)
    axes.plot(x, heights, color=MUTED, linewidth=1.4)
    points, values = descent.points.ravel(), descent.values
    axes.plot(points, values, color=colour, linewidth=1.1, marker="o", markersize=4.5, alpha=0.9)
    visible = heights[np.isfinite(heights)]
    low, high = visible.min(), visible.max()
    axes.set_xlim(*limits[0])
    axes.set_ylim(low - 0.06 * (high - low) - 1e-12, high + 0.08 * (high - low) + 1e-12)
    _number_points(axes, np.stack([points, values], 1))
    _mark_minimum(axes, descent, 1)


def draw_contours(axes: Axes, descent: Descent, limits: Floats, colour: str) -> None:
    """Draw lines of equal height of a function of two variables, dense where it is low, and the path over them."""
    function = descent.objective.function
    assert function is not None
    style(axes, *function.names, grid="", title=f"{descent.label}: {_short_verdict(descent)}")
    x, y = np.meshgrid(*(np.linspace(low, high, GRID_POINTS) for low, high in limits))
    heights = function(x, y)
    visible = heights[np.isfinite(heights)]
    if visible.size and visible.max() > visible.min():
        low = float(visible.min())
        if descent.curvature is not None:
            low = min(low, descent.objective.value(descent.curvature.minimum))
        top = float(visible.max()) - low
        levels = low + top * np.linspace(0, 1, LEVELS + 1)[1:] ** 3.5
        axes.contourf(x, y, heights, levels=[low - 1e-9 * (1 + top), *levels], cmap="Blues_r", alpha=0.55)
        axes.contour(x, y, heights, levels=levels, colors=MUTED, linewidths=0.4, alpha=0.6)
    points = descent.points.reshape(len(descent.points), 2)
    mark = "o" if len(points) <= 200 else ""
    axes.plot(points[:, 0], points[:, 1], color=colour, linewidth=1.3, marker=mark, markersize=3)
    axes.plot(*points[0], "o", color=INK, markersize=6)
    is_right = points[0, 0] > limits[0].mean()
    axes.annotate(
        "start",
        points[0],
        xytext=(-6 if is_right else 6, 6),
        ha="right" if is_right else "left",
        textcoords="offset points",
        color=INK,
        fontsize=TEXT_SIZE - 0.5,
    )
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])
    _mark_minimum(axes, descent, 2)


def draw_values(axes: Axes, descents: Sequence[Descent]) -> None:
    """Draw the value over the steps: above the minimum and on a logarithmic axis where it spans decades."""
    lowest = min(float(np.nanmin(descent.values)) for descent in descents)
    curvature = descents[0].curvature
    if curvature is not None:
        lowest = min(lowest, descents[0].objective.value(curvature.minimum))
    start = float(descents[0].values[0]) - lowest
    is_wide = any(_spans_decades(descent.values - lowest, start) for descent in descents)
    style(axes, "step", "f - minimum" if is_wide and abs(lowest) > 1e-9 else "f")
    widths = np.linspace(3.0, 1.3, len(descents)) if len(descents) > 1 else [1.6]  # equal curves show side by side
    for descent, colour, width in zip(descents, _colours(descents), widths, strict=True):
        heights = descent.values - lowest if is_wide else descent.values
        heights = np.where(np.isfinite(heights) & ((heights > 0) | (not is_wide)), heights, np.nan)
        mark = "o" if len(heights) <= 40 else ""
        axes.plot(heights, color=colour, linewidth=float(width), marker=mark, markersize=3, label=descent.label)
    if is_wide:
        axes.set_yscale("log")
        bottom, top = axes.get_ylim()
        axes.set_ylim(max(bottom, start * 1e-12, 1e-300), min(top, start * 1e6))
    axes.locator_params(axis="x", integer=True)
    if len(descents) > 1:
        legend(axes)


def draw_gradients(axes: Axes, descents: Sequence[Descent]) -> None:
    """Draw the length of the gradient over the steps."""
    style(axes, "step", "length of the gradient")
    for descent, colour in zip(descents, _colours(descents), strict=True):
        lengths = np.linalg.norm(descent.gradients.reshape(len(descent.values), -1), axis=1)
        axes.plot(np.where(lengths > 0, lengths, np.nan), color=colour, linewidth=1.5)
    axes.set_yscale("log")
    axes.locator_params(axis="x", integer=True)


def _colours(descents: Sequence[Descent]) -> list[str]:
    return [COLOURS[place % len(COLOURS)] for place in range(len(descents))]


def _short_verdict(descent: Descent) -> str:
    verdict = descent.verdict
    words = {
        "converged": "arrived",
        "descending": "on its way",
        "oscillating": "jumps across",
        "diverging": f"diverges from step {verdict.step}",
        "unbounded": "falls without end",
        "outside": f"leaves the domain at step {verdict.step}",
    }
    return words[verdict.kind]


def _spans_decades(heights: Floats, start: float) -> bool:
    positive = heights[np.isfinite(heights) & (heights > max(start, 1e-300) * 1e-12)]
    return bool(positive.size) and float(positive.max()) > 50 * float(positive.min())


def _limits(descents: Sequence[Descent]) -> Floats:
    """Return (variables, 2), the part of the plane to draw: where all paths go that do not run away."""
    start = descents[0].points[0].ravel()
    anchors = [start]
    if descents[0].curvature is not None:
        anchors.append(descents[0].curvature.minimum.ravel())
    for descent in descents:
        if descent.verdict.kind in ("converged", "descending", "oscillating"):
            anchors += [descent.points.reshape(len(descent.points), -1).min(0)]
            anchors += [descent.points.reshape(len(descent.points), -1).max(0)]
    reach = np.ptp(np.array(anchors), axis=0)
    reach = np.maximum(reach, 0.2 * reach.max() or 1.0)
    middle = (np.max(anchors, axis=0) + np.min(anchors, axis=0)) / 2
    for descent in descents:  # of a path that runs away, the first points
        near = descent.points.reshape(len(descent.points), -1)[:4]
        anchors += [point for point in near if (np.abs(point - middle) <= ZOOM * reach).all()]
    low, high = np.min(anchors, axis=0), np.max(anchors, axis=0)
    margin = 0.12 * np.maximum(high - low, 0.2 * float((high - low).max()) or 1.0)
    function = descents[0].objective.function
    assert function is not None
    if len(start) == 1 and descents[0].curvature is not None:  # both sides of the valley
        bottom = descents[0].curvature.minimum.ravel()
        reach_down = np.maximum(np.abs(high - bottom), np.abs(bottom - low))
        low, high = np.minimum(low, bottom - 0.6 * reach_down), np.maximum(high, bottom + 0.6 * reach_down)
    return np.stack([low - margin, high + margin], 1)


def _number_points(axes: Axes, points: Floats) -> None:
    """Write x0, x1, ... at the first points, as long as they stand apart."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    size = np.array([right - left, high - low])
    written: list[Floats] = []
    for place, point in enumerate(points[:12]):
        is_inside = left <= point[0] <= right and low <= point[1] <= high
        is_apart = all(np.abs((point - other) / size).max() > APART for other in written)
        if is_inside and is_apart:
            axes.annotate(
                f"x{place}", point, xytext=(6, 3), textcoords="offset points", color=INK, fontsize=TEXT_SIZE - 1
            )
            written.append(point)


def _mark_minimum(axes: Axes, descent: Descent, size: int) -> None:
    if descent.curvature is None:
        return
    bottom = descent.curvature.minimum.ravel()
    place = (bottom[0], descent.objective.value(descent.curvature.minimum)) if size == 1 else tuple(bottom)
    axes.plot(*place, marker="*", color=GREEN, markersize=11, markeredgecolor="white", zorder=5)
