"""Which words of a text a translator looked at when it wrote each word of its translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from layerwise.data.text.translation import PairPreprocessing
from layerwise.reports.figures import BLUE, INK, ORANGE, PAPER, TEXT_SIZE, new_figure, style
from layerwise.tasks.translation import START

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL = 0.3  # inches
MARGIN = 1.2  # inches for the words at the sides
END_NAME = "(end)"


@dataclass(frozen=True)
class Alignment:
    """weights: how much each written token takes from each token that was read, (written, read); rows add up to 1."""

    read: tuple[str, ...]
    written: tuple[str, ...]
    weights: NDArray[np.float32]


def teach(preprocessing: PairPreprocessing, source: str, translation: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return what is read, what stands before each place of the translation and what stands there, (1, time) each."""
    inputs, targets = preprocessing.encode_sources([source]), preprocessing.encode_targets([translation])
    return inputs, torch.cat((torch.full((1, 1), START), targets[:, :-1]), dim=1), targets


@torch.inference_mode()
def align(model: Any, preprocessing: PairPreprocessing, source: str, translation: str) -> Alignment:
    """Return the attention of `model`, one with a method `attention`, while it writes `translation`."""
    inputs, previous, targets = teach(preprocessing, source, translation)
    weights = model.attention(inputs, previous)[0].float().cpu().numpy()
    written = preprocessing.pieces(targets[0, :-1].tolist())
    return Alignment(tuple(preprocessing.pieces(inputs[0].tolist())), (*written, END_NAME), weights)


def alignment_chart(alignment: Alignment, *, signed: bool = False) -> Figure:
    """Draw the text that was read from left to right, its translation downwards, and darker where it looked.

    signed: weights of both signs, blue above zero and orange below, whose rows need not add up to 1.
    """
    from matplotlib.colors import LinearSegmentedColormap

    read, written = alignment.read, alignment.written
    figure = new_figure(MARGIN + CELL * len(read), MARGIN + CELL * len(written))
    axes = figure.add_subplot()
    style(axes, grid="")
    shades = LinearSegmentedColormap.from_list("attention", [*([ORANGE] if signed else []), PAPER, BLUE])
    reach = max(float(np.abs(alignment.weights).max()), 1e-12) if signed else 1.0
    axes.imshow(alignment.weights, cmap=shades, vmin=-reach if signed else 0, vmax=reach, aspect="equal")
    axes.set_xticks(range(len(read)), _names(read), rotation=60, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(written)), _names(written))
    axes.tick_params(labelsize=TEXT_SIZE - 1, colors=INK)
    axes.xaxis.tick_top()
    return figure


def _names(pieces: Sequence[str]) -> list[str]:
    """Show what continues a word as such; a dollar sign would begin a formula."""
    return [(piece.strip() if piece[:1] in (" ", "(") else f"·{piece}").replace("$", r"\$") for piece in pieces]
