"""Folders of pictures with a mask each, which says what every pixel belongs to.

    streets/pictures/a.jpg     streets/masks/a.png     a class number a pixel; 255 where nobody has judged
    streets/pictures/b.jpg     streets/masks/b.png
    streets/classes.txt        optional: the name of a class a line, that of number 0 first

Pictures keep their scale: they are cut into tiles of one size, the last of a row or column moved back to end with the
picture. A picture's tiles all come into one split. A picture smaller than a tile is framed by black that nobody has
judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from layerwise.data.dataset import UNLABELLED, Notice, Split
from layerwise.data.images.files import decode_picture, read_header, read_mask_file, refusing_bombs
from layerwise.data.images.folders import MEMORY_BUDGET, list_pictures
from layerwise.data.images.inputs import read_pictures
from layerwise.data.inputs import Source, split_pairs
from layerwise.data.raw import RawMasks
from layerwise.data.text.files import read_text
from layerwise.errors import DataError

PICTURES, MASKS, CLASS_FILE = "pictures", "masks", "classes.txt"
LARGEST_TILE_PX = 128

Pixels = NDArray[np.uint8]


class Pair(NamedTuple):
    """A picture, its mask, and the name of both without its suffix."""

    picture: Path
    mask: Path
    name: str


def is_mask_folder(folder: Path) -> bool:
    """Tell whether a folder holds pictures/ and masks/, or one of them and nothing else."""
    if not folder.is_dir():
        return False
    names = {entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    return {PICTURES, MASKS} <= names or names in ({PICTURES}, {MASKS})


def scan_masks(folder: Path, side_px: int | None = None) -> RawMasks:
    """Read a folder of pictures and masks. side_px: of the tiles; by default that of the smallest picture, up to 128.

    Raises
    ------
    DataError
        A folder, a picture or a mask is missing, a mask is of another size than its picture, in colour or
        holds a number that is no class, or all is of one class.
    """
    names, pictures, masks, classes = read_folder(folder)
    check_classes(folder, masks, classes)
    side = side_px or min(LARGEST_TILE_PX, *(min(mask.shape) for mask in masks))
    notices = tuple(_notices(masks, side, classes))
    return RawMasks(names, pictures, masks, classes, f"the folder {folder}", side, len(pictures[0]), notices)


class FolderContent(NamedTuple):
    """The names of pictures, their values, (channels, height, width) uint8, their masks, and the classes."""

    names: list[str]
    pictures: list[Pixels]
    masks: list[Pixels]
    classes: tuple[str, ...]


def read_folder(folder: Path, channels: int = 0) -> FolderContent:
    """Read pictures and masks whole. channels: by default 1 where all pictures are grey, else 3. Raises DataError."""
    pairs = pair_up(folder)
    with refusing_bombs():
        headers = [read_header(pair.picture) for pair in pairs]
        channels = channels or (1 if all(header.is_grey for header in headers) else 3)
        size = sum(header.height * header.width for header in headers) * channels
        if size > MEMORY_BUDGET:
            raise DataError(
                f"{folder}: the pictures hold {size / 2**30:.1f} GB of values and have to fit into "
                f"{MEMORY_BUDGET / 2**30:g} GB; make them smaller or give fewer of them."
            )
        pictures = [decode_picture(pair.picture, channels) for pair in pairs]
        masks = [read_mask(pair) for pair in pairs]
    return FolderContent([pair.name for pair in pairs], pictures, masks, read_class_names(folder, pairs, masks))


def pair_masks(source: Source, channels: int, classes: tuple[str, ...]) -> FolderContent:
    """Take a list of (picture, mask), where a mask is (height, width) numbers of `classes`. Raises DataError."""
    values, labels = split_pairs(source, "(picture, mask)")
    pictures, names = read_pictures(values, channels)
    masks = [np.asarray(mask) for mask in labels]
    for name, picture, mask in zip(names, pictures, masks, strict=True):
        if mask.shape != picture.shape[1:] or mask.dtype != np.uint8:
            raise DataError(
                f"the mask of {name} is an array of {mask.dtype} and shape {mask.shape}; expected uint8 of the "
                f"picture's {picture.shape[1:]}."
            )
        unknown = mask[(mask >= len(classes)) & (mask != UNLABELLED)]
        if unknown.size:
            raise DataError(f"the mask of {name} holds the class {unknown[0]}, and the last is {len(classes) - 1}.")
    return FolderContent(names, pictures, masks, classes)


def pair_up(folder: Path) -> list[Pair]:
    """Return the pictures with their masks, by name. Raises DataError where one of two is missing."""
    sides = []
    for name in (PICTURES, MASKS):
        if not (folder / name).is_dir():
            raise DataError(f"{folder} holds no folder {name}/; put a mask of the same name beside each picture.")
        sides.append({Path(found).with_suffix("").as_posix(): path for path, found in list_pictures(folder / name)})
    pictures, masks = sides
    if not pictures:
        raise DataError(f"{folder / PICTURES} holds no pictures; put some into it, and their masks into {MASKS}/.")
    for missing, kind, there, path in (
        (sorted(pictures.keys() - masks.keys()), "mask", "picture", folder / MASKS),
        (sorted(masks.keys() - pictures.keys()), "picture", "mask", folder / PICTURES),
    ):
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            alike = [name for name in sorted(masks) if kind == "mask" and name.startswith(missing[0])]
            remedy = f"call '{alike[0]}' as it" if alike else "add one of the same name"
            raise DataError(
                f"{path} holds no {kind} for the {there} '{missing[0]}'{more}; {remedy}, or take the {there} out."
            )
    return [Pair(pictures[name], masks[name], name) for name in sorted(pictures)]


def read_mask(pair: Pair) -> Pixels:
    """Return the mask of a picture, (height, width) uint8. Raises DataError where the two are not of one size."""
    mask, header = read_mask_file(pair.mask), read_header(pair.picture)
    if mask.shape != (header.height, header.width):
        raise DataError(
            f"{pair.mask} is of {mask.shape[0]}x{mask.shape[1]} pixels, and its picture {pair.picture.name} of "
            f"{header.height}x{header.width}; make a mask of the picture's size."
        )
    return mask


def read_class_names(folder: Path, pairs: Sequence[Pair], masks: Sequence[Pixels]) -> tuple[str, ...]:
    """Return the names in classes.txt, else the numbers. Raises DataError for a number beyond them."""
    file = folder / CLASS_FILE
    if not file.is_file():
        names = tuple(str(number) for number in range(int(find_classes(masks).max(initial=0)) + 1))
    else:
        names = tuple(line.strip() for line in read_text(file).splitlines() if line.strip())
        if len(set(names)) < len(names):
            raise DataError(f"{file} names a class twice; give each class a name of its own.")
    for pair, mask in zip(pairs, masks, strict=True):
        unknown = (mask >= len(names)) & (mask != UNLABELLED)
        if unknown.any():
            row, column = (int(place[0]) for place in unknown.nonzero())
            raise DataError(
                f"{pair.mask}: row {row + 1}, column {column + 1} is of class {mask[row, column]}, and {file} names "
                f"{'class 0 alone' if len(names) == 1 else f'classes 0 to {len(names) - 1}'}; add its name, or use "
                f"{UNLABELLED} for no class."
            )
    return names


def find_classes(masks: Sequence[Pixels]) -> Pixels:
    """Return the numbers of the classes that occur, ascending."""
    met: Pixels = np.unique(np.concatenate([np.unique(mask) for mask in masks]))
    return np.delete(met, met == UNLABELLED)


def check_classes(folder: Path, masks: Sequence[Pixels], classes: Sequence[str]) -> None:
    """Raise DataError where there are not two classes to tell apart."""
    met = find_classes(masks)
    if len(met) > 1 and len(classes) > 1:
        return
    is_black_and_white = len(met) == 1 and met[0] == 0 and any((mask == UNLABELLED).any() for mask in masks)
    if is_black_and_white:
        raise DataError(
            f"the masks in {folder / MASKS} hold 0 and {UNLABELLED} alone, and {UNLABELLED} is no class but a pixel "
            "that nobody has judged; write 1 in its place."
        )
    raise DataError(
        f"the masks in {folder / MASKS} hold {f'class {met[0]} alone' if len(met) else 'no class'}; at least two are "
        f"needed to learn, numbered from 0, where {UNLABELLED} is no class but a pixel that nobody has judged."
    )


def cut_tiles(read: Iterable[tuple[str, Pixels, Pixels]], side: int, channels: int) -> Split:
    """Cut (name, picture, mask) into tiles of `side` pixels; a tile is called by its picture and its first pixel."""
    pictures, masks, names = [], [], []
    for name, picture, mask in read:
        frame = [(0, max(0, side - size)) for size in mask.shape]
        picture = np.pad(picture, [(0, 0), *frame])
        mask = np.pad(mask, frame, constant_values=UNLABELLED)
        for top in list_starts(mask.shape[0], side):
            for left in list_starts(mask.shape[1], side):
                pictures.append(picture[:, top : top + side, left : left + side])
                masks.append(mask[top : top + side, left : left + side])
                names.append(name if mask.shape == (side, side) else f"{name} at {left}, {top}")
    shape = (len(names), channels, side, side)
    return Split(
        torch.from_numpy(np.array(pictures, np.uint8).reshape(shape)),
        torch.from_numpy(np.array(masks, np.uint8).reshape(len(names), side, side)),
        names,
    )


def list_starts(size: int, side: int) -> list[int]:
    """Return where tiles of `side` begin along `size` pixels, so that the last one ends with them."""
    return [*range(0, size - side, side), size - side]


def _notices(masks: Sequence[Pixels], side: int, classes: Sequence[str]) -> Iterator[Notice]:
    met = find_classes(masks)
    absent = [name for number, name in enumerate(classes) if number not in met]
    if absent:
        shown = ", ".join(f"'{name}'" for name in absent[:5]) + (", ..." if len(absent) > 5 else "")
        yield Notice(
            "warning",
            f"No pixel is of {len(absent)} of the {len(classes)} classes ({shown}), so the network cannot learn them; "
            "number classes from 0 without gaps.",
        )
    if any(mask.shape != (side, side) for mask in masks):
        yield Notice("info", f"Pictures keep their scale and are cut into tiles of {side}x{side} pixels.")
    judged = sum(int((mask != UNLABELLED).sum()) for mask in masks) / sum(mask.size for mask in masks)
    if judged < 1:
        yield Notice("info", f"{1 - judged:.1%} of the pixels are of no class (255) and are not learned from.")
