"""Series of numbers over time: several measurements a step, and as many steps as there were.

Compact samples are (n, time, channels) float32. What is shorter than the longest is padded behind its end by NaN.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from layerwise.data.dataset import Kind
from layerwise.data.raw import Series
from layerwise.data.series.time_index import read_time_index
from layerwise.data.tables.files import TABLE_SUFFIXES
from layerwise.errors import DataError, NotFoundError, nearest


@dataclass(frozen=True)
class SeriesPreprocessing:
    """Series with each channel scaled by its mean and deviation over the training steps.

    channels: their names. length: steps of the longest training series, or of every window.
    is_window: samples are windows of one long series, and the last one of a file is what a forecast is made from.
    time: the column that the steps of such a series are ordered by.
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
        mean = torch.tensor(self.mean, device=inputs.device)
        std = torch.tensor(self.std, device=inputs.device)
        return ((inputs - mean) / std).float()

    def read(self, source: Path) -> tuple[Tensor, list[str]]:
        """Read a .ts file of series, or a table with a column a channel: one series, or its last window.

        Returns (n, time, channels) float32 and a name for each.
        Raises NotFoundError, or DataError for a file of another kind, missing channels and series that are too short.
        """
        if not source.exists():
            names = [entry.name for entry in source.parent.iterdir()] if source.parent.is_dir() else []
            raise NotFoundError(f"{source} does not exist; name a .ts file or a table.{nearest(source.name, names)}")
        if source.suffix.lower() == ".ts":
            series, _ = read_ts(source.read_bytes(), str(source))
            self.check_channels(series[0].shape[1], source)
            return pad(series), [f"series {number + 1}" for number in range(len(series))]
        if not source.name.lower().endswith(TABLE_SUFFIXES):
            raise DataError(f"{source} is neither a .ts file of series nor a table; name one of those.")
        steps, _ = read_time_index(source, self.channels, self.time)
        if self.is_window and len(steps) < self.length:
            raise DataError(
                f"{source} has {len(steps)} steps, and a forecast needs the last {self.length}; add earlier ones."
            )
        return torch.from_numpy(steps[-self.length :] if self.is_window else steps)[None], [source.name]

    def check_channels(self, count: int, source: Path) -> None:
        """Raise DataError where series have more or fewer channels than the network takes."""
        if count != len(self.channels):
            raise DataError(
                f"{source} has {count} channels, and the network takes {len(self.channels)}; give series of the kind "
                "that it was trained on."
            )

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "channels": list(self.channels),
            "length": self.length,
            "mean": list(self.mean),
            "std": list(self.std),
            "is_window": self.is_window,
            "time": self.time,
        }

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> SeriesPreprocessing:
        """Rebuild what `to_json` gave."""
        return SeriesPreprocessing(
            tuple(saved["channels"]),
            saved["length"],
            tuple(saved["mean"]),
            tuple(saved["std"]),
            saved["is_window"],
            saved.get("time"),
        )


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
