"""One long series that is forecast, as a kind of data: its windows with what came after them are samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Notice, Split, TaskName
from layerwise.data.kind import DataKind, Values
from layerwise.data.raw import Parts, RawForecast, Series, Unlabelled
from layerwise.data.series.preprocessing import SeriesPreprocessing
from layerwise.data.series.time_index import find_odd_times, find_unused, name_steps, sort_by_time, to_numbers
from layerwise.data.splits import check_shares
from layerwise.data.tables.files import TABLE_SUFFIXES, read_table
from layerwise.errors import DataError, UsageError, nearest


@dataclass(frozen=True)
class ForecastSteps(Unlabelled):
    """Consecutive steps of one series, whose windows are samples, each with the steps behind it.

    steps: (time, channels) float32, the channel to forecast first. times: what each step is called.
    time: the column with the times. window, horizon: steps that a forecast is made from, and steps that it tells.
    """

    steps: Series
    times: Sequence[str]
    channels: tuple[str, ...]
    time: str | None
    source: str
    window: int
    horizon: int
    notices: tuple[Notice, ...] = ()
    classes: tuple[str, ...] = ()
    task: TaskName = "regression"

    def __len__(self) -> int:
        return max(0, len(self.steps) - self.window - self.horizon + 1)

    def take(self, rows: Tensor) -> ForecastSteps:
        """Return consecutive windows. rows: ascending without gaps."""
        if not len(rows):
            return self.between(0, 0)
        return self.between(int(rows[0]), int(rows[-1]) + self.window + self.horizon)

    def between(self, first: int, end: int) -> ForecastSteps:
        """Return the steps from `first` to before `end`."""
        return replace(self, steps=self.steps[first:end], times=self.times[first:end])


class ForecastData(DataKind[ForecastSteps, ForecastSteps, SeriesPreprocessing]):
    """One long series whose next values are to be told: tables with a horizon, and data sets by name.

    No value that is to be told for testing or validation is told, or seen at its time, in training.
    """

    def accepts(self, path: Path, config: DataConfig) -> bool:
        return path.name.lower().endswith(TABLE_SUFFIXES) and bool(config.horizon)

    def read(self, path: Path, config: DataConfig) -> RawForecast:
        return read_forecast_table(path, config)

    def prepare(self, raw: RawForecast, name: str, config: DataConfig) -> ForecastSteps:
        window, horizon = config.window or raw.window, config.horizon or raw.horizon
        channels, steps = check_numbers(raw, name)
        times = name_steps(raw.frame, raw.time)
        return ForecastSteps(steps, times, channels, raw.time, raw.source, window, horizon, raw.notices)

    def split(self, raw: ForecastSteps, config: DataConfig, seed: int) -> Parts[ForecastSteps]:
        """Divide by time, the latest steps for testing. Raises DataError for a series that is too short."""
        check_shares(test=config.test, valid=config.valid, by="time")
        count, window, horizon = len(raw.steps), raw.window, raw.horizon
        test_from = count - max(horizon, round(config.test * count))
        valid_from = test_from - (max(horizon, round(config.valid * test_from)) if config.valid else 0)
        if valid_from < window + horizon:
            raise DataError(
                f"{raw.source} has {count} steps, and with `window` {window} and `horizon` {horizon} too few of them "
                "are left to learn from; give a longer series, or lower one of them."
            )
        valid = raw.between(valid_from - window, test_from) if config.valid else raw.between(0, 0)
        return Parts(raw.between(0, valid_from), valid, raw.between(test_from - window, count))

    def limit(self, train: ForecastSteps, config: DataConfig, seed: int) -> ForecastSteps:
        """Leave all steps to be fitted to; the windows are limited once they are cut."""
        return train

    def fit(self, train: ForecastSteps, config: DataConfig) -> tuple[SeriesPreprocessing, tuple[Notice, ...]]:
        steps = train.steps
        if (steps[:, 0] == steps[0, 0]).all():
            raise DataError(
                f"{train.source}: column '{train.channels[0]}' is {steps[0, 0]:g} in all {len(steps)} training steps, "
                "so there is nothing to learn; name another."
            )
        series = torch.from_numpy(steps)[None]  # (1, time, channels)
        fitted = SeriesPreprocessing.fit(series, train.channels, length=train.window, is_window=True, time=train.time)
        return fitted, ()

    def encode(self, preprocessing: SeriesPreprocessing, samples: ForecastSteps) -> Split:
        if not len(samples):
            nothing = torch.empty(0, samples.window, len(samples.channels))
            return Split(nothing, torch.empty(0, samples.horizon), [])
        return preprocessing.cut_windows(samples.steps, samples.times, samples.horizon)

    def encode_parts(
        self, preprocessing: SeriesPreprocessing, parts: Parts[ForecastSteps], config: DataConfig, seed: int
    ) -> Parts[Split]:
        """Encode all parts, of the training part the latest windows."""
        train, count = parts.train, len(parts.train)
        latest = train.take(torch.arange(max(0, count - (config.limit or count)), count))
        return super().encode_parts(preprocessing, replace(parts, train=latest), config, seed)

    def values(self, preprocessing: SeriesPreprocessing, raw: ForecastSteps) -> Values:
        names = tuple(f"{raw.channels[0]} +{step + 1}" for step in range(raw.horizon))
        return Values(names, preprocessing.mean[:1] * raw.horizon, preprocessing.std[:1] * raw.horizon)

    def look_over(self, dataset: Dataset, parts: Parts[ForecastSteps], config: DataConfig) -> Iterable[Notice]:
        return ()


def read_forecast_table(path: Path, config: DataConfig) -> RawForecast:
    """Read a table as one series, in the order of `split_column` where one is named."""
    assert config.horizon
    if not config.target:
        raise UsageError("`horizon` needs `target`, the column whose next values are to be told.")
    table = read_table(path)
    for name in filter(None, (config.target, config.split_column)):
        if name not in table.frame.columns:
            hint = nearest(name, table.frame.columns) or f" Its columns are {', '.join(table.frame.columns[:10])}."
            raise DataError(f"{path} has no column '{name}'.{hint}")
    table = sort_by_time(table, config.split_column)
    to_numbers(table, [config.target])
    others = [name for name in table.frame.columns if name not in (config.target, config.split_column, "")]
    notices = [*table.notices, *find_odd_times(table, config.split_column), *find_unused(table, others)]
    complete = [name for name in others if table.frame[name].dtype.is_numeric() and not table.frame[name].null_count()]
    times = [config.split_column] if config.split_column else []
    return RawForecast(
        table.frame.select(*times, config.target, *complete),
        config.target,
        config.split_column,
        str(path),
        config.window or 2 * config.horizon,
        config.horizon,
        tuple(notices),
    )


def check_numbers(raw: RawForecast, name: str) -> tuple[tuple[str, ...], Series]:
    """Return the channels, the target first, and their numbers, (steps, channels).

    Raises
    ------
    DataError
        The target is no column of numbers, or a value is missing.
    """
    frame = raw.frame
    numeric = [column for column in frame.columns if frame[column].dtype.is_numeric() and column != raw.time]
    if raw.target not in numeric:
        raise DataError(f"{name}: column '{raw.target}' holds no numbers, so it cannot be forecast; name another.")
    channels = (raw.target, *(column for column in numeric if column != raw.target))
    chosen = frame.select(pl.col(channels).cast(pl.Float32))
    for column in channels:
        missing = ~chosen[column].is_finite().fill_null(False)
        if missing.any():
            row = int(missing.arg_max() or 0) + 1
            raise DataError(f"{name}: column '{column}' holds no number in row {row}; fill it in, or drop the column.")
    return channels, np.array(chosen.to_numpy(), dtype=np.float32)
