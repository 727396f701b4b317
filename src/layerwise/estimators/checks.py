"""What estimators ask of their parameters and data before they learn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from layerwise.errors import nearest
from layerwise.estimators.errors import ConstantColumnWarning, InputError, ParameterError
from layerwise.estimators.flaws import sentence

FLOATS = [np.float64, np.float32]
SHOWN = 5  # columns named in a sentence


def check_choice(estimator: object, name: str, known: Iterable[str]) -> None:
    """Raise ParameterError unless the parameter is one of the known names."""
    value, names = getattr(estimator, name), list(known)
    if value not in names:
        hint = nearest(value, names) if isinstance(value, str) else ""
        raise ParameterError(f"`{name}` must be one of {', '.join(names)}, received {value!r}.{hint}")


def check_number(estimator: object, name: str, low: float, high: float, expected: str) -> None:
    """Raise ParameterError unless the parameter is a finite number from low to high."""
    value = getattr(estimator, name)
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not low <= value <= high:
        raise ParameterError(f"`{name}` must be {expected}, received {value!r}.")


def whole_number(estimator: object, name: str, low: int, words: str = "") -> int:
    """Return a parameter as an int. Raises ParameterError unless it is a whole number of at least `low`."""
    value = getattr(estimator, name)
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < low:
        raise ParameterError(f"`{name}` must be a whole number of at least {low}{words}, received {value!r}.")
    return int(value)


def check_data(estimator: Any, inputs: Any, targets: Any, *, classes: bool, reset: bool) -> tuple[Any, NDArray[Any]]:
    """Return inputs as an array or CSR matrix of floats, and targets as an array; note the names of the features.

    Raises InputError, in a sentence, for what cannot be learned from.
    """
    try:
        X, y = validate_data(
            estimator, inputs, targets, accept_sparse="csr", dtype=FLOATS, order="C", multi_output=not classes,
            y_numeric=not classes, reset=reset,
        )  # fmt: skip
        y = y if classes else y.astype(np.float64)
    except ValueError as error:
        raise InputError(sentence(error, inputs, targets)) from None
    if classes and type_of_target(y).startswith(("continuous", "unknown", "multilabel")):
        raise InputError(
            f"Unknown label type: {type(estimator).__name__} tells classes apart, and y holds {type_of_target(y)} "
            f"values such as {plain(y.ravel()[0])!r}; give a whole number or a word for each row."
        )
    return X, y


def check_inputs(estimator: Any, inputs: Any) -> Any:
    """Return inputs to answer for, as an array or CSR matrix of floats. Raises InputError, in a sentence."""
    check_is_fitted(estimator)
    try:
        return validate_data(estimator, inputs, accept_sparse="csr", dtype=FLOATS, reset=False)
    except ValueError as error:
        raise InputError(sentence(error, inputs)) from None


def class_numbers(labels: NDArray[Any], name: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the classes in order and each sample's number of its class. Raises InputError for a single class."""
    classes, numbers = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(
            f"{name} tells classes apart, and all labels are of one class, {plain(classes[0])!r}; give at least two."
        )
    return classes, numbers


def plain(value: Any) -> Any:
    """Return a NumPy value as Python's own, which is shown without its type."""
    return value.item() if isinstance(value, np.generic) else value


def numbers_of(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.intp]:
    """Return each sample's number of its class. Raises InputError for a label that is none of the classes."""
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise InputError(f"The label {plain(unknown[0])!r} is not among the classes {classes} of the first call.")
    return np.searchsorted(classes, labels)


def weights_of(
    estimator: Any, inputs: Any, sample_weight: Any, labels: NDArray[Any] | None
) -> NDArray[np.float64] | None:
    """Return the samples' weights (n,) with the classes' weights in them; None where all count alike."""
    weights = None
    if sample_weight is not None:
        try:
            weights = _check_sample_weight(sample_weight, inputs, dtype=np.float64, ensure_non_negative=True)
        except ValueError as error:
            reason = str(error).split("\n")[0].rstrip("!.")
            raise InputError(
                f"sample_weight must be {inputs.shape[0]} finite numbers of at least 0, not all of them zero, one for "
                f"each row of X: {reason}."
            ) from None
    class_weight = getattr(estimator, "class_weight", None)
    if class_weight is not None and labels is not None:
        by_class = compute_sample_weight(class_weight, labels)
        weights = by_class if weights is None else weights * by_class
    if weights is not None and not weights.any():
        raise InputError("All sample weights are zero, so there is nothing to learn from; give some of them a weight.")
    return weights


def warn_of_constant_columns(estimator: Any, inputs: Any) -> None:
    """Warn, in one sentence, of columns that have the same value in every row; of a sparse matrix, zero."""
    if inputs.shape[0] < 2:
        return
    if sp.issparse(inputs):
        constant = np.flatnonzero(np.bincount(inputs.indices, minlength=inputs.shape[1]) == 0)  # all zeros
    else:
        constant = np.flatnonzero((inputs[:2] == inputs[0]).all(0))
        constant = constant[(inputs[:, constant] == inputs[0, constant]).all(0)]
    if not len(constant):
        return
    known = getattr(estimator, "feature_names_in_", None)
    names = [str(index) if known is None else f"'{known[index]}'" for index in constant[:SHOWN]]
    more = f" and {len(constant) - SHOWN} more" if len(constant) > SHOWN else ""
    warnings.warn(
        f"Column {', '.join(names)}{more} has one value in every row, so nothing can be learned from it; leave it out.",
        ConstantColumnWarning,
        stacklevel=4,
    )
