"""What a source of data hands over: raw samples, not yet split, encoded or scaled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from layerwise.data.dataset import Notice, Split, TaskName

Progress = Callable[[str], None]
Series = NDArray[np.float32]  # (time, channels)


@dataclass(frozen=True)
class RawImages:
    """Pictures with their classes or their masks, (n, channels, height, width) uint8.

    task: 'classification', or 'segmentation' where the targets are masks, (n, height, width) uint8.
    valid, test: the parts that the data brings along itself; None where they are to be held out.
    source: one sentence that says where the pictures are from.
    """

    train: Split
    classes: tuple[str, ...]
    source: str
    valid: Split | None = None
    test: Split | None = None
    notices: tuple[Notice, ...] = ()
    task: TaskName = "classification"


@dataclass(frozen=True)
class RawTable:
    """A table with the column that is to be predicted."""

    frame: pl.DataFrame
    target: str
    task: TaskName
    source: str


@dataclass(frozen=True)
class RawDocuments:
    """Texts with a label and a stable id for each."""

    texts: list[str]
    labels: list[str]
    ids: list[str]
    source: str


@dataclass(frozen=True)
class RawSeries:
    """Series with a label each, (time, channels), of any lengths; those for testing apart where the data has them."""

    series: Sequence[Series]
    labels: Sequence[str]
    channels: tuple[str, ...]
    source: str
    test_series: Sequence[Series] = ()
    test_labels: Sequence[str] = ()


@dataclass(frozen=True)
class RawForecast:
    """One long series whose next values are to be told.

    frame: a row a step, in the order of time. target: the column to forecast. time: the column with the times, if any.
    window, horizon: steps that a forecast is made from, and steps that it tells, unless the user says otherwise.
    """

    frame: pl.DataFrame
    target: str
    time: str | None
    source: str
    window: int
    horizon: int
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class RawCharacters:
    """Short texts that are read character by character, with a label each."""

    texts: Sequence[str]
    labels: Sequence[str]
    source: str


@dataclass(frozen=True)
class RawText:
    """Long texts by their names, to be gone on with.

    test: the names of those that the source holds out; empty where they are to be chosen.
    """

    texts: Mapping[str, str]
    source: str
    test: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RawPairs:
    """Texts with their translations; those for testing apart where the data has them.

    languages: the names of the first texts' language and of the translations'.
    """

    sources: Sequence[str]
    targets: Sequence[str]
    languages: tuple[str, str]
    source: str
    test_sources: Sequence[str] = ()
    test_targets: Sequence[str] = ()
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class RawTaggedText:
    """Texts by their names, each with the number of a class for each of its characters; `test` are held out."""

    texts: Mapping[str, tuple[str, Sequence[int]]]
    classes: tuple[str, ...]
    source: str
    test: frozenset[str]


RawData = (
    RawImages | RawTable | RawDocuments | RawSeries | RawForecast | RawCharacters | RawText | RawTaggedText | RawPairs
)
