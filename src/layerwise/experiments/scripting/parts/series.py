"""Series of numbers over time."""

import math

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


def read_ts(text: str) -> tuple[list[Tensor], list[str]]:
    """Read a file of the .ts format: series, (time, channels) each, and their labels.

    A line is a series: channels between colons, numbers between commas, then the label.
    """
    lines = [line.strip() for line in text.splitlines()]
    start = next(number for number, line in enumerate(lines) if line.lower().startswith("@data"))
    rows = [line.split(":") for line in lines[start + 1 :] if line and not line.startswith("#")]
    series = [[np.array(channel.split(","), np.float32) for channel in channels] for *channels, _ in rows]
    return [torch.from_numpy(np.stack(columns, axis=1)) for columns in series], [label for *_, label in rows]


def padded(series: list[Tensor]) -> Tensor:
    """Return series of different lengths as one tensor, (n, longest, channels), NaN behind their ends."""
    return pad_sequence(series, batch_first=True, padding_value=math.nan)


def scale_of(series: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and deviation of each channel over all steps, padding left out; a constant's deviation is 1."""
    steps = series.flatten(0, -2).double()
    steps = steps[~steps[:, 0].isnan()]
    deviation = steps.std(0, correction=0)
    return steps.mean(0), torch.where(deviation > 0, deviation, 1.0)


def windows_of(steps: NDArray[np.float32], ahead: NDArray[np.float32], length: int, count: int) -> list[Tensor]:
    """Return windows of a long series, (windows, length, channels), and the `count` values `ahead` behind each."""
    inputs = sliding_window_view(steps, length, axis=0)[: len(steps) - length].swapaxes(1, 2).copy()
    return [torch.from_numpy(inputs), torch.from_numpy(sliding_window_view(ahead, count)[length:].copy())]


def told_within(windows: list[Tensor], first: int, end: int, length: int) -> tuple[Tensor, Tensor]:
    """Return the windows whose values ahead lie within the steps from `first` to before `end`."""
    chosen = slice(max(0, first - length), max(0, end - windows[1].shape[1] - length + 1))
    return windows[0][chosen], windows[1][chosen]
