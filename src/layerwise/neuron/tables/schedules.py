"""How the learning rate changes over a training, as a table: the factor on the rate at `progress` from 0 to 1.

The formulas take a number as well as an array of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from layerwise.neuron.tables.elementary import Array

SCHEDULES: Mapping[str, Callable[[Any], Any]] = {
    "constant": lambda progress: 1.0 + 0.0 * progress,
    "step": lambda progress: (progress < 0.5) + 0.1 * (progress >= 0.5) * (progress < 0.75) + 0.01 * (progress >= 0.75),
    "cosine": lambda progress: (1 + np.cos(np.pi * progress)) / 2,
    "linear": lambda progress: 1 - progress,
}


def rates_of(schedule: str, learning_rate: float, first: int, count: int, steps: int) -> Array:
    """Return the rates of `count` steps from step `first` on, of a training of `steps` steps; float64."""
    progress = np.arange(first, first + count, dtype=np.float64) / max(1, steps)
    return learning_rate * SCHEDULES[schedule](np.minimum(progress, 1.0))
