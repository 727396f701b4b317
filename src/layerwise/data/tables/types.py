"""What the cells of a column are: numbers, truth values, dates or text; and which of them are missing.

A cell is missing if it is empty or blank, or one of MISSING. In a column whose other cells are numbers or dates the
words of MISSING_AMONG_NUMBERS are missing too; in a column of text they stay text, so `NA` can be Namibia. Numbers with
leading zeros (`00501`) are codes: their column is text. `1,5` is a number where the whole column is written so; `1,234`
alone could be either and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from layerwise.errors import DataError

MISSING = ("", "NaN", "nan", "NULL", "null", "?", "N/A", "n/a", "#N/A", "<NA>")
MISSING_AMONG_NUMBERS = ("NA", "na", "None", "none", "-", "--", ".", "missing", "unknown")
DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
THOUSANDS = r"^[+-]?\d{1,3}(,\d{3})+$"
INFINITE = r"^[+-]?(?i:inf|infinity)$"
LARGEST = 1e38  # beyond it a number and its deviation from the mean do not fit in float32
MOSTLY = 0.8  # share of numbers from which another word is taken for a mistake
REPEATED = 20  # at most so many different values, repeated, are categories even if most are numbers
DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
)
EXAMPLE = datetime(2026, 1, 31, 18, 30)  # shows how dates are written: no other number in it is 31 or 1
AMBIGUOUS = {"%m/%d/%Y": "%d/%m/%Y", "%m/%d/%Y %H:%M": "%d/%m/%Y %H:%M"}


@dataclass(frozen=True)
class ColumnType:
    """format: how the dates of a text file are written, empty where it stores real ones; ',' for decimal commas."""

    kind: Literal["number", "boolean", "date", "text"]
    format: str = ""


@dataclass(frozen=True)
class Place:
    """Names a cell in messages: 'sales.csv, line 17'. Rows of files are lines; rows of frames are rows."""

    source: str
    lines: Sequence[int] | NDArray[np.uint32]
    unit: str = "line"

    def __call__(self, row: int) -> str:
        return f"{self.source}, {self.unit} {self.lines[row]}"


def blank_to_null(cells: pl.Series) -> pl.Series:
    """Trim the cells of a text column and turn the declared missing words into null."""
    cells = cells.str.strip_chars()
    return cells.set(cells.is_in(MISSING), None)


def convert(cells: pl.Series, column_type: ColumnType, place: Place) -> pl.Series:
    """Return a column as Float64, Boolean, Datetime or String with null for what is missing; infinite is
    missing.

    Raises DataError naming line and column for a cell that is no such thing.
    """
    name = cells.name
    if column_type.kind == "number":
        values = _numbers(cells, column_type.format)
        _refuse_large(name, values, cells, place)
        typed = values.set(values.is_nan() | values.is_infinite(), None)
    elif column_type.kind == "boolean":
        typed = cells if cells.dtype == pl.Boolean else _booleans(_text(cells))
    elif column_type.kind == "date":
        typed = _dates(cells, column_type.format)
    else:
        return blank_to_null(_text(cells)).rename(name)
    if typed.null_count() > cells.null_count():
        _refuse_other(cells, typed, column_type, place)
    return typed.rename(name)


def _text(cells: pl.Series) -> pl.Series:
    if cells.dtype.is_float():
        return pl.Series(cells.name, [write_number(value) for value in cells], dtype=pl.String)
    return cells if cells.dtype == pl.String else cells.cast(pl.String)


def write_number(value: float | None) -> str | None:
    """Write a number as people do, 3 and not 3.0."""
    if value is None:
        return None
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else str(value)


def _numbers(cells: pl.Series, decimal: str) -> pl.Series:
    if cells.dtype == pl.String:
        cells = cells.str.strip_chars()
        if decimal:
            cells = cells.str.replace(decimal, ".", literal=True)
    elif cells.dtype.is_temporal():
        return pl.Series(cells.name, [None] * len(cells), dtype=pl.Float64)
    return cells.cast(pl.Float64, strict=False)


def _booleans(cells: pl.Series) -> pl.Series:
    lower = cells.str.strip_chars().str.to_lowercase()
    return (lower == "true").set(~lower.is_in(("true", "false")), None)


def _dates(cells: pl.Series, date_format: str) -> pl.Series:
    if cells.dtype.is_temporal():
        dates = cells.dt.replace_time_zone(None) if isinstance(cells.dtype, pl.Datetime) else cells
        return dates.cast(pl.Datetime("us"))
    if cells.dtype != pl.String:
        cells = cells.cast(pl.String)
    stripped = cells.str.strip_chars()
    formats = (date_format,) if date_format else DATE_FORMATS
    parsed = stripped.str.to_datetime(formats[0], strict=False, time_unit="us")
    for other in formats[1:]:
        parsed = parsed.zip_with(parsed.is_not_null(), stripped.str.to_datetime(other, strict=False, time_unit="us"))
    return parsed


def _refuse_large(name: str, values: pl.Series, cells: pl.Series, place: Place) -> None:
    large = values.is_finite().fill_null(False) & (values.abs() > LARGEST)
    if cells.dtype == pl.String:
        large |= values.is_infinite().fill_null(False) & ~cells.str.strip_chars().str.contains(INFINITE)
    if large.any():
        row = int(large.arg_true()[0])
        raise DataError(
            f"{place(row)}: column '{name}' holds {cells[row]}, larger than the {LARGEST:g} that a network "
            "can take; "
            "correct the cell, or leave it empty if it is missing."
        )


def _refuse_other(cells: pl.Series, typed: pl.Series, column_type: ColumnType, place: Place) -> None:
    """Raise for the first cell that became null without being missing."""
    missing = cells.is_null()
    if cells.dtype == pl.String:
        words = cells.str.strip_chars()
        missing |= words.is_in((*MISSING, *MISSING_AMONG_NUMBERS)) | words.str.contains(INFINITE)
    elif cells.dtype.is_float():
        missing |= cells.is_nan() | cells.is_infinite()
    wrong = (typed.is_null() & ~missing).arg_true()
    if len(wrong):
        row = int(wrong[0])
        raise DataError(_wrong_cell(place(row), cells.name, str(cells[row]), column_type))


def _wrong_cell(where: str, name: str, value: str, column_type: ColumnType) -> str:
    wanted = {"number": "a number", "boolean": "true or false", "date": "a date", "text": "text"}[column_type.kind]
    if column_type.kind == "date" and column_type.format:
        wanted += f" written like {EXAMPLE.strftime(column_type.format.replace('%.f', ''))}"
    shown = " ".join(value.split())[:80]
    return (
        f"{where}: column '{name}' holds '{shown}' where {wanted} was expected; correct the cell, or leave it empty "
        "if it is missing."
    )


@dataclass
class ColumnSurvey:
    """Counts of what the cells of one column look like, chunk by chunk; `decide` says what the column is."""

    name: str
    rows: int = 0
    missing: int = 0
    infinite: int = 0
    cells: int = 0
    numbers: int = 0
    booleans: int = 0
    missing_among_numbers: int = 0
    decimal_commas: int = 0
    thousands: int = 0
    padded: bool = False
    odd: tuple[str, str] | None = None
    values: set[str] = field(default_factory=set)
    dates: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DATE_FORMATS, 0))
    not_dates: dict[str, tuple[str, str]] = field(default_factory=dict)
    stored: ColumnType | None = None

    def update(self, cells: pl.Series, place: Place) -> None:
        """Count the cells of one more chunk."""
        self.rows += len(cells)
        if cells.dtype == pl.String:
            self._count_words(blank_to_null(cells), place)
            return
        self.stored = _stored_type(cells, place)
        self.missing += cells.null_count()
        if cells.dtype.is_float():
            self.infinite += int(cells.is_infinite().sum())
            self.missing += int(cells.is_nan().sum())

    def _count_words(self, words: pl.Series, place: Place) -> None:
        self.missing += words.null_count()
        present = len(words) - words.null_count()
        self.cells += present
        numbers = words.cast(pl.Float64, strict=False)
        count = len(words) - numbers.null_count()
        self.numbers += count
        if count:
            infinite = numbers.is_infinite() & words.str.contains(INFINITE)
            self.infinite += int(infinite.sum())
            self.padded |= bool(words.str.contains(r"^0\d+$").any())
        if count == present:
            return
        among = words.is_in(MISSING_AMONG_NUMBERS).fill_null(False)
        self.missing_among_numbers += int(among.sum())
        grouped = words.str.contains(THOUSANDS)
        self.thousands += int(grouped.sum())
        self.decimal_commas += int((words.str.contains(DECIMAL_COMMA) & ~grouped).sum())
        odd = (words.is_not_null() & numbers.is_null() & ~among).arg_true()
        if self.odd is None and len(odd):
            self.odd = (place(int(odd[0])), words[int(odd[0])])
        if self.numbers and len(self.values) <= REPEATED:
            self.values.update(words.drop_nulls().unique().head(REPEATED + 1))
        if not count:
            self.booleans += int(words.str.to_lowercase().is_in(("true", "false")).sum())
            self._count_dates(words, among, place)

    def _count_dates(self, words: pl.Series, among: pl.Series, place: Place) -> None:
        before = self.cells - (len(words) - words.null_count())
        for date_format, count in list(self.dates.items()):
            if count < MOSTLY * before:
                del self.dates[date_format]
                continue
            parsed = words.str.to_datetime(date_format, strict=False, time_unit="us")
            self.dates[date_format] += len(words) - parsed.null_count()
            wrong = (parsed.is_null() & words.is_not_null() & ~among).arg_true()
            if len(wrong) and date_format not in self.not_dates:
                self.not_dates[date_format] = (place(int(wrong[0])), words[int(wrong[0])])

    def decide(self, notice: Callable[[str], None]) -> ColumnType:
        """Return what the column is, saying what a user should know about it.

        Raises DataError for a column of numbers or dates with a few cells that are something else.
        """
        if self.stored:
            return self.stored
        wanted = self.cells - self.missing_among_numbers
        if self.padded:
            notice(f"Column '{self.name}' has numbers with leading zeros, so it is read as text.")
            return ColumnType("text")
        if not wanted:
            return ColumnType("text")
        if self.numbers == wanted:
            return ColumnType("number")
        if self.numbers + self.decimal_commas + self.thousands == wanted:
            return self._decide_commas(notice)
        if self.booleans == wanted:
            return ColumnType("boolean")
        date_format = max(self.dates, key=lambda item: self.dates[item], default=None)
        if date_format and self.dates[date_format] >= MOSTLY * wanted:
            return self._decide_date(date_format, wanted, notice)
        if self.numbers >= MOSTLY * wanted and not self._is_repeated():
            where, value = self.odd or ("", "")
            raise DataError(_wrong_cell(where, self.name, value, ColumnType("number")))
        if self.numbers:
            notice(f"Column '{self.name}' mixes {self.numbers} numbers with other words, so it is read as text.")
        return ColumnType("text")

    def _decide_commas(self, notice: Callable[[str], None]) -> ColumnType:
        if self.decimal_commas:
            notice(f"Column '{self.name}' is written with decimal commas: 1,5 is read as 1.5.")
            return ColumnType("number", ",")
        where, value = self.odd or ("", "")
        raise DataError(
            f"{where}: column '{self.name}' holds '{value}', which could be thousands or a decimal comma; write "
            "numbers without separators of thousands, and with a decimal point."
        )

    def _decide_date(self, date_format: str, wanted: int, notice: Callable[[str], None]) -> ColumnType:
        if self.dates[date_format] < wanted:
            where, value = self.not_dates[date_format]
            raise DataError(_wrong_cell(where, self.name, value, ColumnType("date", date_format)))
        other = AMBIGUOUS.get(date_format)
        if other and self.dates.get(other) == wanted:
            notice(f"Column '{self.name}': the dates could be month/day or day/month; read as month/day.")
        return ColumnType("date", date_format)

    def _is_repeated(self) -> bool:
        return len(self.values) <= REPEATED and self.cells >= 10 * len(self.values)


def _stored_type(cells: pl.Series, place: Place) -> ColumnType:
    """The type of a column that its file stores with one."""
    dtype = cells.dtype
    if dtype.is_numeric():
        return ColumnType("number")
    if dtype == pl.Boolean:
        return ColumnType("boolean")
    if dtype in (pl.Date, pl.Datetime):
        return ColumnType("date")
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.Null):
        return ColumnType("text")
    raise DataError(
        f"{place.source}: column '{cells.name}' holds {dtype} values; only numbers, truth values, dates "
        "and text "
        "can be used, so take the column out or split it."
    )
