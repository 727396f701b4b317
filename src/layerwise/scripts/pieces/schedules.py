"""Learning-rate schedules as factors of the rate; progress runs from 0 to 1."""

import math
from collections.abc import Callable


def warmed_up(schedule: Callable[[float], float], step: int, steps: int, rise: int) -> float:
    """Rise in a straight line over the first steps, then follow the schedule over the others."""
    if step < rise:
        return (step + 1) / rise
    return schedule((step - rise) / (steps - rise))


def constant(progress: float) -> float:
    """The whole rate."""
    return 1.0


def stepwise(progress: float) -> float:
    """A tenth of the rate from half the steps on, a hundredth from three quarters."""
    return 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01


def cosine(progress: float) -> float:
    """Half a cosine wave down to zero."""
    return (1 + math.cos(math.pi * progress)) / 2


def linear(progress: float) -> float:
    """A straight line down to zero."""
    return 1 - progress


def inverse_root(step: int, rise: int) -> float:
    """Rise in a straight line, then fall with the root of the steps so far (Vaswani et al. 2017)."""
    return (step + 1) / rise if step < rise else math.sqrt(rise / (step + 1))
