"""A quadratic programme in a box by a primal-dual interior point method (Mehrotra 1992).

    minimise over 0 <= a <= c, y . a = total:   1/2 a' Q a + p . a

With multipliers u, v >= 0 of the bounds and b of the equation, an optimum has Q a + p + b y - u + v = 0, a u = 0 and
(c - a) v = 0. Newton's method solves these with the products held at a common level that falls to nothing. Each step
costs one Cholesky factorisation (m, m), and 15 to 20 steps do however badly the data are scaled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Vector = NDArray[np.float64]

MOST_STEPS = 60
SHORT = 0.995  # of the way to the nearest bound


@dataclass
class Box:
    """Q (m, m), p (m,), upper bounds c (m,), and the equation y . a = total, which y = None leaves out."""

    products: Vector
    linear: Vector
    upper: Vector
    signs: Vector | None = None
    total: float = 0.0


def solve_box(box: Box, tolerance: float) -> tuple[Vector, float, int]:
    """Return a (m,), the multiplier b, and the steps, at a duality gap of at most tolerance * |objective|."""
    a, c, b = 0.1 * box.upper, box.upper, 0.0
    if box.signs is not None:
        a = _balanced(box)
    slope = box.products @ a + box.linear
    least = 0.1 * float(np.abs(slope).mean())
    u = np.maximum(slope, 0) + least
    v = u - slope
    steps = 0
    while steps < MOST_STEPS:
        steps += 1
        s = c - a
        pull = box.products @ a
        rest = pull + box.linear - u + v
        lack = 0.0
        if box.signs is not None:
            rest += b * box.signs
            lack = box.total - float(box.signs @ a)
        gap = float(a @ u + s @ v)
        value = abs(0.5 * float(a @ pull) + float(box.linear @ a))
        if gap + abs(float(rest @ a)) <= tolerance * value:
            break
        directions = _Directions(box, a, s, u, v, rest, lack)
        da, db, du, dv = directions.towards(np.zeros_like(a), np.zeros_like(a))
        size = min(_room(a, da), _room(s, -da), _room(u, du), _room(v, dv))
        level = gap / (2 * len(a))
        foreseen = float((a + size * da) @ (u + size * du) + (s - size * da) @ (v + size * dv)) / (2 * len(a))
        aim = level * (foreseen / level) ** 3
        da, db, du, dv = directions.towards(aim - da * du, aim + da * dv)
        size = min(1.0, SHORT * min(_room(a, da), _room(s, -da), _room(u, du), _room(v, dv)))
        a, b, u, v = a + size * da, b + size * db, u + size * du, v + size * dv
    return a, b, steps


class _Directions:
    """Newton's directions at one point: one factorisation, any aims for the products a u and (c - a) v."""

    def __init__(self, box: Box, a: Vector, s: Vector, u: Vector, v: Vector, rest: Vector, lack: float) -> None:
        self.signs, self.lack = box.signs, lack
        self.point = (a, s, u, v)
        self.rest = rest
        matrix = box.products.copy()
        matrix[np.diag_indices_from(matrix)] *= 1 + 1e-12  # rounding must leave it positive
        matrix[np.diag_indices_from(matrix)] += u / a + v / s
        self.factors = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        self.turned = None if box.signs is None else cho_solve(self.factors, box.signs, check_finite=False)

    def towards(self, low: Vector, high: Vector) -> tuple[Vector, float, Vector, Vector]:
        """Return the changes of a, b, u and v that lead to a u = low and (c - a) v = high, but for second order."""
        a, s, u, v = self.point
        da = cho_solve(self.factors, -self.rest + low / a - u - high / s + v, check_finite=False)
        db = 0.0
        if self.signs is not None and self.turned is not None:
            db = (float(self.signs @ da) - self.lack) / float(self.signs @ self.turned)
            da = da - db * self.turned
        return da, db, low / a - u - u / a * da, high / s - v + v / s * da


def _balanced(box: Box) -> Vector:
    """Return a point inside the box with y . a = total, which must exist."""
    signs, c = box.signs, box.upper
    assert signs is not None
    up, down = float(c[signs > 0].sum()), float(c[signs < 0].sum())
    share = (box.total + down) / (up + down)  # share * up - (1 - share) * down = total
    return np.where(signs > 0, share, 1 - share) * c


def _room(values: Vector, changes: Vector) -> float:
    """Return how much of the changes, at most 1, keeps the values from going below zero."""
    falls = changes < 0
    return min(1.0, float((-values[falls] / changes[falls]).min(initial=1.0)))
