"""The cost of one neuron on some data, as a function of its weights.

    z = X w + b,   a = activation(z),   J(w, b) = mean loss(a, y) + penalty(w)

The parameters are one vector v = (w, b) of (features + 1,), so that any descent can walk on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import UsageError, nearest
from layerwise.neuron.tables.activations import ACTIVATIONS, SYNONYMS, Activation
from layerwise.neuron.tables.losses import LOSSES, TARGETS, Loss
from layerwise.neuron.tables.penalties import PENALTIES

Floats = NDArray[np.floating[Any]]

# The largest second derivative of a loss by the weighted sum; the other losses are made of straight pieces.
BENDS = {"squared": 2.0, "huber": 1.0, "squared-hinge": 2.0, "logistic": 0.25}


@dataclass(frozen=True)
class NeuronCost:
    """J on inputs X (n, features) and targets y (n,), of what the loss asks for (see losses.TARGETS).

    A loss that contains an activation as its link (logistic: sigmoid) is computed on z where that is the
    activation, which is exact for probabilities close to 0 and 1.

    Raises UsageError for names that are unknown or make no single neuron, and for targets that the loss cannot take.
    """

    inputs: Floats
    targets: Floats
    activation: str = "identity"
    loss: str = "squared"
    penalty: str = "none"
    penalty_strength: float = 0.0
    mix: float = 0.5

    def __post_init__(self) -> None:
        check_words(self.activation, self.loss, self.penalty, self.penalty_strength, self.mix)
        allowed = {"signs": (-1, 1), "bits": (0, 1)}.get(LOSSES[self.loss].targets)
        if allowed and not np.isin(self.targets, allowed).all():
            strange = self.targets[~np.isin(self.targets, allowed)][0]
            raise UsageError(
                f"The {self.loss} loss takes targets {TARGETS[LOSSES[self.loss].targets]}, not {strange:g}."
            )

    @property
    def sees_sum(self) -> bool:
        """Whether the loss is computed on z itself."""
        return self.activation in ("identity", LOSSES[self.loss].link)

    def sums(self, v: Floats, rows: Any = slice(None)) -> Floats:
        """Return z (n,)."""
        result: Floats = self.inputs[rows] @ v[:-1].astype(self.inputs.dtype) + v[-1]
        return result

    def outputs(self, z: Floats) -> Floats:
        """Return what the neuron answers for weighted sums z: the activation's value."""
        result: Floats = ACTIVATIONS[self.activation].value(z)
        return result

    def losses(self, z: Floats, rows: Any = slice(None)) -> Floats:
        """Return the loss of each sample at weighted sums z (n, ...)."""
        y = self.targets[rows].reshape(-1, *[1] * (z.ndim - 1))
        result: Floats = LOSSES[self.loss].value(z if self.sees_sum else self.outputs(z), y)
        return result

    def slopes(self, z: Floats, rows: Any = slice(None)) -> Floats:
        """Return dJ/dz of each sample (n,): the loss's slope, times the activation's by the chain rule."""
        loss, y = LOSSES[self.loss], self.targets[rows]
        if self.sees_sum:
            result: Floats = loss.slope(z, y)
            return result
        a = self.outputs(z)
        chained: Floats = loss.slope(a, y) * ACTIVATIONS[self.activation].slope(z, a)
        return chained

    def price(self, v: Floats) -> float:
        """Return what the penalty asks for the weights."""
        return PENALTIES[self.penalty].value(v[:-1], self.penalty_strength, self.mix)

    def value(self, v: Floats) -> float:
        """Return J at one v (features + 1,)."""
        return float(self.losses(self.sums(v)).mean()) + self.price(v)

    def gradient(self, v: Floats, rows: Any = slice(None)) -> Floats:
        """Return the gradient of the mean loss over `rows`, (features + 1,); the penalty acts by `shrink`."""
        slopes = self.slopes(self.sums(v, rows), rows)
        return np.append(self.inputs[rows].T @ slopes.astype(self.inputs.dtype), slopes.sum()) / len(slopes)

    def sample_gradients(self, v: Floats) -> Floats:
        """Return the gradient of each sample's loss, (n, features + 1)."""
        slopes = self.slopes(self.sums(v))
        return np.concatenate([slopes[:, None] * self.inputs, slopes[:, None]], 1)

    def shrink(self, v: Floats, sizes: Floats) -> Floats:
        """Return v after the penalty's proximal step that belongs to steps of `sizes` (features + 1,) on the loss."""
        if self.penalty == "none":
            return v
        weights = PENALTIES[self.penalty].proximal(v[:-1], sizes[:-1], self.penalty_strength, self.mix)
        return np.append(weights, v[-1])

    @cached_property
    def spread(self) -> float:
        """The largest eigenvalue of the mean of (x, 1)(x, 1)', by the power method."""
        count, features = self.inputs.shape
        direction = np.ones(features + 1) / np.sqrt(features + 1)
        largest = 0.0
        for _ in range(200):
            z = self.sums(direction)
            turned = np.append(self.inputs.T @ z.astype(self.inputs.dtype), z.sum()) / count
            before, largest = largest, float(np.linalg.norm(turned))
            if largest == 0 or abs(largest - before) <= 1e-9 * largest:
                break
            direction = turned / largest
        return largest

    @property
    def curvature_bound(self) -> float | None:
        """The largest curvature that the mean loss can have anywhere, or None where it is made of straight pieces."""
        if not self.sees_sum or self.loss not in BENDS:
            return None
        return BENDS[self.loss] * self.spread

    @property
    def default_rate(self) -> float:
        """A rate that lowers the cost: one over its largest curvature.

        A loss of straight pieces has none; its steps do not get shorter near the minimum, and are made shorter here.
        """
        if self.curvature_bound:
            return 1 / self.curvature_bound
        return 0.1 / (self.spread or 1.0)

    def surface(self, centre: Floats, across: Floats, up: Floats, x: Floats, y: Floats) -> Floats:
        """Return J at centre + x across + y up for grids x and y of one shape; across and up are (features + 1,)."""
        z0, z1, z2 = self.sums(centre), self.sums(across), self.sums(up)
        costs = np.empty(x.size)
        for place, (a, b) in enumerate(zip(x.ravel(), y.ravel(), strict=True)):
            costs[place] = float(self.losses(z0 + a * z1 + b * z2).mean()) + self.price(centre + a * across + b * up)
        return costs.reshape(x.shape)


def check_words(activation: str, loss: str, penalty: str, penalty_strength: float, mix: float) -> None:
    """Raise UsageError for words and numbers that make no single neuron."""
    for word, name, table in (
        ("activation", activation, ACTIVATIONS),
        ("loss", loss, LOSSES),
        ("penalty", penalty, PENALTIES),
    ):
        if name not in table:
            raise UsageError(f"`{word}` must be one of {', '.join(table)}, received '{name}'.{nearest(name, table)}")
    rows: tuple[tuple[str, Activation | Loss], ...] = (
        ("activation", ACTIVATIONS[activation]),
        ("loss", LOSSES[loss]),
    )
    for word, row in rows:
        if not row.elementwise:
            names = ", ".join(name for name, other in _table(word).items() if other.elementwise)
            raise UsageError(f"`{word}` {row.name} needs several neurons; a single one can have {names}.")
    if not (np.isfinite(penalty_strength) and penalty_strength >= 0):
        raise UsageError(f"`penalty_strength` must be 0 or a positive number, received {penalty_strength:g}.")
    if not 0 <= mix <= 1:
        raise UsageError(f"`mix` must be a number from 0 (all L1) to 1 (all L2), received {mix:g}.")


def _table(word: str) -> Any:
    return ACTIVATIONS if word == "activation" else LOSSES


def activation_name(name: str) -> str:
    """Return the table's name for a synonym: swish is silu."""
    return SYNONYMS.get(name, name)
