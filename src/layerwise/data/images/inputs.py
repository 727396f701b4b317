"""Pictures for a trained network: from files, folders, bytes, arrays and Pillow's images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from layerwise.data.images.files import picture_values, read_picture, refusing_bombs
from layerwise.data.images.folders import FolderPictures, list_pictures
from layerwise.data.inputs import Source, check_exists, describe, open_source
from layerwise.errors import DataError

WANTED = "a picture as a file, a Pillow image or an array of (height, width) or (height, width, 3) uint8"

Pixels = NDArray[np.uint8]  # (channels, height, width)


def read_pictures(
    source: Source, channels: int, size: tuple[int, int] | None = None, name: str = ""
) -> tuple[list[Pixels], list[str]]:
    """Read pictures as (channels, height, width) uint8 each.

    Parameters
    ----------
    source : str, Path, bytes, array, Pillow image, or list of the last two
        A picture, a folder of them and its subfolders, the bytes of a picture, or pictures in memory.
    channels : int
        1 for grey, 3 for RGB.
    size : (height, width) or None
        What to bring them to, as in training; None keeps each picture's own size.
    name : str
        What the bytes are called, such as 'cat.png'.

    Returns
    -------
    pictures : list of array
    ids : list of str
        The name of the file, the path in the folder, or the number in the list.

    Raises
    ------
    NotFoundError, DataError
        There is no such file, the folder holds no pictures, or a picture cannot be read.
    """
    file = open_source(source, name)
    if file is None:
        return _read_values(source, channels, size)
    check_exists(file, "a picture or a folder of them")
    if isinstance(file, Path) and file.is_dir():
        found = list_pictures(file)
        if not found:
            raise DataError(f"{file} holds no pictures; name a folder with some in it.")
        ids = [one for _, one in found]
        if size is None:
            return [read_picture(path, channels) for path, _ in found], ids
        rows = FolderPictures(tuple(path for path, _ in found), (channels, *size))
        with refusing_bombs():
            return list(rows[torch.arange(len(rows))].numpy()), ids
    return [read_picture(file, channels, size)], [file.name]


def to_image(value: Source, name: str = "the picture") -> Image.Image:
    """Return a picture in memory as Pillow's. Raises DataError for what is none."""
    if isinstance(value, Image.Image):
        return value
    array = np.asarray(value) if hasattr(value, "__array__") else None
    is_picture = (
        array is not None
        and array.dtype == np.uint8
        and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3))
        and array.size > 0
    )
    if array is None or not is_picture:
        raise DataError(f"{name}: expected {WANTED}, received {describe(value)}.")
    return Image.fromarray(np.ascontiguousarray(array))


def _read_values(source: Source, channels: int, size: tuple[int, int] | None) -> tuple[list[Pixels], list[str]]:
    is_one = isinstance(source, Image.Image) or getattr(source, "ndim", 4) < 4 or not hasattr(source, "__len__")
    values = [source] if is_one else list(source)
    if not values:
        raise DataError(f"expected {WANTED}, or a list of such, received an empty one.")
    ids = [f"picture {number}" for number in range(1, len(values) + 1)]
    images = [to_image(value, one) for value, one in zip(values, ids, strict=True)]
    return [picture_values(image, channels, size, one) for image, one in zip(images, ids, strict=True)], ids
