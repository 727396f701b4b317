"""Smooth convex losses with L2 on sparse data: Newton's method without the matrix of second derivatives.

    H move = -gradient,   H = 2 l2 I + sum bend_i x_i x_i',   bend_i = share_i * curvature_i

is solved by conjugate gradients (Steihaug 1983), two passes over the data an iteration. Near the optimum most samples
are told apart with certainty and hardly bend. So the few hundred rows A that bend most already make nearly all of H,
and the inverse of their part, by Woodbury's formula with bends B, is the measure that conjugate gradients go by:

    (2 l2 I + A' B A)^-1 r = (r - A' (2 l2 B^-1 + A A')^-1 A r) / (2 l2)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from layerwise.neuron.solvers.problem import Problem, Solution
from layerwise.neuron.solvers.smooth import Descent, Objective, finish, quasi_newton, search

Vector = NDArray[np.float64]

ROWS = 600  # that the measure is made of
FIRST = 40  # iterations by gradients alone, which is enough for data with columns of equal scale
TRUNCATED = 0.01  # of the residual's length, in the measure, at which conjugate gradients stop
MOST_TURNS = 50


def solve_truncated(problem: Problem) -> Solution:
    """Minimise sum share loss(z, y) + l2 sum w^2 for one output, sparse inputs and a smooth loss; l2 must not be 0."""
    objective = Objective(problem)
    descent = quasi_newton(Objective(replace(problem, limit=min(FIRST, problem.limit))))
    if descent.rests:
        return finish(descent, objective, "L-BFGS")
    point, first = objective.evaluate(descent.point.at), descent.point.value
    iteration, left = descent.iterations, np.inf
    while iteration < problem.limit:
        iteration += 1
        move = newton_move(objective, point.gradient)
        left = -float(point.gradient @ move) / 2
        stepped = search(objective, point, move)
        if stepped is None:
            break
        point = stepped
        if left <= problem.tolerance * point.value or left <= 1e-16 * first:
            break
    noise = 1e-9 if problem.inputs.dtype == np.float32 else 0.0
    rests = left <= max(problem.tolerance, noise) * point.value or left <= 1e-16 * first
    return finish(Descent(point, iteration, left, bool(rests)), objective, "L-BFGS, Newton by conjugate gradients")


def newton_move(objective: Objective, gradient: Vector) -> Vector:
    """Return about -H^-1 gradient (d + 1,) at the point of the objective's last pass."""
    problem, passes = objective.problem, objective.passes
    bends = passes.shares * passes.curvature
    measure = _Measure(objective, bends)
    move, residual = np.zeros_like(gradient), -gradient
    turned = measure.turn(residual)
    direction = turned
    reach = first = float(residual @ turned)
    turn = 0
    while reach > TRUNCATED * first and turn < MOST_TURNS:
        turn += 1
        pulls = bends * passes.outputs(direction[:-1], float(direction[-1]))
        level = float(pulls.sum()) if problem.intercept else 0.0
        image = np.append(passes.products(pulls) + 2 * problem.l2 * direction[:-1], level)
        bend = float(direction @ image)
        if bend <= 0:
            break
        move = move + reach / bend * direction
        residual = residual - reach / bend * image
        turned = measure.turn(residual)
        last, reach = reach, float(residual @ turned)
        direction = turned + reach / last * direction
    return move


class _Measure:
    """The inverse of the curvature of the rows that bend most; the level has its own."""

    def __init__(self, objective: Objective, bends: Vector) -> None:
        problem, passes = objective.problem, objective.passes
        squares = np.asarray(problem.inputs.multiply(problem.inputs).sum(1), np.float64).ravel()
        weight = bends * squares
        chosen = np.argpartition(-weight, min(ROWS, len(weight)) - 1)[:ROWS]
        chosen = chosen[weight[chosen] > 0]
        self.l2, self.means = problem.l2, passes.means
        self.rows = problem.inputs[chosen].astype(np.float64)
        self.columns = self.rows.T.tocsr()
        self.total = float(bends.sum()) if problem.intercept else 0.0
        shifts = self.rows @ self.means
        matrix = (self.rows @ self.columns).toarray()
        matrix += float(self.means @ self.means) - shifts[:, None] - shifts
        diagonal = np.diag_indices_from(matrix)
        matrix[diagonal] *= 1 + 1e-12
        matrix[diagonal] += 2 * problem.l2 / bends[chosen]
        self.factors = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False) if len(chosen) else None

    def turn(self, residual: Vector) -> Vector:
        """Return the measure's inverse times the residual, both (d + 1,)."""
        inner = residual[:-1]
        turned = inner
        if self.factors is not None:
            outputs = self.rows @ inner - self.means @ inner
            pulls = cho_solve(self.factors, outputs, check_finite=False)
            turned = inner - (self.columns @ pulls - self.means * pulls.sum())
        return np.append(turned / (2 * self.l2), residual[-1] / self.total if self.total else 0.0)
