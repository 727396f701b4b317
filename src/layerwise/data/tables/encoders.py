"""One encoder for each kind of table column: from typed cells to the numbers a network takes.

A `...Fit` gathers what it needs from the training rows, chunk by chunk, and `finish` gives either the
encoder, which is frozen and goes into the run as JSON, or `Dropped` with the reason why the column says
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from layerwise.data.json_checks import from_plain, to_plain
from layerwise.data.tables.types import ColumnType

Features = NDArray[np.float32]  # (rows, features)
CATEGORY_LIMIT = 64  # the most frequent categories that get a feature of their own
RARE = 2  # a category seen less often shares the feature of the others
COUNTED_LIMIT = 100_000  # different values after which a column is no set of categories
SAMPLE_LIMIT = 2**17  # values kept to find the median of a column; up to here it is exact
CLIP = 1e6  # standardised values stay finite in float32
CONSTANT = 1e-12  # a deviation below this share of the mean is rounding
DAY_US = 86_400_000_000
CYCLES = {"month": 12, "weekday": 7, "hour": 24}


@dataclass(frozen=True)
class Dropped:
    """A column that is left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class NumberColumn:
    """Standardised by mean and deviation of the training rows; a missing cell takes the median.

    indicator: add a feature that is 1 where the cell was missing, because training rows lacked it too.
    format: ',' where text files write decimal commas.
    """

    kind: ClassVar[str] = "number"
    name: str
    mean: float
    deviation: float
    median: float
    indicator: bool = False
    format: str = ""

    @property
    def type(self) -> ColumnType:
        return ColumnType("number", self.format)

    @property
    def features(self) -> tuple[str, ...]:
        return (self.name, f"{self.name} missing") if self.indicator else (self.name,)

    def encode(self, cells: pl.Series) -> Features:
        """Return (rows, 1) standardised values, or (rows, 2) with the indicator."""
        values = cells.fill_null(self.median).to_numpy()
        parts = [_standardise(values, self.mean, self.deviation)]
        if self.indicator:
            parts.append(cells.is_null().to_numpy())
        return _stack(parts)


@dataclass(frozen=True)
class CategoryColumn:
    """One feature a category, 1 for the cell's own.

    other, missing: whether rare words and missing cells were seen in training and share a feature; a word
    never seen counts as another one, or as none where there was no other.
    """

    kind: ClassVar[str] = "category"
    name: str
    categories: tuple[str, ...]
    other: bool = False
    missing: bool = False

    @property
    def type(self) -> ColumnType:
        return ColumnType("text")

    @property
    def features(self) -> tuple[str, ...]:
        extra = ["other"] * self.other + ["missing"] * self.missing
        return tuple(f"{self.name} = {category}" for category in (*self.categories, *extra))

    def encode(self, cells: pl.Series) -> Features:
        """Return (rows, features) zeros and ones."""
        width = len(self.features)
        other = len(self.categories) if self.other else -1
        missing = width - 1 if self.missing else other
        numbers = {category: number for number, category in enumerate(self.categories)}
        codes = cells.replace_strict(numbers, default=other, return_dtype=pl.Int64)
        positions = codes.set(cells.is_null(), missing).to_numpy()
        encoded = np.zeros((len(cells), width), np.float32)
        rows = np.flatnonzero(positions >= 0)
        encoded[rows, positions[rows]] = 1
        return encoded


@dataclass(frozen=True)
class BooleanColumn:
    """1 for true, -1 for false, 0 for missing."""

    kind: ClassVar[str] = "boolean"
    name: str

    @property
    def type(self) -> ColumnType:
        return ColumnType("boolean")

    @property
    def features(self) -> tuple[str, ...]:
        return (self.name,)

    def encode(self, cells: pl.Series) -> Features:
        """Return (rows, 1)."""
        signs = cells.cast(pl.Int8) * 2 - 1
        return _stack([signs.fill_null(0).to_numpy()])


@dataclass(frozen=True)
class DateColumn:
    """Elapsed days and the year, both standardised, and the place in each cycle as sine and cosine.

    mean, deviation: of the days since 1970-01-01 over the training rows; mean_year, deviation_year alike
    (0: one year).
    cycles: which of month, weekday and hour vary in training. A missing date is the mean date, in no place
    of a cycle.
    """

    kind: ClassVar[str] = "date"
    name: str
    mean: float
    deviation: float
    mean_year: float
    deviation_year: float
    cycles: tuple[str, ...]
    indicator: bool = False
    format: str = ""

    @property
    def type(self) -> ColumnType:
        return ColumnType("date", self.format)

    @property
    def features(self) -> tuple[str, ...]:
        circles = [f"{cycle} {part}" for cycle in self.cycles for part in ("sine", "cosine")]
        years, missing = ["year"] * (self.deviation_year > 0), ["missing"] * self.indicator
        return tuple(f"{self.name} {part}" for part in ("elapsed days", *years, *circles, *missing))

    def encode(self, cells: pl.Series) -> Features:
        """Return (rows, features)."""
        parts = [_standardise(_days(cells).fill_null(self.mean).to_numpy(), self.mean, self.deviation)]
        if self.deviation_year > 0:
            years = cells.dt.year().cast(pl.Float64).fill_null(self.mean_year).to_numpy()
            parts.append(_standardise(years, self.mean_year, self.deviation_year))
        absent = cells.is_null().to_numpy()
        for cycle in self.cycles:
            angle = 2 * np.pi / CYCLES[cycle] * _phase(cells, cycle).fill_null(0).to_numpy()
            parts += [np.where(absent, 0, np.sin(angle)), np.where(absent, 0, np.cos(angle))]
        if self.indicator:
            parts.append(absent)
        return _stack(parts)


Column = NumberColumn | CategoryColumn | BooleanColumn | DateColumn
COLUMNS: Mapping[str, type[Column]] = {
    "number": NumberColumn,
    "category": CategoryColumn,
    "boolean": BooleanColumn,
    "date": DateColumn,
}


def column_from_json(saved: Mapping[str, Any]) -> Column:
    """Rebuild an encoder from what `column_to_json` gave."""
    if not isinstance(saved, Mapping):
        raise TypeError(f"a column is {saved!r:.50}")
    fields = {key: value for key, value in saved.items() if key != "kind"}
    return from_plain(COLUMNS[saved["kind"]], fields)


def column_to_json(column: Column) -> dict[str, Any]:
    """Everything about an encoder as plain JSON values."""
    return {"kind": column.kind, **to_plain(column)}


@dataclass
class Moments:
    """Mean and deviation in one pass; chunks are merged as Chan, Golub and LeVeque (1983) do."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def update(self, values: NDArray[np.float64]) -> None:
        if not len(values):
            return
        mean = float(values.mean())
        squares = float(np.square(values - mean).sum())
        total = self.count + len(values)
        shift = mean - self.mean
        self.squares += squares + shift * shift * self.count * (len(values) / total)
        self.mean += shift * (len(values) / total)
        self.count = total

    @property
    def deviation(self) -> float:
        """The population's standard deviation; 0 for a constant, whatever the rounding."""
        deviation = float(np.sqrt(self.squares / self.count)) if self.count else 0.0
        return deviation if deviation > CONSTANT * abs(self.mean) else 0.0


@dataclass
class Sample:
    """Every k-th value in order; k doubles when more than SAMPLE_LIMIT have gathered."""

    step: int = 1
    seen: int = 0
    values: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def update(self, values: NDArray[np.float64]) -> None:
        kept = values[-self.seen % self.step :: self.step]
        self.seen += len(values)
        self.values = np.concatenate([self.values, kept])
        while len(self.values) > SAMPLE_LIMIT:
            self.values = self.values[::2]
            self.step *= 2

    @property
    def median(self) -> float:
        return float(np.median(self.values))


@dataclass
class NumberFit:
    """Gathers mean, deviation and median of a number column."""

    name: str
    format: str = ""
    missing: int = 0
    moments: Moments = field(default_factory=Moments)
    sample: Sample = field(default_factory=Sample)

    def update(self, cells: pl.Series) -> None:
        present = cells.drop_nulls().to_numpy()
        self.missing += cells.null_count()
        self.moments.update(present)
        self.sample.update(present)

    def finish(self) -> NumberColumn | Dropped:
        if not self.moments.count:
            return Dropped(self.name, "it is empty")
        deviation = self.moments.deviation
        if not deviation and not self.missing:
            return Dropped(self.name, "it has one value alone")
        return NumberColumn(
            self.name, self.moments.mean, deviation or 1.0, self.sample.median, self.missing > 0, self.format
        )


@dataclass
class CategoryFit:
    """Counts the words of a text column."""

    name: str
    missing: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    present: int = 0

    def update(self, cells: pl.Series) -> None:
        self.missing += cells.null_count()
        self.present += len(cells) - cells.null_count()
        if len(self.counts) <= COUNTED_LIMIT:
            words = cells.drop_nulls().value_counts(name="count")
            self.counts.update(dict(words.iter_rows()))

    def finish(self) -> CategoryColumn | Dropped:
        if not self.present:
            return Dropped(self.name, "it is empty")
        if len(self.counts) == 1 and not self.missing:
            return Dropped(self.name, "it has one value alone")
        if len(self.counts) > COUNTED_LIMIT or len(self.counts) > max(10, self.present / 2):
            return Dropped(self.name, "nearly every row has a value of its own, as a name or a number of a thing has")
        frequent = sorted(self.counts, key=lambda word: (-self.counts[word], word))[:CATEGORY_LIMIT]
        kept = tuple(sorted(word for word in frequent if self.counts[word] >= RARE))
        return CategoryColumn(self.name, kept, len(kept) < len(self.counts), self.missing > 0)


@dataclass
class BooleanFit:
    """Counts what a column of truth values holds."""

    name: str
    seen: set[bool | None] = field(default_factory=set)

    def update(self, cells: pl.Series) -> None:
        self.seen.update(cells.unique())

    def finish(self) -> BooleanColumn | Dropped:
        if self.seen <= {None}:
            return Dropped(self.name, "it is empty")
        return BooleanColumn(self.name) if len(self.seen) > 1 else Dropped(self.name, "it has one value alone")


@dataclass
class DateFit:
    """Gathers the span of a date column and which of its cycles vary."""

    name: str
    format: str = ""
    missing: int = 0
    days: Moments = field(default_factory=Moments)
    years: Moments = field(default_factory=Moments)
    phases: dict[str, set[int]] = field(default_factory=lambda: {cycle: set() for cycle in CYCLES})

    def update(self, cells: pl.Series) -> None:
        present = cells.drop_nulls()
        self.missing += len(cells) - len(present)
        self.days.update(_days(present).to_numpy())
        self.years.update(present.dt.year().cast(pl.Float64).to_numpy())
        for cycle, phases in self.phases.items():
            phases.update(_phase(present, cycle).unique())

    def finish(self) -> DateColumn | Dropped:
        if not self.days.count:
            return Dropped(self.name, "it is empty")
        if not self.days.deviation and not self.missing:
            return Dropped(self.name, "it has one value alone")
        cycles = tuple(cycle for cycle, phases in self.phases.items() if len(phases) > 1)
        deviation = self.days.deviation or 1.0
        means = (self.days.mean, deviation, self.years.mean, self.years.deviation)
        return DateColumn(self.name, *means, cycles, self.missing > 0, self.format)


ColumnFit = NumberFit | CategoryFit | BooleanFit | DateFit


def start_fit(name: str, column_type: ColumnType) -> ColumnFit:
    """Return what fits an encoder to a column of this type."""
    if column_type.kind == "number":
        return NumberFit(name, column_type.format)
    if column_type.kind == "boolean":
        return BooleanFit(name)
    if column_type.kind == "date":
        return DateFit(name, column_type.format)
    return CategoryFit(name)


def _standardise(values: NDArray[np.float64], mean: float, deviation: float) -> NDArray[np.float64]:
    return np.clip((values - mean) / deviation, -CLIP, CLIP)


def _stack(parts: list[NDArray[Any]]) -> Features:
    return np.stack(parts, axis=1).astype(np.float32)


def _days(cells: pl.Series) -> pl.Series:
    return cells.dt.epoch("us") / DAY_US


def _phase(cells: pl.Series, cycle: str) -> pl.Series:
    parts = {"month": cells.dt.month, "weekday": cells.dt.weekday, "hour": cells.dt.hour}
    return parts[cycle]().cast(pl.Int64)
