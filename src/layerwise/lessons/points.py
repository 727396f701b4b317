"""Points in the plane that no straight line can part: rings, spirals, a chequerboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import UsageError, nearest

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def circles(count: int, noise: float, seed: int) -> tuple[Floats, Labels]:
    """A disc of radius 0.5 inside a ring of radius 1. Returns points (count, 2) and labels 0 (inside) and 1."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    angles = random.uniform(0, 2 * np.pi, count)
    radii = np.where(labels == 0, 0.5 * np.sqrt(random.uniform(0, 1, count)), 1.0)
    points = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    return points + noise * random.normal(size=(count, 2)), labels


def spirals(count: int, noise: float, seed: int) -> tuple[Floats, Labels]:
    """Two arms that wind around each other one and a quarter times (after Lang and Witbrock 1988)."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    along = np.sqrt(random.uniform(0.02, 1, count))
    angles = 2.5 * np.pi * along + np.pi * labels
    points = along[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    return points + noise * random.normal(size=(count, 2)), labels


def xor(count: int, noise: float, seed: int) -> tuple[Floats, Labels]:
    """Four quarters, those that touch at the corner of the same class (Minsky and Papert 1969)."""
    random = np.random.default_rng(seed)
    points = random.uniform(0.08, 1, (count, 2)) * random.choice([-1.0, 1.0], (count, 2))
    labels = (points[:, 0] * points[:, 1] > 0).astype(np.int64)
    return points + noise * random.normal(size=(count, 2)), labels


SHAPES: Mapping[str, Callable[[int, float, int], tuple[Floats, Labels]]] = {
    "circles": circles,
    "spirals": spirals,
    "xor": xor,
}


def draw_points(shape: str, count: int, noise: float, seed: int) -> tuple[Floats, Labels]:
    """Return points (count, 2) and labels of a shape by its name. Raises UsageError for what cannot work."""
    if shape not in SHAPES:
        raise UsageError(f"`shapes` takes {', '.join(SHAPES)}, received '{shape}'.{nearest(shape, SHAPES)}")
    if not 10 <= count <= 100_000:
        raise UsageError(f"`points` must be from 10 to 100,000, received {count}.")
    if not (np.isfinite(noise) and noise >= 0):
        raise UsageError(f"`noise` must be 0 or a positive number, received {noise:g}.")
    return SHAPES[shape](count, noise, seed)
