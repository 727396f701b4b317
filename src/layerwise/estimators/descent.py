"""Neurons trained by mini-batch gradient descent: on the dense engine, or by the written-out walk of walk.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from layerwise.errors import DivergedError
from layerwise.estimators.checks import whole_number
from layerwise.estimators.errors import InputError
from layerwise.estimators.sparse_sgd import SparseSGD
from layerwise.neuron.engine.network import DenseStack, DescentConfig, StackConfig
from layerwise.neuron.functions.cost import BENDS
from layerwise.neuron.tables.losses import LOSSES

Array = NDArray[Any]
POWER_STEPS = 100


def seed_of(random_state: Any) -> int:
    """Return the seed that scikit-learn's kinds of random_state stand for."""
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def descend(
    neuron: Any, inputs: Any, targets: Array, sample_weight: Any, start: tuple[Array, Array] | None, epochs: int
) -> tuple[DenseStack | SparseSGD, list[float]]:
    """Train one neuron, or one a class or column, for some epochs; returns what was trained and each epoch's loss.

    start: weights (neurons, features) and biases (neurons,) to go on from; None starts at zeros. Where they are those
    of the last descent, its optimiser and its epochs go on, too.

    Raises DivergedError, naming the step and the largest stable rate, and InputError where start and targets differ.
    """
    if neuron.loss == "cross-entropy":
        count, aims = len(neuron.classes_), targets
    else:
        count = 1 if targets.ndim == 1 else targets.shape[1]
        aims = (targets + 1) / 2 if LOSSES[neuron.loss].targets == "bits" else targets
    network = _network(neuron, inputs, count, start)
    try:
        return network, network.fit(inputs, aims, sample_weight, count=int(epochs))
    except DivergedError as error:
        raise DivergedError(f"{error} {_stable_rate(neuron, inputs, sample_weight, count)}") from None


def _network(neuron: Any, inputs: Any, count: int, start: tuple[Array, Array] | None) -> DenseStack | SparseSGD:
    """Return what the last descent trained, told of changed settings, or something new."""
    if start is not None and len(start[0]) != count:
        raise InputError(f"The training goes on with {len(start[0])} neurons, and the targets now ask for {count}.")
    # the engine's cost is a mean over the outputs, ours a sum
    parts = 1 if neuron.loss == "cross-entropy" else count
    plan = StackConfig(sizes=(inputs.shape[1], count), output=neuron.activation, loss=neuron.loss)
    path = DescentConfig(
        batch_size="full" if neuron.batch_size == "full" else whole_number(neuron, "batch_size", 1, " or 'full'"),
        optimizer=neuron.optimizer, learning_rate=neuron.learning_rate, penalty=neuron.penalty,
        penalty_strength=neuron.penalty_strength / parts if neuron.penalty != "none" else 0.0, mix=neuron.mix,
        seed=seed_of(neuron.random_state),
    )  # fmt: skip
    is_walk = sp.issparse(inputs) or not neuron.fit_intercept
    dtype = np.float32 if inputs.dtype == np.float32 and not is_walk else np.float64
    last = getattr(neuron, "_descent", None)
    if start is not None and last is not None and _goes_on(last, plan, path, start, dtype, is_walk):
        last.descent = path
        return last  # type: ignore[no-any-return]
    W, b = start or (np.zeros((count, inputs.shape[1])), np.zeros(count))
    if is_walk:
        return SparseSGD(plan, path, W, b if neuron.fit_intercept else None)
    return DenseStack(plan, path, dtype=dtype, weights=[(W.astype(dtype), b.astype(dtype))])


def _goes_on(
    last: DenseStack | SparseSGD,
    plan: StackConfig,
    path: DescentConfig,
    start: tuple[Array, Array],
    dtype: Any,
    walk: bool,
) -> bool:
    """Whether the last descent stands at the start, and can take a step there with its memory."""
    W, b = last.weights[0]
    is_same = last.config == plan and last.descent.optimizer == path.optimizer and dtype == W.dtype
    stands = np.array_equal(W, start[0]) and np.array_equal(b, start[1])
    return is_same and stands and isinstance(last, SparseSGD) == walk


def _stable_rate(neuron: Any, inputs: Any, sample_weight: Any, count: int) -> str:
    """Say that the rate was too large, and which is the largest that plain descent can take, 2 / curvature."""
    told = f"learning_rate={neuron.learning_rate:g} is too large"
    bend = {**BENDS, "cross-entropy": 0.5}.get(neuron.loss)
    if bend is None or neuron.activation not in ("identity", LOSSES[neuron.loss].link):
        return f"{told}; try a tenth of it."
    weights = np.ones(inputs.shape[0]) if sample_weight is None else np.asarray(sample_weight, np.float64)
    spread = _spread(inputs, weights / weights.sum(), bool(neuron.fit_intercept))
    rate = 2 / (bend * spread) * (1 if neuron.loss == "cross-entropy" else count)
    return f"{told}: the largest stable rate for all samples at once is {rate:.3g}."


def _spread(inputs: Any, shares: Array, has_bias: bool) -> float:
    """Return the largest eigenvalue of the mean of (x, 1)(x, 1)', weighted by shares, by the power method."""
    direction, largest = np.ones(inputs.shape[1] + has_bias), 0.0
    for _ in range(POWER_STEPS):
        direction /= np.linalg.norm(direction)
        sums = inputs @ direction[: inputs.shape[1]] + (direction[-1] if has_bias else 0.0)
        turned = inputs.T @ (shares * sums)
        direction = np.append(turned, shares @ sums) if has_bias else turned
        largest = float(np.linalg.norm(direction))
    return largest
