"""Squared error with an L1 term: lasso and elastic net.

Most weights are zero at the optimum, so work is done on the few that may not be: the working set. Its Gram matrix is
small, and coordinate descent on it costs no pass over the data. Then one pass tells which weights outside ought to join
(Massias, Gramfort and Salmon 2018, 'Celer'), and how far the objective is from its minimum: the duality gap.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.solvers.coordinate import descend_gram
from layerwise.neuron.solvers.gram import make_gram
from layerwise.neuron.solvers.passes import Passes
from layerwise.neuron.solvers.problem import Problem, Solution

Vector = NDArray[np.float64]

GRAM_COLUMNS = 256  # up to so many columns one Gram matrix of all costs less than choosing among them
FIRST_SET = 100
GUESS = 0.1  # tolerance of that part
ROWS_FOR_GUESS = 8000  # from so many rows on a part of them is asked first


def solve_lasso(problem: Problem) -> Solution:
    """Minimise sum share (z - y)^2 + l1 sum |w| + l2 sum w^2 for one target."""
    if not problem.sparse and (problem.columns <= GRAM_COLUMNS or problem.rows * problem.columns**2 <= 1e8):
        return _solve_all(problem)
    return _solve_working_set(problem)


def _solve_all(problem: Problem) -> Solution:
    known = make_gram(problem)
    weights = np.zeros(problem.columns) if problem.start is None else problem.start.astype(np.float64)
    pulls = known.gram @ weights
    square = float(known.squares[0])
    products = np.ascontiguousarray(known.products[:, 0])
    half = (problem.l1 / 2, problem.l2)
    gap, sweeps = lasso_by_gram(known.gram, products, square, weights, pulls, *half, problem.tolerance)
    value = _objective(square - 2 * float(weights @ products) + float(weights @ pulls), weights, problem)
    return Solution(
        weights[None], known.biases(weights[None]), "Gram matrix and coordinate descent", sweeps, value, gap,
        "duality gap", gap <= problem.tolerance,
    )  # fmt: skip


def _solve_working_set(problem: Problem) -> Solution:
    passes = Passes(problem)
    shares, l2 = problem.shares, problem.l2
    noise = 32 * float(np.finfo(problem.inputs.dtype).eps)
    targets = np.asarray(problem.targets, np.float64).reshape(-1)
    level = float(shares @ targets) if problem.intercept else 0.0
    centred = targets - level
    square = float(shares @ centred**2)
    weights = _first_guess(problem)
    chosen = WorkingSet(passes, np.flatnonzero(weights))
    residual = centred - chosen.outputs(weights[chosen.index])
    value, rounds, strictness, least = np.inf, 0, 0.2, np.inf
    while True:
        rounds += 1
        if problem.intercept:
            residual -= shares @ residual
        slopes = passes.products(shares * residual)
        gap = _gap(slopes, residual, centred, problem, weights, noise)
        value = _objective(float(shares @ residual**2), weights, problem)
        rests = gap <= problem.tolerance * value or value <= 1e-14 * square
        if rests or rounds >= problem.limit or (gap >= least and strictness < 1e-9):
            break
        least = min(least, gap)
        grew = chosen.grow(slopes - l2 * weights, problem.l1 / 2 * (1 + noise), int(np.count_nonzero(weights)))
        if not grew:  # nothing wants to join: what is inside was not solved well enough
            strictness /= 10
        small = np.ascontiguousarray(weights[chosen.index])
        pulls = chosen.gram @ small
        products = slopes[chosen.index] + pulls  # from the slopes at `weights`: rounding of the Gram matrix heals
        wanted = strictness * problem.tolerance * value / square
        lasso_by_gram(chosen.gram, products, square, small, pulls, problem.l1 / 2, l2, wanted)
        weights[chosen.index] = small
        residual = centred - chosen.outputs(small)
    biases = np.array([level - float(weights @ passes.means)])
    return Solution(
        weights[None], biases, "coordinate descent on a working set", rounds, value, gap / value if value else 0.0,
        "duality gap", bool(rests),
    )  # fmt: skip


def _first_guess(problem: Problem) -> Vector:
    """Return weights to start from: those given, else the optimum of an eighth of the rows where they are many."""
    if problem.start is not None:
        return problem.start.astype(np.float64)
    if problem.rows < ROWS_FOR_GUESS:
        return np.zeros(problem.columns)
    part = slice(0, None, 8)
    inputs = problem.inputs[part] if problem.sparse else np.ascontiguousarray(problem.inputs[part])
    weights = None if problem.weights is None else problem.weights[part]
    targets = problem.targets[part]
    noise = float(np.std(targets)) / len(targets) ** 0.5  # what a slope is off by for having fewer rows
    guess = replace(problem, inputs=inputs, targets=targets, weights=weights, tolerance=GUESS, l1=problem.l1 + noise)
    found: Vector = _solve_working_set(guess).weights[0]
    return found


class WorkingSet:
    """The columns that may have weights: their places, themselves in blocks (n, some) as they joined, their Gram."""

    def __init__(self, passes: Passes, index: NDArray[np.intp]) -> None:
        self.passes = passes
        self.index = np.zeros(0, np.intp)
        self.gram: Vector = np.zeros((0, 0))
        self.blocks: list[NDArray[np.floating[Any]]] = []
        self._add(index)

    def outputs(self, weights: Vector) -> Vector:
        """Return the columns times their weights (size,), summed: (n,)."""
        total, first = np.zeros(self.passes.problem.rows), 0
        for block in self.blocks:
            last = first + block.shape[1]
            total += block @ weights[first:last].astype(block.dtype)
            first = last
        return total

    def grow(self, pull: Vector, threshold: float, active: int) -> bool:
        """Let the columns join that pull harder than the threshold, the hardest first; return whether any did."""
        outside = np.abs(pull)
        outside[self.index] = 0
        wanting = np.flatnonzero(outside > threshold)
        size = max(FIRST_SET if not len(self.index) else 20, active // 4)
        if len(wanting) > size:
            wanting = wanting[np.argpartition(-outside[wanting], size)[:size]]
        self._add(wanting)
        return bool(len(wanting))

    def _add(self, fresh: NDArray[np.intp]) -> None:
        if not len(fresh):
            return
        problem = self.passes.problem
        joined = self.passes.columns(fresh)
        self.index = np.concatenate([self.index, fresh])
        self.blocks.append(joined)
        scaled = joined if problem.even else joined * problem.shares.astype(joined.dtype)[:, None]
        edge = np.concatenate([np.asarray(block.T @ scaled, np.float64) for block in self.blocks])
        if problem.even:
            edge /= problem.rows
        old = len(self.gram)
        grown = np.empty((len(self.index), len(self.index)))
        grown[:old, :old] = self.gram
        grown[:, old:] = edge
        grown[old:, :old] = edge[:old].T
        self.gram = grown


def _objective(squares: float, weights: Vector, problem: Problem) -> float:
    price = problem.l1 * float(np.abs(weights).sum()) + problem.l2 * float(weights @ weights)
    return max(float(squares), 0.0) + price


def _gap(slopes: Vector, residual: Vector, targets: Vector, problem: Problem, weights: Vector, noise: float) -> float:
    """Return the duality gap, the residual scaled to be feasible; a slope within `noise` of l1 counts as l1."""
    l1, l2, shares = problem.l1 / 2, problem.l2, problem.shares
    steepest = float(np.abs(slopes - l2 * weights).max(initial=0.0))
    scale = l1 / steepest if steepest > l1 * (1 + noise) else 1.0
    halves = 0.5 * (1 + scale**2) * float(shares @ residual**2 + l2 * (weights @ weights))
    dual = scale * float(shares @ (residual * targets))
    return max(2 * (halves + l1 * float(np.abs(weights).sum()) - dual), 0.0)


def lasso_by_gram(
    gram: Vector,
    products: Vector,
    square: float,
    weights: Vector,
    pulls: Vector,
    l1: float,
    l2: float,
    tolerance: float,
    limit: int = 10_000,
) -> tuple[float, int]:
    """Change weights (d,) and pulls = gram @ weights in place to the optimum of the elastic net for one target.

    Minimises 1/2 w' gram w - products . w + l1 sum |w| + l2/2 sum w^2 until the duality gap as a share of the
    objective at zero weights is at most `tolerance`, or `limit` sweeps are done. Returns the gap and the sweeps.
    """
    if square == 0:
        weights[:], pulls[:] = 0, 0
        return 0.0, 0
    step = np.sqrt(tolerance * square)
    sweeps = 0
    while True:
        sweeps += descend_gram(gram, products, weights, pulls, l1, l2, step, limit - sweeps)
        gap = gram_gap(products, square, weights, pulls, l1, l2) / (square / 2)
        if gap <= tolerance or sweeps >= limit or step < 1e-15 * np.sqrt(square):
            return gap, sweeps
        step /= 10


def gram_gap(
    products: Vector,
    square: float,
    weights: Vector,
    pulls: Vector,
    l1: float,
    l2: float,
) -> float:
    """Return objective less dual objective at the residual, scaled to be feasible (Fercoq et al. 2015)."""
    fit = weights @ products
    residual_square = max(square - 2 * float(fit) + float(weights @ pulls), 0.0)
    steepest = float(np.abs(products - pulls - l2 * weights).max(initial=0.0))
    scale = min(1.0, l1 / steepest) if steepest > 0 else 1.0
    halves = 0.5 * (1 + scale**2) * (residual_square + l2 * (weights @ weights))
    price = l1 * float(np.abs(weights).sum())
    return float(halves) + price - scale * float(square - fit)
