"""What a source of data hands over: labelled samples, not yet split, encoded or scaled.

All kinds share one interface, `RawData`, so that dividing and limiting never ask which kind it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from layerwise.data.dataset import Notice, Rows, Split, TaskName

Progress = Callable[[str], None]
Series = NDArray[np.float32]  # (time, channels)
Samples = TypeVar("Samples")


@dataclass(frozen=True)
class Parts(Generic[Samples]):
    """The same kind of thing for training, validation and testing."""

    train: Samples
    valid: Samples
    test: Samples


class Brought(NamedTuple):
    """The samples to learn from, and those for validation and testing that the data brings along, if any."""

    train: Any
    valid: Any = None
    test: Any = None


class RawData(Protocol):
    """Labelled samples of any kind."""

    @property
    def source(self) -> str:
        """Where they are from, in a sentence."""
        ...

    @property
    def task(self) -> TaskName: ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of all classes, which a part of the samples keeps; empty where there are none."""
        ...

    @property
    def notices(self) -> tuple[Notice, ...]: ...

    @property
    def strata(self) -> Tensor | None:
        """The class of each sample, (n,) int64, by which chance is fair to all; None where it cannot be."""
        ...

    @property
    def groups(self) -> Tensor | None:
        """The group or the time of each sample, (n,); None where it has none."""
        ...

    def __len__(self) -> int: ...

    def take(self, rows: Tensor) -> RawData:
        """Return the samples at `rows`, (n,) int64, in that order."""
        ...

    def brought(self) -> Brought:
        """Return these samples apart from those that are meant for validation and testing."""
        ...


class Unlabelled:
    """What most kinds of data have not: notices, classes, groups, and parts of their own."""

    @property
    def strata(self) -> Tensor | None:
        return None

    @property
    def groups(self) -> Tensor | None:
        return None

    def brought(self) -> Brought:
        return Brought(self)


class _Labelled(Unlabelled):
    """Samples with the name of a class each; the classes are in the order of their names."""

    labels: Sequence[str]
    classes: tuple[str, ...]
    task: TaskName = "classification"

    def __post_init__(self) -> None:
        if not self.classes:
            object.__setattr__(self, "classes", tuple(sorted(set(self.labels))))

    @property
    def targets(self) -> Tensor:
        """The number of each sample's class, (n,) int64."""
        numbers = {name: number for number, name in enumerate(self.classes)}
        return torch.tensor([numbers[label] for label in self.labels], dtype=torch.int64)

    @property
    def strata(self) -> Tensor | None:
        return self.targets

    def __len__(self) -> int:
        return len(self.labels)


def choose(values: Sequence[Any], rows: Tensor) -> list[Any]:
    """Return the values at `rows` in a list."""
    return [values[row] for row in rows.tolist()]


@dataclass(frozen=True)
class RawImages(Unlabelled):
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

    def __len__(self) -> int:
        return len(self.train)

    @property
    def strata(self) -> Tensor | None:
        return self.train.targets if self.task == "classification" else None

    def take(self, rows: Tensor) -> RawImages:
        inputs, ids = self.train.inputs, choose(self.train.ids, rows)
        chosen = inputs[rows] if isinstance(inputs, Tensor) else ChosenRows(inputs, rows)
        return self._alone(Split(chosen, self.train.targets[rows], ids))

    def brought(self) -> Brought:
        valid, test = (self._alone(part) if part else None for part in (self.valid, self.test))
        return Brought(self._alone(self.train), valid, test)

    def _alone(self, part: Split) -> RawImages:
        return replace(self, train=part, valid=None, test=None)


class ChosenRows(Rows):
    """A choice of rows that are read when they are asked for."""

    def __init__(self, rows: Rows, positions: Tensor) -> None:
        self._rows, self._positions = rows, positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, indices: Tensor) -> Tensor:
        return self._rows[self._positions[indices]]


@dataclass(frozen=True)
class RawMasks(Unlabelled):
    """Pictures of any sizes with their masks, to be cut into tiles.

    pictures: (channels, height, width) uint8 each. masks: (height, width) uint8 each. side_px: of a tile.
    channels: of each picture.
    """

    names: Sequence[str]
    pictures: Sequence[NDArray[np.uint8]]
    masks: Sequence[NDArray[np.uint8]]
    classes: tuple[str, ...]
    source: str
    side_px: int
    channels: int
    notices: tuple[Notice, ...] = ()
    task: TaskName = "segmentation"

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: Tensor) -> RawMasks:
        names, pictures, masks = (choose(values, rows) for values in (self.names, self.pictures, self.masks))
        return replace(self, names=names, pictures=pictures, masks=masks)


@dataclass(frozen=True)
class RawTable:
    """A table with the column that is to be predicted; its rows are samples once they are read, see `TableSamples`.

    task: None where the cells of the target decide it.
    """

    frame: pl.DataFrame
    target: str
    task: TaskName | None
    source: str


@dataclass(frozen=True)
class RawDocuments(_Labelled):
    """Texts with a label and a stable id for each."""

    texts: Sequence[str]
    labels: Sequence[str]
    ids: Sequence[str]
    source: str
    classes: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    def take(self, rows: Tensor) -> RawDocuments:
        texts, labels, ids = (choose(values, rows) for values in (self.texts, self.labels, self.ids))
        return replace(self, texts=texts, labels=labels, ids=ids)


@dataclass(frozen=True)
class RawCharacters(_Labelled):
    """Short texts that are read character by character, with a label each; a text is its own id."""

    texts: Sequence[str]
    labels: Sequence[str]
    source: str
    classes: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    def take(self, rows: Tensor) -> RawCharacters:
        return replace(self, texts=choose(self.texts, rows), labels=choose(self.labels, rows))


@dataclass(frozen=True)
class RawSeries(_Labelled):
    """Series with a label each, (time, channels), of any lengths; those for testing apart where the data has them."""

    series: Sequence[Series]
    labels: Sequence[str]
    channels: tuple[str, ...]
    source: str
    test_series: Sequence[Series] = ()
    test_labels: Sequence[str] = ()
    classes: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    ids: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.classes:
            object.__setattr__(self, "classes", tuple(sorted({*self.labels, *self.test_labels})))
        if not self.ids:
            object.__setattr__(self, "ids", [f"series {number}" for number in range(1, len(self.series) + 1)])

    def take(self, rows: Tensor) -> RawSeries:
        series, labels, ids = (choose(values, rows) for values in (self.series, self.labels, self.ids))
        return replace(self, series=series, labels=labels, ids=ids)

    def brought(self) -> Brought:
        if not self.test_series:
            return Brought(self)
        alone = replace(self, test_series=(), test_labels=())
        ids = [f"test series {number}" for number in range(1, len(self.test_series) + 1)]
        return Brought(alone, test=replace(alone, series=self.test_series, labels=self.test_labels, ids=ids))


@dataclass(frozen=True)
class RawForecast:
    """One long series whose next values are to be told; its windows are samples, see `ForecastSteps`.

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
class RawText(Unlabelled):
    """Long texts by their names, to be gone on with.

    test: the names of those that the source holds out; empty where they are to be chosen.
    """

    texts: Mapping[str, str]
    source: str
    test: frozenset[str] = frozenset()
    notices: tuple[Notice, ...] = ()
    classes: tuple[str, ...] = ()
    task: TaskName = "language_modeling"

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Tensor) -> RawText:
        return self.named(choose(list(self.texts), rows))

    def named(self, names: Sequence[str]) -> RawText:
        """Return the texts of these names."""
        return replace(self, texts={name: self.texts[name] for name in names}, test=frozenset())

    def brought(self) -> Brought:
        if not self.test:
            return Brought(self)
        rest, test = ([name for name in self.texts if (name in self.test) == is_test] for is_test in (False, True))
        return Brought(self.named(rest), test=self.named(test))


@dataclass(frozen=True)
class RawPairs(Unlabelled):
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
    classes: tuple[str, ...] = ()
    task: TaskName = "translation"

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, rows: Tensor) -> RawPairs:
        return replace(self, sources=choose(self.sources, rows), targets=choose(self.targets, rows))

    def brought(self) -> Brought:
        if not self.test_sources:
            return Brought(self)
        alone = replace(self, test_sources=(), test_targets=())
        return Brought(alone, test=replace(alone, sources=self.test_sources, targets=self.test_targets))


@dataclass(frozen=True)
class RawTaggedText(Unlabelled):
    """Texts by their names, each with the number of a class for each of its characters; `test` are held out."""

    texts: Mapping[str, tuple[str, Sequence[int]]]
    classes: tuple[str, ...]
    source: str
    test: frozenset[str]
    notices: tuple[Notice, ...] = ()
    task: TaskName = "sequence_tagging"

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Tensor) -> RawTaggedText:
        return self._named(choose(list(self.texts), rows))

    def _named(self, names: Sequence[str]) -> RawTaggedText:
        return replace(self, texts={name: self.texts[name] for name in names}, test=frozenset())

    def brought(self) -> Brought:
        rest = [name for name in self.texts if name not in self.test]
        return Brought(self._named(rest), test=self._named(sorted(self.test)))
