"""What every competitor trains: the network, the data, and how much of it in one round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BATCH_SIZE = 128
LEARNING_RATE = 1e-3
CLASSES = 10
HELD_OUT = 2_560
LABEL_NOISE = 0.05  # keeps the loss away from zero, where every loop would seem to agree
NETS = {"mlp": "MLP 784-256-128-10", "lenet5": "LeNet-5"}


@dataclass(frozen=True)
class Workload:
    """One round is `epochs` passes over `samples` pictures, from the same first weights each time."""

    net: str
    samples: int
    epochs: int

    @property
    def steps(self) -> int:
        """Optimiser steps of a round."""
        return self.epochs * self.samples // BATCH_SIZE


@dataclass(frozen=True)
class Data:
    """Pictures like those of MNIST in shape, and as easy as them.

    pictures: (n, 1, 28, 28) uint8. inputs: the same, float32, scaled by mean and deviation. labels: (n,) int64.
    """

    pictures: np.ndarray
    labels: np.ndarray
    mean: float
    std: float

    @property
    def inputs(self) -> np.ndarray:
        return ((self.pictures / np.float32(255) - self.mean) / self.std).astype(np.float32)


def make_data(workload: Workload) -> tuple[Data, Data]:
    """Return training data and held-out data: noisy, shifted copies of one pattern a class; the same every time."""
    random = np.random.default_rng(0)
    patterns = np.kron(random.random((CLASSES, 7, 7)) > 0.6, np.ones((4, 4)))  # (classes, 28, 28)
    count = workload.samples + HELD_OUT
    labels = random.integers(CLASSES, size=count)
    pictures = np.empty((count, 1, 28, 28), np.uint8)
    shifts = random.integers(-3, 4, size=(count, 2))
    for picture, label, shift in zip(pictures, labels, shifts, strict=True):
        shifted = np.roll(patterns[label], shift, axis=(0, 1))
        picture[0] = (150 * shifted + 105 * random.random((28, 28), np.float32)).astype(np.uint8)
    wrong = random.random(count) < LABEL_NOISE
    labels[wrong] = random.integers(CLASSES, size=int(wrong.sum()))
    mean, std = float(pictures.mean() / 255), float(pictures.std() / 255)
    cut = workload.samples
    return Data(pictures[:cut], labels[:cut], mean, std), Data(pictures[cut:], labels[cut:], mean, std)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean negative log-likelihood in nats, in float64: one judge for all frameworks."""
    logits = logits.astype(np.float64)
    logits -= logits.max(1, keepdims=True)
    log_shares = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return float(-log_shares[np.arange(len(labels)), labels].mean())
