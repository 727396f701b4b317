"""The same network with and without a bent activation, on points that no line can part.

A stack of layers with the identity between them is one linear layer: W3 (W2 (W1 x + b1) + b2) + b3 = W x + b. However
deep it is, its decision is a straight line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import UsageError, nearest
from layerwise.lessons.points import Floats, Labels, draw_points
from layerwise.neuron.engine.network import DenseStack, DescentConfig, StackConfig
from layerwise.neuron.tables.activations import ACTIVATIONS, SYNONYMS

STEPS_AT_MOST = 100_000
GRID_POINTS = 120


@dataclass(frozen=True)
class Attempt:
    """A network on one kind of points. accuracy: on as many points that it never saw, drawn by another seed.

    losses: of each step.
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
        raise UsageError(f"`steps` must be from 1 to {STEPS_AT_MOST:,}, received {steps}.")
    places, labels = draw_points(shape, points, noise, seed)
    fresh, fresh_labels = draw_points(shape, points, noise, seed + 1)
    network = first_network((2, *hidden, 1), activation, learning_rate, seed)
    losses = tuple(network.fit(places, labels, count=steps))
    reach = 1.15 * float(np.abs(places).max())
    axis = np.linspace(-reach, reach, GRID_POINTS)
    x, y = np.meshgrid(axis, axis)
    grid: Floats = network.outputs(np.stack([x.ravel(), y.ravel()], 1)).reshape(x.shape).astype(np.float64)
    accuracy = float(((network.outputs(fresh)[:, 0] > 0.5) == fresh_labels).mean())
    line = as_one_neuron(network) if activation == "identity" else None
    return Attempt(shape, activation, places, labels, accuracy, losses, reach, grid, line)


def first_network(sizes: tuple[int, ...], activation: str, learning_rate: float, seed: int) -> DenseStack:
    """Return a network on the dense engine that gives the probability of class 1. Raises UsageError, naming a flag."""
    if not all(size >= 1 for size in sizes):
        raise UsageError(
            f"`hidden` takes sizes of at least 1 with commas between them, received {','.join(map(str, sizes[1:-1]))}."
        )
    name = SYNONYMS.get(activation, activation)
    if name not in ACTIVATIONS:
        raise UsageError(
            f"`activations` takes {', '.join(ACTIVATIONS)}, received '{activation}'.{nearest(activation, ACTIVATIONS)}"
        )
    config = StackConfig(sizes, activation=name, output="sigmoid", loss="logistic")
    descent = DescentConfig(batch_size="full", optimizer="adam", learning_rate=learning_rate, seed=seed)
    return DenseStack(config, descent, dtype=np.float64)


def as_one_neuron(network: DenseStack) -> tuple[float, ...]:
    """Multiply the layers of a network with identity activations together: weights and bias of the one neuron it is."""
    matrix, shift = np.eye(network.config.sizes[0]), np.zeros(network.config.sizes[0])
    for W, b in network.weights:
        matrix, shift = W @ matrix, W @ shift + b
    return (*matrix[0].tolist(), float(shift[0]))
