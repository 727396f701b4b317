"""JAX as it is fastest: an epoch is one compiled scan over its steps, with the weights given up to it."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import Array, lax
from jax import numpy as jnp
from networks import channels_last_weights
from workload import BATCH_SIZE, LEARNING_RATE, Data, Workload

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
Weights = list[Array]


class Loop:
    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.forward = mlp if workload.net == "mlp" else lenet5
        self.inputs, self.labels = jnp.asarray(data.inputs.transpose(0, 2, 3, 1)), jnp.asarray(data.labels)
        self.epoch = jax.jit(partial(scan_epoch, self.forward), donate_argnums=0)

    def train(self) -> float:
        weights = [jnp.array(weight) for weight in channels_last_weights(self.workload.net)]
        zeros = [jnp.zeros_like(weight) for weight in weights]
        state: Any = jax.block_until_ready((weights, zeros, [jnp.copy(z) for z in zeros], jnp.zeros(())))
        random = np.random.default_rng(1)
        started = time.perf_counter()
        for _ in range(self.workload.epochs):
            order = random.permutation(len(self.labels)).reshape(-1, BATCH_SIZE)
            state = self.epoch(state, order, self.inputs, self.labels)
        jax.block_until_ready(state)
        ended = time.perf_counter()
        self.weights = state[0]
        return ended - started

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        return np.asarray(self.forward(self.weights, jnp.asarray(inputs.transpose(0, 2, 3, 1))))


def scan_epoch(forward: Any, state: Any, order: Array, inputs: Array, labels: Array) -> Any:
    """Take one Adam step for each row of `order`, (steps, batch) positions of samples."""

    def loss_of(weights: Weights, chosen: Array) -> Array:
        log_shares = jax.nn.log_softmax(forward(weights, inputs[chosen]))
        return -jnp.take_along_axis(log_shares, labels[chosen][:, None], axis=1).mean()

    def step(state: Any, chosen: Array) -> Any:
        weights, means, squares, count = state
        gradients = jax.grad(loss_of)(weights, chosen)
        count = count + 1
        means = [BETA1 * m + (1 - BETA1) * g for m, g in zip(means, gradients, strict=True)]
        squares = [BETA2 * s + (1 - BETA2) * g * g for s, g in zip(squares, gradients, strict=True)]
        rate, correction = LEARNING_RATE / (1 - BETA1**count), 1 - BETA2**count
        weights = [
            w - rate * m / (jnp.sqrt(s / correction) + EPSILON) for w, m, s in zip(weights, means, squares, strict=True)
        ]
        return (weights, means, squares, count), None

    return lax.scan(step, state, order)[0]


def mlp(weights: Weights, x: Array) -> Array:
    return dense(weights, x.reshape(len(x), -1))


def lenet5(weights: Weights, x: Array) -> Array:
    for kernel, bias, padding in ((*weights[0:2], "SAME"), (*weights[2:4], "VALID")):
        x = lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias
        x = lax.reduce_window(jax.nn.relu(x), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return dense(weights[4:], x.reshape(len(x), -1))


def dense(weights: Weights, x: Array) -> Array:
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    for kernel, bias in layers[:-1]:
        x = jax.nn.relu(x @ kernel + bias)
    return x @ layers[-1][0] + layers[-1][1]
