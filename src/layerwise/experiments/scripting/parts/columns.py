"""The encoders of table columns, with what was fitted to them as arguments. Cells are text or typed (Parquet)."""

import numpy as np
import polars as pl

MISSING = ("", "NaN", "nan", "NULL", "null", "?", "N/A", "n/a", "#N/A", "<NA>")
CYCLES = {"month": 12, "weekday": 7, "hour": 24}


def to_number(cells: pl.Series, comma: bool = False) -> pl.Series:
    """Read numbers; what is none, or is infinite, is missing."""
    if cells.dtype == pl.String:
        cells = cells.str.strip_chars()
        if comma:
            cells = cells.str.replace(",", ".", literal=True)
    values = cells.cast(pl.Float64, strict=False)
    return values.set(values.is_nan() | values.is_infinite(), None)


def to_text(cells: pl.Series) -> pl.Series:
    """Trim words; some of them mean that the cell is missing."""
    cells = cells.cast(pl.String).str.strip_chars()
    return cells.set(cells.is_in(MISSING), None)


def to_truth(cells: pl.Series) -> pl.Series:
    """Read 'true' and 'false', as words in small letters; anything else is missing."""
    words = cells.cast(pl.String).str.strip_chars().str.to_lowercase()
    return words.set(~words.is_in(("true", "false")), None)


def to_date(cells: pl.Series, form: str) -> pl.Series:
    """Read dates written as `form`."""
    if cells.dtype == pl.String:
        return cells.str.strip_chars().str.to_datetime(form, strict=False, time_unit="us")
    if cells.dtype == pl.Datetime:
        cells = cells.dt.replace_time_zone(None)
    return cells.cast(pl.Datetime("us"))


def number(
    cells: pl.Series,
    mean: float,
    deviation: float,
    median: float,
    marked: bool,
    comma: bool = False,
) -> np.ndarray:
    """A standardised number; a missing one is the median, and `marked` by a feature of its own."""
    values = to_number(cells, comma)
    standardised = np.clip((values.fill_null(median).to_numpy() - mean) / deviation, -1e6, 1e6)
    if marked:
        return np.stack([standardised, values.is_null()], axis=1)
    return standardised[:, None]


def category(cells: pl.Series, categories: list[str], other: bool, missing: bool) -> np.ndarray:
    """A feature for each category, and for other words and missing cells where training had some."""
    words = to_text(cells)
    features = [(words == name).fill_null(False) for name in categories]
    if other:
        unknown = ~words.is_in(categories)
        features.append(unknown.fill_null(not missing))
    if missing:
        features.append(words.is_null())
    return np.stack(features, axis=1)


def boolean(cells: pl.Series) -> np.ndarray:
    """1 for true, -1 for false, 0 for missing."""
    signs = to_truth(cells).replace_strict({"true": 1, "false": -1}, default=0, return_dtype=pl.Int64)
    return signs.to_numpy()[:, None]


def date(
    cells: pl.Series,
    form: str,
    days: tuple[float, float],
    years: tuple[float, float],
    cycles: tuple[str, ...],
    marked: bool,
) -> np.ndarray:
    """Days and years, standardised by (mean, deviation), and the place in each cycle as sine and cosine."""
    dates = to_date(cells, form)
    absent = dates.is_null().to_numpy()
    elapsed = (dates.dt.epoch("us") / 86_400_000_000).fill_null(days[0]).to_numpy()
    features = [np.clip((elapsed - days[0]) / days[1], -1e6, 1e6)]
    if years[1] > 0:
        features.append((dates.dt.year().cast(pl.Float64).fill_null(years[0]).to_numpy() - years[0]) / years[1])
    for cycle in cycles:
        place = getattr(dates.dt, cycle)().cast(pl.Int64).fill_null(0).to_numpy()
        angle = 2 * np.pi / CYCLES[cycle] * place
        features += [np.where(absent, 0, np.sin(angle)), np.where(absent, 0, np.cos(angle))]
    return np.stack([*features, absent] if marked else features, axis=1)
