"""Labelled series as a kind of data."""

from __future__ import annotations

from pathlib import Path

import torch

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Notice, Split
from layerwise.data.kind import DataKind
from layerwise.data.raw import RawSeries
from layerwise.data.series.preprocessing import SeriesPreprocessing, pad, read_series_file
from layerwise.errors import UsageError


class SeriesData(DataKind[RawSeries, RawSeries, SeriesPreprocessing]):
    """Series with a label each: files of the .ts format, and data sets by name."""

    def accepts(self, path: Path, config: DataConfig) -> bool:
        return path.suffix.lower() == ".ts" and path.is_file()

    def read(self, path: Path, config: DataConfig) -> RawSeries:
        return read_series_file(path)

    def prepare(self, raw: RawSeries, name: str, config: DataConfig) -> RawSeries:
        if config.horizon or config.window:
            field = "`horizon`" if config.horizon else "`window`"
            raise UsageError(f"{field} is for forecasts, and the series of {name} have labels; leave it out.")
        return raw

    def fit(self, train: RawSeries, config: DataConfig) -> tuple[SeriesPreprocessing, tuple[Notice, ...]]:
        return SeriesPreprocessing.fit(pad(train.series), train.channels), ()

    def encode(self, preprocessing: SeriesPreprocessing, samples: RawSeries) -> Split:
        inputs = pad(samples.series) if len(samples) else torch.empty(0, 1, len(samples.channels))
        return Split(inputs, samples.targets, samples.ids)
