"""One step of each optimiser on a flat array of parameters, compiled. The formulas are those of updates.py.

Muon is for the weights of all layers but the last; the others go by adam. The penalty's proximal step comes after, with
the size of a step on a steady gradient (see penalties.py): r, r / (1 - mu), or r over the divisor of each weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from layerwise.neuron.engine import updates
from layerwise.neuron.engine.compiled import compiled, formula
from layerwise.neuron.engine.dense import biases, numbers, weights
from layerwise.neuron.engine.updates import MUON_A, MUON_B, MUON_C, MUON_EPSILON, MUON_ITERATIONS, MUON_SCALE
from layerwise.neuron.tables import penalties

OPTIMIZERS: Mapping[str, int] = {name: number for number, name in enumerate(updates.OPTIMIZERS)}
SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAMW, MUON = OPTIMIZERS.values()

_sgd, _momentum, _nesterov = formula(updates.sgd), formula(updates.momentum), formula(updates.nesterov)
_rmsprop, _adam, _ahead = formula(updates.rmsprop), formula(updates.adam), formula(updates.ahead)
_rmsprop_size, _adam_size = formula(updates.rmsprop_size), formula(updates.adam_size)
_shrink, _factors = formula(penalties.shrink), formula(updates.factors)


class Settings(NamedTuple):
    """optimizer: its number. l1, l2: factors of the penalty. decay: weight decay."""

    optimizer: Any
    momentum: Any
    decay: Any
    l1: Any
    l2: Any


class Learner(NamedTuple):
    """Flat arrays that training changes: parameters, and what the optimiser remembers."""

    parameters: Any
    m: Any
    v: Any


@compiled
def step(plan: Any, settings: Settings, rate: Any, count: Any, learner: Learner, gradient: Any) -> None:
    """Move all parameters by the step number `count`, counted from 1."""
    parameters, m, v = learner.parameters, learner.m, learner.v
    for layer in range(plan.units.size):
        W, dW, mW = weights(plan, parameters, layer), weights(plan, gradient, layer), weights(plan, m, layer)
        if settings.optimizer == MUON and layer < plan.units.size - 1:
            _orthogonal_step(settings, rate, numbers(W), numbers(dW), numbers(mW), W.shape[0], W.shape[1])
        else:
            vW = numbers(weights(plan, v, layer))
            _elementwise_step(settings, rate, count, numbers(W), numbers(dW), numbers(mW), vW, True)
        b, db, mb = biases(plan, parameters, layer), biases(plan, gradient, layer), biases(plan, m, layer)
        _elementwise_step(settings, rate, count, b, db, mb, biases(plan, v, layer), False)


@compiled
def _elementwise_step(s: Any, rate: Any, count: Any, w: Any, g: Any, m: Any, v: Any, is_weight: Any) -> None:
    f = _factors(w.dtype.type, rate, s.momentum, s.decay if is_weight else 0.0, count)
    if s.optimizer == SGD:
        for i in range(w.size):
            w[i] = _sgd(w[i], g[i], f)
    elif s.optimizer == MOMENTUM:
        for i in range(w.size):
            w[i], m[i] = _momentum(w[i], g[i], m[i], f)
    elif s.optimizer == NESTEROV:
        for i in range(w.size):
            w[i], m[i] = _nesterov(w[i], g[i], m[i], f)
    elif s.optimizer == RMSPROP:
        for i in range(w.size):
            w[i], v[i] = _rmsprop(w[i], g[i], v[i], f)
    else:
        for i in range(w.size):
            w[i], m[i], v[i] = _adam(w[i], g[i], m[i], v[i], f)
    if is_weight and (s.l1 > 0 or s.l2 > 0):
        _proximal(s, f, w, v)


@compiled
def _proximal(s: Any, f: Any, w: Any, v: Any) -> None:
    kind = w.dtype.type
    l1, l2, one = kind(s.l1), kind(2 * s.l2), kind(1)
    if s.optimizer < RMSPROP:
        size = f.rate / f.lean if s.optimizer > SGD else f.rate
        for i in range(w.size):
            w[i] = _shrink(w[i], size * l1, one + size * l2)
    elif s.optimizer == RMSPROP:
        for i in range(w.size):
            size = _rmsprop_size(v[i], f)
            w[i] = _shrink(w[i], size * l1, one + size * l2)
    else:
        for i in range(w.size):
            size = _adam_size(v[i], f)
            w[i] = _shrink(w[i], size * l1, one + size * l2)


@compiled
def _orthogonal_step(s: Any, rate: Any, w: Any, g: Any, m: Any, rows: Any, columns: Any) -> None:
    kind = w.dtype.type
    f = _factors(kind, rate, s.momentum, s.decay, 1)
    scale = kind(rate * MUON_SCALE * np.sqrt(max(rows, columns)))
    u = np.empty_like(w)
    for i in range(w.size):
        u[i], m[i] = _ahead(g[i], m[i], f)
    orthogonalize(u.reshape((rows, columns)))
    for i in range(w.size):
        w[i] = f.keep * w[i] - scale * u[i]
    if s.l1 > 0 or s.l2 > 0:  # an orthogonal step has no size per gradient: the rate stands for it
        threshold, divisor = kind(rate * s.l1), kind(1 + 2 * rate * s.l2)
        for i in range(w.size):
            w[i] = _shrink(w[i], threshold, divisor)


@compiled
def orthogonalize(u: Any) -> None:
    """Turn a matrix u = U S V' into nearly U V' by five Newton-Schulz iterations (Jordan 2024)."""
    kind = u.dtype.type
    a, b, c = kind(MUON_A), kind(MUON_B), kind(MUON_C)
    is_tall = u.shape[0] > u.shape[1]
    side = min(u.shape[0], u.shape[1])
    gram, square = np.empty((side, side), u.dtype), np.empty((side, side), u.dtype)
    result = np.empty_like(u)
    flat, new = u.ravel(), result.ravel()
    norm = kind(0)
    for i in range(flat.size):
        norm += flat[i] * flat[i]
    norm = max(np.sqrt(norm), kind(MUON_EPSILON))
    for i in range(flat.size):
        flat[i] /= norm
    for _ in range(MUON_ITERATIONS):
        if is_tall:
            np.dot(u.T, u, gram)
        else:
            np.dot(u, u.T, gram)
        np.dot(gram, gram, square)
        g, g2 = gram.ravel(), square.ravel()
        for i in range(g.size):
            g[i] = b * g[i] + c * g2[i]
        if is_tall:
            np.dot(u, gram, result)
        else:
            np.dot(gram, u, result)
        for i in range(flat.size):
            flat[i] = a * flat[i] + new[i]
