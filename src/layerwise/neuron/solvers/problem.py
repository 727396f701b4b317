"""What a convex solver is given and what it hands back.

One neuron, or k that share their inputs, z = w . x + b, is fitted by

    minimise over w, b:   sum_i share_i loss(z_i, y_i)  +  l1 * sum |w|  +  l2 * sum w^2,   sum_i share_i = 1,

so that without sample weights the first term is a mean. The bias bears no penalty. Shapes: inputs (n, d),
targets (n,) or (n, k), shares (n,), weights (k, d), biases (k,).

Numbers: inputs in float32 stay float32 in all passes over them, inputs in float64 stay float64. Sums over
samples, weights and everything that decides when to stop are float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Problem:
    """A convex problem of one neuron. inputs: an array in row order, or a matrix in CSR form."""

    inputs: Any
    targets: Floats
    loss: str
    l1: float = 0.0
    l2: float = 0.0
    intercept: bool = True
    weights: Floats | None = None  # sample weights, (n,), of any scale
    tolerance: float = 1e-6  # of the optimal objective, as a share of it
    limit: int = 1000  # iterations at most
    start: Floats | None = None  # weights to begin with, (d,)
    start_bias: float = 0.0

    @property
    def rows(self) -> int:
        return int(self.inputs.shape[0])

    @property
    def columns(self) -> int:
        return int(self.inputs.shape[1])

    @cached_property
    def sparse(self) -> bool:
        return bool(sp.issparse(self.inputs))

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """The weight of each sample in the mean, (n,), summing to 1."""
        if self.weights is None:
            return np.full(self.rows, 1.0 / self.rows)
        weights = np.asarray(self.weights, np.float64)
        shares: NDArray[np.float64] = weights / weights.sum()
        return shares

    @cached_property
    def even(self) -> bool:
        """Whether all samples count alike."""
        return self.weights is None

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """The weighted mean of each column, (d,); zeros where there is no bias to absorb it."""
        if not self.intercept:
            return np.zeros(self.columns)
        return np.asarray(self.inputs.T @ self.shares.astype(self.inputs.dtype), np.float64)


@dataclass(frozen=True)
class Solution:
    """Weights (k, d) and biases (k,) with how they were found and how far they can be from the optimum.

    `measure` names what `distance` is: 'duality gap', an upper bound of the objective's distance to its minimum, as a
    share of the objective; or 'gradient norm', the largest derivative, as a share of that at zero weights.
    """

    weights: NDArray[np.float64]
    biases: NDArray[np.float64]
    solver: str
    iterations: int
    objective: float
    distance: float
    measure: str
    converged: bool
    note: str = ""
