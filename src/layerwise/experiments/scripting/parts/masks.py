"""Pictures with a mask each, which says what every pixel belongs to."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.mask_folders import starts
from layerwise.experiments.scripting.parts.files import pictures_in, to_8_bits


def read_pairs(folder: Path, mode: str) -> list[tuple[Tensor, Tensor]]:
    """Read the pictures of a folder, (channels, height, width), with the masks of the same names, (height, width)."""
    sides = [
        {path.relative_to(folder / side).with_suffix("").as_posix(): path for path in pictures_in(folder / side)}
        for side in ("pictures", "masks")
    ]
    return [(read_whole(sides[0][name], mode), read_mask(sides[1][name])) for name in sorted(sides[0])]


def read_whole(path: Path, mode: str) -> Tensor:
    """Read a picture upright, in its own size."""
    with Image.open(path) as image:
        image.load()
        plain = to_8_bits(ImageOps.exif_transpose(image)).convert(mode)
    return torch.from_numpy(np.array(plain, np.uint8).reshape(plain.height, plain.width, -1)).permute(2, 0, 1)


def read_mask(path: Path) -> Tensor:
    """Read the number of the class of each pixel."""
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image).astype(np.uint8))


def tiles_of(pairs: list[tuple[Tensor, Tensor]], side: int) -> tuple[Tensor, Tensor]:
    """Cut pictures and masks into tiles; smaller ones are framed by pixels of no class, 255."""
    pictures, masks = [], []
    for picture, mask in pairs:
        height, width = mask.shape
        frame = (0, max(0, side - width), 0, max(0, side - height))
        picture, mask = F.pad(picture, frame), F.pad(mask, frame, value=255)
        for top in starts(mask.shape[0], side):
            for left in starts(mask.shape[1], side):
                pictures.append(picture[:, top : top + side, left : left + side])
                masks.append(mask[top : top + side, left : left + side])
    return torch.stack(pictures), torch.stack(masks)
