"""Smooth convex losses without L1: logistic, squared hinge, Huber; and those whose corners are rounded first.

Two ways. Newton's method where the second derivatives are cheap: a matrix of them from all rows, or from a part of the
rows that grows when progress slows. Limited-memory BFGS elsewhere (Liu and Nocedal 1989), which learns the curvature
from the gradients and begins with that of each column. Both read the data once an iteration: the step that is tried is
evaluated with its gradient, and is nearly always the one that is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from layerwise.neuron.solvers.passes import Passes
from layerwise.neuron.solvers.problem import Problem, Solution

Vector = NDArray[np.float64]

NEWTON_COLUMNS = 300
FINER = 1e-6  # of the tolerance where it costs an iteration or two, so that weights are had to the last digits, too
NEWTON_WORK = 3e7  # rows * columns^2 that Newton's method may spend on any shape
PAIRS = 10  # steps and gradient changes that BFGS remembers
MARGIN_FAR = 30.0  # an output at which the logistic loss is 1e-13


@dataclass
class Point:
    """Weights and level as one vector (d + 1,), the objective there and its gradient (d + 1,)."""

    at: Vector
    value: float
    gradient: Vector


@dataclass
class Descent:
    """Where a descent ended, and what it was still going to gain there: `left`, of the objective."""

    point: Point
    iterations: int
    left: float
    rests: bool
    note: str = ""


class Smooth(Protocol):
    """What L-BFGS needs to know of an objective."""

    problem: Problem
    tolerance: float

    def start(self) -> Point: ...
    def evaluate(self, at: Vector) -> Point: ...
    def curvatures(self) -> Vector: ...
    def separation(self, at: Vector) -> str: ...


class Objective:
    """A problem's objective by (w, level), at one width of its rounded corner."""

    def __init__(self, problem: Problem, tolerance: float | None = None) -> None:
        self.problem = problem
        self.tolerance = problem.tolerance if tolerance is None else tolerance
        self.passes = Passes(problem)
        self.width = 1.0

    def evaluate(self, at: Vector) -> Point:
        value, slopes, slope = self.passes.evaluate(at[:-1], float(at[-1]), self.width)
        return Point(at, value, np.append(slopes, slope))

    def start(self) -> Point:
        start = np.zeros(self.problem.columns + 1)
        if self.problem.start is not None:
            start[:-1] = self.problem.start
            start[-1] = self.problem.start_bias + start[:-1] @ self.passes.means * self.problem.intercept
        return self.evaluate(start)

    def curvatures(self) -> Vector:
        """Return about the second derivative by each weight and the level, (d + 1,), but for a common factor."""
        problem, x, shares = self.problem, self.passes.inputs, self.passes.shares
        bend = 0.25 if problem.loss == "logistic" else 1.0
        squares = column_squares(x, shares, self.passes.means)
        return bend * np.append(squares, 1.0) + 2 * problem.l2

    def separation(self, at: Vector) -> str:
        """Say so if the weights, taken far enough, tell the classes apart without a fault."""
        if self.problem.loss != "logistic" or self.problem.l2:
            return ""
        counted = self.passes.shares > 0
        outputs = (self.passes.outputs(at[:-1], float(at[-1])) * self.passes.targets)[counted]
        far = float(np.abs(outputs).max())
        apart = outputs.min() > 0
        nearly = float(np.abs(self.passes.z[counted]).max()) > MARGIN_FAR and outputs.min() >= -1e-6 * far
        return SEPARABLE if far > 0 and (apart or nearly) else ""


def column_squares(x: Any, shares: Vector, means: Vector) -> Vector:
    """Return about sum share (x - mean)^2 of each column (d,), never quite zero."""
    if sp.issparse(x):
        squares = np.asarray(x.multiply(x).T @ shares, np.float64) - means**2
    else:
        stride = max(1, len(x) // 1000)
        part = x[::stride] - means.astype(x.dtype)
        squares = np.asarray((part * part).mean(0), np.float64)
    top = float(squares.max(initial=0.0))
    return np.maximum(squares, 1e-6 * top) if top > 0 else np.ones_like(squares)


def solve_smooth(problem: Problem) -> Solution:
    """Minimise sum share loss(z, y) + l2 sum w^2 for one output and a loss without corners."""
    columns, rows = problem.columns, problem.rows
    if rows * columns**2 <= NEWTON_WORK and not (problem.sparse and columns > NEWTON_COLUMNS):
        objective = Objective(problem, FINER * problem.tolerance)
        return finish(newton(objective, rows), objective, "Newton")
    if not problem.sparse and columns <= NEWTON_COLUMNS and rows >= 20 * columns:
        part = max(20 * columns, 2000)
        if rows >= 8 * part:
            problem = _with_guess(problem, rows // part)
        objective = Objective(problem)
        return finish(newton(objective, max(40 * columns, 4000)), objective, "Newton")
    objective = Objective(problem)
    return finish(quasi_newton(objective), objective, "L-BFGS")


def _with_guess(problem: Problem, stride: int) -> Problem:
    """Return the problem with the optimum of every stride-th row as its start."""
    part = slice(0, None, stride)
    weights = None if problem.weights is None else problem.weights[part]
    inputs = np.ascontiguousarray(problem.inputs[part])
    rough = replace(problem, inputs=inputs, targets=problem.targets[part], weights=weights, tolerance=1e-3, limit=20)
    objective = Objective(rough)
    found = newton(objective, len(inputs)).point.at
    bias = objective.passes.bias(found[:-1], float(found[-1]))
    return replace(problem, start=found[:-1], start_bias=bias)


def newton(objective: Objective, sample: int, point: Point | None = None) -> Descent:
    """Step to the minimum of the quadratic that fits at the point, as far as the objective falls enough.

    sample: rows that the curvature is taken from; doubled when a step gains less than most of what it promised.
    """
    problem, passes = objective.problem, objective.passes
    point = point or objective.start()
    first = point.value
    decrement, iteration, note = np.inf, 0, ""
    for iteration in range(1, problem.limit + 1):
        factors = factorise(passes.hessian(sample, iteration), problem.intercept)
        move = -cho_solve(factors, point.gradient, check_finite=False)
        if not problem.intercept:
            move[-1] = 0.0
        last, decrement = decrement, -float(point.gradient @ move) / 2
        if decrement <= objective.tolerance * point.value or decrement <= 1e-16 * first:
            break
        if problem.loss == "logistic" and not problem.l2:
            note = objective.separation(move)
            if note:
                point = _far_out(objective, point, move)
                break
        stepped = search(objective, point, move)
        if stepped is None:
            break
        if decrement > 0.1 * last:
            sample *= 2
        point = stepped
    rests = decrement <= max(objective.tolerance, 1e-9 if problem.inputs.dtype == np.float32 else 0.0) * point.value
    return Descent(point, iteration, decrement, bool(rests or decrement <= 1e-16 * first), note)


def _far_out(objective: Objective, point: Point, move: Vector) -> Point:
    """Return a point along a direction that separates the classes, far enough for the loss to be next to nothing."""
    counted = objective.passes.shares > 0
    largest = float(np.abs(objective.passes.outputs(move[:-1], float(move[-1]))[counted]).max())
    far = objective.evaluate(move * (MARGIN_FAR / largest))
    return far if far.value <= point.value else point


def quasi_newton(objective: Smooth, point: Point | None = None) -> Descent:
    """Descend along the direction that the last steps' changes of gradient suggest."""
    problem = objective.problem
    point = point or objective.start()
    first = point.value
    scale = objective.curvatures()
    steps: list[tuple[Vector, Vector, float]] = []
    decrement, rested, iteration, note = np.inf, 0, 0, ""
    for iteration in range(1, problem.limit + 1):
        move = _two_loops(point.gradient, steps, scale)
        decrement = -float(point.gradient @ move) / 2
        small = decrement <= objective.tolerance * point.value or decrement <= 1e-16 * first
        rested = rested + 1 if small else 0
        if rested >= 2:
            break
        if iteration % 10 == 0:
            note = objective.separation(point.at)
            if note:
                break
        stepped = search(objective, point, move)
        if stepped is None:
            if not steps:
                break
            steps = []  # the memory misleads: begin it anew
            continue
        step, change = stepped.at - point.at, stepped.gradient - point.gradient
        bend = float(step @ change)
        if bend > 1e-12 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            steps = [*steps[-PAIRS + 1 :], (step, change, bend)]
        point = stepped
    rests = rested >= 1 or decrement <= 1e-9 * point.value
    return Descent(point, iteration, decrement, bool(rests), note)


def search(objective: Smooth, point: Point, move: Vector) -> Point | None:
    """Return the first of the steps 1, then smaller ones, that lets the objective fall by a share of what it promises.

    None if no step does, that is, when the objective is flat to the last bit.
    """
    slope = float(point.gradient @ move)
    if slope >= 0 or not np.isfinite(slope):
        return None
    size = 1.0
    for _ in range(30):
        tried = objective.evaluate(point.at + size * move)
        if tried.value <= point.value + 1e-4 * size * slope:
            return tried
        lack = tried.value - point.value - size * slope
        best = -slope * size * size / (2 * lack) if lack > 0 and np.isfinite(lack) else size / 10
        size = min(max(best, size / 10), size / 2)
    objective.evaluate(point.at)  # so that z and curvature belong to the point again
    return None


def _two_loops(gradient: Vector, steps: list[tuple[Vector, Vector, float]], scale: Vector) -> Vector:
    """Return minus the inverse curvature times the gradient (Nocedal and Wright 2006, algorithm 7.4)."""
    move = -gradient
    shares = []
    for step, change, bend in reversed(steps):
        share = float(step @ move) / bend
        shares.append(share)
        move = move - share * change
    if steps:
        _, change, bend = steps[-1]
        move = move / scale * (bend / float(change @ (change / scale)))
    else:
        move = move / scale
    for (step, change, bend), share in zip(steps, reversed(shares), strict=True):
        move = move + (share - float(change @ move) / bend) * step
    return move


def factorise(hessian: Vector, intercept: bool) -> tuple[Vector, bool]:
    """Return Cholesky factors of the curvature, with as little added to its diagonal as makes it positive."""
    if not intercept:
        hessian[-1, -1] = 1.0
    diagonal = np.diag_indices_from(hessian)
    own = hessian[diagonal].copy()
    size = float(own.max())
    if size <= 0:
        own[:] = size = 1.0
    lift = 1e-6 * own + 1e-14 * size  # in each column's own measure: rounding must not choose the direction
    for _ in range(12):
        hessian[diagonal] += lift
        try:
            factors: tuple[Vector, bool] = cho_factor(hessian, lower=True, check_finite=False)
            return factors
        except LinAlgError:
            lift *= 30
    raise AssertionError("a symmetric matrix with a large enough diagonal has Cholesky factors")


SEPARABLE = (
    "The classes can be told apart without a fault, so the logistic loss falls for ever as the weights grow and has no "
    "minimum; the fit was stopped. Add a penalty, such as penalty='l2', for a definite answer."
)


def finish(descent: Descent, objective: Objective, name: str) -> Solution:
    """Return the solution that a descent of one output came to."""
    weights, level = descent.point.at[:-1], float(descent.point.at[-1])
    value = descent.point.value
    return Solution(
        weights[None].copy(), np.array([objective.passes.bias(weights, level)]), name, descent.iterations, value,
        max(descent.left, 0.0) / value if value > 0 else 0.0, "estimated gap", descent.rests and not descent.note,
        descent.note,
    )  # fmt: skip
