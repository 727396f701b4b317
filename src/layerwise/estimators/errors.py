"""Errors of the estimators: sentences like all of ours, and ValueErrors as scikit-learn expects them."""

from __future__ import annotations

from layerwise.errors import DataError, UsageError


class InputError(DataError, ValueError):
    """Inputs, targets or weights cannot be learned from as they are."""


class ParameterError(UsageError, ValueError):
    """A parameter of an estimator, or a combination of them, cannot work."""


class ConstantColumnWarning(UserWarning):
    """A column has one value only, so its weight says nothing."""
