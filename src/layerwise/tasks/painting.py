"""What tasks have in common whose networks paint pictures of codes."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from layerwise.data.dataset import Dataset
from layerwise.data.pictures import PicturePreprocessing
from layerwise.errors import UsageError


@runtime_checkable
class Painter(Protocol):
    """A task whose networks paint."""

    def draw_codes(self, model: Any, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Return codes from the distribution that `model` paints by, (count, code), standard normal."""
        ...

    def paint(self, model: Any, codes: Tensor) -> Tensor:
        """Let `model` paint a picture of each code, (codes, channels, height, width), from 0 to 1."""
        ...


def picture_scale(dataset: Dataset) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of each channel, on the scale from 0 to 1, that pictures were prepared by.

    Raises:
        UsageError: the data is no pictures with classes, by which painted pictures are measured.
    """
    if not isinstance(dataset.preprocessing, PicturePreprocessing) or dataset.goal != "classification":
        raise UsageError(
            f"autoencoders and GANs learn from pictures with classes, and {dataset.name} is {dataset.kind} for "
            f"{dataset.goal}; use mnist, fashion-mnist, or a folder of class folders."
        )
    return dataset.preprocessing.mean, dataset.preprocessing.std
