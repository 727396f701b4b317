"""Decision boundaries in the plane, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.reports import wording
from layerwise.reports.figures import BLUE, INK, ORANGE, PAPER, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]


@dataclass(frozen=True)
class Boundary:
    """points (n, 2), labels (n,) 0 and 1; grid: probability of 1 over the square from -reach to reach, y by x."""

    title: str
    points: Array
    labels: Array
    grid: Array
    reach: float
    accuracy: float


def boundary_figure(rows: Sequence[Sequence[Boundary]]) -> Figure:
    """Draw a panel for each boundary, those of one row beside each other; the black line is where p = 1/2."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("sides", [BLUE, PAPER, ORANGE])
    figure = new_figure(4.0 * len(rows[0]), 3.9 * len(rows))
    panels = np.atleast_2d(figure.subplots(len(rows), len(rows[0]), squeeze=False))
    for axes, one in zip(panels.ravel(), (one for row in rows for one in row), strict=True):
        style(axes, grid="", title=f"{one.title}: {wording.share(one.accuracy)} right")
        limits = (-one.reach, one.reach, -one.reach, one.reach)
        axes.imshow(one.grid, extent=limits, origin="lower", cmap=shades, vmin=0, vmax=1, alpha=0.6, aspect="equal")
        if one.grid.min() < 0.5 < one.grid.max():
            axes.contour(one.grid, levels=[0.5], extent=limits, origin="lower", colors=INK, linewidths=1.6)
        for label, colour, mark in ((0, BLUE, "o"), (1, ORANGE, "^")):
            chosen = one.points[one.labels == label]
            axes.scatter(
                chosen[:, 0], chosen[:, 1], s=13, color=colour, marker=mark, edgecolors="white", linewidths=0.3
            )
        axes.set_xticks([])
        axes.set_yticks([])
    return figure
