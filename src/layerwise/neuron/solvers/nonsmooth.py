"""Losses with a corner, hinge and absolute error: the corner is rounded, then less and less.

At each width the rounded problem is solved by Newton's method (Chapelle 2007, 'Training a support vector machine in the
primal') from the last solution. Only samples in the rounded corner bend, at the end little more than those on the
margin, so the second derivatives are cheap. The best step along a direction is found exactly, on the outputs alone.

The rounded loss lies above the sharp one, most so at the corner, and only for the samples near it. So the distance to
the minimum is at most what the rounding can have added there, less what it added at the point, plus what Newton's
method still has to gain; for the first the samples near the corner now are counted. And once the samples on the corner
are the right ones, the optimum is the solution of a system of equations, which is tried at each width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve

from layerwise.neuron.solvers.compiled import compiled
from layerwise.neuron.solvers.losses import HINGE, loss_terms
from layerwise.neuron.solvers.passes import Passes, terms
from layerwise.neuron.solvers.problem import Problem, Solution
from layerwise.neuron.solvers.smooth import NEWTON_COLUMNS, Objective, column_squares, factorise, quasi_newton

Vector = NDArray[np.float64]

WIDEST = 0.5
SHRINK = 0.15  # from one width to the next
SURE = 1e-6  # damping at which what a step promises is believed
MOST_ON_CORNER = 1500  # samples for which the system of equations is small
ENOUGH_ROWS = 8  # rows a column that second derivatives are taken from


def solve_smoothed(problem: Problem) -> Solution:
    """Minimise sum share loss(z, y) + l2 sum w^2 for one output, the loss hinge or absolute error."""
    scale = 1.0
    if problem.loss == "absolute":
        scale = float(np.std(problem.targets)) or 1.0
    narrowest = scale * (1e-4 if problem.inputs.dtype == np.float32 else 1e-11)
    descent = _Descent(problem)
    width = WIDEST * scale
    if problem.columns > NEWTON_COLUMNS or problem.sparse:
        width = descent.start_by_gradients(width, 0.1)
    while True:
        rounding, left = descent.minimize(width)
        distance = rounding + left
        if descent.polish():
            rests, distance = True, 0.0
            break
        rests = distance <= problem.tolerance * descent.sharp or descent.sharp <= 1e-14
        if rests or width <= narrowest or descent.iterations >= problem.limit:
            break
        width = max(width * SHRINK, narrowest)
    bias = descent.passes.bias(descent.weights, descent.level)
    return Solution(
        descent.weights[None], np.array([bias]), "Newton on a rounded corner", descent.iterations, descent.sharp,
        distance / descent.sharp if descent.sharp > 0 else 0.0, "estimated gap", bool(rests),
    )  # fmt: skip


class _Descent:
    """Weights on their way, with the outputs z (n,) that belong to them."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.passes = Passes(problem)
        start = problem.start
        self.weights: Vector = np.zeros(problem.columns) if start is None else start.astype(np.float64)
        self.level = problem.start_bias + float(self.weights @ self.passes.means) * problem.intercept
        self.z = self.passes.outputs(self.weights, self.level)
        self.slopes: Vector = np.empty(problem.rows)
        self.iterations = 0
        self.damping = 1e-2  # of the curvature of one sample in the corner: keeps steps short while few are there
        self.scale = np.append(column_squares(problem.inputs, problem.shares, self.passes.means), 1.0)
        self.sharp = np.inf

    def start_by_gradients(self, width: float, factor: float) -> float:
        """Come near by L-BFGS, at two widths; return the width for Newton's method to go on with."""
        objective = Objective(self.problem, 1e-3)
        objective.width = width
        point = objective.start()
        for _ in range(2):
            descent = quasi_newton(objective, point)
            self.iterations += descent.iterations
            self.weights, self.level = descent.point.at[:-1], float(descent.point.at[-1])
            objective.width *= factor
            point = objective.evaluate(descent.point.at)
        self.z = self.passes.outputs(self.weights, self.level)
        return objective.width

    def minimize(self, width: float) -> tuple[float, float]:
        """Solve the problem rounded at `width`; return what the rounding may cost and what is left to gain."""
        problem, passes, l2 = self.problem, self.passes, self.problem.l2
        most = ENOUGH_ROWS * problem.columns + 2000
        for turn in range(100):
            self.iterations += 1
            loss, slope = self._terms(width)
            price = l2 * float(self.weights @ self.weights)
            self.sharp = self._sharp() + price
            near = float(passes.shares[passes.curvature > 0].sum())
            if passes.kind == HINGE:
                most_added, added = width / 8 * near, loss + price - self.sharp
            else:
                most_added, added = width / 2 * near, loss + width / 2 + price - self.sharp
            gradient = np.append(passes.products(self.slopes) + 2 * l2 * self.weights, slope)
            if not problem.intercept:
                gradient[-1] = 0.0
            hessian = passes.hessian(most, turn)
            hessian[np.diag_indices_from(hessian)] += self.damping * self.scale / (width * passes.problem.rows)
            factors = factorise(hessian, problem.intercept)
            move = -cho_solve(factors, gradient, check_finite=False)
            left = -float(gradient @ move) / 2
            if left <= max(0.2 * most_added, 0.1 * problem.tolerance * self.sharp) or left <= 1e-15 * self.sharp:
                if self.damping <= SURE:
                    break
                self.damping /= 100  # damped steps promise too little
                continue
            shift = passes.outputs(move[:-1], float(move[-1]))
            size = self._best_size(shift, move, width)
            self.damping = min(self.damping * 10, 1e3) if size < 0.2 else max(self.damping / 5, 1e-9)
            if size * float(np.abs(shift).max()) < 1e-15:
                break
            self.weights = self.weights + size * move[:-1]
            self.level += size * float(move[-1])
            self.z = self.z + size * shift
        return max(most_added - added, 0.0), left

    def polish(self) -> bool:
        """Solve for the optimum that has the samples now near the corner on it, and all others on their side.

        Stationarity, 2 l2 w + sum share slope x = 0, gives w by the slopes of those on the corner, and z = y there
        gives these. Keeps the weights and returns True where slopes and sides come out as those of an optimum.
        """
        problem, passes, l2 = self.problem, self.passes, self.problem.l2
        on = np.flatnonzero(passes.curvature * passes.shares)
        if not l2 or not 0 < len(on) <= 4 * (problem.columns + 1) or len(on) > MOST_ON_CORNER:
            return False
        fixed = self._sides(self.z)
        fixed[on] = 0.0
        pull = passes.products(passes.shares * fixed)
        rows = passes.inputs[on]
        corner = np.asarray(rows.todense() if problem.sparse else rows, np.float64) - passes.means
        system = np.zeros((len(on) + 1, len(on) + 1))
        system[:-1, :-1] = corner @ corner.T / (-2 * l2)
        if problem.intercept:
            system[-1, :-1] = system[:-1, -1] = 1
        else:
            system[-1, -1] = 1
        goal = np.append(passes.targets[on] + corner @ pull / (2 * l2), 0.0)
        if problem.intercept:
            goal[-1] = -float(passes.shares @ fixed)
        answer = np.linalg.lstsq(system, goal, rcond=1e-13)[0]
        weights = -(pull + corner.T @ answer[:-1]) / (2 * l2)
        level = float(answer[-1]) if problem.intercept else 0.0
        z = passes.outputs(weights, level)
        slack = 1e-4 if problem.inputs.dtype == np.float32 else 1e-9
        slopes = answer[:-1] / passes.shares[on]
        low, high = self._bounds(on)
        sided = self._sides(z)
        sided[on] = fixed[on]
        near = np.abs(z - passes.targets) <= slack * (1 + np.abs(passes.targets))
        if (
            not near[on].all()
            or (slopes < low - slack).any()
            or (slopes > high + slack).any()
            or (sided != fixed)[~near].any()
        ):
            return False
        loss = np.maximum(1 - passes.targets * z, 0) if passes.kind == HINGE else np.abs(z - passes.targets)
        sharp = float(passes.shares @ loss) + l2 * float(weights @ weights)
        if not sharp <= self.sharp * (1 + 1e-9):
            return False
        self.weights, self.level, self.z, self.sharp = weights, level, z, sharp
        return True

    def _sides(self, z: Vector) -> Vector:
        """Return the slope of the sharp loss at z, for samples that are not on the corner."""
        y = self.passes.targets
        return np.where(y * z < 1, -y, 0.0) if self.passes.kind == HINGE else np.sign(z - y)

    def _bounds(self, on: NDArray[np.intp]) -> tuple[Vector, Vector]:
        """Return the least and the largest slope that a sample on the corner can have."""
        y = self.passes.targets[on]
        if self.passes.kind == HINGE:
            return np.minimum(-y, 0), np.maximum(-y, 0)
        return np.full(len(on), -1.0), np.ones(len(on))

    def _terms(self, width: float) -> tuple[float, float]:
        passes = self.passes
        given = (self.z, passes.targets, passes.shares, passes.curvature, self.slopes)
        return terms(passes.kind, width, 0, self.problem.rows, *given)

    def _sharp(self) -> float:
        y, z = self.passes.targets, self.z
        loss = np.maximum(1 - y * z, 0) if self.problem.loss == "hinge" else np.abs(z - y)
        return float(self.passes.shares @ loss)

    def _best_size(self, shift: Vector, move: Vector, width: float) -> float:
        """Return the step that minimises the rounded objective along `move`: Newton on its slope, between bounds."""
        passes, l2 = self.passes, self.problem.l2
        inner, square = float(self.weights @ move[:-1]), float(move[:-1] @ move[:-1])
        low, high, size = 0.0, np.inf, 1.0
        first = 0.0
        for step in range(40):
            slope, bend = along(passes.kind, width, self.z, shift, passes.targets, passes.shares, size)
            slope += 2 * l2 * (inner + size * square)
            bend += 2 * l2 * square
            first = first or abs(slope)
            if slope > 0:
                high = size
            else:
                low = size
            if (abs(slope) <= 1e-3 * first and step) or high - low <= 1e-9 * high:
                break
            wanted = size - slope / bend if bend > 0 else np.inf
            if not low < wanted < high:
                wanted = (low + high) / 2 if np.isfinite(high) else 4 * size
            size = wanted
        return size


@compiled
def along(kind: int, width: float, z: Any, shift: Any, targets: Any, shares: Any, size: float) -> tuple[float, float]:
    """Return the first two derivatives of the loss at z + size * shift by the size."""
    slope, bend = 0.0, 0.0
    for i in range(len(z)):
        _, first, second = loss_terms(kind, z[i] + size * shift[i], targets[i], width)
        slope += shares[i] * first * shift[i]
        bend += shares[i] * second * shift[i] * shift[i]
    return slope, bend
