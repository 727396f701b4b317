"""Pictures with classes or masks as a kind of data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Notice, Split
from layerwise.data.images.folders import scan_folder
from layerwise.data.images.mask_folders import cut_tiles, is_mask_folder, scan_masks
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.kind import DataKind
from layerwise.data.raw import RawData, RawImages, RawMasks
from layerwise.errors import UsageError

RESIZED_AT_ONCE = 4096

Raw = TypeVar("Raw", bound=RawData)


class _Pictures(DataKind[Raw, RawImages, ImagePreprocessing]):
    def fit(self, train: RawImages, config: DataConfig) -> tuple[ImagePreprocessing, tuple[Notice, ...]]:
        return ImagePreprocessing.fit(train.train.inputs), ()

    def encode(self, preprocessing: ImagePreprocessing, samples: RawImages) -> Split:
        return samples.train


class ImageData(_Pictures[RawImages]):
    """Pictures of one size: folders of class folders, and data sets by name."""

    def accepts(self, path: Path, config: DataConfig) -> bool:
        return path.is_dir()

    def read(self, path: Path, config: DataConfig) -> RawImages:
        return scan_folder(path, image_size=config.image_size)

    def prepare(self, raw: RawImages, name: str, config: DataConfig) -> RawImages:
        if config.image_size and raw.task == "segmentation":
            raise UsageError(
                f"`image_size` cannot be used for {name}: its masks would no longer match the images; leave it out."
            )
        return resize(raw, config.image_size) if config.image_size else raw


class MaskData(_Pictures[RawMasks]):
    """Folders of pictures of any sizes with their masks, cut into tiles after they are divided."""

    def accepts(self, path: Path, config: DataConfig) -> bool:
        return is_mask_folder(path)

    def read(self, path: Path, config: DataConfig) -> RawMasks:
        return scan_masks(path, config.image_size)

    def cut(self, part: RawMasks, config: DataConfig) -> RawImages:
        read = zip(part.names, part.pictures, part.masks, strict=True)
        tiles = cut_tiles(read, part.side_px, part.channels)
        return RawImages(tiles, part.classes, part.source, task="segmentation")


def resize(raw: RawImages, side_px: int) -> RawImages:
    """Resize all pictures that are in memory; folders were read in the right size."""
    train, valid, test = (_resize(part, side_px) for part in (raw.train, raw.valid, raw.test))
    assert train is not None
    return replace(raw, train=train, valid=valid, test=test)


def _resize(split: Split | None, side_px: int) -> Split | None:
    """Resize pictures as Pillow does, bicubic with antialiasing."""
    if split is None or not isinstance(split.inputs, Tensor) or split.inputs.shape[-2:] == (side_px, side_px):
        return split
    parts = [
        F.interpolate(part, size=(side_px, side_px), mode="bicubic", antialias=True)
        for part in split.inputs.split(RESIZED_AT_ONCE)
    ]
    return replace(split, inputs=torch.cat(parts))
