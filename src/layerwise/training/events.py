"""What a training tells its watchers. Watchers read; nothing that they do can change a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Started:
    """The first event. step, epoch: what is done already, above 0 when the training goes on from a checkpoint."""

    step: int
    epoch: int
    steps: int
    steps_per_epoch: int
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stepped:
    """One optimiser step was taken; no number is fetched from the device for it.

    step: steps taken so far. samples: how many the step used, over all ranks.
    """

    step: int
    epoch: int
    samples: int


@dataclass(frozen=True, slots=True)
class Reported:
    """Losses gathered on the device since the last report, as means over the steps."""

    step: int
    epoch: int
    losses: Mapping[str, float]
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The model was measured on the validation split at the end of an epoch (counted from 0)."""

    step: int
    epoch: int
    metrics: Mapping[str, float]
    best: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint is safely on the disk. seconds: what it cost."""

    step: int
    path: Path
    seconds: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event; the model now holds the weights of the best epoch. reason: 'epochs' or 'patience'."""

    step: int
    reason: str
    best_epoch: int
    metrics: Mapping[str, float]


Event = Started | Stepped | Reported | Evaluated | Saved | Finished
