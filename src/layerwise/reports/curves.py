"""The activations and the losses as curves, each with its derivative."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.tables.activations import ACTIVATIONS, Activation
from layerwise.neuron.tables.losses import LOSSES, Loss
from layerwise.reports.figures import BLUE, GREEN, GRID, INK, MUTED, ORANGE, TEXT_SIZE, new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.floating[Any]]

ACROSS = (4, 5)  # panels in a row, whichever leaves fewer places empty
LETTERS_AN_INCH = 11
REACH, LOSS_REACH = 6.0, 4.0


def activation_figure(names: Sequence[str]) -> Figure:
    """Draw each activation (blue) with its derivative (orange), and its largest slope."""
    figure, panels = _panels(
        len(names),
        "blue: value a(z)   orange: derivative da/dz   green: limits   grey: saturates, < 1 % of the gradient passes",
    )
    for axes, name in zip(panels, names, strict=True):
        draw_activation(axes, ACTIVATIONS[name])
    return figure


def draw_activation(axes: Axes, row: Activation) -> None:
    """Draw one activation; of maxout and softmax one of two sums varies and the other is 0."""
    z = np.linspace(-REACH, REACH, 401)
    if row.elementwise:
        a = row.value(z)
        slope = row.slope(z, a)
        label = "z"
    else:
        pair = np.stack([z, np.zeros_like(z)], 1)
        values = row.value(pair)
        slope = row.slope(pair, values)
        a, slope = (values[:, 0], slope[:, 0, 0]) if values.ndim == 2 else (values, slope[:, 0])
        label = "z1, while z2 = 0"
    style(axes, label, "", grid="both", title=row.name)
    axes.set_xticks(range(-6, 7, 3))
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.plot(z, slope, color=ORANGE, linewidth=1.6)
    axes.plot(z, a, color=BLUE, linewidth=2.2)
    for limit in row.range:
        if math.isfinite(limit) and limit:
            axes.axhline(limit, color=GREEN, linewidth=0.9, linestyle=(0, (4, 3)))
    _grey_out(axes, z, slope, row)
    axes.set_ylim(max(-2.2, float(min(a.min(), slope.min())) - 0.15), min(3.2, float(max(a.max(), slope.max())) + 0.15))


def _grey_out(axes: Axes, z: Floats, slope: Floats, row: Activation) -> None:
    """Shade where less than a hundredth of the gradient passes: where the activation saturates in the picture."""
    if not row.saturates.startswith("nowhere"):
        bottom = np.abs(slope) < 0.01
        axes.fill_between(z, -10, 10, where=bottom.tolist(), color=GRID, alpha=0.55, linewidth=0)


def loss_figure(names: Sequence[str]) -> Figure:
    """Draw each loss (blue) over the output for a target of 1 (and dashed for the other one), with its derivative."""
    figure, panels = _panels(
        len(names), "blue: loss   orange: derivative dJ/do   solid: y = 1   dashed: the other target"
    )
    for axes, name in zip(panels, names, strict=True):
        draw_loss(axes, LOSSES[name])
    return figure


def draw_loss(axes: Axes, row: Loss) -> None:
    """Draw one loss; of cross-entropy one of two outputs varies and the other is 0."""
    o = np.linspace(-LOSS_REACH, LOSS_REACH, 401)
    style(axes, "output o" if row.elementwise else "output o1, while o2 = 0", "", grid="both", title=row.name)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    other = {"signs": -1.0, "numbers": None}.get(row.targets, 0.0)
    for y, line in ((1.0, "-"), (other, (0, (4, 2)))):
        if y is None:
            continue
        if row.elementwise:
            target = np.full_like(o, y)
            values, slopes = row.value(o, target), row.slope(o, target)
        else:
            pair, shares = np.stack([o, np.zeros_like(o)], 1), np.tile([y, 1 - y], (len(o), 1))
            values, slopes = row.value(pair, shares), row.slope(pair, shares)[:, 0]
        axes.plot(o, slopes, color=ORANGE, linewidth=1.4, linestyle=line)
        axes.plot(o, values, color=BLUE, linewidth=2.0, linestyle=line)
    axes.set_ylim(-4.2, 6.2)


def _panels(count: int, caption: str) -> tuple[Figure, list[Axes]]:
    across = min(count, min(ACROSS, key=lambda across: -count % across))
    down = math.ceil(count / across)
    width = max(5.2, 2.8 * across)
    figure = new_figure(width, 2.5 * down + 0.4)
    phrases = [phrase.replace(" ", "\N{NO-BREAK SPACE}") for phrase in caption.split("   ")]
    lines = textwrap.wrap(" \N{NO-BREAK SPACE} ".join(phrases), round(LETTERS_AN_INCH * width))
    figure.suptitle("\n".join(lines), color=INK, fontsize=TEXT_SIZE + 1)
    panels = np.atleast_1d(figure.subplots(down, across)).ravel().tolist()
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels[:count]
