"""A table as one series: a row a step, in the order of a column of times, with what is odd about those times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from layerwise.data.dataset import Notice
from layerwise.data.inputs import Source, open_source
from layerwise.data.raw import Series
from layerwise.data.tables.files import Table, read_table, survey
from layerwise.data.tables.values import read_values
from layerwise.errors import DataError, nearest

YEAR_FIRST = r"^\d{4}([-/. ]?[QW]?\d+)*$"  # 2026-01, 2026Q1 and 2026-W05 stand in the order of their letters
GAP = 4  # median steps of time from which on a step is a gap: a long weekend is none


def read_time_index(source: Source, channels: Sequence[str], time: str | None) -> tuple[Series, list[str]]:
    """Read columns of a table as one series in the order of `time`: (steps, channels) float32, and their times.

    Raises DataError for a column that is missing or holds no numbers, and for a cell that does not.
    """
    file = open_source(source)
    table = survey(read_values(source)).read() if file is None else read_table(file)
    for name in [*channels, *([time] if time else [])]:
        if name not in table.frame.columns:
            hint = nearest(name, table.frame.columns)
            raise DataError(f"{table.source} has no column '{name}', which the network takes.{hint}")
    table = sort_by_time(table, time)
    return to_numbers(table, channels), name_steps(table.frame, time)


def sort_by_time(table: Table, time: str | None) -> Table:
    """Return the rows in the order of a column of dates or numbers. Raises DataError where it gives none."""
    if time is None:
        return table
    cells = table.frame[time]
    if cells.null_count():
        place = table.place(int(cells.is_null().arg_max() or 0))
        raise DataError(f"{place}: column '{time}' is empty, so the row has no place in time; fill it in.")
    is_ordered_text = (
        cells.dtype == pl.String and cells.str.contains(YEAR_FIRST).all() and cells.str.len_chars().n_unique() == 1
    )
    if cells.dtype in (pl.String, pl.Boolean) and not is_ordered_text:
        raise DataError(
            f"{table.source}: column '{time}' holds '{cells[0]}', neither dates nor numbers, so rows cannot be ordered "
            "by it; name another `split_column`."
        )
    order = cells.arg_sort()
    return replace(table, frame=table.frame[order], lines=[table.lines[row] for row in order])


def to_numbers(table: Table, channels: Sequence[str]) -> Series:
    """Return columns as (steps, channels) float32. Raises DataError for one without numbers, and for an empty cell."""
    for name in channels:
        cells = table.frame[name]
        if not cells.dtype.is_numeric():
            raise DataError(
                f"{table.source}: column '{name}' holds no numbers, so it can neither be forecast nor forecast from; "
                "name another."
            )
        if cells.null_count():
            place = table.place(int(cells.is_null().arg_max() or 0))
            raise DataError(f"{place}: column '{name}' is empty where a number was expected; fill it in.")
    return table.frame.select(channels).to_numpy().astype(np.float32)


def name_steps(frame: pl.DataFrame, time: str | None) -> list[str]:
    """Return what to call each step: its date, its number, or its place in the series."""
    if time is None:
        return [str(step) for step in range(len(frame))]
    cells = frame[time]
    if cells.dtype.is_temporal():
        is_of_days = bool((cells.dt.truncate("1d") == cells).all())
        return cells.dt.to_string("%Y-%m-%d" if is_of_days else "%Y-%m-%d %H:%M").to_list()
    return [str(int(value)) if isinstance(value, float) and value.is_integer() else str(value) for value in cells]


def find_odd_times(table: Table, time: str | None) -> Iterator[Notice]:
    """Yield what a forecast, which takes each row for the next step, is not told by the times of rows in order."""
    cells = table.frame[time] if time else None
    if cells is None or cells.dtype == pl.String or len(cells) < 3:
        return
    names = name_steps(table.frame, time)
    values = (cells.dt.epoch("us") if cells.dtype.is_temporal() else cells).to_numpy()
    widths: NDArray[np.float64] = np.diff(values.astype(np.float64))
    [twice] = np.nonzero(widths == 0)
    if len(twice):
        first, second = (table.lines[row] for row in (twice[0], twice[0] + 1))
        yield Notice(
            "warning",
            f"{table.source}: the time {names[twice[0]]} stands in {table.unit} {first} and in {table.unit} {second}"
            f"{f', and {len(twice) - 1} more times alike' if len(twice) > 1 else ''}; a forecast takes each row for "
            "the next step, so a file should hold one series.",
        )
    [gaps] = np.nonzero(widths > GAP * np.median(widths))
    if len(gaps) and np.median(widths) > 0:
        yield Notice(
            "warning",
            f"{table.source}: no rows lie between {names[gaps[0]]} and {names[gaps[0] + 1]}"
            f"{f', and there are {len(gaps) - 1} more such gaps' if len(gaps) > 1 else ''}; a forecast takes each row "
            "for the next step, so fill them in.",
        )


def find_unused(table: Table, columns: Sequence[str]) -> Iterator[Notice]:
    """Yield which other columns a forecast cannot read, and why."""
    for name in columns:
        cells = table.frame[name]
        if not cells.dtype.is_numeric():
            yield Notice("info", f"Column '{name}' holds no numbers and is left out.")
        elif cells.null_count():
            place = table.place(int(cells.is_null().arg_max() or 0))
            yield Notice(
                "warning",
                f"Column '{name}' is left out, since {cells.null_count()} of its cells are empty, the first in "
                f"{place}; fill them in to use it.",
            )
