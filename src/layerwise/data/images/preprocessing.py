"""The preprocessing of pictures: from a raw file to scaled numbers, in the same way in training and in use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from layerwise.data.dataset import Kind, Rows
from layerwise.data.images.files import refusing_bombs
from layerwise.data.images.folders import FolderPictures, pictures_in
from layerwise.errors import DataError, NotFoundError, nearest

FITTED_AT_ONCE = 512


@dataclass(frozen=True)
class ImagePreprocessing:
    """Pictures of one size, scaled to [0, 1] and then by the mean and deviation of each channel.

    mean, std: of the training split, one value a channel, in units of the [0, 1] scale.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    kind: Kind = "images"

    @classmethod
    def fit(cls, pictures: Tensor | Rows) -> ImagePreprocessing:
        """Measure the training pictures, (n, channels, height, width) uint8.

        Sums of whole numbers below 2**53 are exact in float64, so the order of adding does not matter.
        """
        _, channels, height, width = pictures[torch.arange(1)].shape
        total = torch.zeros(channels, dtype=torch.float64)
        squares = torch.zeros(channels, dtype=torch.float64)
        for start in range(0, len(pictures), FITTED_AT_ONCE):
            chunk = pictures[torch.arange(start, min(start + FITTED_AT_ONCE, len(pictures)))].double()
            total += chunk.sum((0, 2, 3))
            squares += chunk.square().sum((0, 2, 3))
        number = len(pictures) * height * width
        moments = [_moments(number, int(s), int(q)) for s, q in zip(total.tolist(), squares.tolist(), strict=True)]
        means, deviations = zip(*moments, strict=True)
        return cls(channels, height, width, means, deviations)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.channels, self.height, self.width)

    def to_float(self, inputs: Tensor) -> Tensor:
        """Turn uint8 values into float32 in [0, 1], the scale that augmentation works on."""
        return inputs.float() / 255

    def normalise(self, pictures: Tensor) -> Tensor:
        """Scale pictures in [0, 1] by mean and deviation, (..., channels, height, width) float32."""
        mean = torch.tensor(self.mean, device=pictures.device)[:, None, None]
        std = torch.tensor(self.std, device=pictures.device)[:, None, None]
        return (pictures - mean).div_(std)

    def transform(self, inputs: Tensor) -> Tensor:
        return self.normalise(self.to_float(inputs))

    def read(self, source: Path) -> tuple[Tensor, list[str]]:
        """Read a picture, or all pictures in a folder and its subfolders, in this colour and size.

        Returns the pictures, (n, channels, height, width) uint8, and their names, relative to the folder.
        Raises NotFoundError, or DataError for a folder without pictures and for a picture that cannot be read.
        """
        if not source.exists():
            names = [entry.name for entry in source.parent.iterdir()] if source.parent.is_dir() else []
            raise NotFoundError(
                f"{source} does not exist; name a picture or a folder of them.{nearest(source.name, names)}"
            )
        found = pictures_in(source) if source.is_dir() else [(source, source.name)]
        if not found:
            raise DataError(f"{source} holds no pictures; name a folder with some in it.")
        rows = FolderPictures(tuple(path for path, _ in found), (self.channels, self.height, self.width))
        with refusing_bombs():
            return rows[torch.arange(len(rows))], [name for _, name in found]

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "channels": self.channels,
            "height": self.height,
            "width": self.width,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> ImagePreprocessing:
        """Rebuild what `to_json` gave. Raises ValueError where mean and deviation are not of each channel."""
        if not len(saved["mean"]) == len(saved["std"]) == saved["channels"]:
            raise ValueError(f"{len(saved['mean'])} means of {saved['channels']} channels")
        return ImagePreprocessing(
            channels=saved["channels"],
            height=saved["height"],
            width=saved["width"],
            mean=tuple(saved["mean"]),
            std=tuple(saved["std"]),
        )


def _moments(number: int, total: int, squares: int) -> tuple[float, float]:
    """Return mean and deviation on the [0, 1] scale, computed in whole numbers; a constant's deviation is 1."""
    variance = (number * squares - total * total) / (number * number * 255 * 255)
    return total / (number * 255), math.sqrt(variance) or 1.0
