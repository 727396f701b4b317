"""The descent of single neurons on inputs that the dense engine does not take: sparse rows, and no bias.

    z = W x + b,   dJ/dz = loss' activation',   dJ/dW = dJ/dz x',   dJ/db = dJ/dz

In the order of the samples, the steps and the penalties it is the engine's training, up to rounding. Rows stay sparse;
only the weights are moved as a whole at each step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import DivergedError
from layerwise.neuron.engine.configs import DescentConfig, StackConfig
from layerwise.neuron.engine.targets import prepare_targets, prepare_weights
from layerwise.neuron.engine.updates import Optimizer, Settings
from layerwise.neuron.tables.activations import ACTIVATIONS
from layerwise.neuron.tables.losses import LOSSES
from layerwise.neuron.tables.penalties import PENALTIES

Floats = NDArray[np.floating[Any]]


class SparseSGD:
    """Neurons side by side, W (neurons, features) and b (neurons,), with the state of their optimisers; in float64.

    b: None for neurons without a bias, whose planes go through the origin.
    """

    def __init__(self, config: StackConfig, descent: DescentConfig, W: Floats, b: Floats | None) -> None:
        self.config, self.descent, self.has_bias, self.epoch = config, descent, b is not None, 0
        self.W = np.array(W, np.float64)
        self.b = np.zeros(len(W)) if b is None else np.array(b, np.float64)
        self._steppers = [Optimizer(descent.optimizer, self._settings(0.0), (size,)) for size in (W.size, len(W))]

    @property
    def weights(self) -> list[tuple[Floats, Floats]]:
        """W and b, as a DenseStack has them."""
        return [(self.W, self.b)]

    def fit(self, inputs: Any, targets: Any, sample_weight: Any, count: int) -> list[float]:
        """Train `count` epochs on inputs (samples, features), sparse or not; returns the loss of each.

        Raises DivergedError, naming the step, where the loss stops being finite; the weights are those before it.
        """
        samples, outputs = inputs.shape[0], len(self.W)
        y = prepare_targets(targets, LOSSES[self.config.loss], samples, outputs, np.dtype(np.float64))
        shares = prepare_weights(sample_weight, samples, np.dtype(np.float64))
        for stepper, decay in zip(self._steppers, (self.descent.decay, 0.0), strict=True):
            stepper.settings = self._settings(decay)
        with np.errstate(all="ignore"):
            return [self._epoch(inputs, y, shares) for _ in range(count)]

    def _settings(self, decay: float) -> Settings:
        return Settings(self.descent.learning_rate, self.descent.momentum, decay)

    def _epoch(self, inputs: Any, y: Floats, shares: Floats) -> float:
        from layerwise.neuron.engine.counter_rng import permutation

        samples = len(y)
        size = samples if self.descent.batch_size == "full" else self.descent.batch_size
        order = permutation(self.descent.seed, self.epoch, samples)
        total = 0.0
        for start in range(0, samples, size):
            rows = order[start : start + size]
            cost = self._step(inputs[rows], y[rows], shares[rows])
            if not np.isfinite(cost):
                step = self.epoch * -(-samples // size) + start // size + 1
                raise DivergedError(
                    f"The loss stopped being finite at step {step} (epoch {self.epoch + 1}) with "
                    f"{self.descent.optimizer} at rate {self.descent.learning_rate:g}; the weights before that step "
                    f"are kept. Try a smaller learning rate, such as {self.descent.learning_rate / 10:g}."
                )
            total += cost * len(rows)
        self.epoch += 1
        return total / samples

    def _step(self, x: Any, y: Floats, shares: Floats) -> float:
        """Take one step for a batch x (samples, features), y (samples, outputs); returns the loss before it."""
        losses, slopes = self._judge(np.asarray(x @ self.W.T) + self.b, y)
        scale = shares / (len(y) * (y.shape[1] if losses.ndim == 2 else 1))
        cost = float(scale @ (losses.sum(1) if losses.ndim == 2 else losses))
        if not np.isfinite(cost):
            return cost
        dz = slopes * scale[:, None]  # (samples, outputs)
        stepper, bias_stepper = self._steppers
        W = stepper.step(self.W.ravel(), np.asarray(x.T @ dz).T.ravel())
        if self.descent.penalty != "none":
            W = PENALTIES[self.descent.penalty].proximal(
                W, stepper.sizes, self.descent.penalty_strength, self.descent.mix
            )
        self.W = W.reshape(self.W.shape)
        if self.has_bias:
            self.b = bias_stepper.step(self.b, dz.sum(0))
        return cost

    def _judge(self, z: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return the losses, (samples, outputs) or for cross-entropy (samples,), and dJ/dz of each."""
        loss, activation = LOSSES[self.config.loss], ACTIVATIONS[self.config.output]
        if self.config.is_loss_on_raw:
            return loss.value(z, y), loss.slope(z, y)
        a = activation.value(z)
        return loss.value(a, y), loss.slope(a, y) * activation.slope(z, a)
