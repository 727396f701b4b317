"""What tasks have in common whose networks paint pictures of codes."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from layerwise.data.dataset import Dataset, Kind
from layerwise.data.pictures import PicturePreprocessing
from layerwise.errors import UsageError

PAINTED_AT_ONCE = 256


@runtime_checkable
class Painter(Protocol):
    """A task whose networks paint."""

    def draw_codes(self, model: Any, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Return codes from the distribution that `model` paints by, (count, code), standard normal."""
        ...

    def paint(self, model: Any, codes: Tensor) -> Tensor:
        """Let `model` paint a picture of each code, (codes, channels, height, width), from 0 to 1."""
        ...


def draw_pictures(task: Painter, model: nn.Module, count: int, seed: int) -> Tensor:
    """Let `model` paint `count` pictures, (count, channels, height, width) uint8; the seed decides which."""
    return paint_codes(task, model, task.draw_codes(model, count, torch.Generator().manual_seed(seed)))


def paint_codes(task: Painter, model: nn.Module, codes: Tensor) -> Tensor:
    """Let `model`, in evaluation mode, paint a picture of each code, (codes, channels, height, width) uint8."""
    device = next(model.parameters()).device
    with torch.inference_mode():
        parts = [task.paint(model, part) for part in codes.to(device).split(PAINTED_AT_ONCE)]
        return (torch.cat(parts).clamp(0, 1) * 255).round().byte().cpu()


KINDS: dict[Kind, str] = {
    "pictures": "pictures",
    "table": "rows of a table",
    "text": "texts",
    "series": "series",
    "tokens": "texts",
    "pairs": "pairs of texts",
    "prose": "a text",
}


def picture_scale(dataset: Dataset) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of each channel, on the scale from 0 to 1, that pictures were prepared by.

    Raises:
        UsageError: the data is no pictures with classes, by which painted pictures are measured.
    """
    if not isinstance(dataset.preprocessing, PicturePreprocessing) or dataset.goal != "classification":
        raise UsageError(
            f"autoencoders and GANs learn from pictures with classes, and {dataset.name} holds {KINDS[dataset.kind]} "
            f"for {dataset.goal}; use mnist, fashion-mnist, or a folder of class folders."
        )
    return dataset.preprocessing.mean, dataset.preprocessing.std
