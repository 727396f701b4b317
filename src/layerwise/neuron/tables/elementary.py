"""The few functions that the formulas of the tables are made of, for NumPy arrays and for torch tensors.

Compiled code has its own of each (compiled.py), found by these names: a formula is written once and serves all three.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # an array or tensor of any shape, or in compiled code one number


def exp(z: Array) -> Array:
    return z.exp() if _is_tensor(z) else np.exp(z)


def tanh(z: Array) -> Array:
    return z.tanh() if _is_tensor(z) else np.tanh(z)


def sqrt(z: Array) -> Array:
    return z.sqrt() if _is_tensor(z) else np.sqrt(z)


def expit(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)) without overflow."""
    if _is_tensor(z):
        return z.sigmoid()
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)


def softplus(z: Array) -> Array:
    """Return log(1 + exp(z)) without overflow."""
    if _is_tensor(z):
        return z.clamp(min=0) + (-z.abs()).exp().log1p()
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def erf(z: Array) -> Array:
    """Return the error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to z."""
    if _is_tensor(z):
        return z.erf()
    from scipy.special import erf as erf_of_arrays

    return erf_of_arrays(z)


def maximum(a: Array, b: Array) -> Array:
    return a.clamp(min=b) if _is_tensor(a) else np.maximum(a, b)


def minimum(a: Array, b: Array) -> Array:
    return a.clamp(max=b) if _is_tensor(a) else np.minimum(a, b)


def absolute(z: Array) -> Array:
    return abs(z)


def sign(z: Array) -> Array:
    return z.sign() if _is_tensor(z) else np.sign(z)


def where(condition: Array, a: Array, b: Array) -> Array:
    if not _is_tensor(condition):
        return np.where(condition, a, b)
    import torch

    return torch.where(condition, a, b)


def _is_tensor(z: Array) -> bool:
    """Tell torch's tensors without importing torch."""
    return type(z).__module__ == "torch"
