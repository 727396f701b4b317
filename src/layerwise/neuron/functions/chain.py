"""Backpropagation of one sample, every factor of the chain rule kept.

A network is a chain of steps s1, s2, ... from x to the output o. Each knows its factor, the derivative of what it
gives by what it takes. With the cost J(o, y) the chain is walked back:

    dJ/do                                           by the loss
    dJ/d(in) = factor' dJ/d(out)                    step by step
    dense    z = W a + b:     dz/da = W,  dz_i/dW_ij = a_j,  dz/db = 1,   so  dJ/dW = dJ/dz a',  dJ/db = dJ/dz
    activation  a = f(z):     da/dz = f'(z), element by element
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.tables.activations import ACTIVATIONS
from layerwise.neuron.tables.losses import LOSSES

Floats = NDArray[np.float64]
Kind = Literal["dense", "activation", "other"]


@dataclass(frozen=True)
class Step:
    """One step of the chain.

    name, source: symbols of what it gives and takes, such as z2 and a1. label: what it is, such as dense or tanh.
    input, output: as flat arrays, with their shapes beside them.
    factor: d(out)/d(in): (out, in) for a dense step, (out,) where each output follows from its own input, else
        (out, in), or None where that matrix would be too large to look at.
    parameters: W and b of a dense step, or the tensors of another layer.
    slope_out, slope_in: dJ/d(out) and dJ/d(in); parameter_slopes: dJ/dW and so on. Empty before the way back.
    """

    name: str
    source: str
    kind: Kind
    label: str
    input: Floats
    output: Floats
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    factor: Floats | None
    parameters: Mapping[str, Floats] = field(default_factory=dict)
    slope_out: Floats = field(default_factory=lambda: np.zeros(0))
    slope_in: Floats = field(default_factory=lambda: np.zeros(0))
    parameter_slopes: Mapping[str, Floats] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return all numbers of the step as plain JSON values."""
        return {
            "name": self.name,
            "from": self.source,
            "kind": self.label,
            "input": self.input.tolist(),
            "output": self.output.tolist(),
            f"d{self.name}/d{self.source}": None if self.factor is None else self.factor.tolist(),
            f"dJ/d{self.name}": self.slope_out.tolist(),
            f"dJ/d{self.source}": self.slope_in.tolist(),
            "parameters": {name: value.tolist() for name, value in self.parameters.items()},
            "parameter_gradients": {f"dJ/d{name}": value.tolist() for name, value in self.parameter_slopes.items()},
        }


@dataclass(frozen=True)
class Chain:
    """A sample's way forward and back.

    cost: J. slope: dJ/do. difference: the largest distance of any gradient from autograd's, as a share of the largest.
    """

    steps: tuple[Step, ...]
    loss: str
    target: Floats
    cost: float
    slope: Floats
    difference: float = 0.0

    @property
    def output(self) -> Floats:
        return self.steps[-1].output

    def to_json(self) -> dict[str, Any]:
        """Return the whole chain as plain JSON values."""
        return {
            "input": self.steps[0].input.tolist(),
            "target": self.target.tolist(),
            "loss": self.loss,
            "cost": self.cost,
            "dJ/do": self.slope.tolist(),
            "steps": [step.to_json() for step in self.steps],
            "difference_from_autograd": self.difference,
        }


def dense_step(number: int, source: str, a: Floats, weights: Floats, bias: Floats | None) -> Step:
    """z = W a + b. weights: (out, in)."""
    z = weights @ a + (0 if bias is None else bias)
    parameters = {f"W{number}": weights} | ({} if bias is None else {f"b{number}": bias})
    return Step(f"z{number}", source, "dense", "dense", a, z, a.shape, z.shape, weights, parameters)


def activation_step(number: int, source: str, name: str, z: Floats) -> Step:
    """a = f(z), of the table of activations; its factor is the slope at each z, for softmax the Jacobian."""
    row = ACTIVATIONS[name]
    a = row.value(z)
    return Step(f"a{number}", source, "activation", name, z, a, z.shape, a.shape, row.slope(z, a))


def loss_of(loss: str, output: Floats, target: Floats) -> tuple[float, Floats]:
    """Return J and dJ/do: the mean over the outputs where each has its own loss. target: shares for cross-entropy."""
    row = LOSSES[loss]
    if not row.elementwise:
        return float(row.value(output[None], target[None])[0]), row.slope(output[None], target[None])[0]
    return float(row.value(output, target).mean()), row.slope(output, target) / output.size


def backpropagate(steps: Sequence[Step], slope: Floats) -> tuple[Step, ...]:
    """Return the steps with dJ/d(out), dJ/d(in) and the parameters' gradients, from dJ/do.

    A step of another kind must bring its own slopes already, since its factor may be too large to write down.
    """
    done: list[Step] = []
    for step in reversed(steps):
        if step.kind == "other" and step.factor is None:
            done.append(step)
        else:
            done.append(_back(step, slope))
        slope = done[-1].slope_in
    return tuple(reversed(done))


def _back(step: Step, slope: Floats) -> Step:
    factor = step.factor
    assert factor is not None
    slope_in = factor * slope if factor.ndim == 1 else factor.T @ slope
    found = dict(step.parameter_slopes)
    if step.kind == "dense":
        found = {
            name: np.outer(slope, step.input) if value.ndim == 2 else slope for name, value in step.parameters.items()
        }
    return replace(step, slope_out=slope, slope_in=slope_in, parameter_slopes=found)
