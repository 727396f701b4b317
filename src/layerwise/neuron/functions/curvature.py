"""How steeply a function bends at its minimum, and the largest learning rate that this allows.

Near a minimum with largest curvature L (the largest eigenvalue of the Hessian) a step of size rate multiplies the
distance along that direction by 1 - rate L: it shrinks only for rates under 2 / L. With momentum m the bound is
2 (1 + m) / L, with Nesterov's 2 (1 + m) / ((1 + 2 m) L) (from the roots of the recursion of two steps; Polyak 1964).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.functions.objective import Objective, show_point

Floats = NDArray[np.float64]

SIZE_LIMIT = 200  # entries up to which a Hessian is looked at
NEWTON_STEPS = 100


@dataclass(frozen=True)
class Curvature:
    """A minimum and the smallest and the largest curvature there."""

    minimum: Floats
    smallest: float
    largest: float
    where: str

    def largest_stable_rate(self, optimizer: str, momentum: float) -> float | None:
        """Return the rate from which steps near the minimum no longer come closer; None where there is no such bound.

        Optimisers that divide by the size of the gradient have none: their steps have about the size of the rate.
        """
        if optimizer not in ("sgd", "momentum", "nesterov"):
            return None
        factor = {"sgd": 1.0, "momentum": 1 + momentum, "nesterov": (1 + momentum) / (1 + 2 * momentum)}[optimizer]
        return 2 * factor / self.largest


def nearest_minimum(objective: Objective, start: Floats) -> Curvature | None:
    """Go down from `start` by Newton steps to a minimum where the function bends upwards; None where none is found.

    Negative and tiny curvatures are taken as positive ones, so that steps lead downhill everywhere
    (Dauphin et al. 2014, 'Identifying and attacking the saddle point problem'), and are halved until the value falls.
    """
    if start.size > SIZE_LIMIT:
        return None
    with np.errstate(all="ignore"):
        place = _descend_by_newton(objective, start)
        if place is None:
            return None
        curvatures, directions = np.linalg.eigh(objective.hessian(place))
        smallest, largest = float(curvatures[0]), float(curvatures[-1])
        if largest <= 0 or smallest < -1e-6 * largest or _is_flatter(objective, place, directions[:, -1], largest):
            return None
    return Curvature(place, max(smallest, 0.0), largest, show_point(objective.names, place))


def _is_flatter(objective: Objective, place: Floats, direction: Floats, curvature: float) -> bool:
    """Whether this is the bottom of no parabola: that of x**4 has no curvature, and exp(x) has no bottom."""
    size = 1 + float(np.abs(place).max())
    if np.linalg.norm(objective.gradient(place)) / curvature > 1e-5 * size:  # Newton's step would still be long
        return True
    step = 1e-4 * size * direction.reshape(place.shape)
    turn = objective.gradient(place + step) - objective.gradient(place - step)
    measured = float((turn * step).sum() / (2 * (step * step).sum()))
    return not curvature / 2 < measured < 2 * curvature


def _descend_by_newton(objective: Objective, start: Floats) -> Floats | None:
    """Return a point where the gradient vanishes but for rounding, or None."""
    place = start.copy()
    slope = objective.gradient(place)
    steepest = 1.0 + float(np.linalg.norm(slope))
    for _ in range(NEWTON_STEPS):
        if not np.isfinite(slope).all():
            return None
        if np.linalg.norm(slope) <= 1e-13 * steepest:
            return place
        hessian = objective.hessian(place)
        if not np.isfinite(hessian).all():
            return None
        curvatures, directions = np.linalg.eigh(hessian)
        bent = np.maximum(np.abs(curvatures), 1e-8 * max(1e-8, float(np.abs(curvatures).max())))
        step = -(directions @ (directions.T @ slope.ravel() / bent)).reshape(place.shape)
        moved = _shortened(objective, place, step)
        if moved is None:  # no step gets lower: rounding, if the slope is small
            return place if np.linalg.norm(slope) <= 1e-6 * steepest else None
        place = moved
        slope = objective.gradient(place)
    return place if np.linalg.norm(slope) <= 1e-6 * steepest else None


def _shortened(objective: Objective, place: Floats, step: Floats) -> Floats | None:
    """Return the end of the longest of the steps 1, 1/2, 1/4, ... whose end is lower."""
    height = objective.value(place)
    for halvings in range(40):
        end = place + step * 0.5**halvings
        if objective.value(end) < height:
            return end
    return None
