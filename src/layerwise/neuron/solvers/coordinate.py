"""Coordinate descent, compiled: one weight at a time to its own minimum, which soft thresholding gives in closed form.

All minimise  1/2 sum_i share_i (y_i - x_i . w)^2 + l1 sum |w| + l2/2 sum w^2  (Friedman, Hastie and Tibshirani 2010).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layerwise.neuron.solvers.compiled import compiled


@compiled
def soft(value: float, threshold: float) -> float:
    """Return sign(value) * max(|value| - threshold, 0)."""
    if value > threshold:
        return value - threshold
    if value < -threshold:
        return value + threshold
    return 0.0


@compiled
def descend_gram(
    gram: Any, products: Any, weights: Any, pulls: Any, l1: float, l2: float, tolerance: float, limit: int
) -> int:
    """Descend with gram = X' S X (d, d) and products = X' S y (d,) known; return the number of sweeps.

    weights (d,) and pulls = gram @ weights (d,) are changed in place. A sweep over all weights is followed by sweeps
    over those that are not zero until these rest. Ends when no weight moves the fit by more than `tolerance`, the
    largest sqrt(gram[j, j]) * |change|.
    """
    columns = len(weights)
    sweeps = 0
    everything = True
    while sweeps < limit:
        sweeps += 1
        largest = 0.0
        for j in range(columns):
            old = weights[j]
            if gram[j, j] == 0.0 or (old == 0.0 and not everything):
                continue
            new = soft(products[j] - pulls[j] + gram[j, j] * old, l1) / (gram[j, j] + l2)
            if new != old:
                weights[j] = new
                change = new - old
                for k in range(columns):
                    pulls[k] += change * gram[j, k]
                largest = max(largest, np.sqrt(gram[j, j]) * abs(change))
        if largest <= tolerance:
            if everything:
                break
            everything = True
        else:
            everything = False
    return sweeps
