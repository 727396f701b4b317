"""Rows in memory as a table: dictionaries, arrays, and frames of polars or pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from layerwise.data.inputs import Source, describe, reading_values
from layerwise.data.tables.files import FrameRows
from layerwise.errors import DataError

WANTED = "rows as dictionaries, a frame, or an array of (rows, columns)"


def is_table(source: Source) -> bool:
    """Tell whether values in memory are rows of a table: a frame, a dictionary, or dictionaries."""
    if hasattr(source, "columns") or isinstance(source, Mapping):
        return True
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(row, Mapping) for row in source)


def read_values(source: Source, names: Sequence[str] = ()) -> FrameRows:
    """Return rows in memory as a table.

    Parameters
    ----------
    source : mapping, list of mappings, frame of polars or pandas, or array
        One row, rows by the names of their columns, or (rows, columns) values in the order of `names`.
    names : sequence of str
        What the columns of an array are called.

    Raises
    ------
    DataError
        The values are no rows, or an array has another number of columns.
    """
    with reading_values(WANTED, source):
        columns = _columns(source, names)
        frame = pl.DataFrame([_series(name, values) for name, values in columns.items()])
    if not len(frame) or not frame.columns:
        raise DataError(f"expected {WANTED}, received {describe(source)}; give a row at least.")
    return FrameRows(Path("the table"), frame)


def _columns(source: Source, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(source, pl.DataFrame):
        return {name: source[name] for name in source.columns}
    if hasattr(source, "columns"):
        return {str(name): source[name].tolist() for name in source.columns}
    rows = [source] if isinstance(source, Mapping) else source
    if isinstance(rows, list | tuple) and rows and all(isinstance(row, Mapping) for row in rows):
        met = dict.fromkeys(str(name) for row in rows for name in row)
        return {name: [row.get(name) for row in rows] for name in met}
    array = np.asarray(rows)
    if array.ndim == 1 and array.dtype != object and len(array):
        array = array[None]
    if array.ndim != 2 or array.shape[1] != len(names):
        raise DataError(
            f"expected {WANTED} with {len(names)} columns ({', '.join(names[:10])}{', ...' if len(names) > 10 else ''})"
            f", received {describe(source)}."
        )
    return {name: array[:, position].tolist() for position, name in enumerate(names)}


def _series(name: str, values: Any) -> pl.Series:
    """Return a column, as text where its values are of several types."""
    if isinstance(values, pl.Series):
        return values
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    types = {type(value) for value in plain if value is not None}
    if types <= {int, float} and types:
        return pl.Series(name, plain, dtype=pl.Float64, strict=False)
    if len(types) > 1:
        plain = [value if value is None or isinstance(value, str) else str(value) for value in plain]
    return pl.Series(name, plain, dtype=pl.String if not types else None)
