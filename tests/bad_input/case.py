"""What a case of the corpus is: an input, how it is made, the command that meets it, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Maker = Callable[[Path], None]

TRAIN_TABLE = "train mlp --data {it} --target y --epochs 1 --quiet"
TRAIN_FOLDER = "train mlp --data {it} --epochs 1 --quiet"
LOOK = "data {it} --json"
LOOK_TABLE = "data {it} --target y --json"
PREDICT = "predict {pictures} {it} --json"


@dataclass(frozen=True)
class Case:
    """A bad or tricky input.

    name: of the file or folder, its own in the corpus. make: writes it, None where the command line is the input.
    command: the words after `layerwise`. {it} is the path of the input, {pictures} and {table} are runs that were
        trained on good pictures and on a good table, {picture} and {rows} are a good picture and a good table.
    code: the exit code. words: what the sentence must contain; of input that works, what the output must contain.
    cells: the first cells of some columns of a table that works, as they must be read.
    pixel: red, green and blue of a picture that works, a quarter of the way from its left and its top.
    """

    name: str
    make: Maker | None
    command: str
    code: int
    words: tuple[str, ...] = ()
    cells: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    pixel: tuple[int, int, int] | None = None


def refused(name: str, make: Maker | None, code: int, *words: str, command: str = TRAIN_TABLE) -> Case:
    """An input that must be refused with an exit code and a sentence that holds `words`."""
    return Case(name, make, command, code, words)


def works(
    name: str,
    make: Maker,
    *words: str,
    command: str = LOOK_TABLE,
    cells: Mapping[str, Sequence[Any]] | None = None,
    pixel: tuple[int, int, int] | None = None,
) -> Case:
    """An input that looks odd and must work, with `words` in what is printed."""
    return Case(name, make, command, 0, words, cells or {}, pixel)


def raw(data: bytes) -> Maker:
    """Write these bytes."""
    return lambda path: _write(path, data)


def text(content: str, encoding: str = "utf-8") -> Maker:
    """Write this text."""
    return raw(content.encode(encoding))


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
