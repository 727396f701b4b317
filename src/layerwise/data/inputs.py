"""What a preprocessing reads: a file by its path, the bytes of one, or values in memory, all by one door."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Any, TypeAlias

from layerwise.errors import DataError, NotFoundError, nearest

Source: TypeAlias = Any  # str | Path: a file or folder; bytes: of a file; else values, see each preprocessing


@dataclass(frozen=True)
class MemoryFile:
    """The bytes of a file, with those methods of a path that reading takes.

    Parameters
    ----------
    content : bytes
        What stands in the file.
    name : str
        What it is called in messages. Its ending tells the format; without one the content does.
    """

    content: bytes
    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def suffix(self) -> str:
        return PurePath(self.name).suffix

    def open(self, mode: str = "rb") -> IO[bytes]:
        return io.BytesIO(self.content)

    def read_bytes(self) -> bytes:
        return self.content

    def is_dir(self) -> bool:
        return False

    def is_file(self) -> bool:
        return True


File: TypeAlias = Path | MemoryFile


def open_source(source: Source, name: str = "") -> File | None:
    """Return a path, or the bytes of a file, as a file; None for values in memory.

    Parameters
    ----------
    source : str, Path, bytes or values
        A string is a path; texts stand in a list.
    name : str
        What the bytes are called, such as 'mail.csv'.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return MemoryFile(bytes(source), name or "the bytes")
    if isinstance(source, MemoryFile):
        return source
    return Path(source) if isinstance(source, str | Path) else None


def label_source(source: Source, name: str = "") -> str:
    """Return what messages call a source: its path, the name of its bytes, or what kind of values it is."""
    file = open_source(source, name)
    return str(file) if file is not None else f"the {type(source).__name__}"


def check_exists(file: File, expected: str) -> None:
    """Raise NotFoundError, with the nearest name beside it, for a path where nothing is."""
    if isinstance(file, MemoryFile) or file.exists():
        return
    names = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
    raise NotFoundError(f"{file} does not exist; name {expected}.{nearest(file.name, names)}")


@contextmanager
def reading_values(expected: str, source: Source) -> Iterator[None]:
    """Turn what NumPy and others raise over values that are no samples into a DataError."""
    try:
        yield
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise DataError(f"expected {expected}, received {describe(source)} ({error}).") from error


def split_pairs(source: Source, expected: str) -> tuple[list[Any], list[Any]]:
    """Return the values and the labels of a list of pairs. Raises DataError for anything else."""
    is_pairs = isinstance(source, list | tuple) and source and all(isinstance(p, tuple) and len(p) == 2 for p in source)
    if not is_pairs:
        raise DataError(f"expected a list of pairs, {expected}, received {describe(source)}.")
    return [value for value, _ in source], [label for _, label in source]


def describe(source: Source) -> str:
    """Return in a few words what values are: 'an array of float64 and shape (3, 2)', 'a list of 2 int'."""
    shape, dtype = getattr(source, "shape", None), getattr(source, "dtype", None)
    if shape is not None:
        return f"{type(source).__name__} of shape {tuple(shape)}" + (f" and type {dtype}" if dtype is not None else "")
    if isinstance(source, list | tuple):
        inner = sorted({type(value).__name__ for value in source})
        return f"a {type(source).__name__} of {len(source)} {', '.join(inner)}".rstrip()
    return type(source).__name__
