"""The compiled entry points: whole epochs of training, and one look at a network without training it.

Numba compiles these for float32 and for float64 and keeps them on disk. All that they call is compiled into them,
while Numba's own check looks at this file alone; hence the stamp, by which code made of older files is not found.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from layerwise.neuron import chance
from layerwise.neuron.compiled import compiled
from layerwise.neuron.dense import CROSS_ENTROPY, backward, forward, in_layers, make_work
from layerwise.neuron.optimizers import step

MOST_LANES = 1024  # larger batches go through in pieces, whose gradients are added up: arrays stay in the cache
LANES_OF_A_VECTOR = 8

entry = njit(cache=True, nogil=True, error_model="numpy")


@compiled
def lanes_for(samples: Any) -> Any:
    """Return how many lanes a batch of so many samples gets: whole vectors, but one sample alone."""
    if samples == 1:
        return 1
    return min(MOST_LANES, -(-samples // LANES_OF_A_VECTOR) * LANES_OF_A_VECTOR)


@compiled
def load(work: Any, inputs: Any, targets: Any, weights: Any, chosen: Any, scale: Any) -> None:
    """Put the chosen samples into the lanes, and nothing into the lanes that are left."""
    lanes = work.x.shape[1]
    for feature in range(inputs.shape[1]):
        row = work.x[feature]
        for s in range(chosen.size):
            row[s] = inputs[chosen[s], feature]
    for output in range(targets.shape[1]):
        row = work.y[output]
        for s in range(chosen.size):
            row[s] = targets[chosen[s], output]
    for s in range(chosen.size):
        work.share[s] = weights[chosen[s]] * scale
    for s in range(chosen.size, lanes):
        work.share[s] = 0


@compiled
def batch_gradient(
    plan: Any, layers: Any, work: Any, inputs: Any, targets: Any, weights: Any, chosen: Any, key: Any,
    gradient: Any, part: Any,
) -> Any:  # fmt: skip
    """Write the gradient of the mean loss over the chosen samples; returns that loss. key: of dropout, 0 for none."""
    lanes = work.x.shape[1]
    losses_a_sample = 1 if plan.loss == CROSS_ENTROPY else plan.units[-1]
    scale = 1.0 / (chosen.size * losses_a_sample)
    cost = 0.0
    for first in range(0, chosen.size, lanes):
        load(work, inputs, targets, weights, chosen[first : first + lanes], scale)
        forward(plan, layers, work, key, first)
        if first == 0:
            cost = backward(plan, layers, work, gradient)
        else:
            cost += backward(plan, layers, work, part)
            for layer in range(plan.units.size):
                add(part.W[layer].ravel(), gradient.W[layer].ravel())
                add(part.b[layer], gradient.b[layer])
    return cost


@compiled
def add(part: Any, total: Any) -> None:
    for i in range(total.size):
        total[i] += part[i]


@compiled
def copy_lanes(blocks: Any, rows: Any, first: Any) -> None:
    """Copy the lanes of all layers into the columns of `rows` from `first` on, as many as there are."""
    row = 0
    for layer in range(len(blocks)):
        lanes = blocks[layer]
        for j in range(lanes.shape[0]):
            for s in range(min(lanes.shape[1], rows.shape[1] - first)):
                rows[row, first + s] = lanes[j, s]
            row += 1


def _entry_points(stamp: str) -> tuple[Any, Any, Any]:
    @entry
    def train(
        plan: Any, settings: Any, parameters: Any, m: Any, v: Any, inputs: Any, targets: Any, weights: Any,
        batch_size: Any, rates: Any, seed: Any, first_epoch: Any, costs: Any,
    ) -> Any:  # fmt: skip
        """Train an epoch for each number in `costs`, which gets the mean loss over the samples as they were met.

        rates: of each step of these epochs. Returns the steps taken; fewer than asked for where a loss was not
        finite, which ends the training before that step.
        """
        stamp  # noqa: B018
        samples = inputs.shape[0]
        batch_size = min(batch_size, samples)
        steps_an_epoch = -(-samples // batch_size)
        work = make_work(plan, lanes_for(batch_size), parameters)
        gradient, part = np.empty_like(parameters), np.empty_like(parameters)
        layers, slopes, parts = in_layers(plan, parameters), in_layers(plan, gradient), in_layers(plan, part)
        taken = 0
        for epoch in range(costs.size):
            order = chance.permutation(seed, first_epoch + epoch, samples)
            total = 0.0
            for start in range(0, samples, batch_size):
                chosen = order[start : start + batch_size]
                count = first_epoch * steps_an_epoch + taken + 1
                key = chance.key_of(seed, chance.DROPOUT, count) if plan.dropout > 0 else np.uint64(0)
                cost = batch_gradient(plan, layers, work, inputs, targets, weights, chosen, key, slopes, parts)
                if not np.isfinite(cost):
                    for missing in range(epoch, costs.size):
                        costs[missing] = np.nan
                    return taken
                step(plan, settings, rates[taken], count, parameters, gradient, m, v)
                total += cost * chosen.size
                taken += 1
            costs[epoch] = total / samples
        return taken

    @entry
    def evaluate(plan: Any, parameters: Any, inputs: Any, sums: Any, values: Any) -> None:
        """Fill `sums` and `values`, (neurons of all layers, samples), without dropout."""
        stamp  # noqa: B018
        samples = inputs.shape[0]
        work = make_work(plan, lanes_for(samples), parameters)
        lanes = work.x.shape[1]
        targets, weights = np.zeros((samples, 0), inputs.dtype), np.zeros(samples, inputs.dtype)
        everyone, layers = np.arange(samples), in_layers(plan, parameters)
        for first in range(0, samples, lanes):
            chosen = everyone[first : first + lanes]
            load(work, inputs, targets, weights, chosen, 1.0)
            forward(plan, layers, work, np.uint64(0), first)
            copy_lanes(work.z, sums, first)
            copy_lanes(work.a, values, first)

    @entry
    def differentiate(
        plan: Any, parameters: Any, inputs: Any, targets: Any, weights: Any, gradient: Any
    ) -> Any:  # fmt: skip
        """Write the gradient of the mean loss over all samples, without dropout; returns that loss."""
        stamp  # noqa: B018
        samples = inputs.shape[0]
        work = make_work(plan, lanes_for(samples), parameters)
        layers, slopes = in_layers(plan, parameters), in_layers(plan, gradient)
        parts = in_layers(plan, np.empty_like(gradient))
        everyone = np.arange(samples)
        return batch_gradient(
            plan, layers, work, inputs, targets, weights, everyone, np.uint64(0), slopes, parts
        )  # fmt: skip

    return train, evaluate, differentiate


def _stamp() -> str:
    """Return a hash of the files whose code is compiled into the entry points."""
    files = ("elementary", "activations", "losses", "penalties", "compiled", "chance", "dense", "optimizers")
    digest = sha256()
    for name in files:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()


train, evaluate, differentiate = _entry_points(_stamp())
