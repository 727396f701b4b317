"""The steps of gradient descent, one formula an optimiser, as in PyTorch; Muon as in training/muon.py.

w is what is moved, g the gradient there, m and v what the optimiser remembers, at first zeros, and f the numbers of the
step, see Factors. A formula takes arrays, tensors, or in compiled code (optimizers.py) one number at a time.

Weight decay is w <- (1 - rate decay) w before the step for adam, adamw and muon, and g <- g + decay w for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import UsageError, nearest
from layerwise.neuron.tables.elementary import Array, sqrt

Floats = NDArray[np.float64]

ALPHA = 0.99  # of RMSProp's running mean
BETA1, BETA2 = 0.9, 0.999  # of Adam's
EPSILON = 1e-8
ADAMW_DECAY = 0.01
MUON_A, MUON_B, MUON_C = 3.4445, -4.7750, 2.0315  # Jordan 2024; five rounds bring singular values to about 1
MUON_ITERATIONS, MUON_EPSILON, MUON_SCALE = 5, 1e-7, 0.2

OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon")


class Factors(NamedTuple):
    """The numbers of a step: of the type of the parameters, so that float32 stays float32.

    keep: 1 - rate decay. lean: 1 - momentum. new1: 1 - BETA1, and so on. size: rate / (1 - BETA1^t).
    correction: 1 / sqrt(1 - BETA2^t), t the number of the step, counted from 1.
    """

    rate: Any
    momentum: Any
    lean: Any
    decay: Any
    keep: Any
    alpha: Any
    new: Any
    new1: Any
    beta2: Any
    new2: Any
    size: Any
    correction: Any
    epsilon: Any


def factors(kind: Any, rate: Any, momentum: Any, decay: Any, number: Any) -> Factors:
    """Return the numbers of step `number`. kind: turns a float64 into the type of the parameters."""
    return Factors(
        kind(rate), kind(momentum), kind(1 - momentum), kind(decay), kind(1 - rate * decay),
        kind(ALPHA), kind(1 - ALPHA), kind(1 - BETA1), kind(BETA2), kind(1 - BETA2),
        kind(rate / (1 - BETA1**number)), kind(1 / np.sqrt(1 - BETA2**number)), kind(EPSILON),
    )  # fmt: skip


def sgd(w: Array, g: Array, f: Factors) -> Array:
    """w <- w - rate g"""
    return w - f.rate * (g + f.decay * w)


def momentum(w: Array, g: Array, m: Array, f: Factors) -> Array:
    """m <- momentum m + g;  w <- w - rate m"""
    m = f.momentum * m + (g + f.decay * w)
    return w - f.rate * m, m


def nesterov(w: Array, g: Array, m: Array, f: Factors) -> Array:
    """m <- momentum m + g;  w <- w - rate (g + momentum m)"""
    g = g + f.decay * w
    m = f.momentum * m + g
    return w - f.rate * (g + f.momentum * m), m


def rmsprop(w: Array, g: Array, v: Array, f: Factors) -> Array:
    """v <- 0.99 v + 0.01 g^2;  w <- w - rate g / (sqrt(v) + 1e-8)"""
    g = g + f.decay * w
    v = f.alpha * v + f.new * g * g
    return w - f.rate * g / (sqrt(v) + f.epsilon), v


def adam(w: Array, g: Array, m: Array, v: Array, f: Factors) -> Array:
    """m <- 0.9 m + 0.1 g;  v <- 0.999 v + 0.001 g^2

    w <- w - rate (m / (1 - 0.9^t)) / (sqrt(v / (1 - 0.999^t)) + 1e-8)
    """
    m = m + f.new1 * (g - m)
    v = f.beta2 * v + f.new2 * g * g
    return f.keep * w - f.size * m / (sqrt(v) * f.correction + f.epsilon), m, v


def ahead(g: Array, m: Array, f: Factors) -> Array:
    """m <- momentum m + (1 - momentum) g; returns (1 - momentum) g + momentum m, which Muon makes orthogonal, and m.

    Muon then moves w <- w - 0.2 sqrt(max(w.shape)) rate orthogonal(...).
    """
    m = m + f.lean * (g - m)
    return g + f.momentum * (m - g), m


def adam_size(v: Array, f: Factors) -> Array:
    """How far Adam moves a weight for a steady gradient of 1: what the proximal step of a penalty takes."""
    return f.rate / (sqrt(v) * f.correction + f.epsilon)


def rmsprop_size(v: Array, f: Factors) -> Array:
    """The same of RMSProp."""
    return f.rate / (sqrt(v) + f.epsilon)


@dataclass(frozen=True)
class Settings:
    """What an optimiser is told. weight_decay None is PyTorch's default: 0.01 for adamw, 0 for the others."""

    learning_rate: float
    momentum: float = 0.9
    weight_decay: float | None = None

    def decay(self, optimizer: str) -> float:
        """Return the weight decay that `optimizer` uses."""
        return self.weight_decay if self.weight_decay is not None else ADAMW_DECAY if optimizer == "adamw" else 0.0


class Optimizer:
    """One optimiser with its memory; `step` moves a point.

    Muon makes the step of a matrix orthogonal, and moves anything else as adam does.
    Raises UsageError for an unknown name, or a rate, momentum or decay that cannot work.
    """

    def __init__(self, name: str, settings: Settings, shape: tuple[int, ...]) -> None:
        if name not in OPTIMIZERS:
            raise UsageError(
                f"`optimizer` must be one of {', '.join(OPTIMIZERS)}, received '{name}'.{nearest(name, OPTIMIZERS)}"
            )
        check_settings(settings)
        self.name, self.settings = name, settings
        self.m, self.v = np.zeros(shape), np.zeros(shape)
        self.count = 0

    def step(self, w: Floats, g: Floats) -> Floats:
        """Return where one step leads from w, given the gradient g there."""
        self.count += 1
        f = self._factors()
        match self.name:
            case "sgd":
                w = sgd(w, g, f)
            case "momentum" | "nesterov":
                formula: Callable[..., Array] = momentum if self.name == "momentum" else nesterov
                w, self.m = formula(w, g, self.m, f)
            case "rmsprop":
                w, self.v = rmsprop(w, g, self.v, f)
            case "muon" if w.ndim == 2:
                u, self.m = ahead(g, self.m, f)
                w = f.keep * w - MUON_SCALE * float(np.sqrt(max(w.shape))) * f.rate * orthogonal(u)
            case _:
                w, self.m, self.v = adam(w, g, self.m, self.v, f)
        return w

    @property
    def sizes(self) -> Floats:
        """How far each entry moves for a steady gradient of 1: what the proximal step of a penalty takes."""
        rate, f = self.settings.learning_rate, self._factors()
        if self.name in ("adam", "adamw", "muon"):
            sizes: Floats = adam_size(self.v, f)
        elif self.name == "rmsprop":
            sizes = rmsprop_size(self.v, f)
        else:
            sizes = np.full(self.m.shape, rate / f.lean if self.name in ("momentum", "nesterov") else rate)
        return sizes

    def _factors(self) -> Factors:
        settings = self.settings
        return factors(float, settings.learning_rate, settings.momentum, settings.decay(self.name), self.count)


def orthogonal(matrix: Floats) -> Floats:
    """Return nearly U V' of the matrix U S V', by five Newton-Schulz iterations."""
    x = matrix / max(float(np.linalg.norm(matrix)), MUON_EPSILON)
    for _ in range(MUON_ITERATIONS):
        gram = x @ x.T
        x = MUON_A * x + (MUON_B * gram + MUON_C * gram @ gram) @ x
    return x


def check_settings(settings: Settings) -> None:
    """Raise UsageError for a rate, momentum or decay that cannot work."""
    if not (np.isfinite(settings.learning_rate) and settings.learning_rate > 0):
        raise UsageError(f"`learning_rate` must be a positive number, received {settings.learning_rate:g}.")
    if not 0 <= settings.momentum < 1:
        raise UsageError(f"`momentum` must be a number from 0 to below 1, received {settings.momentum:g}.")
    decay = settings.weight_decay or 0.0
    if not (np.isfinite(decay) and decay >= 0):
        raise UsageError(f"`weight_decay` must be 0 or a positive number, received {decay:g}.")
