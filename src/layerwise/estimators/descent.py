"""A neuron trained by mini-batch gradient descent, on the dense engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from layerwise.errors import DivergedError
from layerwise.estimators.errors import ParameterError
from layerwise.neuron.losses import LOSSES
from layerwise.neuron.network import DenseStack, DescentConfig, StackConfig

Array = NDArray[Any]


@dataclass(frozen=True)
class Descended:
    """Weights (k, d), biases (k,) and the loss of every epoch."""

    weights: NDArray[np.float64]
    biases: NDArray[np.float64]
    losses: list[float]


def seed_of(random_state: Any) -> int:
    """Return the seed that scikit-learn's kinds of random_state stand for."""
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _stable_rate(neuron: Any, x: Array, sample_weight: Any, count: int) -> str:
    """Say that the rate was too large, and which is the largest that plain descent can take, 2 / curvature."""
    told = f"learning_rate={neuron.learning_rate:g} is too large"
    bend = {"squared": 2.0, "huber": 1.0, "squared-hinge": 2.0, "logistic": 0.25, "cross-entropy": 0.5}.get(neuron.loss)
    if bend is None or neuron.activation not in ("identity", LOSSES[neuron.loss].link):
        return f"{told}; try a tenth of it."
    weights = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    wide = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    largest = float(np.linalg.norm(wide * np.sqrt(weights / weights.sum())[:, None], 2)) ** 2
    rate = 2 / (bend * largest) * (1 if neuron.loss == "cross-entropy" else count)
    return f"{told}: the largest stable rate for all samples at once is {rate:.3g}."


def descend(
    neuron: Any, inputs: Any, targets: Array, sample_weight: Any, start: tuple[Array, Array] | None, epochs: int
) -> Descended:
    """Train one neuron, or one a class or column, for some epochs; from zero weights unless told where to start."""
    if not neuron.fit_intercept:
        raise ParameterError("Gradient descent always learns a bias; set fit_intercept=True, or use another solver.")
    if neuron.loss == "cross-entropy":
        count, aims = len(neuron.classes_), targets
    else:
        count = 1 if targets.ndim == 1 else targets.shape[1]
        aims = (targets + 1) / 2 if LOSSES[neuron.loss].targets == "bits" else targets
    penalised = neuron.penalty != "none"
    # the engine's cost is a mean over the outputs, ours a sum
    strength = neuron.strength / (1 if neuron.loss == "cross-entropy" else count) if penalised else 0.0
    plan = StackConfig(sizes=(inputs.shape[1], count), output=neuron.activation, loss=neuron.loss)
    batch_size = neuron.batch_size if neuron.batch_size == "full" else int(neuron.batch_size)
    path = DescentConfig(
        epochs=int(epochs), batch_size=batch_size, optimizer=neuron.optimizer, learning_rate=neuron.learning_rate,
        penalty=neuron.penalty, strength=strength, mix=neuron.mix, seed=seed_of(neuron.random_state),
    )  # fmt: skip
    dtype = np.float32 if inputs.dtype == np.float32 else np.float64
    first = start or (np.zeros((count, inputs.shape[1])), np.zeros(count))
    network = DenseStack(plan, path, dtype=dtype, weights=[(first[0].astype(dtype), first[1].astype(dtype))])
    x = np.asarray(inputs.todense()) if sp.issparse(inputs) else inputs
    x = np.ascontiguousarray(x, dtype)
    try:
        losses = network.fit(x, aims, sample_weight)
    except DivergedError as error:
        raise DivergedError(f"{error} {_stable_rate(neuron, x, sample_weight, count)}") from None
    weights, biases = network.weights[0]
    return Descended(weights.astype(np.float64), biases.astype(np.float64), losses)
