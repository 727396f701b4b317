"""Any loss with an L1 term: the loss is replaced by the parabola that fits it, and the lasso that remains is solved.

Proximal Newton (Lee, Sun and Saunders 2014), in statistics iteratively reweighted least squares (Friedman, Hastie and
Tibshirani 2010): each sample weighs as much as its loss bends, and its target is the output that its parabola wants.
Exact zeros come from the lasso. Losses with a corner are rounded, at widths that fall.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.solvers.lasso import solve_lasso
from layerwise.neuron.solvers.losses import NONSMOOTH
from layerwise.neuron.solvers.passes import terms
from layerwise.neuron.solvers.problem import Problem, Solution
from layerwise.neuron.solvers.smooth import Objective, Point

Vector = NDArray[np.float64]

FLATTEST = 1e-3  # of the largest curvature: what a sample counts for at least


def solve_proximal(problem: Problem) -> Solution:
    """Minimise sum share loss(z, y) + l1 sum |w| + l2 sum w^2 for one output."""
    objective = Objective(problem)
    widths = [1.0]
    if objective.passes.kind in NONSMOOTH:
        scale = float(np.std(problem.targets)) or 1.0 if problem.loss == "absolute" else 1.0
        widths = [scale * width for width in (0.5, 0.1, 0.02, 0.004, 0.001)]
    objective.width = widths[0]
    point = objective.start()
    iterations, left = 0, np.inf
    for width in widths:
        objective.width = width
        point = objective.evaluate(point.at)
        point, left, steps = _descend(objective, point)
        iterations += steps
    rounding = widths[-1] / 2 if len(widths) > 1 else 0.0
    weights, level = point.at[:-1], float(point.at[-1])
    objective.width = 1e-12 if rounding else 1.0
    value = objective.evaluate(point.at).value + problem.l1 * float(np.abs(weights).sum())
    return Solution(
        weights[None].copy(), np.array([objective.passes.bias(weights, level)]), "proximal Newton", iterations, value,
        (left + rounding) / value if value > 0 else 0.0, "estimated gap",
        bool(left <= max(problem.tolerance, 1e-9) * value),
    )  # fmt: skip


def _descend(objective: Objective, point: Point) -> tuple[Point, float, int]:
    """Return the point at rest, what the last parabola promised, and the steps."""
    problem, passes = objective.problem, objective.passes
    left, slopes = np.inf, np.empty(problem.rows)
    accuracy, iteration = 1e-3, 0
    while iteration < problem.limit:
        iteration += 1
        terms(passes.kind, objective.width, 0, problem.rows, passes.z, passes.targets, np.ones(problem.rows),
              passes.curvature, slopes)  # fmt: skip
        bends = np.maximum(passes.curvature, FLATTEST * max(float(passes.curvature.max()), 1e-3))
        wanted = passes.z - slopes / bends
        counts = passes.shares * bends
        total = float(counts.sum())
        inner = replace(
            problem, loss="squared", targets=wanted, weights=counts, l1=2 * problem.l1 / total,
            l2=2 * problem.l2 / total, start=point.at[:-1], tolerance=accuracy,
        )  # fmt: skip
        found = solve_lasso(inner)
        level = float(found.biases[0] + found.weights[0] @ passes.means * problem.intercept)
        move = np.append(found.weights[0], level) - point.at
        old = float(np.abs(point.at[:-1]).sum())
        promise = float(point.gradient @ move) + problem.l1 * (float(np.abs(found.weights[0]).sum()) - old)
        left = max(-promise, 0.0)
        value = point.value + problem.l1 * old
        if left <= problem.tolerance * value:
            if accuracy <= max(0.1 * problem.tolerance, 1e-12):
                break
            accuracy = max(accuracy * 1e-2, 0.1 * problem.tolerance, 1e-12)
            continue
        accuracy = min(accuracy, max(0.01 * left / value, 1e-12))
        stepped = _search(objective, point, move, value, promise)
        if stepped is None:
            break
        point = stepped
    return point, left, iteration


def _search(objective: Objective, point: Point, move: Vector, value: float, promise: float) -> Point | None:
    size = 1.0
    for _ in range(25):
        tried = objective.evaluate(point.at + size * move)
        price = objective.problem.l1 * float(np.abs(tried.at[:-1]).sum())
        if tried.value + price <= value + 1e-4 * size * promise:
            return tried
        size /= 2
    objective.evaluate(point.at)
    return None
