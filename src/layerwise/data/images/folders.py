"""Folders of class folders: every folder is a class, every picture in it a sample.

    pets/cats/1.jpg            or, with parts of their own,   pets/train/cats/1.jpg
    pets/dogs/a.png                                           pets/test/dogs/a.png

Classes and samples are in the order of their names in Unicode's composed form, and a sample's id is its path in
the folder, so both are the same on every machine. What is left out is said in a notice, never in silence,
except for hidden files. Links are not followed, for they can show one picture twice.
"""

from __future__ import annotations

import math
import os
import statistics
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from layerwise.data.config import LARGEST_SIDE_PX
from layerwise.data.dataset import Notice, Rows, Split
from layerwise.data.images.files import (
    Header,
    check_whole,
    decode_picture,
    is_picture_name,
    read_header,
    refusing_bombs,
)
from layerwise.data.raw import RawImages
from layerwise.errors import DataError, NotFoundError, UsageError, nearest

PART_NAMES = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
SIDES = (32, 64, 128, 224)  # what pictures of several sizes are brought to, whichever is nearest
KEPT_SIDE = 64  # pictures that all have one size up to this keep it
MEMORY_BUDGET = 2**30  # bytes; larger sets are decoded when they are asked for
UNREADABLE_SHARE = 0.01
SPLIT_COUNT = 3
SHOWN = 3
AT_ONCE = 1024  # files handed to the threads together
WORKERS = min(8, os.cpu_count() or 1)

Shape = tuple[int, int, int]  # channels, height, width
Result = TypeVar("Result")


@dataclass(frozen=True)
class FolderPictures(Rows):
    """Pictures that are decoded when they are asked for, by several threads, in the order that is asked for."""

    files: tuple[Path, ...]
    shape: Shape
    workers: int = WORKERS

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, indices: Tensor) -> Tensor:
        channels, *size = self.shape
        chosen = [self.files[position] for position in indices.tolist()]
        pictures = np.empty((len(chosen), *self.shape), np.uint8)
        with ThreadPoolExecutor(self.workers) as pool:
            decoded = pool.map(lambda path: decode_picture(path, channels, (size[0], size[1])), chosen)
            for number, picture in enumerate(decoded):
                pictures[number] = picture
        return torch.from_numpy(pictures)


@dataclass(frozen=True)
class _Sample:
    path: Path
    id: str
    label: str


@dataclass
class _Listing:
    """What is in a folder: the samples of each part, and what is left out."""

    folder: Path
    parts: dict[str, list[_Sample]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    others: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    animated: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)  # by id, why

    @property
    def samples(self) -> list[_Sample]:
        return [sample for part in self.parts.values() for sample in part]


def scan_folder(
    folder: Path, image_size: int | None = None, shape: Shape | None = None, workers: int = WORKERS
) -> RawImages:
    """Read a folder of class folders, which may stand in folders called train, valid and test.

    The pictures come as one tensor where they fit in MEMORY_BUDGET, else as rows that are decoded when they
    are asked for. They are grey where all files are.

    Parameters
    ----------
    image_size : int or None
        The side to bring them to; by default one that suits their sizes.
    shape : Shape or None
        The (channels, height, width) of a network that is trained already. Then one class is enough.
    workers : int
        Threads; they change nothing but the time.

    Raises
    ------
    NotFoundError
        There is no such folder.
    DataError
        It is empty, has no class folders, one class alone, a class too small for the splits, names
        that are one name on other machines, or more than 1% of pictures that cannot be read.
    UsageError
        `image_size` cannot be.
    """
    if image_size is not None and not 1 <= image_size <= LARGEST_SIDE_PX:
        raise UsageError(f"`image_size` must be from 1 to {LARGEST_SIDE_PX} pixels, received {image_size}.")
    listing = _list(folder)
    fewest = (1, 1) if shape else (2, SPLIT_COUNT - len(listing.parts.keys() & {"valid", "test"}))
    _check_classes(listing, *fewest)
    with refusing_bombs():
        headers = _read_headers(listing, workers)
        shape = shape or _choose_shape(headers, image_size)
        parts = _read_parts(listing, shape, workers)
    _check_classes(listing, *fewest)
    return RawImages(
        train=parts["train"],
        classes=listing.classes,
        source=f"the folder {_shown(str(folder))}",
        valid=parts.get("valid"),
        test=parts.get("test"),
        notices=tuple(_notices(listing, headers, shape)),
    )


def list_pictures(folder: Path) -> list[tuple[Path, str]]:
    """Return the pictures in a folder and below, each with the id that `scan_folder` gives it."""
    return [(path, _id(path, folder)) for path in _walk(folder, _Listing(folder))]


def _list(folder: Path) -> _Listing:
    """List the samples of a folder. Raises as `scan_folder` does for what names and places tell."""
    if not folder.is_dir():
        if folder.exists():
            raise DataError(f"{folder} is no folder; name a folder of class folders.")
        names = [entry.name for entry in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise NotFoundError(f"{folder} does not exist; name a folder of class folders.{nearest(folder.name, names)}")
    listing = _Listing(folder)
    classes: dict[str, set[str]] = {}
    for part, place in _part_folders(folder, listing).items():
        class_folders = _folders(place, listing)
        listing.beside += [_id(path, folder) for path in _files(place, listing)]
        classes[part] = set(class_folders)
        listing.parts[part] = [
            _Sample(path, _id(path, folder), name)
            for name, class_folder in class_folders.items()
            for path in _walk(class_folder, listing)
        ]
    for part, held in classes.items():
        unknown = sorted(held - classes["train"])
        if unknown:
            raise DataError(f"{folder}: '{unknown[0]}' is a class of {part} and not of train; add it or take it out.")
    listing.classes = tuple(sorted(classes["train"]))
    _check_distinct(folder, [sample.path.relative_to(folder).as_posix() for sample in listing.samples], str)
    return listing


def _part_folders(folder: Path, listing: _Listing) -> dict[str, Path]:
    """Return the folders of train, valid and test, or the folder itself as the one to train with."""
    found = _folders(folder, _Listing(folder))
    named = [name for name in found if name.lower() in PART_NAMES]
    if not named or (len(named) < len(found) and len(named) < 2):
        return {"train": folder}
    if len(named) < len(found):
        other = next(name for name in found if name not in named)
        raise DataError(f"{folder} holds {' and '.join(named)} beside '{other}'; take '{other}' out or rename it.")
    parts: dict[str, Path] = {}
    for name in named:
        if parts.setdefault(PART_NAMES[name.lower()], found[name]) != found[name]:
            raise DataError(f"{folder} holds {' and '.join(named)}, two for one part; take one of them out.")
    if "train" not in parts:
        raise DataError(f"{folder} holds {' and '.join(named)} and no train folder; add one with class folders in it.")
    listing.beside += [_id(path, folder) for path in _files(folder, listing)]
    return parts


def _check_classes(listing: _Listing, fewest_classes: int, fewest_pictures: int) -> None:
    """Refuse too few pictures, classes, or pictures of a class."""
    if not listing.samples:
        raise DataError(_nothing_found(listing))
    for part, samples in listing.parts.items():
        if not samples:
            raise DataError(f"{listing.folder}: the {part} folder holds no pictures; fill it or take it out.")
    if len(listing.classes) < fewest_classes:
        raise DataError(
            f"{listing.folder} has one class folder alone, '{listing.classes[0]}'; at least two are needed to learn."
        )
    counts = dict.fromkeys(listing.classes, 0)
    for sample in listing.parts["train"]:
        counts[sample.label] += sample.id not in listing.unreadable
    smallest = min(counts, key=lambda name: counts[name])
    if counts[smallest] < fewest_pictures:
        raise DataError(
            f"{listing.folder}: class '{smallest}' has {counts[smallest]} pictures that can be read; each class needs "
            f"at least {fewest_pictures}, so add pictures or take the folder out."
        )


def _nothing_found(listing: _Listing) -> str:
    if listing.beside and not listing.classes:
        return (
            f"{listing.folder} holds pictures and no class folders; make a folder for each class and put its "
            "pictures into it."
        )
    if listing.links:
        links = _some(listing.links)
        return f"{listing.folder} holds nothing but links ({links}), which are not followed; copy the files."
    if listing.others:
        return f"{listing.folder} holds no pictures, only other files ({_some(listing.others)}); name another folder."
    return f"{listing.folder} holds no pictures; put a folder for each class into it, with its pictures."


def _read_headers(listing: _Listing, workers: int) -> list[Header]:
    samples = listing.samples
    headers = []
    for sample, header in zip(samples, _try_all(read_header, samples, workers), strict=True):
        if isinstance(header, DataError):
            listing.unreadable[sample.id] = str(header)
            continue
        headers.append(header)
        if header.is_animated:
            listing.animated.append(sample.id)
    _check_unreadable(listing)
    return headers


def _choose_shape(headers: Sequence[Header], image_size: int | None) -> Shape:
    channels = 1 if all(header.is_grey for header in headers) else 3
    if image_size:
        return channels, image_size, image_size
    sizes = {(header.height, header.width) for header in headers}
    height, width = next(iter(sizes))
    if len(sizes) == 1 and max(height, width) <= KEPT_SIDE:
        return channels, height, width
    middle = statistics.median(min(header.height, header.width) for header in headers)
    side = min(SIDES, key=lambda side: abs(math.log(side / middle)))
    return channels, side, side


def _read_parts(listing: _Listing, shape: Shape, workers: int) -> dict[str, Split]:
    """Decode what fits in memory, look for truncated files in what does not, and leave out what is unreadable."""
    readable = {
        part: [sample for sample in samples if sample.id not in listing.unreadable]
        for part, samples in listing.parts.items()
    }
    fits = sum(map(len, readable.values())) * math.prod(shape) <= MEMORY_BUDGET
    read = _decode_all if fits else _open_all
    parts = {part: read(listing, samples, shape, workers) for part, samples in readable.items()}
    _check_unreadable(listing)
    numbers = {name: number for number, name in enumerate(listing.classes)}
    splits = {}
    for part, samples in readable.items():
        kept = [sample for sample in samples if sample.id not in listing.unreadable]
        targets = torch.tensor([numbers[sample.label] for sample in kept], dtype=torch.int64)
        splits[part] = Split(parts[part], targets, [sample.id for sample in kept])
    return splits


def _decode_all(listing: _Listing, samples: Sequence[_Sample], shape: Shape, workers: int) -> Tensor:
    channels, height, width = shape
    pictures = torch.empty((len(samples), *shape), dtype=torch.uint8)
    kept = 0
    decoded = _try_all(lambda path: decode_picture(path, channels, (height, width)), samples, workers)
    for sample, picture in zip(samples, decoded, strict=True):
        if isinstance(picture, DataError):
            listing.unreadable[sample.id] = str(picture)
            continue
        pictures[kept] = torch.from_numpy(picture)
        kept += 1
    return pictures[:kept]


def _open_all(listing: _Listing, samples: Sequence[_Sample], shape: Shape, workers: int) -> FolderPictures:
    files = []
    for sample, fault in zip(samples, _try_all(check_whole, samples, workers), strict=True):
        if fault is None:
            files.append(sample.path)
        else:
            listing.unreadable[sample.id] = str(fault)
    return FolderPictures(tuple(files), shape, workers)


def _try_all(
    action: Callable[[Path], Result], samples: Sequence[_Sample], workers: int
) -> Iterator[Result | DataError]:
    """Do something with every file by several threads; yield results, or errors, in the order of the samples."""

    def attempt(sample: _Sample) -> Result | DataError:
        try:
            return action(sample.path)
        except DataError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(samples), AT_ONCE):  # so that results do not pile up ahead of their reader
            yield from pool.map(attempt, samples[start : start + AT_ONCE])


def _check_unreadable(listing: _Listing) -> None:
    count, total = len(listing.unreadable), len(listing.samples)
    if count > UNREADABLE_SHARE * total:
        raise DataError(
            f"{listing.folder}: {count} of {total} pictures cannot be read, more than {UNREADABLE_SHARE:.0%}; "
            f"the first: {next(iter(listing.unreadable.values()))}"
        )


def _notices(listing: _Listing, headers: Sequence[Header], shape: Shape) -> Iterator[Notice]:
    channels, height, width = shape
    if listing.unreadable:
        reasons = " ".join(list(listing.unreadable.values())[:SHOWN])
        yield Notice("warning", f"{len(listing.unreadable)} of {len(listing.samples)} pictures are left out: {reasons}")
    if listing.links:
        yield Notice(
            "warning", f"{_count(listing.links, 'link is', 'links are')} not followed: {_some(listing.links)}."
        )
    if listing.beside:
        beside = _count(listing.beside, "picture lies", "pictures lie")
        yield Notice(
            "warning", f"{beside} beside the class folders and not in one, so left out: {_some(listing.beside)}."
        )
    if listing.others:
        others = _count(listing.others, "file is", "files are")
        yield Notice("info", f"{others} no pictures by name and left out: {_some(listing.others)}.")
    if listing.animated:
        animated = _count(listing.animated, "picture is", "pictures are")
        yield Notice("info", f"{animated} animated; the first frame is taken: {_some(listing.animated)}.")
    if any((header.height, header.width) != (height, width) for header in headers):
        yield Notice(
            "info", f"Pictures are brought to {height}x{width} pixels: the shorter side resized, the centre cut out."
        )
    if channels == 1 and not all(header.is_grey for header in headers):
        yield Notice("info", "Pictures in colour are turned to grey.")


def _walk(folder: Path, listing: _Listing) -> Iterator[Path]:
    """Yield the pictures in a folder and below, in order."""
    yield from _files(folder, listing)
    for below in _folders(folder, listing).values():
        yield from _walk(below, listing)


def _folders(folder: Path, listing: _Listing) -> dict[str, Path]:
    """Return the folders within a folder by their composed names. Raises DataError where two names are one."""
    found = [path for path in _entries(folder, listing) if path.is_dir() and not path.is_symlink()]
    _check_distinct(folder, [path.name for path in found], str.casefold)
    return {_shown(path.name): path for path in found}


def _files(folder: Path, listing: _Listing) -> Iterator[Path]:
    """Yield the pictures of a folder; note links and what is no picture."""
    for path in _entries(folder, listing):
        if path.is_symlink():
            listing.links.append(_id(path, listing.folder))
        elif path.is_file() and is_picture_name(path):
            yield path
        elif not path.is_dir():
            listing.others.append(_id(path, listing.folder))


def _entries(folder: Path, listing: _Listing) -> list[Path]:
    try:
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise DataError(f"{folder} cannot be listed ({error.strerror}); change its permissions.") from error
    return sorted(entries, key=lambda path: (_shown(path.name), path.name))


def _check_distinct(folder: Path, names: Iterable[str], fold: Callable[[str], str]) -> None:
    met: dict[str, str] = {}
    for name in names:
        other = met.setdefault(fold(_shown(name)), name)
        if other is not name:
            raise DataError(
                f"{folder} holds {other!a} and {name!a}, which are one name on other machines; rename one of them."
            )


def _id(path: Path, folder: Path) -> str:
    return _shown(path.relative_to(folder).as_posix())


def _shown(name: str) -> str:
    """Return a name in composed form, with bytes that are no UTF-8 replaced."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _count(names: Sequence[str], one: str, many: str) -> str:
    return f"{len(names)} {one if len(names) == 1 else many}"
