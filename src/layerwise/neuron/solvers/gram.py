"""The Gram matrix: all that least squares needs to know of tall data, in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

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
