"""The compiled entry points: whole epochs of training, and one look at a network without training it.

Numba compiles these for float32 and for float64 and keeps them on disk. All that they call is compiled into them,
while Numba's own check looks at this file alone; hence the stamp, by which code made of older files is not found.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from layerwise.neuron.engine import counter_rng
from layerwise.neuron.engine.compiled import borrow, compiled
from layerwise.neuron.engine.dense import CROSS_ENTROPY, Plan, backward, forward, make_work, numbers, work_size
from layerwise.neuron.engine.optimizers import Learner, step
from layerwise.neuron.engine.source_hash import source_hash
from layerwise.neuron.engine.targets import Samples

MOST_LANES = 1024  # larger batches go through in pieces, whose gradients are added up: arrays stay in the cache
LANES_OF_A_VECTOR = 8
CLIP_EPSILON = 1e-6  # as in torch.nn.utils.clip_grad_norm_

entry = njit(cache=True, nogil=True, error_model="numpy")


class Course(NamedTuple):
    """Which epochs are trained. rates: of each of their steps. costs: (epochs,), gets the mean loss of each."""

    batch_size: Any
    rates: Any
    seed: Any
    first_epoch: Any
    costs: Any


class Memory(NamedTuple):
    """What a batch needs: its arrays, its gradient, and the gradient of a part of it."""

    work: Any
    gradient: Any
    part: Any


@compiled
def lanes_for(samples: Any) -> Any:
    """Return how many lanes a batch of so many samples gets: whole vectors, but one sample alone."""
    if samples == 1:
        return 1
    return min(MOST_LANES, -(-samples // LANES_OF_A_VECTOR) * LANES_OF_A_VECTOR)


@compiled
def load(work: Any, samples: Samples, chosen: Any, scale: Any) -> None:
    """Put the chosen samples into the lanes, and nothing into the lanes that are left."""
    lanes = work.x.shape[1]
    for feature in range(samples.inputs.shape[1]):
        row = work.x[feature]
        for s in range(chosen.size):
            row[s] = samples.inputs[chosen[s], feature]
    for output in range(samples.targets.shape[1]):
        row = work.y[output]
        for s in range(chosen.size):
            row[s] = samples.targets[chosen[s], output]
    for s in range(chosen.size):
        work.share[s] = samples.weights[chosen[s]] * scale
    for s in range(chosen.size, lanes):
        work.share[s] = 0


@compiled
def batch_gradient(plan: Any, parameters: Any, memory: Any, samples: Samples, chosen: Any, key: Any) -> Any:
    """Write the gradient of the mean loss over the chosen samples; returns that loss. key: of dropout, 0 for none."""
    lanes = memory.work.x.shape[1]
    losses_a_sample = 1 if plan.loss == CROSS_ENTROPY else plan.units[-1]
    scale = 1.0 / (chosen.size * losses_a_sample)
    cost = 0.0
    for first in range(0, chosen.size, lanes):
        load(memory.work, samples, chosen[first : first + lanes], scale)
        forward(plan, parameters, memory.work, key, first)
        if first == 0:
            cost = backward(plan, parameters, memory.work, memory.gradient)
        else:
            cost += backward(plan, parameters, memory.work, memory.part)
            add(memory.part, memory.gradient)
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
def lend_learner(learner: Any) -> Any:
    """Return the learner with borrowed arrays."""
    return Learner(numbers(learner.parameters), numbers(learner.m), numbers(learner.v))


@compiled
def lend_samples(samples: Any) -> Any:
    """Return the samples with borrowed arrays."""
    inputs, targets = samples.inputs, samples.targets
    return Samples(borrow(inputs, 0, inputs.shape), borrow(targets, 0, targets.shape), numbers(samples.weights))


@compiled
def memory_size(plan: Any, batch_size: Any) -> Any:
    """Return how many numbers the memory for batches of that size takes."""
    return work_size(plan, lanes_for(batch_size)) + 2 * plan.starts[-1]


@compiled
def make_memory(plan: Any, batch_size: Any, arena: Any) -> Any:
    """Return the memory for batches of that size, cut from `arena`, memory_size zeros, which the caller keeps."""
    size, lanes = plan.starts[-1], lanes_for(batch_size)
    start = work_size(plan, lanes)
    return Memory(
        make_work(plan, lanes, arena), borrow(arena, start, (size,)), borrow(arena, start + size, (size,))
    )  # fmt: skip


@compiled
def run_epochs(plan: Any, settings: Any, learner: Any, samples: Any, course: Any, arena: Any) -> Any:
    """Train as `train` says, with borrowed arrays; arena is the memory for it."""
    count, batch_size = samples.inputs.shape[0], course.batch_size
    memory = make_memory(plan, batch_size, arena)
    before, taken = course.first_epoch * -(-count // batch_size), 0
    for epoch in range(course.costs.size):
        order = counter_rng.permutation(course.seed, course.first_epoch + epoch, count)
        total = 0.0
        for start in range(0, count, batch_size):
            chosen = order[start : start + batch_size]
            number = before + taken + 1
            key = counter_rng.key_of(course.seed, counter_rng.DROPOUT, number) if plan.dropout > 0 else np.uint64(0)
            cost = batch_gradient(plan, learner.parameters, memory, samples, chosen, key)
            if not np.isfinite(cost):
                course.costs[epoch:] = np.nan
                return taken
            step(plan, settings, course.rates[taken], number, learner, memory.gradient)
            total += cost * chosen.size
            taken += 1
        course.costs[epoch] = total / count
    return taken


@compiled
def whole_gradient(plan: Any, parameters: Any, samples: Any, gradient: Any, arena: Any) -> Any:
    """Differentiate as `differentiate` says; arena is the memory for it."""
    everyone = np.arange(samples.inputs.shape[0])
    memory = make_memory(plan, everyone.size, arena)
    cost = batch_gradient(plan, parameters, memory, samples, everyone, np.uint64(0))
    gradient[:] = memory.gradient
    return cost


@compiled
def write_shares(labels: Any, smoothing: Any, targets: Any) -> None:
    """Turn class numbers into shares of classes, `smoothing` of each sample's spread evenly over all."""
    classes = targets.shape[1]
    for s in range(labels.size):
        for j in range(classes):
            targets[s, j] = smoothing / classes
        targets[s, labels[s]] += 1 - smoothing


@compiled
def one_step(
    plan: Any,
    settings: Any,
    learner: Any,
    samples: Any,
    everyone: Any,
    rate: Any,
    number: Any,
    longest: Any,
    arena: Any,
) -> Any:
    """Take a step as `take_step` says, with borrowed arrays; arena is the memory for it."""
    memory = make_memory(plan, everyone.size, arena)
    gradient = memory.gradient
    cost = batch_gradient(plan, learner.parameters, memory, samples, everyone, np.uint64(0))
    squares = 0.0
    for i in range(gradient.size):
        squares += np.float64(gradient[i]) * np.float64(gradient[i])
    norm = np.sqrt(squares)
    if not np.isfinite(cost) or not np.isfinite(norm):
        return cost, norm
    if 0 < longest < norm + CLIP_EPSILON:
        factor = gradient.dtype.type(longest / (norm + CLIP_EPSILON))
        for i in range(gradient.size):
            gradient[i] *= factor
    step(plan, settings, rate, number, learner, gradient)
    return cost, norm


@compiled
def look_at(plan: Any, parameters: Any, inputs: Any, sums: Any, values: Any, arena: Any) -> None:
    """Evaluate as `evaluate` says; arena is the memory for it."""
    count, lanes = inputs.shape[0], lanes_for(inputs.shape[0])
    work = make_work(plan, lanes, arena)
    samples = Samples(inputs, np.zeros((count, 0), inputs.dtype), np.zeros(count, inputs.dtype))
    everyone = np.arange(count)
    for first in range(0, count, lanes):
        load(work, samples, everyone[first : first + lanes], 1.0)
        forward(plan, parameters, work, np.uint64(0), first)
        copy_lanes(work.z, lanes, sums, first)
        copy_lanes(work.a, lanes, values, first)


def _entry_points(stamp: str) -> tuple[Any, ...]:
    @entry
    def train(plan: Any, settings: Any, learner: Any, samples: Any, course: Any) -> Any:
        """Train the epochs of the course.

        Returns the steps taken; fewer than asked for where a loss was not finite, which ends the training before
        that step.
        """
        stamp  # noqa: B018
        arena = np.zeros(memory_size(plan, course.batch_size), learner.parameters.dtype)
        return run_epochs(lend(plan), settings, lend_learner(learner), lend_samples(samples), course, arena)

    @entry
    def evaluate(plan: Any, parameters: Any, inputs: Any, sums: Any, values: Any) -> None:
        """Fill `sums` and `values`, (neurons of all layers, samples), without dropout."""
        stamp  # noqa: B018
        arena = np.zeros(work_size(plan, lanes_for(inputs.shape[0])), parameters.dtype)
        look_at(plan, parameters, inputs, sums, values, arena)

    @entry
    def differentiate(plan: Any, parameters: Any, samples: Any, gradient: Any) -> Any:
        """Write the gradient of the mean loss over all samples, without dropout; returns that loss."""
        stamp  # noqa: B018
        arena = np.zeros(memory_size(plan, samples.inputs.shape[0]), parameters.dtype)
        return whole_gradient(plan, parameters, samples, gradient, arena)

    @entry
    def take_step(
        plan: Any, settings: Any, learner: Any, samples: Any, labels: Any, smoothing: Any, rate: Any, number: Any,
        longest: Any, arena: Any,
    ) -> Any:  # fmt: skip
        """Take step `number`, counted from 1, on a batch without dropout; returns its loss and the gradient's 2-norm.

        labels: class numbers to be turned into the targets of the samples, or none. longest: norm to which the
        gradient is scaled down, 0 for no limit. arena: of new_arena for a batch as large or larger.
        Where the loss or the norm is not finite nothing is changed.
        """
        stamp  # noqa: B018
        write_shares(labels, smoothing, samples.targets)
        return one_step(
            lend(plan), settings, lend_learner(learner), lend_samples(samples), np.arange(samples.inputs.shape[0]),
            rate, number, longest, arena,
        )  # fmt: skip

    @entry
    def new_arena(plan: Any, batch_size: Any, like: Any) -> Any:
        """Return the memory for steps on batches of that size, of the type of an array."""
        stamp  # noqa: B018
        return np.zeros(memory_size(plan, batch_size), like.dtype)

    return train, evaluate, differentiate, take_step, new_arena


train, evaluate, differentiate, take_step, new_arena = _entry_points(source_hash(__file__))
