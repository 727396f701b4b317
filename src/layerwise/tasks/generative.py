"""What tasks have in common whose networks generate images from latents."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from layerwise.data.dataset import Dataset, Kind
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.errors import UsageError

GENERATED_AT_ONCE = 256


@runtime_checkable
class GenerativeTask(Protocol):
    """A task whose networks generate images."""

    def sample_latents(self, model: Any, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Return codes from the prior distribution of `model`, (count, code), standard normal."""
        ...

    def generate(self, model: Any, codes: Tensor) -> Tensor:
        """Generate an image from each latent, (codes, channels, height, width), from 0 to 1."""
        ...


def sample_images(task: GenerativeTask, model: nn.Module, count: int, seed: int) -> Tensor:
    """Generate `count` images, (count, channels, height, width) uint8; the seed decides which."""
    return generate(task, model, task.sample_latents(model, count, torch.Generator().manual_seed(seed)))


def generate(task: GenerativeTask, model: nn.Module, codes: Tensor) -> Tensor:
    """Generate an image from each latent, with `model` in evaluation mode, (codes, channels, height, width) uint8."""
    device = next(model.parameters()).device
    with torch.inference_mode():
        parts = [task.generate(model, part) for part in codes.to(device).split(GENERATED_AT_ONCE)]
        return (torch.cat(parts).clamp(0, 1) * 255).round().byte().cpu()


KINDS: dict[Kind, str] = {
    "images": "images",
    "table": "rows of a table",
    "bag_of_words": "texts",
    "series": "series",
    "characters": "texts",
    "pairs": "pairs of texts",
    "text": "a text",
}


def image_scale(dataset: Dataset) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of each channel, on the scale from 0 to 1, that pictures were prepared by.

    Raises:
        UsageError: the data is no pictures with classes, by which generated pictures are measured.
    """
    if not isinstance(dataset.preprocessing, ImagePreprocessing) or dataset.task != "classification":
        raise UsageError(
            f"autoencoders and GANs learn from pictures with classes, and {dataset.name} holds {KINDS[dataset.kind]} "
            f"for {dataset.task}; use mnist, fashion-mnist, or a folder of class folders."
        )
    return dataset.preprocessing.mean, dataset.preprocessing.std
