"""Coefficient paths: every weight over the strength of the penalty, and how many are left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.solvers.paths import CoefficientPath
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
    new_figure,
    style,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.floating[Any]]

COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, INK)
NAMED_AT_MOST = 12  # weights that are named at their ends; the others are drawn in grey
LABEL_GAP = 0.036  # of the height, between two names


def path_figure(path: CoefficientPath, features: Sequence[str], scores: Floats, best: int) -> Figure:
    """Draw the weights over the strength, falling to the right, above the number of active ones and the test score.

    scores: (strengths,) R² on the test rows. best: the place of the best validation, which is marked.
    """
    figure = new_figure(9.0, 6.6)
    top, bottom = figure.subplots(2, 1, height_ratios=[2.6, 1], sharex=True)
    style(top, "", "weight", title=f"{path.penalty}: the weights as the penalty gets weaker")
    end = path.weights[-1]
    order = np.argsort(-np.abs(path.weights).max(0), kind="stable")
    named = order[:NAMED_AT_MOST]
    for place in order[::-1]:
        rank = int(np.flatnonzero(named == place)[0]) if place in named else None
        colour = GRID if rank is None else COLOURS[rank % len(COLOURS)]
        line = "-" if rank is None or rank < len(COLOURS) else (0, (5, 2))
        top.plot(path.strengths, path.weights[:, place], color=colour, linewidth=1.7, linestyle=line)
    top.axhline(0, color=MUTED, linewidth=0.8)
    _name_ends(top, path.strengths[-1], end, named, features)
    counts = [len(path.active(place)) for place in range(len(path.strengths))]
    style(bottom, "strength of the penalty (weaker to the right)", "active weights")
    bottom.step(path.strengths, counts, where="mid", color=BLUE, linewidth=1.7)
    bottom.set_ylim(0, 1.08 * max(*counts, 1))
    whole_numbers(bottom.yaxis)
    bottom.yaxis.label.set_color(BLUE)
    other = bottom.twinx()
    style(other, "", "R² on the test rows", grid="")
    other.plot(path.strengths, scores, color=ORANGE, linewidth=1.7)
    other.yaxis.label.set_color(ORANGE)
    for axes in (top, bottom):
        axes.axvline(path.strengths[best], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    top.annotate(
        "best on the validation rows",
        (path.strengths[best], top.get_ylim()[1]),
        xytext=(-4 if best > len(counts) / 2 else 4, -10),
        ha="right" if best > len(counts) / 2 else "left",
        textcoords="offset points",
        fontsize=TEXT_SIZE - 1,
        color=MUTED,
    )
    top.set_xscale("log")
    top.set_xlim(path.strengths[0], path.strengths[-1])
    return figure


def _name_ends(axes: Axes, strength: float, end: Floats, named: NDArray[np.intp], features: Sequence[str]) -> None:
    """Write the features' names at the right ends of their lines, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    order = named[np.argsort(end[named], kind="stable")]
    for place, height in zip(order, spread(end[order], LABEL_GAP * (high - low)), strict=True):
        rank = int(np.flatnonzero(named == place)[0])
        axes.annotate(
            shorten(features[place], 24),
            (strength, height),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=COLOURS[rank % len(COLOURS)],
            fontsize=TEXT_SIZE - 1,
            annotation_clip=False,
        )


def spread(heights: Floats, gap: float) -> list[float]:
    """Return rising heights moved apart to at least `gap`, those that would touch around their common middle."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([float(height)])
        while len(groups) > 1 and _bottom(groups[-1], gap) < _top(groups[-2], gap) + gap:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_bottom(group, gap) + gap * place for group in groups for place in range(len(group))]


def _bottom(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - gap * (len(group) - 1) / 2


def _top(group: Sequence[float], gap: float) -> float:
    return _bottom(group, gap) + gap * (len(group) - 1)
