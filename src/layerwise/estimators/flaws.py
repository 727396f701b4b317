"""What is wrong with inputs, targets or weights, in one sentence that names the place."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

KEPT = "The feature names should match"  # scikit-learn's list of names has lines of its own


def sentence(error: ValueError, inputs: Any, targets: Any = None) -> str:
    """Return scikit-learn's refusal of inputs (n, d) and targets as one sentence with the place and what to do."""
    text = str(error)
    counts = re.search(r"inconsistent numbers of samples: \[(\d+), (\d+)\]", text)
    if counts:
        return f"X has {counts[1]} rows and y has {counts[2]}; give a target for each row."
    if text.startswith(KEPT):
        return text.strip()
    if "Expected 2D array" in text:
        return (
            f"X must be a table of shape (rows, columns), received shape {np.shape(inputs)}. Reshape your data: "
            "X.reshape(-1, 1) is one column, X.reshape(1, -1) one row."
        )
    flaw = ""
    if "NaN" in text or "infinity" in text or "convert string" in text:
        flaw = _in_table(inputs) or _in_targets(targets)
    return flaw or " ".join(text.split("\n")[0].split())


def _in_table(inputs: Any) -> str:
    """Say which cell of a table is the first of its column that is no finite number; an empty string if none is."""
    if sp.issparse(inputs):
        cells = inputs.tocoo()
        bad = np.flatnonzero(~np.isfinite(cells.data))
        return _cell(cells.col[bad[0]], cells.row[bad[0]], cells.data[bad[0]]) if len(bad) else ""
    names, table = getattr(inputs, "columns", None), np.asarray(inputs)
    for place in range(table.shape[1] if table.ndim == 2 else 0):
        row = _first(table[:, place])
        if row is not None:
            return _cell(place if names is None else f"'{names[place]}'", row, table[row, place])
    return ""


def _cell(column: Any, row: Any, value: Any) -> str:
    held = _held(value)
    if held in ("NaN", "inf", "-inf"):
        return f"Column {column} of X holds {held} in row {row}, counted from 0; fill such cells in, or leave them out."
    return (
        f"Column {column} of X holds {held} in row {row}, counted from 0, which is no number; encode such a column as "
        "numbers, or leave it out."
    )


def _in_targets(targets: Any) -> str:
    values = np.asarray(targets)
    row = _first(values.reshape(len(values), -1)[:, 0]) if values.ndim else None
    if row is None:
        return ""
    held = _held(values.reshape(len(values), -1)[row, 0])
    return f"y holds {held} in row {row}, counted from 0, and must be finite numbers; leave such rows out."


def _first(column: NDArray[Any]) -> int | None:
    """Return the first row whose value is no finite number."""
    try:
        bad = np.flatnonzero(~np.isfinite(column.astype(np.float64)))
        return int(bad[0]) if len(bad) else None
    except (TypeError, ValueError):
        return next(row for row, value in enumerate(column) if not _is_number(value))


def _is_number(value: Any) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except (TypeError, ValueError):
        return False


def _held(value: Any) -> str:
    """Return a value as it is said: 'x', NaN, inf."""
    plain = value.item() if isinstance(value, np.generic) else value
    return repr(plain).replace("nan", "NaN") if isinstance(plain, float) else repr(plain)
