"""Series of numbers over time: several measurements a step, and as many steps as there were.

Compact samples are (n, time, channels) float32. What is shorter than the longest is padded behind its end by NaN.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from layerwise.data.dataset import Kind, Labels, Split
from layerwise.data.inputs import (
    File,
    MemoryFile,
    Source,
    check_exists,
    describe,
    label_source,
    open_source,
    reading_values,
    split_pairs,
)
from layerwise.data.json_checks import from_plain, to_plain
from layerwise.data.raw import RawSeries, Series
from layerwise.data.series.time_index import read_time_index
from layerwise.data.tables.files import TABLE_SUFFIXES
from layerwise.data.tables.values import is_table
from layerwise.errors import DataError


@dataclass(frozen=True)
class SeriesPreprocessing:
    """Series with each channel scaled by its mean and deviation over the training steps.

    Parameters
    ----------
    channels : tuple of str
        Their names.
    length : int
        Steps of the longest training series, or of every window.
    mean, std : tuple of float
        Of each channel over the training steps, in its own unit.
    is_window : bool
        Samples are windows of one long series, and the last one of a file is what a forecast is made from.
    time : str or None
        The column that the steps of such a series are ordered by.
    """

    channels: tuple[str, ...]
    length: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    is_window: bool = False
    time: str | None = None
    kind: Kind = "series"

    @classmethod
    def fit(
        cls,
        series: Tensor,
        channels: Sequence[str],
        *,
        length: int | None = None,
        is_window: bool = False,
        time: str | None = None,
    ) -> SeriesPreprocessing:
        """Measure training series, (n, time, channels), padding left out; a constant's deviation is 1."""
        steps = series.flatten(0, -2).double()
        steps = steps[~steps[:, 0].isnan()]
        deviation = steps.std(0, correction=0)
        deviation = torch.where(deviation > 0, deviation, 1.0)
        return cls(
            tuple(channels),
            length or series.shape[1],
            tuple(steps.mean(0).tolist()),
            tuple(deviation.tolist()),
            is_window,
            time,
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.length, len(self.channels))

    def transform(self, inputs: Tensor) -> Tensor:
        """Scale each channel by its mean and deviation; float32 of the same shape, padding stays NaN."""
        mean = torch.tensor(self.mean, device=inputs.device)
        std = torch.tensor(self.std, device=inputs.device)
        return ((inputs - mean) / std).float()

    def read(self, source: Source, name: str = "") -> tuple[Tensor, list[str]]:
        """Read series, or the last window of the one series that a table is.

        Parameters
        ----------
        source : str, Path, bytes, array, list of arrays, or the rows of a table
            A .ts file of series, or a table with a column a channel, which is one series; arrays are (time, channels),
            or (time,) for one channel.
        name : str
            What the bytes are called, such as 'power.csv'.

        Returns
        -------
        series : Tensor, (n, time, channels) float32
            NaN behind the end of a series.
        ids : list of str

        Raises
        ------
        NotFoundError, DataError
            There is no such file, a channel is missing, or a series is too short.
        """
        series, ids = self.read_series(source, name)
        if not self.is_window:
            return pad(series), ids
        for steps, one in zip(series, ids, strict=True):
            if len(steps) < self.length:
                raise DataError(
                    f"{one if len(ids) > 1 else label_source(source, name)} has {len(steps)} steps, and a forecast "
                    f"needs the last {self.length}; add earlier ones."
                )
        return torch.from_numpy(np.stack([steps[-self.length :] for steps in series])), ids

    def read_series(self, source: Source, name: str = "") -> tuple[list[Series], list[str]]:
        """Read whole series, (time, channels) float32 each; see `read`."""
        file = open_source(source, name)
        if file is None and not is_table(source):
            return self._read_arrays(source)
        if file is None:
            return [read_time_index(source, self.channels, self.time)[0]], ["series 1"]
        check_exists(file, "a .ts file or a table")
        if is_ts(file):
            series, _ = read_ts(file.read_bytes(), str(file))
            self.check_channels(series[0].shape[1], str(file))
            return series, [f"series {number + 1}" for number in range(len(series))]
        if isinstance(file, Path) and not file.name.lower().endswith(TABLE_SUFFIXES):
            raise DataError(f"{file} is neither a .ts file of series nor a table; name one of those.")
        return [read_time_index(file, self.channels, self.time)[0]], [file.name]

    def _read_arrays(self, source: Source) -> tuple[list[Series], list[str]]:
        wanted = f"a series as an array of (time, {len(self.channels)}), or a list of such"
        with reading_values(wanted, source):
            is_one = getattr(source, "ndim", 3) < 3 or (len(source) > 0 and np.ndim(source[0]) == 0)
            arrays = [np.asarray(one, dtype=np.float32) for one in ([source] if is_one else source)]
        series = [one[:, None] if one.ndim == 1 else one for one in arrays]
        for one in series:
            if one.ndim != 2 or not len(one):
                raise DataError(f"expected {wanted}, received {describe(source)}.")
            self.check_channels(one.shape[1], "the array")
            if not np.isfinite(one).all():
                raise DataError("the array holds a value that is no finite number; fill it in.")
        if not series:
            raise DataError(f"expected {wanted}, received an empty one.")
        return series, [f"series {number + 1}" for number in range(len(series))]

    def read_labelled(self, source: Source, labels: Labels, name: str = "") -> Split:
        """Read series with their classes, or one long series as windows with what came after them.

        A .ts file, or a list of (series, class); for a forecast the rows of a table, or an array.
        See `Preprocessing.read_labelled`.
        """
        file, where = open_source(source, name), label_source(source, name)
        if file is not None:
            check_exists(file, "a .ts file or a table")
        if self.is_window:
            if isinstance(file, Path) and not file.name.lower().endswith(TABLE_SUFFIXES):
                wanted = f"a table with the column {self.channels[0]}"
                raise DataError(f"{where} is not what {labels.owner} was trained on; give {wanted}.")
            return self._read_windows(source, labels.output_count, name)
        if file is None:
            series, _ = self._read_arrays(split_pairs(source, "(series, class)")[0])
            names = [str(label) for _, label in source]
            raw = RawSeries(series, names, self.channels, where)
        elif is_ts(file):
            raw = read_series_file(file)
            self.check_channels(len(raw.channels), where)
        else:
            raise DataError(f"{where} is not what {labels.owner} was trained on; give a .ts file.")
        return labels.number(Split(pad(raw.series), raw.targets, raw.ids), raw.classes, where)

    def _read_windows(self, source: Source, horizon: int, name: str) -> Split:
        file, where = open_source(source, name), label_source(source, name)
        if file is None and not is_table(source):
            [steps], _ = self._read_arrays(source)
            times = [str(step) for step in range(len(steps))]
        else:
            steps, times = read_time_index(source if file is None else file, self.channels, self.time)
        if len(steps) < self.length + horizon:
            raise DataError(
                f"{where} has {len(steps)} steps, and a forecast of {horizon} from {self.length} takes "
                f"{self.length + horizon}; give a longer series."
            )
        return self.cut_windows(steps, times, horizon)

    def cut_windows(self, steps: Series, times: Sequence[str], horizon: int) -> Split:
        """Return each window of a series with the standardised values of the first channel behind it, (n, horizon).

        A window is called by the time of its first value to forecast.
        """
        last = len(steps) - horizon
        inputs = sliding_window_view(steps, self.length, axis=0)[: last - self.length + 1].swapaxes(1, 2).copy()
        standard = (steps[:, 0] - self.mean[0]) / self.std[0]
        targets = sliding_window_view(standard, horizon)[self.length :].astype(np.float32)
        return Split(torch.from_numpy(inputs), torch.from_numpy(targets), times[self.length : last + 1])

    def check_channels(self, count: int, source: str) -> None:
        """Raise DataError where series have more or fewer channels than the network takes."""
        if count != len(self.channels):
            raise DataError(
                f"{source} has {count} channels, and the network takes {len(self.channels)}; give series of the kind "
                "that it was trained on."
            )

    def to_json(self) -> dict[str, Any]:
        return to_plain(self)

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> SeriesPreprocessing:
        """Rebuild what `to_json` gave."""
        return from_plain(SeriesPreprocessing, saved)


def is_ts(file: File) -> bool:
    """Tell whether a file is of the .ts format by its name, or by the content of bytes whose name does not tell."""
    if isinstance(file, MemoryFile) and not file.suffix:
        return re.search(rb"^\s*@data\s*$", file.content, re.MULTILINE | re.IGNORECASE) is not None
    return file.suffix.lower() == ".ts"


def read_series_file(path: File) -> RawSeries:
    """Read a .ts file of labelled series."""
    series, labels = read_ts(path.read_bytes(), str(path))
    if not all(labels):
        raise DataError(
            f"{path} has no labels, so there is nothing to learn; its header must say '@classLabel true ...'."
        )
    channels = tuple(f"channel {number + 1}" for number in range(series[0].shape[1]))
    return RawSeries(series, labels, channels, str(path))


def pad(series: Sequence[Series]) -> Tensor:
    """Return series of different lengths as one tensor, (n, longest, channels), NaN behind their ends."""
    padded = np.full((len(series), max(map(len, series)), series[0].shape[1]), np.nan, np.float32)
    for row, steps in zip(padded, series, strict=True):
        row[: len(steps)] = steps
    return torch.from_numpy(padded)


def read_ts(data: bytes, name: str) -> tuple[list[Series], list[str]]:
    """Read a file of the .ts format (Bagnall et al. 2018, https://arxiv.org/abs/1811.00075): series and their labels.

    A line is a series: channels between colons, numbers between commas, then the label where the header tells of one.
    Raises DataError, naming the line, for anything else.
    """
    header: dict[str, str] = {}
    series: list[Series] = []
    labels: list[str] = []
    is_data = False
    for number, line in enumerate(io.TextIOWrapper(io.BytesIO(data), "utf-8", errors="replace"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if not is_data:
            key, _, value = line.partition(" ")
            header[key.lower()] = value.strip()
            is_data = key.lower() == "@data"
            continue
        *channels, label = line.split(":")
        has_label, *known = header.get("@classlabel", "false").split()
        if has_label.lower() != "true":
            channels, label = [*channels, label], ""
        try:
            columns = [np.array(channel.split(","), np.float32) for channel in channels]
            steps = np.stack(columns, axis=1)
            if not np.isfinite(steps).all():
                raise ValueError("not finite")
        except ValueError:
            raise DataError(
                f"{name}, line {number}: expected channels of equally many numbers between commas, with colons between "
                f"the channels, received '{line[:60]}'; mend or take out the line."
            ) from None
        if series and steps.shape[1] != series[0].shape[1]:
            raise DataError(
                f"{name}, line {number}: the series has another number of channels ({steps.shape[1]}) than those "
                f"before it ({series[0].shape[1]}); mend or take out the line."
            )
        if known and label not in known:
            raise DataError(
                f"{name}, line {number}: the label '{label}' is none of those in the header ({', '.join(known[:10])}); "
                "correct it, or add it to the line of @classLabel."
            )
        series.append(steps)
        labels.append(label)
    if not series:
        raise DataError(f"{name} holds no series; in a file of the .ts format they stand below a line of @data.")
    return series, labels
