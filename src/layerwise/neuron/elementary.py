"""The few functions that the formulas of the tables are made of, for NumPy arrays.

Compiled code knows them, too (compiled.py): a formula is written once and serves both.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # an array of any shape, or in compiled code one number

exp, tanh = np.exp, np.tanh
maximum, minimum, absolute, sign, where = np.maximum, np.minimum, np.abs, np.sign, np.where


def expit(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)) without overflow."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def softplus(z: Array) -> Array:
    """Return log(1 + exp(z)) without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def erf(z: Array) -> Array:
    """Return the error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to z."""
    from scipy.special import erf as erf_of_arrays

    return erf_of_arrays(z)
