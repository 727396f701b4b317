"""From series to data sets: labelled ones, and windows of a long one with what came after them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from layerwise.data.checks import check_splits
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Split
from layerwise.data.raw import RawForecast, RawSeries, Series
from layerwise.data.series.preprocessing import SeriesPreprocessing, split_of
from layerwise.data.series.time_index import in_order, left_out, numbers, odd_times, times_of
from layerwise.data.splits import check_shares, hold_out, limit_indices, split_indices
from layerwise.data.tables.files import read_table
from layerwise.errors import DataError, UsageError, nearest


def series_dataset(raw: RawSeries, name: str, config: DataConfig, seed: int) -> Dataset:
    """Divide labelled series, keeping a test part that they bring along; scale them by the training split."""
    if config.horizon or config.window:
        field = "`horizon`" if config.horizon else "`window`"
        raise UsageError(f"{field} is for forecasts, and the series of {name} have labels; leave it out.")
    classes = tuple(sorted({*raw.labels, *raw.test_labels}))
    labels = torch.tensor([classes.index(label) for label in raw.labels])
    if raw.test_series:
        train, valid = hold_out(len(labels), valid=config.valid, seed=seed, classes=labels)
        test_labels = torch.tensor([classes.index(label) for label in raw.test_labels])
        everything = torch.arange(len(test_labels))
        test = split_of(raw.test_series, test_labels, everything, "test series")
    else:
        train, valid, rest = split_indices(
            len(labels), test=config.test, valid=config.valid, seed=seed, classes=labels, name=name
        )
        test = split_of(raw.series, labels, rest, "series")
    train = limit_indices(train, config.limit, seed, labels)
    train_split, valid_split = (split_of(raw.series, labels, part, "series") for part in (train, valid))
    assert isinstance(train_split.inputs, Tensor)
    dataset = Dataset(
        name=name,
        kind="series",
        task="classification",
        train=train_split,
        valid=valid_split,
        test=test,
        preprocessing=SeriesPreprocessing.fit(train_split.inputs, raw.channels),
        classes=classes,
        source=raw.source,
    )
    return replace(dataset, notices=check_splits(dataset))


def forecast_file(path: Path, config: DataConfig) -> RawForecast:
    """Read a table as one series, in the order of `split_column` where one is named."""
    assert config.horizon
    if not config.target:
        raise UsageError("`horizon` needs `target`, the column whose next values are to be told.")
    table = read_table(path)
    for name in filter(None, (config.target, config.split_column)):
        if name not in table.frame.columns:
            hint = nearest(name, table.frame.columns) or f" Its columns are {', '.join(table.frame.columns[:10])}."
            raise DataError(f"{path} has no column '{name}'.{hint}")
    table = in_order(table, config.split_column)
    numbers(table, [config.target])
    others = [name for name in table.frame.columns if name not in (config.target, config.split_column, "")]
    notices = [*table.notices, *odd_times(table, config.split_column), *left_out(table, others)]
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


def forecast_dataset(raw: RawForecast, name: str, config: DataConfig) -> Dataset:
    """Cut a long series into windows with the steps that follow; the latest steps are for testing.

    No value that is to be told for testing or validation is told, or seen at its time, in training.

    Raises:
        DataError: the series is too short, or a value is missing. UsageError: the shares leave nothing to learn from.
    """
    check_shares(test=config.test, valid=config.valid, by="time")
    window, horizon = config.window or raw.window, config.horizon or raw.horizon
    channels, steps = numbers_of(raw, name)
    times = times_of(raw.frame, raw.time)
    count = len(steps)
    test_from = count - max(horizon, round(config.test * count))
    valid_from = test_from - (max(horizon, round(config.valid * test_from)) if config.valid else 0)
    if valid_from < window + horizon:
        raise DataError(
            f"{raw.source} has {count} steps, and with `window` {window} and `horizon` {horizon} too few of them "
            "are left to learn from; give a longer series, or lower one of them."
        )
    if (steps[:valid_from, 0] == steps[0, 0]).all():
        raise DataError(
            f"{raw.source}: column '{raw.target}' is {steps[0, 0]:g} in all {valid_from} training steps, so "
            "there is nothing to learn; name another."
        )
    scale = torch.from_numpy(steps[:valid_from])
    preprocessing = SeriesPreprocessing.fit(scale[None], channels, length=window, is_window=True, time=raw.time)
    mean, deviation = preprocessing.mean[0], preprocessing.std[0]
    windows = preprocessing.cut_windows(steps, times, horizon)
    inputs = windows.inputs
    assert isinstance(inputs, Tensor)

    def part(first: int, end: int) -> Split:
        """The windows whose forecasts lie within the steps from `first` to before `end`."""
        chosen = slice(max(0, first - window), max(0, end - horizon - window + 1))
        return Split(inputs[chosen], windows.targets[chosen], windows.ids[chosen])

    earliest = max(0, valid_from - window - horizon + 1 - config.limit) if config.limit else 0
    train = part(window + earliest, valid_from)
    return Dataset(
        name=name,
        kind="series",
        task="regression",
        train=train,
        valid=part(valid_from, test_from) if config.valid else part(0, 0),
        test=part(test_from, count),
        preprocessing=preprocessing,
        target_names=tuple(f"{channels[0]} +{step + 1}" for step in range(horizon)),
        target_means=(mean,) * horizon,
        target_deviations=(deviation,) * horizon,
        source=raw.source,
        notices=raw.notices,
    )


def numbers_of(raw: RawForecast, name: str) -> tuple[tuple[str, ...], Series]:
    """Return the channels, the target first, and their numbers, (steps, channels).

    Raises:
        DataError: the target is no column of numbers, or a value is missing.
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
