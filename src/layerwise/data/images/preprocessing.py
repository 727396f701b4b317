"""The preprocessing of pictures: from a raw file to scaled numbers, in the same way in training and in use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from layerwise.data.dataset import Kind, Labels, Rows, Split
from layerwise.data.images.folders import scan_folder
from layerwise.data.images.inputs import read_pictures
from layerwise.data.images.mask_folders import cut_tiles, pair_masks, read_folder
from layerwise.data.inputs import MemoryFile, Source, label_source, open_source, split_pairs
from layerwise.data.json_checks import from_plain, to_plain
from layerwise.errors import DataError

FITTED_AT_ONCE = 512


@dataclass(frozen=True)
class ImagePreprocessing:
    """Pictures of one size, scaled to [0, 1] and then by the mean and deviation of each channel.

    Parameters
    ----------
    channels : int
        1 for grey, 3 for RGB.
    height, width : int
        Pixels of every picture that is read.
    mean, std : tuple of float
        Of the training split, one value per channel, on the [0, 1] scale.
    """

    channels: int
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    kind: Kind = "images"

    @classmethod
    def fit(cls, pictures: Tensor | Rows) -> ImagePreprocessing:
        """Measure the training pictures.

        Parameters
        ----------
        pictures : Tensor or Rows, (n, channels, height, width) uint8
            The training split alone.

        Notes
        -----
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
        """Scale uint8 pictures by mean and deviation; float32 of the same shape."""
        return self.normalise(self.to_float(inputs))

    def read(self, source: Source, name: str = "") -> tuple[Tensor, list[str]]:
        """Read pictures in this colour and size.

        Parameters
        ----------
        source : str, Path, bytes, array, Pillow image, or list of the last two
            A picture, a folder of them and its subfolders, the bytes of a picture, or pictures in memory: arrays are
            (height, width) or (height, width, 3) uint8.
        name : str
            What the bytes are called, such as 'cat.png'.

        Returns
        -------
        pictures : Tensor, (n, channels, height, width) uint8
        ids : list of str
            The name of the file, the path in the folder, or the number in the list.

        Raises
        ------
        NotFoundError, DataError
            There is no such file, the folder holds no pictures, or a picture cannot be read.
        """
        pictures, ids = read_pictures(source, self.channels, (self.height, self.width), name)
        return torch.from_numpy(np.stack(pictures)), ids

    def read_labelled(self, source: Source, labels: Labels, name: str = "") -> Split:
        """Read pictures with their classes or masks; see `Preprocessing.read_labelled`.

        A folder of class folders, of which the test part is taken where it has one; for segmentation a folder with
        pictures/ and masks/, cut into tiles; or a list of (picture, class) or (picture, mask).
        """
        folder = open_source(source, name)
        if isinstance(folder, MemoryFile):
            raise DataError(f"{folder} is one picture, which has no label; give a folder, or a list of pairs.")
        if labels.task == "segmentation":
            if folder is None:
                content = pair_masks(source, self.channels, labels.classes)
            else:
                content = read_folder(folder, self.channels)
            read = zip(content.names, content.pictures, content.masks, strict=True)
            return labels.number(cut_tiles(read, self.height, self.channels), content.classes, label_source(source))
        if folder is None:
            pictures, names = split_pairs(source, "(picture, class)")
            inputs, ids = self.read(pictures)
            return Split(inputs, labels.encode([str(one) for one in names], label_source(source)), ids)
        raw = scan_folder(folder, shape=(self.channels, self.height, self.width))
        return labels.number(raw.test or raw.train, raw.classes, str(folder))

    def to_json(self) -> dict[str, Any]:
        return to_plain(self)

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> ImagePreprocessing:
        """Rebuild what `to_json` gave. Raises ValueError where mean and deviation are not of each channel."""
        read = from_plain(ImagePreprocessing, saved)
        if not len(read.mean) == len(read.std) == read.channels:
            raise ValueError(f"{len(read.mean)} means of {read.channels} channels")
        return read


def _moments(number: int, total: int, squares: int) -> tuple[float, float]:
    """Return mean and deviation on the [0, 1] scale, computed in whole numbers; a constant's deviation is 1."""
    variance = (number * squares - total * total) / (number * number * 255 * 255)
    return total / (number * 255), math.sqrt(variance) or 1.0
