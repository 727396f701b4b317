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
from layerwise.neuron.dense import CROSS_ENTROPY, Plan, backward, forward, make_work, numbers, work_size
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
    plan: Any, parameters: Any, work: Any, inputs: Any, targets: Any, weights: Any, chosen: Any, key: Any,
    gradient: Any, part: Any,
) -> Any:  # fmt: skip
    """Write the gradient of the mean loss over the chosen samples; returns that loss. key: of dropout, 0 for none."""
    lanes = work.x.shape[1]
    losses_a_sample = 1 if plan.loss == CROSS_ENTROPY else plan.units[-1]
    scale = 1.0 / (chosen.size * losses_a_sample)
    cost = 0.0
    for first in range(0, chosen.size, lanes):
        load(work, inputs, targets, weights, chosen[first : first + lanes], scale)
        forward(plan, parameters, work, key, first)
        if first == 0:
            cost = backward(plan, parameters, work, gradient)
        else:
            cost += backward(plan, parameters, work, part)
            add(part, gradient)
    return cost


@compiled
def add(part: Any, total: Any) -> None:
    for i in range(total.size):
        total[i] += part[i]


@compiled
def copy_lanes(flat: Any, lanes: Any, rows: Any, first: Any) -> None:
    """Copy the lanes of a batch into the columns of `rows` from `first` on, as many as there are."""
    for j in range(rows.shape[0]):
        for s in range(min(lanes, rows.shape[1] - first)):
            rows[j, first + s] = flat[j * lanes + s]


@compiled
def lend(plan: Any) -> Any:
    """Return the plan with borrowed arrays (see compiled.borrow_view)."""
    return Plan(
        numbers(plan.inputs), numbers(plan.units), numbers(plan.pieces), numbers(plan.activations),
        numbers(plan.starts), numbers(plan.sums_before), numbers(plan.units_before),
        plan.loss, plan.on_raw, plan.dropout,
    )  # fmt: skip


@compiled
def run_epochs(
    plan: Any, settings: Any, parameters: Any, m: Any, v: Any, inputs: Any, targets: Any, weights: Any,
    batch_size: Any, rates: Any, seed: Any, first_epoch: Any, costs: Any, arena: Any, gradient: Any, part: Any,
) -> Any:  # fmt: skip
    """Train as `train` says; arena, gradient and part are the memory for it."""
    samples = inputs.shape[0]
    steps_an_epoch = -(-samples // batch_size)
    work = make_work(plan, lanes_for(batch_size), arena)
    plan, parameters, m, v = lend(plan), numbers(parameters), numbers(m), numbers(v)
    gradient, part = numbers(gradient), numbers(part)
    taken = 0
    for epoch in range(costs.size):
        order = chance.permutation(seed, first_epoch + epoch, samples)
        total = 0.0
        for start in range(0, samples, batch_size):
            chosen = order[start : start + batch_size]
            count = first_epoch * steps_an_epoch + taken + 1
            key = chance.key_of(seed, chance.DROPOUT, count) if plan.dropout > 0 else np.uint64(0)
            cost = batch_gradient(plan, parameters, work, inputs, targets, weights, chosen, key, gradient, part)
            if not np.isfinite(cost):
                for missing in range(epoch, costs.size):
                    costs[missing] = np.nan
                return taken
            step(plan, settings, rates[taken], count, parameters, gradient, m, v)
            total += cost * chosen.size
            taken += 1
        costs[epoch] = total / samples
    return taken


@compiled
def look_at(plan: Any, parameters: Any, inputs: Any, sums: Any, values: Any, lanes: Any, arena: Any) -> None:
    """Evaluate as `evaluate` says; arena is the memory for it."""
    samples = inputs.shape[0]
    work = make_work(plan, lanes, arena)
    targets, weights = np.zeros((samples, 0), inputs.dtype), np.zeros(samples, inputs.dtype)
    everyone = np.arange(samples)
    for first in range(0, samples, lanes):
        load(work, inputs, targets, weights, everyone[first : first + lanes], 1.0)
        forward(plan, parameters, work, np.uint64(0), first)
        copy_lanes(work.z, lanes, sums, first)
        copy_lanes(work.a, lanes, values, first)


@compiled
def whole_gradient(
    plan: Any, parameters: Any, inputs: Any, targets: Any, weights: Any, gradient: Any, part: Any, arena: Any
) -> Any:
    """Differentiate as `differentiate` says; part and arena are the memory for it."""
    samples = inputs.shape[0]
    work, everyone = make_work(plan, lanes_for(samples), arena), np.arange(samples)
    return batch_gradient(plan, parameters, work, inputs, targets, weights, everyone, np.uint64(0), gradient, part)


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
        arena = np.zeros(work_size(plan, lanes_for(batch_size)), parameters.dtype)
        gradient, part = np.empty_like(parameters), np.empty_like(parameters)
        return run_epochs(
            plan, settings, parameters, m, v, inputs, targets, weights,
            batch_size, rates, seed, first_epoch, costs, arena, gradient, part,
        )  # fmt: skip

    @entry
    def evaluate(plan: Any, parameters: Any, inputs: Any, sums: Any, values: Any) -> None:
        """Fill `sums` and `values`, (neurons of all layers, samples), without dropout."""
        stamp  # noqa: B018
        lanes = lanes_for(inputs.shape[0])
        arena = np.zeros(work_size(plan, lanes), parameters.dtype)
        look_at(plan, parameters, inputs, sums, values, lanes, arena)

    @entry
    def differentiate(plan: Any, parameters: Any, inputs: Any, targets: Any, weights: Any, gradient: Any) -> Any:
        """Write the gradient of the mean loss over all samples, without dropout; returns that loss."""
        stamp  # noqa: B018
        arena = np.zeros(work_size(plan, lanes_for(inputs.shape[0])), parameters.dtype)
        return whole_gradient(
            plan, parameters, inputs, targets, weights, gradient, np.empty_like(gradient), arena
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
