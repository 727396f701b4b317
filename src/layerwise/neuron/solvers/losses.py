"""The convex losses of one output, compiled: value, slope and curvature by z, for the passes over the data.

Two-sided losses compare z with a number y; one-sided ones have y = -1 or 1 and look at the margin y z. `width` rounds
the corner of the losses that have one: with t = 1 - m + width / 2 the hinge becomes t^2 / (2 width) for t between 0 and
width, by at most width / 8 above it, and stays what it is elsewhere. The absolute error becomes Huber's, which is, but
for the constant width / 2, above it by at most width / 2 and only where it is rounded.
"""

from __future__ import annotations

import math

from layerwise.neuron.solvers.compiled import compiled

SQUARED, ABSOLUTE, HUBER, HINGE, SQUARED_HINGE, LOGISTIC = range(6)
KINDS = {
    "squared": SQUARED,
    "absolute": ABSOLUTE,
    "huber": HUBER,
    "hinge": HINGE,
    "squared-hinge": SQUARED_HINGE,
    "logistic": LOGISTIC,
}
NONSMOOTH = (ABSOLUTE, HINGE)


@compiled
def loss_terms(kind: int, z: float, y: float, width: float) -> tuple[float, float, float]:
    """Return loss, its slope and its curvature by z."""
    if kind == LOGISTIC:
        # log(1 + exp(-m)); the share 1 / (1 + exp(m)) without overflow
        margin = y * z
        small = math.exp(-abs(margin))
        share = (small if margin > 0 else 1.0) / (1.0 + small)
        value = math.log1p(small) + max(-margin, 0.0)
        return value, -y * share, share * (1.0 - share)
    if kind == HINGE:
        lack = 1.0 - y * z + 0.5 * width
        if lack <= 0.0:
            return 0.0, 0.0, 0.0
        if lack < width:
            return 0.5 * lack * lack / width, -y * lack / width, 1.0 / width
        return lack - 0.5 * width, -y, 0.0
    if kind == SQUARED_HINGE:
        lack = max(1.0 - y * z, 0.0)
        return lack * lack, -2.0 * y * lack, 2.0 if lack > 0.0 else 0.0
    error = z - y
    if kind == SQUARED:
        return error * error, 2.0 * error, 2.0
    if abs(error) < width:
        return 0.5 * error * error / width, error / width, 1.0 / width
    return abs(error) - 0.5 * width, (1.0 if error > 0.0 else -1.0), 0.0
