"""What a source of data hands over: raw samples, not yet split, encoded or scaled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from layerwise.data.dataset import Goal, Notice, Split

Progress = Callable[[str], None]


@dataclass(frozen=True)
class PictureMaterial:
    """Pictures with their classes, (n, channels, height, width) uint8.

    valid, test: the parts that the data brings along itself; None where they are to be held out.
    source: one sentence that says where the pictures are from.
    """

    train: Split
    classes: tuple[str, ...]
    source: str
    valid: Split | None = None
    test: Split | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class TableMaterial:
    """A table with the column that is to be predicted."""

    frame: pl.DataFrame
    target: str
    goal: Goal
    source: str


@dataclass(frozen=True)
class TextMaterial:
    """Texts with a label and a stable id for each."""

    texts: list[str]
    labels: list[str]
    ids: list[str]
    source: str


Material = PictureMaterial | TableMaterial | TextMaterial
