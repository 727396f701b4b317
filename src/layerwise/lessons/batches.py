"""The same neuron trained in batches of several sizes, and the noise of their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from layerwise.data.config import DataConfig
from layerwise.errors import UsageError
from layerwise.lessons.neuron import neuron_for
from layerwise.lessons.samples import Samples, load_quietly
from layerwise.neuron.functions.cost import NeuronCost
from layerwise.neuron.functions.minibatches import BatchDescent, Noise, descend_on_data, measure_noise, noise_exponent

ROWS_FOR_NOISE = 2000  # whose gradients are held one by one


@dataclass(frozen=True)
class BatchComparison:
    """descents: one a batch size. noise: of batches of 1, 2, 4, ... and of the sizes asked for, at the start.

    exponent: the power of the batch size by which the noise falls, -0.5 in theory.
    """

    samples: Samples
    cost: NeuronCost
    descents: tuple[BatchDescent, ...]
    noise: tuple[Noise, ...]
    exponent: float

    def to_json(self) -> dict[str, Any]:
        """Return the courses and the noise as plain JSON values; numbers that are none become null."""
        return {
            "data": self.samples.name,
            "activation": self.cost.activation,
            "loss": self.cost.loss,
            "descents": [
                {
                    "batch_size": descent.batch_size,
                    "learning_rate": descent.settings.learning_rate,
                    "epochs": descent.epochs.tolist(),
                    "costs": [float(cost) if np.isfinite(cost) else None for cost in descent.costs],
                    "diverged_at_step": descent.diverged,
                }
                for descent in self.descents
            ],
            "noise": [vars(row) for row in self.noise],
            "noise_exponent": self.exponent,
        }


def compare_batches(
    data: DataConfig,
    sizes: Sequence[int | str],
    *,
    activation: str | None = None,
    loss: str | None = None,
    positive: str | None = None,
    epochs: int = 20,
    optimizer: str = "sgd",
    learning_rate: float | None = None,
    momentum: float = 0.9,
    seed: int = 0,
) -> BatchComparison:
    """Train one neuron in batches of each size from the same start with the same rate, and measure their noise.

    sizes: numbers of samples, or 'full' for all.
    Raises UsageError for sizes, words or data that cannot work, and what `load` raises.
    """
    samples, cost = neuron_for(load_quietly(data, seed), activation, loss, positive=positive)
    count = len(cost.targets)
    chosen = [count if size == "full" else int(size) for size in sizes]
    options = {"epochs": epochs, "optimizer": optimizer, "learning_rate": learning_rate, "momentum": momentum}
    descents = tuple(descend_on_data(cost, size, seed=seed, **options) for size in dict.fromkeys(chosen))  # type: ignore[arg-type]
    noise = measure_at_start(cost, chosen, seed)
    return BatchComparison(samples, cost, descents, noise, noise_exponent(noise))


def measure_at_start(cost: NeuronCost, sizes: Sequence[int], seed: int) -> tuple[Noise, ...]:
    """Return the noise at zero weights for powers of two and `sizes`, among at most 2,000 of the samples."""
    rows = np.random.default_rng(seed).permutation(len(cost.targets))[:ROWS_FOR_NOISE]
    few = NeuronCost(cost.inputs[rows], cost.targets[rows], cost.activation, cost.loss)
    gradients = few.sample_gradients(np.zeros(cost.inputs.shape[1] + 1))
    if len(rows) < 4:
        raise UsageError(f"The noise of batches needs at least 4 samples, received {len(rows)}.")
    powers = [2**power for power in range(len(rows).bit_length()) if 2**power <= len(rows)]
    every = sorted({*powers, *(min(size, len(rows)) for size in sizes), len(rows)})
    return tuple(measure_noise(gradients, every, seed=seed))
