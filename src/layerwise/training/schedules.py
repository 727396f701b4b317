"""The learning rate as a pure function of the step, so that a resumed run needs no replay.

    rate = plateau.factor * rate_at(step, steps, steps_per_epoch, config)

The factor is 1 except under the 'plateau' schedule, whose small state is moved by evaluations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from layerwise.neuron.tables import schedules
from layerwise.training.config import SCHEDULES, TrainingConfig

__all__ = ["SCHEDULES", "PlateauState", "rate_at", "warmup_steps"]

SHAPES = {
    **schedules.SCHEDULES,
    "one-cycle": schedules.SCHEDULES["linear"],
    "plateau": schedules.SCHEDULES["constant"],  # its factor has a state of its own
}
ONE_CYCLE_RISE = 0.3  # share of the steps on the way up, as in torch's OneCycleLR
PLATEAU_FACTOR = 0.5
PLATEAU_PATIENCE = 2  # evaluations without improvement that are forgiven


def warmup_steps(steps: int, steps_per_epoch: int, config: TrainingConfig) -> int:
    """Return the number of steps over which the rate rises."""
    if config.schedule == "one-cycle" and not config.warmup:
        return round(ONE_CYCLE_RISE * steps)
    return min(round(config.warmup * steps_per_epoch), steps)


def rate_at(step: int, steps: int, steps_per_epoch: int, config: TrainingConfig) -> float:
    """Return the learning rate of `step`, which counts from 0 to steps - 1.

    Warm-up over w steps gives 1/w, 2/w, ..., 1 of the rate; the schedule's own shape then covers the steps
    that are left. The shapes that end at zero reach it one step after the last, so no step is wasted.
    """
    rise = warmup_steps(steps, steps_per_epoch, config)
    if step < rise:
        return config.learning_rate * ((step + 1) / rise)
    if config.schedule == "inverse-root":  # Vaswani et al. 2017, equation 3, with a peak of one's own
        return config.learning_rate * math.sqrt(max(1, rise) / (step + 1))
    progress = min(1.0, (step - rise) / max(1, steps - rise))
    return config.learning_rate * float(SHAPES[config.schedule](progress))


@dataclass(frozen=True)
class PlateauState:
    """What reduce-on-plateau remembers: evaluations since the best one, and the factor on the rate.

    It agrees with torch.optim.lr_scheduler.ReduceLROnPlateau(factor=0.5, patience=2, threshold=0).
    `dataclasses.asdict` gives plain JSON values and PlateauState(**values) takes them back.
    """

    waited: int = 0
    factor: float = 1.0

    def after(self, improved: bool) -> PlateauState:
        """Return the state after an evaluation that was or was not better than all before it."""
        if improved:
            return PlateauState(0, self.factor)
        if self.waited < PLATEAU_PATIENCE:
            return PlateauState(self.waited + 1, self.factor)
        return PlateauState(0, self.factor * PLATEAU_FACTOR)
