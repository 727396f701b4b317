"""The column to predict: classes or a value, decided from its cells, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from layerwise.data.dataset import Notice, TaskName
from layerwise.data.json_checks import from_plain, to_plain
from layerwise.data.tables.encoders import Moments
from layerwise.data.tables.types import ColumnType, Place, write_number
from layerwise.errors import DataError

CLASS_LIMIT = 20  # whole numbers with at most so many different values, each with 5 rows on average, are classes
ROWS_A_CLASS = 3  # one for each split
SMALLEST_TABLE = 10
MISSING_SHARE_LIMIT = 0.5
MOST_CLASSES = 10_000
SLICE_ROWS = 2**20  # to count or replace values takes several times the memory of a column


@dataclass(frozen=True)
class TargetColumn:
    """Classes in sorted order, or a value with its mean and deviation over the training rows."""

    name: str
    task: TaskName
    type: ColumnType
    classes: tuple[str, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0

    def encode(self, cells: pl.Series, place: Place) -> Tensor:
        """Return class numbers (rows,) int64 or standardised values (rows, 1) float32.

        cells: typed, as `tables` reads them. Raises DataError, naming the line, for a missing cell or
        unknown class.
        """
        if cells.null_count():
            row = int(cells.is_null().arg_true()[0])
            raise DataError(f"{place(row)}: column '{self.name}' is empty where its true value was expected; fill it.")
        if self.task == "regression":
            standardised = (cells.to_numpy() - self.mean) / self.deviation
            return torch.from_numpy(standardised.astype(np.float32))[:, None]
        codes = pl.concat([self._codes(part) for part in _slices(cells)])
        if codes.null_count():
            row = int(codes.is_null().arg_true()[0])
            known = ", ".join(self.classes[:10]) + (", ..." if len(self.classes) > 10 else "")
            raise DataError(
                f"{place(row)}: column '{self.name}' holds the class "
                f"'{name_classes(cells[row : row + 1])[0]}', which was not in the "
                "training "
                f"data ({known}); correct the cell or take the row out."
            )
        return torch.from_numpy(codes.to_numpy(writable=True))

    def _codes(self, cells: pl.Series) -> pl.Series:
        """Return the class numbers of some cells, null for an unknown class."""
        numbers = {name: number for number, name in enumerate(self.classes)}
        values = cells.unique()
        codes = pl.Series([numbers.get(name) for name in name_classes(values)], dtype=pl.Int64)
        return cells.replace_strict(values, codes, return_dtype=pl.Int64)

    def fit(self, cells: pl.Series) -> TargetColumn:
        """Return this target with mean and deviation of the training cells; classes have none."""
        if self.task == "classification":
            return self
        moments = Moments()
        moments.update(cells.to_numpy())
        if not moments.deviation:
            raise DataError(
                f"Column '{self.name}' has the value {write_number(cells[0])} alone in training, so there is nothing "
                "to predict; choose another target, or add rows with other values."
            )
        return replace(self, mean=moments.mean, deviation=moments.deviation)

    def to_json(self) -> dict[str, Any]:
        return to_plain(self)

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> TargetColumn:
        """Rebuild what `to_json` gave."""
        return from_plain(TargetColumn, saved)


def name_classes(cells: pl.Series) -> pl.Series:
    """Write the cells as names of classes: 3 and not 3.0, true, or the text itself."""
    if cells.dtype == pl.Float64:
        names = {value: write_number(value) for value in cells.unique().drop_nulls()}
        return cells.replace_strict(names, default=None, return_dtype=pl.String)
    return cells.cast(pl.String)


def decide_target(
    cells: pl.Series, column_type: ColumnType, source: str, task: TaskName | None = None
) -> tuple[TargetColumn, list[Notice]]:
    """Look at all cells of the target, missing ones left out, and decide between classes and a value.

    Raises DataError, naming the column, for one class alone, a class too rare for three splits, too few
    rows, or a target that suits no task.
    """
    name = cells.name
    if len(cells) < SMALLEST_TABLE:
        raise DataError(
            f"{source} has {_rows(len(cells))} with a '{name}'; at least {SMALLEST_TABLE} are needed, so add rows."
        )
    chosen: TaskName = task or ("classification" if _looks_like_classes(cells) else "regression")
    if chosen == "regression":
        if column_type.kind != "number":
            raise DataError(
                f"{source}: column '{name}' holds {_words(column_type)}, which cannot be a value to "
                "predict; choose a "
                "column of numbers, or one with classes."
            )
        notice = f"Column '{name}' holds numbers, so its value is predicted (regression)."
        return TargetColumn(name, "regression", column_type), [Notice("info", notice)]
    if column_type.kind == "date":
        raise DataError(f"{source}: column '{name}' holds dates, which cannot be predicted; choose another column.")
    classes = _classes(cells, source)
    shown = ", ".join(classes[:5]) + (", ..." if len(classes) > 5 else "")
    notice = f"Column '{name}' has {len(classes)} classes ({shown}), so the class is predicted (classification)."
    return TargetColumn(name, "classification", column_type, classes), [Notice("info", notice)]


def missing_target_notice(name: str, missing: int, rows: int, source: str) -> list[Notice]:
    """Say that rows without a target are left out; raises DataError where they are more than half."""
    if not missing:
        return []
    if missing > MISSING_SHARE_LIMIT * rows:
        raise DataError(
            f"{source}: column '{name}' is empty in {missing} of {rows} rows; a target must be known in at "
            "least half "
            "of them, so fill it or choose another column."
        )
    return [Notice("warning", f"{missing} of {rows} rows have no '{name}' and are left out.")]


def _looks_like_classes(cells: pl.Series) -> bool:
    if cells.dtype != pl.Float64:
        return True
    counts = _count_values(cells, CLASS_LIMIT)
    if len(counts) > CLASS_LIMIT or not all(value.is_integer() for value in counts):
        return False
    return len(counts) <= 2 or len(cells) >= 5 * len(counts)


def _classes(cells: pl.Series, source: str) -> tuple[str, ...]:
    name, limit = cells.name, max(CLASS_LIMIT, min(len(cells) // 2, MOST_CLASSES))
    counts = _count_values(cells, limit)
    values = sorted(counts)
    classes = tuple(name_classes(pl.Series(values, dtype=cells.dtype)))
    if len(classes) < 2:
        raise DataError(
            f"{source}: column '{name}' has one class alone, '{classes[0]}'; at least two are needed to learn."
        )
    if len(classes) > limit:
        raise DataError(
            f"{source}: column '{name}' has more than {limit} different values in {len(cells)} rows, so it names rows, "
            "not classes; choose another target."
        )
    for value, label in zip(values, classes, strict=True):
        if counts[value] < ROWS_A_CLASS:
            raise DataError(
                f"{source}: column '{name}' has the class '{label}' in {_rows(counts[value])}; each class needs at "
                f"least {ROWS_A_CLASS}, one a split, so add rows or take the class out."
            )
    return classes


def _count_values(cells: pl.Series, limit: int) -> Counter[Any]:
    """Count how often each value occurs, stopping once there are more than `limit`."""
    counts: Counter[Any] = Counter()
    for part in _slices(cells):
        counts.update(dict(part.value_counts(name="count").iter_rows()))
        if len(counts) > limit:
            break
    return counts


def _slices(cells: pl.Series) -> Iterator[pl.Series]:
    return (cells[start : start + SLICE_ROWS] for start in range(0, len(cells), SLICE_ROWS))


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _words(column_type: ColumnType) -> str:
    return {"text": "text", "boolean": "truth values", "date": "dates", "number": "numbers"}[column_type.kind]
