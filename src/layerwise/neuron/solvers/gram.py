"""The Gram matrix: all that least squares needs to know of tall data, in one pass."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from layerwise.neuron.solvers.compiled import compiled
from layerwise.neuron.solvers.passes import cores
from layerwise.neuron.solvers.problem import Problem

BLOCK_BYTES = 2**20  # rows that stay in the cache while they are centred and multiplied


@dataclass(frozen=True)
class Gram:
    """gram = C' S C (d, d), products = C' S (y - mean y) (d, k), squares = sum S (y - mean y)^2 (k,).

    C are the inputs less their means (zeros without intercept), S the samples' shares.
    """

    gram: NDArray[np.float64]
    products: NDArray[np.float64]
    squares: NDArray[np.float64]
    means: NDArray[np.float64]
    target_means: NDArray[np.float64]

    def biases(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the best biases (k,) for weights (k, d)."""
        return self.target_means - weights @ self.means


def make_gram(problem: Problem) -> Gram:
    """Multiply in the precision of the inputs, block by block, and add the blocks up in float64."""
    targets = np.asarray(problem.targets, np.float64).reshape(problem.rows, -1)
    shares, means = problem.shares, problem.means
    target_means = shares @ targets if problem.intercept else np.zeros(targets.shape[1])
    centred = targets - target_means
    centred[:, np.abs(centred).max(0) <= 1e-13 * np.abs(targets).max(0)] = 0  # a constant target, but for rounding
    squares = shares @ centred**2
    columns = problem.columns
    if problem.sparse:
        scaled = sp.diags(shares) @ problem.inputs
        gram = np.asarray((problem.inputs.T @ scaled).todense(), np.float64) - np.outer(means, means)
        return Gram(gram, np.asarray(scaled.T @ centred), squares, means, target_means)
    gram = np.zeros((columns, columns))
    products = np.zeros((columns, targets.shape[1]))
    dtype = problem.inputs.dtype
    rows = max(64, BLOCK_BYTES // (dtype.itemsize * columns), columns)
    shift = means.astype(dtype) if problem.intercept else None
    for first in range(0, problem.rows, rows):
        block = problem.inputs[first : first + rows]
        goals = centred[first : first + rows]
        if shift is not None:
            block = block - shift
        if not problem.even:
            roots = np.sqrt(shares[first : first + rows])[:, None]
            block, goals = block * roots.astype(dtype), goals * roots
        gram += block.T @ block
        products += block.T @ goals.astype(dtype)
    if problem.even:
        gram /= problem.rows
        products /= problem.rows
    return Gram(gram, products, squares, means, target_means)


def coarse_gram(problem: Problem, scale: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return D C' S C D (d, d) of sparse inputs in float32, D = diag(scale); only its lower triangle is filled."""
    x = problem.inputs
    if not x.has_sorted_indices:
        x = x.sorted_indices()
    data = x.data * scale[x.indices].astype(np.float32)
    gram = np.zeros((problem.columns, problem.columns), np.float32)
    shares = problem.shares.astype(np.float32)
    work = np.cumsum(np.bincount(x.indices, _places(x), minlength=problem.columns))
    threads = min(cores(), 4)
    cuts = [0, *np.searchsorted(work, work[-1] * np.arange(1, threads) / threads).tolist(), problem.columns]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda a, b: _add_products(data, x.indices, x.indptr, shares, a, b, gram), cuts, cuts[1:]))
    if problem.intercept:
        means = (problem.means * scale).astype(np.float32)
        gram -= np.outer(means, means)
    return gram


def _places(x: Any) -> NDArray[np.int64]:
    """Return for each number how many stand in its row up to it, (numbers,)."""
    places: NDArray[np.int64] = np.arange(1, len(x.indices) + 1) - np.repeat(x.indptr[:-1], np.diff(x.indptr))
    return places


@compiled
def _add_products(data: Any, indices: Any, starts: Any, shares: Any, first: int, last: int, gram: Any) -> None:
    """Add share * row row' to the rows of the lower triangle from first to before last; indices rise in each row."""
    for i in range(len(starts) - 1):
        numbers, places = data[starts[i] : starts[i + 1]], indices[starts[i] : starts[i + 1]]
        for a in range(len(places)):
            if first <= places[a] < last:
                scaled = shares[i] * numbers[a]
                line = gram[places[a]]
                for b in range(a + 1):
                    line[places[b]] += scaled * numbers[b]
