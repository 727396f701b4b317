"""Softmax regression: k neurons whose outputs become the shares of k classes, with cross-entropy.

Without L1 by L-BFGS; with it by accelerated proximal gradient steps (Beck and Teboulle 2009, FISTA) that start their
momentum anew whenever the objective rises.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.solvers.problem import Problem, Solution
from layerwise.neuron.solvers.smooth import SEPARABLE, Descent, Point, column_squares, quasi_newton

Vector = NDArray[np.float64]

POLISHED = 1e7  # work of a matrix of second derivatives that is nothing
SMALL = 100_000  # work a pass that is nothing, so that weights can be had to the last digits, too


class SoftmaxObjective:
    """The objective by (W, levels) as one vector (k * d + k,), without L1. targets: class numbers (n,)."""

    def __init__(self, problem: Problem, classes: int) -> None:
        self.problem, self.classes = problem, classes
        small = problem.rows * problem.columns * classes <= SMALL
        self.tolerance = 1e-6 * problem.tolerance if small else problem.tolerance
        self.labels = np.asarray(problem.targets).astype(np.intp)
        self.shares, self.means = problem.shares, problem.means
        self.rows = np.arange(problem.rows)

    def split(self, at: Vector) -> tuple[Vector, Vector]:
        cut = self.classes * self.problem.columns
        return at[:cut].reshape(self.classes, -1), at[cut:]

    def biases(self, at: Vector) -> Vector:
        """Return the biases (k,) that give the levels at the columns' means."""
        weights, levels = self.split(at)
        return levels - weights @ self.means if self.problem.intercept else np.zeros(self.classes)

    def outputs(self, at: Vector) -> Vector:
        """Return z (n, k)."""
        weights, _ = self.split(at)
        x = self.problem.inputs
        return np.asarray(x @ weights.T.astype(x.dtype), np.float64) + self.biases(at)

    def start(self) -> Point:
        return self.evaluate(np.zeros(self.classes * (self.problem.columns + 1)))

    def evaluate(self, at: Vector) -> Point:
        z = self.outputs(at)
        z -= z.max(1, keepdims=True)
        powers = np.exp(z)
        sums = powers.sum(1)
        loss = float(self.shares @ (np.log(sums) - z[self.rows, self.labels]))
        powers /= sums[:, None]
        powers[self.rows, self.labels] -= 1
        powers *= self.shares[:, None]
        x = self.problem.inputs
        slopes = powers.sum(0) * self.problem.intercept
        gradient = np.asarray(x.T @ powers.astype(x.dtype), np.float64).T - np.outer(slopes, self.means)
        weights, _ = self.split(at)
        value = loss + self.problem.l2 * float((weights**2).sum())
        return Point(at, value, np.concatenate([(gradient + 2 * self.problem.l2 * weights).ravel(), slopes]))

    def curvatures(self) -> Vector:
        bend = (self.classes - 1) / self.classes**2
        squares = column_squares(self.problem.inputs, self.shares, self.means)
        return np.concatenate(
            [np.tile(bend * squares + 2 * self.problem.l2, self.classes), np.full(self.classes, bend)]
        )

    def separation(self, at: Vector) -> str:
        if self.problem.l2:
            return ""
        z = self.outputs(at)
        own = z[self.rows, self.labels].copy()
        z[self.rows, self.labels] = -np.inf
        return SEPARABLE if (own - z.max(1))[self.shares > 0].min() > 0 else ""


def solve_softmax(problem: Problem, classes: int) -> Solution:
    """Minimise sum share cross_entropy(z, label) + l1 sum |W| + l2 sum W^2."""
    objective = SoftmaxObjective(problem, classes)
    if problem.l1:
        return _solve_proximal(objective)
    descent = quasi_newton(objective)
    if problem.rows * len(descent.point.at) ** 2 <= POLISHED and problem.l2 and not problem.sparse:
        _polish(objective, descent)
    weights, _ = objective.split(descent.point.at)
    value = descent.point.value
    return Solution(
        weights.copy(), objective.biases(descent.point.at), "L-BFGS", descent.iterations, value,
        max(descent.left, 0.0) / value if value > 0 else 0.0, "estimated gap", descent.rests and not descent.note,
        descent.note,
    )  # fmt: skip


def _polish(objective: SoftmaxObjective, descent: Descent) -> None:
    """Take Newton's steps from where L-BFGS came to rest, as long as they lower the gradient."""
    problem, classes = objective.problem, objective.classes
    columns = problem.columns
    x = np.column_stack([problem.inputs - objective.means, np.full(problem.rows, float(problem.intercept))])
    for _ in range(5):
        point = descent.point
        z = objective.outputs(point.at)
        shares = np.exp(z - z.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        bends = np.einsum("ia,ab->iab", shares, np.eye(classes)) - np.einsum("ia,ib->iab", shares, shares)
        hessian = np.einsum("i,iab,ij,ik->ajbk", objective.shares, bends, x, x, optimize=True)
        hessian = hessian.reshape(classes * (columns + 1), -1)
        places = np.arange(classes * (columns + 1)).reshape(classes, -1)
        order = np.concatenate([places[:, :columns].ravel(), places[:, columns]])
        hessian = hessian[np.ix_(order, order)]
        hessian[np.arange(classes * columns), np.arange(classes * columns)] += 2 * problem.l2
        tried = objective.evaluate(point.at - np.linalg.lstsq(hessian, point.gradient, rcond=1e-12)[0])
        if not np.abs(tried.gradient).max() < np.abs(point.gradient).max():
            break
        descent.point = tried


def _solve_proximal(objective: SoftmaxObjective) -> Solution:
    problem = objective.problem
    cut = objective.classes * problem.columns
    scale = objective.curvatures()
    scale *= 2 * problem.columns**0.5 / scale.max() if scale.max() > 0 else 1.0

    def price(at: Vector) -> float:
        return problem.l1 * float(np.abs(at[:cut]).sum())

    def shrink(at: Vector, sizes: Vector) -> Vector:
        moved = at.copy()
        moved[:cut] = np.sign(at[:cut]) * np.maximum(np.abs(at[:cut]) - problem.l1 * sizes[:cut], 0)
        return moved

    point = ahead = objective.start()
    best, momentum, pull = point.value, 1.0, 1.0
    iteration, left = 0, np.inf
    while iteration < 20 * problem.limit:
        iteration += 1
        while True:
            sizes = 1 / (pull * scale)
            at = shrink(ahead.at - sizes * ahead.gradient, sizes)
            step = at - ahead.at
            tried = objective.evaluate(at)
            if tried.value <= ahead.value + float(ahead.gradient @ step) + float(step @ (step / sizes)) / 2 + 1e-15:
                break
            pull *= 2
        total = tried.value + price(at)
        if total > best and momentum > 1:
            momentum, ahead = 1.0, point
            continue
        left = float(step @ (step / sizes))
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        shift = (momentum - 1) / following
        previous, point, best, momentum = point, tried, min(best, total), following
        if left <= 1e-2 * problem.tolerance * total:
            break
        ahead = objective.evaluate(at + shift * (at - previous.at)) if shift else tried
        pull *= 0.97
    weights, _ = objective.split(point.at)
    value = point.value + price(point.at)
    return Solution(
        weights.copy(), objective.biases(point.at), "accelerated proximal gradient", iteration, value,
        100 * left / value, "estimated gap", bool(left <= 1e-2 * problem.tolerance * value),
    )  # fmt: skip
