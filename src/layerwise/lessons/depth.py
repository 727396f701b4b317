"""The same network with and without a bent activation, on points that no line can part.

A stack of layers with the identity between them is one linear layer: W3 (W2 (W1 x + b1) + b2) + b3 = W x + b. However
deep it is, its decision is a straight line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from layerwise.errors import UsageError
from layerwise.lessons.points import Floats, Labels, draw_points
from layerwise.models.mlp import MLP, MLPConfig

STEPS_AT_MOST = 100_000
GRID_POINTS = 120


@dataclass(frozen=True)
class Attempt:
    """A network on one kind of points. accuracy: on as many points that it never saw, drawn by another seed.

    grid: (GRID_POINTS, GRID_POINTS) probability of class 1 over the square from -reach to reach, y by x.
    line: for the identity, the weights (a, b, c) of the one linear neuron a x + b y + c that the stack amounts to.
    """

    shape: str
    activation: str
    points: Floats
    labels: Labels
    accuracy: float
    losses: tuple[float, ...]
    reach: float
    grid: NDArray[np.float64]
    line: tuple[float, ...] | None

    def to_json(self) -> dict[str, Any]:
        """Return what was reached as plain JSON values."""
        return {
            "shape": self.shape,
            "activation": self.activation,
            "test_accuracy": self.accuracy,
            "first_loss": self.losses[0],
            "last_loss": self.losses[-1],
            "equivalent_neuron": self.line,
        }


def attempt(
    shape: str,
    activation: str,
    *,
    hidden: Sequence[int] = (16, 16),
    points: int = 400,
    noise: float = 0.04,
    steps: int = 1500,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> Attempt:
    """Train a small network on all points at each step by Adam, and look at it everywhere.

    Raises UsageError for settings that cannot work.
    """
    if not 1 <= steps <= STEPS_AT_MOST:
        raise UsageError(f"--steps must be from 1 to {STEPS_AT_MOST:,}, received {steps}.")
    places, labels = draw_points(shape, points, noise, seed)
    fresh, fresh_labels = draw_points(shape, points, noise, seed + 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MLP((2,), 1, MLPConfig(hidden=tuple(hidden), activation=activation))
    losses = _train(model, places, labels, steps, learning_rate)
    reach = 1.15 * float(np.abs(places).max())
    axis = np.linspace(-reach, reach, GRID_POINTS)
    x, y = np.meshgrid(axis, axis)
    grid = _probabilities(model, np.stack([x.ravel(), y.ravel()], 1)).reshape(x.shape)
    accuracy = float(((_probabilities(model, fresh) > 0.5) == fresh_labels).mean())
    line = as_one_neuron(model) if activation == "identity" else None
    return Attempt(shape, activation, places, labels, accuracy, losses, reach, grid, line)


def _train(model: nn.Module, places: Floats, labels: Labels, steps: int, learning_rate: float) -> tuple[float, ...]:
    inputs = torch.from_numpy(places.astype(np.float32))  # (points, 2)
    targets = torch.from_numpy(labels.astype(np.float32))[:, None]  # (points, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses = []
    for _ in range(steps):
        loss = nn.functional.binary_cross_entropy_with_logits(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return tuple(losses)


def _probabilities(model: nn.Module, places: Floats) -> NDArray[np.float64]:
    with torch.no_grad():
        raw = model(torch.from_numpy(places.astype(np.float32)))[:, 0]
    result: NDArray[np.float64] = raw.double().sigmoid().numpy()
    return result


def as_one_neuron(model: MLP) -> tuple[float, ...]:
    """Multiply the layers of a network with identity activations together: weights and bias of the one neuron it is."""
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    matrix, shift = torch.eye(layers[0].in_features, dtype=torch.float64), torch.zeros(layers[0].in_features).double()
    for layer in layers:
        weight = layer.weight.detach().double()
        matrix = weight @ matrix
        shift = weight @ shift + (0 if layer.bias is None else layer.bias.detach().double())
    return (*matrix[0].tolist(), shift[0].item())
