"""What the training samples of a data set look like in figures, in the units of the raw data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from layerwise.data.dataset import Dataset
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.series.preprocessing import SeriesPreprocessing
from layerwise.data.tables.encoders import BooleanColumn, CategoryColumn, Column, DateColumn, NumberColumn
from layerwise.data.tables.preprocessing import TablePreprocessing
from layerwise.reports import wording

ROWS_READ = 20_000  # of larger data, so many rows spread evenly are looked at
CATEGORIES_NAMED = 3
TOKENS = {"characters": "characters a text", "pairs": "tokens a sentence", "text": "tokens a passage"}
CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Statistic:
    """One column of a table, one channel of pictures or series, or the length of texts, over the training samples.

    mean, deviation, lowest, median, highest: None where the values are words or dates.
    missing: share of the samples. common: the most frequent words with their shares, or the span of dates.
    values: for a chart, missing ones left out; of pictures, none.
    """

    name: str
    kind: str
    values: Sequence[Any]
    missing: float = 0.0
    mean: float | None = None
    deviation: float | None = None
    lowest: float | None = None
    median: float | None = None
    highest: float | None = None
    common: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the figures without the values, with six significant digits."""
        figures = (self.mean, self.deviation, self.lowest, self.median, self.highest, self.missing)
        names = ("mean", "deviation", "lowest", "median", "highest", "missing")
        rounded = {
            name: None if value is None else float(f"{value:.6g}") for name, value in zip(names, figures, strict=True)
        }
        return {"name": self.name, "kind": self.kind, **rounded, "common": self.common}


def statistics(dataset: Dataset) -> list[Statistic]:
    """Describe the training split: each column of a table, each channel of pictures and series, the length of texts."""
    rows = torch.linspace(0, len(dataset.train) - 1, min(ROWS_READ, len(dataset.train))).long().unique()
    inputs, targets = dataset.train.take(rows)
    preprocessing = dataset.preprocessing
    if isinstance(preprocessing, ImagePreprocessing):
        return list(_channels(inputs))
    if isinstance(preprocessing, TablePreprocessing):
        encoded = inputs.double().numpy()
        described = [
            _column(column, encoded[:, span])
            for column, span in zip(preprocessing.columns, preprocessing.spans().values(), strict=True)
        ]
        return [*described, *_targets(dataset, targets)]
    if isinstance(preprocessing, SeriesPreprocessing):
        return [*_series(preprocessing, inputs), *_targets(dataset, targets)]
    if dataset.kind in TOKENS:
        return [_numbers(TOKENS[dataset.kind], "number", (inputs != 0).double().sum(1).numpy())]
    if dataset.kind == "bag_of_words":
        return [_numbers("known words a text", "number", inputs.double().sum(1).numpy())]
    return [_numbers("all inputs", "number", inputs.double().flatten().numpy()), *_targets(dataset, targets)]


def targets_in_units(dataset: Dataset, targets: Tensor) -> Floats:
    """Return the values to predict as the raw data has them, (samples, targets)."""
    values: Floats = targets.double().reshape(len(targets), -1).numpy()
    if isinstance(dataset.preprocessing, TablePreprocessing):
        target = dataset.preprocessing.target
        return _unscaled(values, target.mean, target.deviation)
    if isinstance(dataset.preprocessing, SeriesPreprocessing):  # all steps of a forecast are on one scale
        return _unscaled(values, dataset.target_means[0], dataset.target_deviations[0])
    return values


def _unscaled(values: Floats, mean: float, deviation: float) -> Floats:
    """Undo a standardisation, and the rounding of float32 with it: to five digits of the deviation."""
    scaled: Floats = np.round(values * deviation + mean, 4 - math.floor(math.log10(deviation)))
    return scaled


def _targets(dataset: Dataset, targets: Tensor) -> Iterator[Statistic]:
    if dataset.task == "regression":
        for name, values in zip(dataset.target_names, targets_in_units(dataset, targets).T, strict=True):
            yield _numbers(name, "target", values)


def _channels(pictures: Tensor) -> Iterator[Statistic]:
    channels = pictures.shape[1]
    names = CHANNELS.get(channels, tuple(f"channel {number + 1}" for number in range(channels)))
    for name, plane in zip(names, pictures.unbind(1), strict=True):
        yield _numbers(name, "pixels", plane.double().flatten().numpy())


def _series(preprocessing: SeriesPreprocessing, series: Tensor) -> Iterator[Statistic]:
    """The steps that each training series has, and the numbers of each channel over them."""
    there = ~series[..., 0].isnan()
    if not preprocessing.is_window:
        yield _numbers("steps", "number", there.double().sum(1).numpy())
    for number, name in enumerate(preprocessing.channels):
        yield _numbers(name, "number", series[..., number][there].double().numpy())


def _column(column: Column, encoded: Floats) -> Statistic:
    """Undo the encoding of a column, (rows, its features)."""
    match column:
        case NumberColumn():
            present = encoded[:, 1] == 0 if column.indicator else np.ones(len(encoded), bool)
            values = _unscaled(encoded[present, 0], column.mean, column.deviation)
            return _numbers(column.name, "number", values, missing=1 - present.mean())
        case CategoryColumn():
            names = [feature.removeprefix(f"{column.name} = ") for feature in column.features]
            given = [names[place] for place in encoded.argmax(1)]
            words = [word for word in given if not (column.missing and word == "missing")]
            return _words(column.name, "category", words, len(encoded))
        case BooleanColumn():
            words = ["yes" if value > 0 else "no" for value in encoded[:, 0] if value]
            return _words(column.name, "boolean", words, len(encoded))
        case DateColumn():
            return _dates(column, encoded)


def _numbers(name: str, kind: str, values: Floats, missing: float = 0.0) -> Statistic:
    if not len(values):
        return Statistic(name, kind, (), missing)
    return Statistic(
        name,
        kind,
        () if kind == "pixels" else values.tolist(),
        missing,
        mean=float(values.mean()),
        deviation=float(values.std()),
        lowest=float(values.min()),
        median=float(np.median(values)),
        highest=float(values.max()),
    )


def _words(name: str, kind: str, words: Sequence[str], row_count: int) -> Statistic:
    counts = Counter(words).most_common()
    named = [f"{word} {wording.share(count / row_count)}" for word, count in counts[:CATEGORIES_NAMED]]
    if rest := len(counts) - len(named):
        named.append(f"{rest} more")
    return Statistic(name, kind, words, missing=1 - len(words) / row_count, common=", ".join(named))


def _dates(column: DateColumn, encoded: Floats) -> Statistic:
    present = encoded[:, -1] == 0 if column.indicator else np.ones(len(encoded), bool)
    days = encoded[present, 0] * column.deviation + column.mean
    span = " to ".join(_day(value) for value in (days.min(), days.max())) if len(days) else ""
    return Statistic(column.name, "date", days.tolist(), missing=1 - present.mean(), common=span)


def _day(days: float) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=round(days, 3))).strftime("%Y-%m-%d")
