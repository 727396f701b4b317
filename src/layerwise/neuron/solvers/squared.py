"""Least squares and ridge regression: the one loss whose optimum is the solution of a linear system.

Tall data: the Gram matrix, one pass in the inputs' precision, and its Cholesky factors; then the gradient, in one more
pass, tells how far the rounding went and the factors take it back (iterative refinement). Otherwise conjugate gradients
(Hestenes and Stiefel 1952), a pass an iteration. Small problems without penalty are solved by singular values, which
gives the shortest weights where many are equally good.

Sparse data have columns so unequal that conjugate gradients take hundreds of iterations. Where a matrix of the columns
fits, it is multiplied and factorised in float32; that is too coarse for an answer, but as a change of measure it leaves
conjugate gradients in float64 a few iterations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lapack

from layerwise.neuron.solvers.gram import coarse_gram, make_gram
from layerwise.neuron.solvers.passes import Passes
from layerwise.neuron.solvers.problem import Problem, Solution

Vector = NDArray[np.float64]

SMALL = 2e7  # multiplications of the singular values that take no noticeable time
WINDOW, SLOWEST = 10, 0.98  # iterations whose gains tell the ratio, and the ratio that is assumed at most
GRAM_COLUMNS = 300  # up to so many columns the Gram matrix is quicker than conjugate gradients
COARSE_COLUMNS = 6000  # of sparse data, up to which a matrix of them is factorised
COARSE_LIFT = 1e-5  # added to its diagonal of ones, so that rounding leaves it positive


def solve_squared(problem: Problem) -> Solution:
    """Minimise sum share (z - y)^2 + l2 sum w^2 for one or several targets."""
    small = min(problem.rows, problem.columns)
    if not problem.sparse and problem.rows * problem.columns * small <= SMALL:
        return _solve_singular(problem)
    if not problem.sparse and problem.columns <= min(GRAM_COLUMNS, problem.rows / 4):
        solution = _solve_gram(problem)
        if solution is not None:
            return solution
    return _solve_conjugate(problem)


def _solve_singular(problem: Problem) -> Solution:
    x = np.asarray(problem.inputs, np.float64) - problem.means
    x[:, np.abs(x).max(0) <= 1e-12 * np.abs(problem.means)] = 0  # constant columns, but for rounding
    targets = np.asarray(problem.targets, np.float64).reshape(problem.rows, -1)
    shares = problem.shares
    level = shares @ targets if problem.intercept else np.zeros(targets.shape[1])
    roots = np.sqrt(shares)[:, None]
    goal = roots * (targets - level)
    left, values, right = np.linalg.svd(roots * x, full_matrices=False)
    values[values <= values.max(initial=0.0) * max(x.shape) * np.finfo(problem.inputs.dtype).eps] = 0
    turned = left.T @ goal
    denominators = values**2 + problem.l2
    factors = np.divide(values, denominators, out=np.zeros_like(values), where=denominators > 0)
    weights = (right.T @ (factors[:, None] * turned)).T
    errors = roots * x @ weights.T - goal
    gradient = 2 * ((roots * x).T @ errors).T + 2 * problem.l2 * weights
    return Solution(
        weights, level - weights @ problem.means, "singular values", 1,
        float((errors**2).sum() + problem.l2 * (weights**2).sum()),
        _share(gradient, 2 * (roots * x).T @ goal), "gradient norm", True,
    )  # fmt: skip


def _solve_gram(problem: Problem) -> Solution | None:
    """Return the solution, or None where the columns are (nearly) dependent."""
    known = make_gram(problem)
    matrix = known.gram
    matrix[np.diag_indices_from(matrix)] += problem.l2
    norm = float(np.abs(matrix).sum(0).max())
    try:
        factors = cho_factor(matrix, lower=True, check_finite=False)
    except LinAlgError:
        return None
    inverse_condition = float(lapack.dpocon(factors[0], norm, uplo="L")[0])
    rounding = float(np.finfo(problem.inputs.dtype).eps)
    if inverse_condition < 30 * rounding:
        return None
    weights = cho_solve(factors, known.products, check_finite=False).T
    fitted = (weights @ known.products).trace()
    value = max(float(known.squares.sum() - fitted), 0.0)  # at the optimum of the rounded system
    steps, share = 0, rounding / inverse_condition
    error = 30 * fitted * share**2  # of the objective, at most about
    name = "Gram matrix and Cholesky factors"
    if error > problem.tolerance * value:
        weights, value, error, steps = _refine(problem, factors, weights, known.target_means)
        name += ", refined"
    return Solution(
        weights, known.biases(weights), name, 1 + steps, value, error / value if value else 0.0, "estimated gap",
        error <= problem.tolerance * value or error <= 1e-12 * float(known.squares.sum()),
    )  # fmt: skip


def _refine(
    problem: Problem, factors: tuple[Vector, bool], weights: Vector, levels: Vector
) -> tuple[Vector, float, float, int]:
    """Return better weights, the objective, its estimated distance to the optimum, and the steps taken."""
    targets = np.asarray(problem.targets, np.float64).reshape(problem.rows, -1)
    total, error, most = 0.0, 0.0, 0
    for output in range(len(weights)):
        passes = Passes(problem, targets[:, output])
        last = np.inf
        for step in range(10):
            value, gradient, _ = passes.evaluate(weights[output], levels[output])
            move = cho_solve(factors, gradient / 2, check_finite=False)
            distance = float(gradient @ move) / 2
            most = max(most, step + 1)
            if distance > 0.5 * last:  # the precision of the inputs is used up
                break
            weights[output] -= move
            last = distance
            if distance <= 0.1 * problem.tolerance * value:
                break
        total, error = total + value, error + min(distance, last)
    return weights, total, error, most


def _solve_conjugate(problem: Problem) -> Solution:
    targets = np.asarray(problem.targets, np.float64).reshape(problem.rows, -1)
    levels = problem.shares @ targets if problem.intercept else np.zeros(targets.shape[1])
    measure = _coarse_measure(problem) if _worth_factors(problem) else None
    name = "conjugate gradients" if measure is None else "conjugate gradients by coarse Cholesky factors"
    measure = measure or _diagonal_measure(problem)
    found = [_conjugate(problem, targets[:, k], float(levels[k]), measure) for k in range(targets.shape[1])]
    weights = np.stack([each[0] for each in found])
    return Solution(
        weights, levels - weights @ problem.means, name, max(each[3] for each in found),
        sum(each[1] for each in found), max(each[2] for each in found), "estimated gap",
        all(each[4] for each in found),
    )  # fmt: skip


def _worth_factors(problem: Problem) -> bool:
    """Say whether sparse data are large enough for factors to pay, and narrow enough for them to fit."""
    return problem.sparse and SMALL < problem.columns**3 <= COARSE_COLUMNS**3 and problem.columns <= problem.rows


def _coarse_measure(problem: Problem) -> Callable[[Vector], Vector] | None:
    """Return residual -> about the inverse curvature times it, or None where float32 finds no Cholesky factors."""
    scale = _column_squares(problem) + problem.l2
    empty = scale <= 1e-12 * scale.max(initial=0.0)
    roots = np.where(empty, 0.0, 1 / np.sqrt(np.where(empty, 1.0, scale)))
    matrix = coarse_gram(problem, roots)
    matrix[np.diag_indices_from(matrix)] = 1 + COARSE_LIFT
    try:
        factors = cho_factor(matrix.T, lower=False, overwrite_a=True, check_finite=False)  # in column order: no copy
    except LinAlgError:
        return None

    def measure(residual: Vector) -> Vector:
        turned = cho_solve(factors, (residual * roots).astype(np.float32), check_finite=False)
        return np.asarray(turned * roots, np.float64)

    return measure


def _diagonal_measure(problem: Problem) -> Callable[[Vector], Vector]:
    """Return residual -> residual by each column's own curvature."""
    scale = _column_squares(problem) + problem.l2
    scale[scale <= 1e-12 * scale.max(initial=0.0)] = np.inf
    return lambda residual: residual / scale


def _conjugate(
    problem: Problem, targets: Vector, level: float, measure: Callable[[Vector], Vector]
) -> tuple[Vector, float, float, int, bool]:
    """Return weights, objective, its estimated distance to the minimum as a share of it, iterations, whether it rests.

    measure: residual -> about the inverse curvature times it. What is still to be gained is judged from what the last
    iterations gained, as if the gains went on to fall in that ratio.
    """
    passes = Passes(problem, targets)
    start = np.zeros(problem.columns) if problem.start is None else problem.start.astype(np.float64)
    value, gradient, _ = passes.evaluate(start, level)
    operator = Passes(problem, np.zeros(problem.rows))
    weights, residual = start, -gradient / 2
    first = value
    direction = measure(residual)
    reach = float(residual @ direction)
    gains: list[float] = []
    left = np.inf
    for iteration in range(1, max(problem.limit, 2 * problem.columns) + 1):
        if reach <= 0:
            return weights, value, 0.0, iteration - 1, True
        image = operator.evaluate(direction, 0.0)[1] / 2
        step = reach / float(direction @ image)
        weights = weights + step * direction
        last, residual = residual, residual - step * image
        gains.append(step * reach)
        value = max(value - gains[-1], 0.0)
        turned = measure(residual)
        turn = max(float(turned @ (residual - last)), 0.0) / reach  # Polak and Ribiere: the measure is rounded
        reach = float(residual @ turned)
        direction = turned + turn * direction
        back = min(len(gains) - 1, WINDOW)
        ratio = min(SLOWEST, float((gains[-1] / gains[-1 - back]) ** (1 / back))) if back > 1 else SLOWEST
        left = gains[-1] * ratio / (1 - ratio)
        if left <= problem.tolerance * value or left <= 1e-15 * first:
            return weights, value, left / value if value else 0.0, iteration, True
    return weights, value, left / value, iteration, False


def _column_squares(problem: Problem) -> Vector:
    """Return sum share (x - mean)^2 of each column (d,), from a part of the rows where they are many."""
    x, shares = problem.inputs, problem.shares
    if problem.sparse:
        return np.asarray(x.multiply(x).T @ shares, np.float64) - problem.means**2
    step = max(1, problem.rows // 1000)
    part, weights = x[::step], shares[::step]
    return np.asarray((weights / weights.sum()) @ (part - problem.means.astype(x.dtype)) ** 2, np.float64)


def _share(gradient: Vector, first: Vector) -> float:
    largest = float(np.abs(first).max(initial=0.0))
    return float(np.abs(gradient).max(initial=0.0)) / largest if largest else 0.0
