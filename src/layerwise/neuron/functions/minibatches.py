"""Gradient descent on data in batches, and how far the gradient of a batch is from that of all samples.

A batch of B of n samples, drawn without repetition, has the right gradient on average, and its squared distance from
the full gradient g is on average

    E |g_B - g|^2 = (1 / B) (n - B) / (n - 1) V,    V = mean |g_i - g|^2 over the samples' gradients g_i

(Cochran 1977, 'Sampling techniques', theorem 2.2): the noise falls as one over the root of the batch size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import UsageError
from layerwise.neuron.engine.updates import Optimizer, Settings
from layerwise.neuron.functions.cost import NeuronCost

Floats = NDArray[np.floating[Any]]

FAR = 1e100


@dataclass(frozen=True)
class BatchDescent:
    """A descent on data.

    steps: (m,) at which it was looked at, the start first; epochs: the same in passes over the data.
    points: (m, features + 1), costs: (m,) the cost over all samples.
    diverged: the step from which the cost is higher than at the start for good, or None.
    """

    cost: NeuronCost
    batch_size: int
    optimizer: str
    settings: Settings
    steps: NDArray[np.int64]
    epochs: Floats
    points: Floats
    costs: Floats
    diverged: int | None

    @property
    def end(self) -> Floats:
        """The last weights and bias."""
        last: Floats = self.points[-1]
        return last

    @property
    def largest_stable_rate(self) -> float | None:
        """The rate under which full-batch steps are sure not to diverge, where the loss has a curvature."""
        bound = self.cost.curvature_bound
        factors = {
            "sgd": 1.0,
            "momentum": 1 + self.settings.momentum,
            "nesterov": (1 + self.settings.momentum) / (1 + 2 * self.settings.momentum),
        }
        return None if bound is None or self.optimizer not in factors else 2 * factors[self.optimizer] / bound


def descend_on_data(
    cost: NeuronCost,
    batch_size: int,
    *,
    epochs: int,
    optimizer: str = "sgd",
    learning_rate: float | None = None,
    momentum: float = 0.9,
    seed: int = 0,
    start: Floats | None = None,
    looks: int = 200,
) -> BatchDescent:
    """Walk down the cost in batches, a last smaller one included; the order follows from (seed, epoch).

    learning_rate: None takes the cost's default. start: zeros if None. looks: at most so many points are kept.
    The walk ends early where the cost is no finite number any more.
    Raises UsageError for settings that cannot work.
    """
    count, features = cost.inputs.shape
    if not 1 <= batch_size <= count:
        raise UsageError(
            f"`batch_size` must be from 1 to {count}, the number of samples, or full, received {batch_size}."
        )
    if epochs < 1:
        raise UsageError(f"`epochs` must be a whole number of at least 1, received {epochs}.")
    settings = Settings(cost.default_rate if learning_rate is None else learning_rate, momentum)
    v = np.array(np.zeros(features + 1) if start is None else start, dtype=np.float64)
    stepper = Optimizer(optimizer, settings, v.shape)
    batches = -(-count // batch_size)
    total = epochs * batches
    due = set(np.unique(np.linspace(0, total, min(looks, total) + 1).round().astype(int)).tolist())
    steps, points, costs = [0], [v], [cost.value(v)]
    with np.errstate(all="ignore"):
        for step in range(1, total + 1):
            epoch, place = divmod(step - 1, batches)
            if place == 0:
                order = np.random.default_rng((seed, epoch)).permutation(count)
            rows = order[place * batch_size : (place + 1) * batch_size]
            v = stepper.step(v, cost.gradient(v, rows).astype(np.float64))
            v = cost.shrink(v, stepper.sizes).astype(np.float64)
            if step in due or not np.abs(v).max() < FAR:
                steps.append(step)
                points.append(v)
                costs.append(cost.value(v))
                if not costs[-1] < FAR:
                    break
    values = np.array(costs)
    taken = np.array(steps)
    return BatchDescent(
        cost,
        batch_size,
        optimizer,
        settings,
        taken,
        taken / batches,
        np.array(points),
        values,
        _diverged(taken, values),
    )


def _diverged(steps: NDArray[np.int64], costs: Floats) -> int | None:
    if costs[-1] <= costs[0]:
        return None
    return int(steps[int(np.flatnonzero(costs <= costs[0])[-1]) + 1])


@dataclass(frozen=True)
class Noise:
    """How far the gradients of batches of one size are from the full one, over many drawn batches.

    deviation: root of the mean of |g_B - g|^2 / |g|^2; predicted: the same by the formula above.
    angle_deg: mean angle between the two.
    """

    batch_size: int
    deviation: float
    predicted: float
    angle_deg: float


def measure_noise(gradients: Floats, sizes: Sequence[int], draws: int = 300, seed: int = 0) -> list[Noise]:
    """Draw batches of each size from the samples' gradients (n, parameters) and compare with their mean.

    Raises UsageError where the full gradient is zero, so that there is nothing to compare with.
    """
    count = len(gradients)
    full = gradients.mean(0)
    length = float(np.linalg.norm(full))
    if length == 0:
        raise UsageError("The gradient over all samples is zero here, so that noise relative to it has no meaning.")
    spread = float(((gradients - full) ** 2).sum(1).mean())
    random = np.random.default_rng(seed)
    rows = []
    for size in sizes:
        chosen = np.zeros((draws, count))
        for row in chosen:
            row[random.choice(count, size, replace=False)] = 1 / size
        drawn = chosen @ gradients  # (draws, parameters)
        deviation = float(np.sqrt(((drawn - full) ** 2).sum(1).mean())) / length
        predicted = float(np.sqrt(spread * (count - size) / max(count - 1, 1) / size)) / length
        lengths = np.linalg.norm(drawn, axis=1)
        cosines = (drawn @ full) / np.where(lengths > 0, lengths, 1) / length
        rows.append(Noise(size, deviation, predicted, float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean())))
    return rows


def noise_exponent(rows: Sequence[Noise]) -> float:
    """Return the power of the batch size by which the deviation falls, -0.5 in theory, fitted to the small batches."""
    small = [row for row in rows if row.predicted > 0][: max(2, len(rows) // 2 + 1)]
    slope, _ = np.polyfit(np.log([row.batch_size for row in small]), np.log([row.deviation for row in small]), 1)
    return float(slope)
