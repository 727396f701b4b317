"""A map of codes: each sample a dot where its code lies, some with their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerwise.reports.charts import shorten
from layerwise.reports.figures import INK, TEXT_SIZE, new_figure, style
from layerwise.reports.pictures import Pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

PICTURES_AT_MOST = 60
PICTURE_SIDE = 0.022  # half of one, as a share of the map's longer side
APART = 0.06
NAMED_AT_MOST = 20


def latent_map(
    codes: NDArray[np.float32], labels: Sequence[int], classes: Sequence[str], shown: Sequence[Pixels]
) -> Figure:
    """Draw codes, (samples, code), in the two directions in which they differ most, coloured by class.

    shown: the picture of each sample; some of them that do not cover one another stand on the map.
    """
    from matplotlib import colormaps

    places = two_directions(codes)
    figure = new_figure(6.6, 5.2)
    axes = figure.add_subplot()
    style(axes, grid="")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    colours = colormaps["tab10" if len(classes) <= 10 else "tab20"]
    numbers = np.array(labels)
    for number, name in enumerate(classes):
        mine = places[numbers == number]
        colour = colours(number % colours.N)
        label = shorten(name, 20) if number < NAMED_AT_MOST else None
        axes.scatter(mine[:, 0], mine[:, 1], s=7, color=colour, alpha=0.65, linewidths=0, label=label, rasterized=True)
    low, high = places.min(0), places.max(0)
    side = PICTURE_SIDE * float((high - low).max() or 1.0)
    for place in apart(places, APART * float((high - low).max() or 1.0))[:PICTURES_AT_MOST]:
        x, y = places[place]
        axes.imshow(shown[place], extent=(x - side, x + side, y - side, y + side), zorder=3)
    axes.set_xlim(low[0] - 2 * side, high[0] + 2 * side)
    axes.set_ylim(low[1] - 2 * side, high[1] + 2 * side)
    axes.set_aspect("equal")
    axes.legend(
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        labelcolor=INK,
        fontsize=TEXT_SIZE - 1,
        markerscale=2,
    )
    return figure


def two_directions(codes: NDArray[np.float32]) -> Floats:
    """Return codes in their first two principal components, (samples, 2); a second of zeros for one number."""
    centred = codes.astype(np.float64) - codes.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    places: Floats = centred @ directions[:2].T
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))


def apart(places: Floats, least: float) -> list[int]:
    """Return the numbers of places of which no two are nearer than `least`, taken in their order."""
    kept: list[int] = []
    for number, place in enumerate(places):
        if all(np.abs(places[other] - place).max() >= least for other in kept):
            kept.append(number)
    return kept
