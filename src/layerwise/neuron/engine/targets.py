"""From what a user hands over to the arrays that the engine learns from, refused in one sentence where it cannot."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import DataError
from layerwise.neuron.tables.losses import TARGETS, Loss

Floats = NDArray[np.floating[Any]]


class Samples(NamedTuple):
    """What a network learns from. inputs (samples, features), targets (samples, outputs), weights (samples,)."""

    inputs: Floats
    targets: Floats
    weights: Floats


def prepare_inputs(inputs: Any, features: int, dtype: np.dtype[Any]) -> Floats:
    """Return finite numbers, (samples, features), contiguous."""
    x = _numbers("inputs", inputs, dtype)
    if x.ndim != 2 or x.shape[1] != features or not len(x):
        raise DataError(f"The inputs must be numbers of shape (samples, {features}), received shape {x.shape}.")
    return _finite("inputs", x)


def prepare_targets(targets: Any, loss: Loss, samples: int, outputs: int, dtype: np.dtype[Any]) -> Floats:
    """Return (samples, outputs) as the loss wants them; class numbers become shares of classes, a single 1 each."""
    y = _finite("targets", _numbers("targets", targets, dtype))
    if loss.targets == "classes" and y.ndim == 1:
        y = _shares(y, outputs)
    elif y.ndim == 1:
        y = y[:, None]
    if y.shape != (samples, outputs):
        raise DataError(f"The targets must have shape {(samples, outputs)}, one row a sample, received {y.shape}.")
    allowed = {"signs": (-1, 1), "bits": (0, 1)}.get(loss.targets)
    if allowed is not None and not (np.isin(y, allowed).all() or (loss.targets == "bits" and _are_shares(y))):
        wrong = y[~np.isin(y, allowed)][0]
        raise DataError(f"The loss {loss.name} needs targets of {TARGETS[loss.targets]}, received {wrong:g}.")
    return np.ascontiguousarray(y)


def prepare_weights(sample_weight: Any, samples: int, dtype: np.dtype[Any]) -> Floats:
    """Return (samples,) weights with a mean of 1."""
    if sample_weight is None:
        return np.ones(samples, dtype)
    weights = _finite("sample weights", _numbers("sample weights", sample_weight, np.dtype(np.float64)))
    if weights.shape != (samples,) or (weights < 0).any() or not weights.any():
        raise DataError(
            f"The sample weights must be {samples} numbers of at least 0, one a sample and not all of them 0, "
            f"received shape {weights.shape}."
        )
    scaled: Floats = (weights / weights.mean()).astype(dtype)
    return scaled


def _shares(labels: Floats, classes: int) -> Floats:
    numbers = labels.astype(np.int64)
    is_class = (numbers == labels) & (numbers >= 0) & (numbers < classes)
    if not is_class.all():
        raise DataError(f"Class numbers must be from 0 to {classes - 1}, received {labels[~is_class][0]:g}.")
    shares: Floats = np.eye(classes, dtype=labels.dtype)[numbers]
    return shares


def _are_shares(y: Floats) -> bool:
    return bool(((y >= 0) & (y <= 1)).all())


def _numbers(what: str, values: Any, dtype: np.dtype[Any]) -> Floats:
    """Return an array that may be written to; for others Numba would compile everything once more."""
    try:
        return np.require(values, dtype, ("C", "W"))
    except (TypeError, ValueError) as error:
        raise DataError(f"The {what} must be numbers: {error}.") from error


def _finite(what: str, values: Floats) -> Floats:
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0, 0])
        raise DataError(f"The {what} must be finite, row {row} holds NaN or infinity.")
    return values
