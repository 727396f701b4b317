"""The steps of gradient descent, one function an optimiser, written out as in PyTorch; Muon as in training/muon.py.

w is what is moved, g the gradient there, and the state what the optimiser remembers, at first zeros:

    velocity v, running mean m of g, running mean s of g^2, step count t
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import UsageError, nearest

Floats = NDArray[np.float64]

RMS_DECAY = 0.99  # of RMSProp's running mean
BETA1, BETA2 = 0.9, 0.999  # of Adam's
EPSILON = 1e-8
ADAMW_DECAY = 0.01
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan 2024; five rounds bring singular values to between 0.7 and 1.2


@dataclass(frozen=True)
class Settings:
    """What an optimiser is told. weight_decay None is PyTorch's default: 0.01 for adamw, 0 for the others."""

    learning_rate: float
    momentum: float = 0.9
    weight_decay: float | None = None


@dataclass
class State:
    """What an optimiser remembers from step to step."""

    velocity: Floats
    mean: Floats
    square: Floats
    count: int = 0


def sgd(w: Floats, g: Floats, state: State, settings: Settings) -> Floats:
    """w <- w - rate g"""
    return w - settings.learning_rate * _with_decay(w, g, settings)


def momentum(w: Floats, g: Floats, state: State, settings: Settings) -> Floats:
    """v <- momentum v + g;  w <- w - rate v"""
    state.velocity = settings.momentum * state.velocity + _with_decay(w, g, settings)
    return w - settings.learning_rate * state.velocity


def nesterov(w: Floats, g: Floats, state: State, settings: Settings) -> Floats:
    """v <- momentum v + g;  w <- w - rate (g + momentum v)"""
    g = _with_decay(w, g, settings)
    state.velocity = settings.momentum * state.velocity + g
    return w - settings.learning_rate * (g + settings.momentum * state.velocity)


def rmsprop(w: Floats, g: Floats, state: State, settings: Settings) -> Floats:
    """s <- 0.99 s + 0.01 g^2;  w <- w - rate g / (sqrt(s) + 1e-8)"""
    g = _with_decay(w, g, settings)
    state.square = RMS_DECAY * state.square + (1 - RMS_DECAY) * g * g
    return w - settings.learning_rate * g / (np.sqrt(state.square) + EPSILON)


def adam(w: Floats, g: Floats, state: State, settings: Settings, decay: float = 0.0) -> Floats:
    """m <- 0.9 m + 0.1 g;  s <- 0.999 s + 0.001 g^2

    w <- w - rate (m / (1 - 0.9^t)) / (sqrt(s / (1 - 0.999^t)) + 1e-8)
    Weight decay is decoupled: w <- (1 - rate decay) w before the step.
    """
    state.mean = BETA1 * state.mean + (1 - BETA1) * g
    state.square = BETA2 * state.square + (1 - BETA2) * g * g
    mean = state.mean / (1 - BETA1**state.count)
    square = state.square / (1 - BETA2**state.count)
    decay = decay if settings.weight_decay is None else settings.weight_decay
    kept = (1 - settings.learning_rate * decay) * w
    return kept - settings.learning_rate * mean / (np.sqrt(square) + EPSILON)


def adamw(w: Floats, g: Floats, state: State, settings: Settings) -> Floats:
    """Adam with a decoupled weight decay of 0.01 unless told otherwise"""
    return adam(w, g, state, settings, ADAMW_DECAY)


def muon(w: Floats, g: Floats, state: State, settings: Settings) -> Floats:
    """v <- momentum v + (1 - momentum) g

    w <- w - 0.2 sqrt(max(w.shape)) rate orthogonal((1 - momentum) g + momentum v)
    Only a matrix can be made orthogonal; anything else goes by Adam.
    """
    if w.ndim != 2:
        return adam(w, g, state, settings)
    state.velocity = settings.momentum * state.velocity + (1 - settings.momentum) * g
    ahead = (1 - settings.momentum) * g + settings.momentum * state.velocity
    kept: Floats = (1 - settings.learning_rate * (settings.weight_decay or 0.0)) * w
    return kept - 0.2 * float(np.sqrt(max(w.shape))) * settings.learning_rate * orthogonal(ahead)


def orthogonal(matrix: Floats) -> Floats:
    """Return nearly U V' of the matrix U S V', by five Newton-Schulz iterations."""
    a, b, c = NEWTON_SCHULZ
    x = matrix / max(float(np.linalg.norm(matrix)), 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def _with_decay(w: Floats, g: Floats, settings: Settings) -> Floats:
    """g + decay w: outside Adam the decay is part of the gradient."""
    return g + settings.weight_decay * w if settings.weight_decay else g


Update = Callable[[Floats, Floats, State, Settings], Floats]
UPDATES: Mapping[str, Update] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
    "muon": muon,
}


class Optimizer:
    """One optimiser with its memory; `step` moves a point.

    Raises UsageError for an unknown name, or a rate, momentum or decay that cannot work.
    """

    def __init__(self, name: str, settings: Settings, shape: tuple[int, ...]) -> None:
        if name not in UPDATES:
            raise UsageError(
                f"--optimizer must be one of {', '.join(UPDATES)}, received '{name}'.{nearest(name, UPDATES)}"
            )
        check_settings(settings)
        self.name, self.settings = name, settings
        self.state = State(np.zeros(shape), np.zeros(shape), np.zeros(shape))

    def step(self, w: Floats, g: Floats) -> Floats:
        """Return where one step leads from w, given the gradient g there."""
        self.state.count += 1
        return UPDATES[self.name](w, g, self.state, self.settings)

    @property
    def sizes(self) -> Floats:
        """How far each entry moves for a steady gradient of 1: what the proximal step of a penalty takes."""
        rate, mu, state = self.settings.learning_rate, self.settings.momentum, self.state
        if self.name == "rmsprop":
            return rate / (np.sqrt(state.square) + EPSILON)
        if self.name in ("adam", "adamw", "muon"):
            return rate / (np.sqrt(state.square / (1 - BETA2**state.count)) + EPSILON)
        return np.full(state.velocity.shape, rate / (1 - mu) if self.name in ("momentum", "nesterov") else rate)


def check_settings(settings: Settings) -> None:
    """Raise UsageError for a rate, momentum or decay that cannot work."""
    if not (np.isfinite(settings.learning_rate) and settings.learning_rate > 0):
        raise UsageError(f"--rate must be a positive number, received {settings.learning_rate:g}.")
    if not 0 <= settings.momentum < 1:
        raise UsageError(f"--momentum must be a number from 0 to below 1, received {settings.momentum:g}.")
    decay = settings.weight_decay or 0.0
    if not (np.isfinite(decay) and decay >= 0):
        raise UsageError(f"--weight-decay must be 0 or a positive number, received {decay:g}.")
