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
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from layerwise.errors import nearest
from layerwise.estimators.errors import ConstantColumnWarning, InputError, ParameterError

FLOATS = [np.float64, np.float32]
SHOWN = 5  # columns named in a sentence


def check_choice(estimator: object, name: str, known: Iterable[str]) -> None:
    """Raise ParameterError unless the parameter is one of the known names."""
    value, names = getattr(estimator, name), list(known)
    if value not in names:
        hint = nearest(value, names) if isinstance(value, str) else ""
        raise ParameterError(f"{name} must be one of {', '.join(names)}, received {value!r}.{hint}")


def check_number(estimator: object, name: str, low: float, high: float, expected: str) -> None:
    """Raise ParameterError unless the parameter is a finite number from low to high."""
    value = getattr(estimator, name)
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not low <= value <= high:
        raise ParameterError(f"{name} must be {expected}, received {value!r}.")


def check_data(estimator: Any, inputs: Any, targets: Any, *, classes: bool, reset: bool) -> tuple[Any, NDArray[Any]]:
    """Return inputs as an array or CSR matrix of floats, and targets as an array; note the names of the features.

    Raises InputError, in a sentence, for what cannot be learned from.
    """
    try:
        checked = validate_data(
            estimator, inputs, targets, accept_sparse="csr", dtype=FLOATS, order="C", multi_output=not classes,
            y_numeric=not classes, reset=reset,
        )  # fmt: skip
    except ValueError as error:
        raise InputError(" ".join(str(error).split("\n")[0].split())) from None
    if classes:
        check_classification_targets(checked[1])
    return checked[0], checked[1]


def class_numbers(labels: NDArray[Any], name: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the classes in order and each sample's number of its class. Raises InputError for a single class."""
    classes, numbers = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(
            f"{name} tells classes apart, and all labels are of one class, {classes[0]!r}; give at least two."
        )
    return classes, numbers


def numbers_of(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.intp]:
    """Return each sample's number of its class. Raises InputError for a label that is none of the classes."""
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise InputError(f"The label {unknown[0]!r} is not among the classes {classes} of the first call.")
    return np.searchsorted(classes, labels)


def weights_of(
    estimator: Any, inputs: Any, sample_weight: Any, labels: NDArray[Any] | None
) -> NDArray[np.float64] | None:
    """Return the samples' weights (n,) with the classes' weights in them; None where all count alike."""
    weights = None
    if sample_weight is not None:
        weights = _check_sample_weight(sample_weight, inputs, dtype=np.float64, ensure_non_negative=True)
    class_weight = getattr(estimator, "class_weight", None)
    if class_weight is not None and labels is not None:
        by_class = compute_sample_weight(class_weight, labels)
        weights = by_class if weights is None else weights * by_class
    if weights is not None and not weights.any():
        raise InputError("All sample weights are zero, so there is nothing to learn from; give some of them a weight.")
    return weights


def warn_of_constant_columns(estimator: Any, inputs: Any) -> None:
    """Warn, in one sentence, of columns that have the same value in every row of an array with several rows."""
    if sp.issparse(inputs) or len(inputs) < 2:
        return
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
