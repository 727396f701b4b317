"""Coefficient paths: the weights of a linear neuron as the strength of its penalty falls.

For each strength s, sum_i (z_i - y_i)^2 / n + s ((1 - mix) sum |w| + mix sum w^2) is minimised: mix = 0 is the lasso,
1 the ridge. In scikit-learn's words alpha * l1_ratio = s (1 - mix) / 2 and alpha * (1 - l1_ratio) = s mix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from layerwise.errors import DataError, UsageError, nearest
from layerwise.neuron.solvers.gram import Gram, make_gram
from layerwise.neuron.solvers.lasso import lasso_by_gram
from layerwise.neuron.solvers.problem import Problem

PENALTIES = ("l1", "l2", "elastic")


@dataclass(frozen=True)
class CoefficientPath:
    """strengths (s,) falling; weights (s, d); biases (s,); gaps (s,), the duality gap as a share of the objective at 0.

    For l2 the gaps are zeros: its path is computed in closed form.
    """

    penalty: str
    mix: float
    strengths: NDArray[np.float64]
    weights: NDArray[np.float64]
    biases: NDArray[np.float64]
    gaps: NDArray[np.float64]

    def active(self, index: int) -> NDArray[np.intp]:
        """Return the places of the weights that are not zero at strength number `index`."""
        return np.flatnonzero(self.weights[index])


def coefficient_path(
    inputs: ArrayLike,
    targets: ArrayLike,
    penalty: str = "l1",
    *,
    mix: float = 0.5,
    strengths: ArrayLike | None = None,
    count: int = 100,
    smallest: float = 1e-3,
    intercept: bool = True,
    tolerance: float = 1e-11,
) -> CoefficientPath:
    """Follow the weights from the first strength that lets one of them leave zero down to `smallest` of it.

    Args:
        inputs: (n, d). targets: (n,).
        penalty: 'l1', 'l2' or 'elastic'; only 'elastic' looks at `mix`, 0 for all L1 to 1 for all L2.
        strengths: the strengths instead of `count` of them in equal ratios; they are sorted from large to small.
        tolerance: the duality gap allowed, as a share of the objective at zero weights.

    Raises:
        UsageError: an unknown penalty or numbers that cannot work. DataError: inputs and targets do not fit.
    """
    if penalty not in PENALTIES:
        raise UsageError(
            f"`penalty` must be one of {', '.join(PENALTIES)}, received {penalty!r}.{nearest(penalty, PENALTIES)}"
        )
    if not 0 <= mix <= 1:
        raise UsageError(f"`mix` must be a number from 0 (all L1) to 1 (all L2), received {mix!r}.")
    mix = {"l1": 0.0, "l2": 1.0, "elastic": float(mix)}[penalty]
    x, y = np.ascontiguousarray(inputs, np.float64), np.asarray(targets, np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise DataError(f"Inputs must be (n, d) and targets (n,), received {x.shape} and {y.shape}.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("Inputs or targets hold NaN or infinite values; drop those rows or fill them first.")
    known = make_gram(Problem(x, y, "squared", intercept=intercept))
    chosen = _strengths(strengths, known, mix, count, smallest)
    weights = np.zeros((len(chosen), x.shape[1]))
    gaps = np.zeros(len(chosen))
    if mix == 1:
        values, vectors = np.linalg.eigh(known.gram)
        turned = vectors.T @ known.products[:, 0]
        for index, strength in enumerate(chosen):
            weights[index] = vectors @ (turned / (np.maximum(values, 0) + strength))
    else:
        products, square = np.ascontiguousarray(known.products[:, 0]), float(known.squares[0])
        current, pulls = np.zeros(x.shape[1]), np.zeros(x.shape[1])
        for index, strength in enumerate(chosen):
            l1, l2 = strength * (1 - mix) / 2, strength * mix
            gaps[index], _ = lasso_by_gram(known.gram, products, square, current, pulls, l1, l2, tolerance)
            weights[index] = current
    return CoefficientPath(penalty, mix, chosen, weights, known.biases(weights), gaps)


def _strengths(given: ArrayLike | None, known: Gram, mix: float, count: int, smallest: float) -> NDArray[np.float64]:
    if given is not None:
        strengths = -np.sort(-np.atleast_1d(np.asarray(given, np.float64)))
        if not np.isfinite(strengths).all() or (strengths <= 0).any():
            raise UsageError("`strengths` must be positive finite numbers.")
        return strengths
    if count < 1 or not 0 < smallest < 1:
        raise UsageError(
            f"`count` must be at least 1 and `smallest` between 0 and 1, received {count!r} and {smallest!r}."
        )
    largest = 2 * float(np.abs(known.products).max(initial=0.0)) / (1 - mix) if mix < 1 else float(np.trace(known.gram))
    ratios: NDArray[np.float64] = np.geomspace(1, smallest, count) if count > 1 else np.ones(1)
    return (largest or 1.0) * (1 + 1e-14) * ratios  # rounding must not let a weight go at the first
