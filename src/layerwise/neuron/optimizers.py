"""One step of each optimiser on a flat array of parameters, compiled: the formulas of torch.optim and of Muon.

    g gradient, r learning rate, t step counted from 1, m and v what is remembered (zeros at first), e = 1e-8

    sgd                 w <- w - r g
    momentum            m <- mu m + g;                          w <- w - r m
    nesterov            m <- mu m + g;                          w <- w - r (g + mu m)
    rmsprop             v <- 0.99 v + 0.01 g^2;                 w <- w - r g / (sqrt(v) + e)
    adam, adamw         m <- 0.9 m + 0.1 g
                        v <- 0.999 v + 0.001 g^2;               w <- w - r m' / (sqrt(v') + e)
                        m' = m / (1 - 0.9^t), v' = v / (1 - 0.999^t)
    muon                m <- mu m + (1 - mu) g, u = (1 - mu) g + mu m
                        w <- w - 0.2 sqrt(max(rows, columns)) r U V', the SVD of the matrix u being U S V'

Muon is for the weights of all layers but the last; the others go by adam. Weight decay is w <- (1 - r decay) w before
the step for adam, adamw and muon, and g <- g + decay w for the others. The penalty's proximal step comes after, with
the size of a step on a steady gradient (see penalties.py): r, r / (1 - mu), or r over the divisor of each weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from layerwise.neuron.compiled import compiled, formula
from layerwise.neuron.dense import biases, numbers, weights
from layerwise.neuron.penalties import shrink

OPTIMIZERS: Mapping[str, int] = {
    name: number for number, name in enumerate(("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "muon"))
}
SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAMW, MUON = OPTIMIZERS.values()

ALPHA, BETA1, BETA2, EPSILON = 0.99, 0.9, 0.999, 1e-8
MUON_A, MUON_B, MUON_C = 3.4445, -4.7750, 2.0315  # see training/muon.py
MUON_ITERATIONS, MUON_EPSILON = 5, 1e-7

_shrink = formula(shrink)


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
    kind = w.dtype.type
    r, mu, decay = kind(rate), kind(s.momentum), kind(s.decay if is_weight else 0.0)
    if s.optimizer >= ADAM:
        _adam(kind, rate, count, decay, w, g, m, v)
    elif s.optimizer == RMSPROP:
        _rmsprop(kind, r, decay, w, g, v)
    elif s.optimizer == SGD:
        for i in range(w.size):
            w[i] -= r * (g[i] + decay * w[i])
    else:
        ahead = s.optimizer == NESTEROV
        for i in range(w.size):
            slope = g[i] + decay * w[i]
            m[i] = mu * m[i] + slope
            w[i] -= r * (slope + mu * m[i] if ahead else m[i])
    if is_weight and (s.l1 > 0 or s.l2 > 0):
        _proximal(s, kind, rate, count, w, v)


@compiled
def _adam(kind: Any, rate: Any, count: Any, decay: Any, w: Any, g: Any, m: Any, v: Any) -> None:
    keep = kind(1) - kind(rate) * decay
    new1, old2, new2, epsilon = kind(1 - BETA1), kind(BETA2), kind(1 - BETA2), kind(EPSILON)
    size, correction = kind(rate / (1 - BETA1**count)), kind(1 / np.sqrt(1 - BETA2**count))
    for i in range(w.size):
        m[i] += new1 * (g[i] - m[i])
        v[i] = old2 * v[i] + new2 * g[i] * g[i]
        w[i] = keep * w[i] - size * m[i] / (np.sqrt(v[i]) * correction + epsilon)


@compiled
def _rmsprop(kind: Any, r: Any, decay: Any, w: Any, g: Any, v: Any) -> None:
    old, new, epsilon = kind(ALPHA), kind(1 - ALPHA), kind(EPSILON)
    for i in range(w.size):
        slope = g[i] + decay * w[i]
        v[i] = old * v[i] + new * slope * slope
        w[i] -= r * slope / (np.sqrt(v[i]) + epsilon)


@compiled
def _proximal(s: Any, kind: Any, rate: Any, count: Any, w: Any, v: Any) -> None:
    l1, l2, one, epsilon = kind(s.l1), kind(2 * s.l2), kind(1), kind(EPSILON)
    if s.optimizer < RMSPROP:
        size = kind(rate / (1 - s.momentum) if s.optimizer > SGD else rate)
        for i in range(w.size):
            w[i] = _shrink(w[i], size * l1, one + size * l2)
        return
    correction = kind(1 / np.sqrt(1 - BETA2**count) if s.optimizer >= ADAM else 1.0)
    for i in range(w.size):
        size = kind(rate) / (np.sqrt(v[i]) * correction + epsilon)
        w[i] = _shrink(w[i], size * l1, one + size * l2)


@compiled
def _orthogonal_step(s: Any, rate: Any, w: Any, g: Any, m: Any, rows: Any, columns: Any) -> None:
    kind = w.dtype.type
    mu, new, keep = kind(s.momentum), kind(1 - s.momentum), kind(1 - rate * s.decay)
    scale = kind(rate * 0.2 * np.sqrt(max(rows, columns)))
    u = np.empty_like(w)
    for i in range(w.size):
        m[i] += new * (g[i] - m[i])
        u[i] = g[i] + mu * (m[i] - g[i])
    orthogonalize(u.reshape((rows, columns)))
    for i in range(w.size):
        w[i] = keep * w[i] - scale * u[i]
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
