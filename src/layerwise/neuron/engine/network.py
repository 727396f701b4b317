"""A stack of dense layers that a user holds: its weights, the state of its optimiser, and ways to look inside.

    config = StackConfig(sizes=(2, 8, 8, 1), activation="tanh", loss="logistic")
    descent = DescentConfig(optimizer="sgd", learning_rate=0.1, batch_size=10, epochs=50)
    network = DenseStack(config, descent)
    for report in network.epochs(inputs, targets):      # (samples, features), (samples,) or (samples, outputs)
        print(report.epoch, report.loss)
        pictures = network.layer_outputs(grid)          # what every neuron says to every point of a grid
        gradients = network.gradients(inputs, targets)  # dJ/dW and dJ/db of every layer

Compiled code is loaded when a network is first used, not when this file is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import DivergedError, UsageError
from layerwise.neuron.engine.configs import OPTIMIZERS, DescentConfig, StackConfig
from layerwise.neuron.engine.initialization import initial_weights
from layerwise.neuron.engine.targets import Samples, prepare_inputs, prepare_targets, prepare_weights
from layerwise.neuron.tables.activations import ACTIVATIONS, MAXOUT_PIECES
from layerwise.neuron.tables.losses import LOSSES
from layerwise.neuron.tables.schedules import rates_of

__all__ = ["DenseStack", "DescentConfig", "EpochReport", "Samples", "StackConfig"]

Floats = NDArray[np.floating[Any]]
LayerWeights = tuple[Floats, Floats]  # W (sums, inputs) and b (sums,), as in torch's Linear


@dataclass(frozen=True)
class EpochReport:
    """One pass over the data. loss: mean over the samples as they were met, before each step, without the penalty."""

    epoch: int
    loss: float
    network: DenseStack


class DenseStack:
    """A network with its weights and the state of its optimiser.

    Args:
        config, descent: what is computed, and how the weights are found.
        dtype: float32 or float64, of all arithmetic.
        weights: the first weights, one (W, b) a layer, copied; None draws them by the rule of initial_weights.py.

    parameters, first_moment, second_moment: flat arrays, W, b, W, b, ... as torch orders them; what training changes.
    epoch: passes over the data that were taken. A call of `epochs` or `fit` goes on from there.

    Raises UsageError for weights of other shapes.
    """

    def __init__(
        self,
        config: StackConfig,
        descent: DescentConfig | None = None,
        *,
        dtype: type[np.float32] | type[np.float64] = np.float32,
        weights: Sequence[LayerWeights] | None = None,
    ) -> None:
        self.config, self.descent = config, descent or DescentConfig()
        self.layers = _layers_of(config)
        size = sum(layer.sums * (layer.inputs + 1) for layer in self.layers)
        self.parameters: Floats = np.zeros(size, dtype)
        self.first_moment: Floats = np.zeros(size, dtype)
        self.second_moment: Floats = np.zeros(size, dtype)
        self.epoch = 0
        if weights is None:
            for number, (layer, (W, _)) in enumerate(zip(self.layers, self.weights, strict=True)):
                W[:] = initial_weights(layer.rule, layer.sums, layer.inputs, layer.units, self.descent.seed, number)
        else:
            self._take(weights)

    @property
    def weights(self) -> list[LayerWeights]:
        """Views of W (sums, inputs) and b (sums,) of each layer; writing to them changes the network."""
        return self.in_layers(self.parameters)

    def in_layers(self, flat: Floats) -> list[LayerWeights]:
        """Return views of W and b of each layer in a flat array that is ordered as the parameters."""
        found, start = [], 0
        for layer in self.layers:
            split = start + layer.sums * layer.inputs
            found.append((flat[start:split].reshape(layer.sums, layer.inputs), flat[split : split + layer.sums]))
            start = split + layer.sums
        return found

    def layer_outputs(self, inputs: Any) -> list[Floats]:
        """Return what every neuron answers, without dropout: for each layer (samples, neurons)."""
        _, values = self._evaluate(inputs)
        cuts = np.cumsum([layer.units for layer in self.layers])[:-1]
        return [rows.T for rows in np.split(values, cuts)]

    def outputs(self, inputs: Any) -> Floats:
        """Return the network's answers after the output's activation, (samples, outputs)."""
        return self._evaluate(inputs)[1][-self.layers[-1].units :].T

    def raw_outputs(self, inputs: Any) -> Floats:
        """Return the weighted sums of the last layer, (samples, outputs)."""
        return self._evaluate(inputs)[0][-self.layers[-1].sums :].T

    def cost(self, inputs: Any, targets: Any, sample_weight: Any = None) -> float:
        """Return the weighted mean loss, without the penalty."""
        return self._differentiate(inputs, targets, sample_weight)[0]

    def gradients(self, inputs: Any, targets: Any, sample_weight: Any = None) -> list[LayerWeights]:
        """Return dJ/dW and dJ/db of each layer for the cost over all these samples, without dropout and penalty."""
        return self.in_layers(self._differentiate(inputs, targets, sample_weight)[1])

    def epochs(
        self, inputs: Any, targets: Any, sample_weight: Any = None, count: int | None = None
    ) -> Iterator[EpochReport]:
        """Train, an epoch for each report; to stop is to leave the loop.

        inputs: (samples, features). targets: (samples,) or (samples, outputs), what the loss asks for (see
        losses.TARGETS); class numbers are (samples,), or shares of classes (samples, classes).
        sample_weight: (samples,), 0 or more, scaled to a mean of 1; class weights are sample weights.
        count: epochs, instead of those of the config.

        Raises DivergedError, naming the step, where the loss stops being finite; the weights are those before it.
        """
        samples = self.prepare(inputs, targets, sample_weight)
        for _ in range(self.descent.epochs if count is None else count):
            loss = self.train(samples, 1)[0]
            self._require_finite([loss])
            yield EpochReport(self.epoch, loss, self)

    def fit(self, inputs: Any, targets: Any, sample_weight: Any = None, count: int | None = None) -> list[float]:
        """Train as `epochs` does, all epochs in one compiled call; returns the loss of each."""
        losses = self.train(self.prepare(inputs, targets, sample_weight), count or self.descent.epochs)
        self._require_finite(losses)
        return losses

    def prepare(self, inputs: Any, targets: Any, sample_weight: Any) -> Samples:
        """Return checked arrays in the network's type. Raises DataError for what the network cannot learn from."""
        dtype = self.parameters.dtype
        x = prepare_inputs(inputs, self.config.sizes[0], dtype)
        y = prepare_targets(targets, LOSSES[self.config.loss], len(x), self.config.sizes[-1], dtype)
        return Samples(x, y, prepare_weights(sample_weight, len(x), dtype))

    def train(self, samples: Samples, count: int) -> list[float]:
        """Train `count` epochs in one compiled call that holds no lock of the interpreter; returns their losses.

        Where a loss is not finite the training ends before that step, and it and all later ones are NaN.
        """
        from layerwise.neuron.engine import epochs
        from layerwise.neuron.engine.optimizers import Learner

        descent, total = self.descent, len(samples.inputs)
        batch_size = total if descent.batch_size == "full" else min(descent.batch_size, total)
        steps = -(-total // batch_size)
        rates = rates_of(
            descent.schedule, descent.learning_rate, self.epoch * steps, count * steps, descent.epochs * steps
        )
        course = epochs.Course(batch_size, rates, descent.seed, self.epoch, np.empty(count))
        learner = Learner(self.parameters, self.first_moment, self.second_moment)
        with self._one_thread(batch_size):
            self.steps = self.epoch * steps + epochs.train(self.plan, self._settings(), learner, samples, course)
        self.epoch += int(np.isfinite(course.costs).sum())
        return [float(cost) for cost in course.costs]

    @cached_property
    def plan(self) -> Any:
        """How the layers lie in the flat arrays, as compiled code wants it (dense.Plan)."""
        config = self.config
        return plan_of(self.layers, config.loss, config.is_loss_on_raw, config.dropout)

    def work_an_epoch(self, samples: Samples) -> float:
        """Return a measure of the time of an epoch: multiplications, and the cost of a step that does nothing."""
        total, size = len(samples.inputs), self.descent.batch_size
        steps = 1 if size == "full" else -(-total // size)
        return self.parameters.size * (3.0 * total + 10 * steps) + 20_000.0 * steps

    def _one_thread(self, batch_size: int) -> AbstractContextManager[None]:
        from layerwise.neuron.engine.optimizers import MUON
        from layerwise.neuron.engine.threads import one_blas_thread

        is_muon = OPTIMIZERS.index(self.descent.optimizer) == MUON
        return one_blas_thread() if is_muon else one_thread_for(self.layers, batch_size)

    def _settings(self) -> Any:
        from layerwise.neuron.engine.optimizers import Settings

        descent = self.descent
        number = OPTIMIZERS.index(descent.optimizer)
        return Settings(number, float(descent.momentum), float(descent.decay), float(descent.l1), float(descent.l2))

    def _evaluate(self, inputs: Any) -> tuple[Floats, Floats]:
        from layerwise.neuron.engine import epochs

        dtype = self.parameters.dtype
        x = prepare_inputs(inputs, self.config.sizes[0], dtype)
        sums = np.empty((sum(layer.sums for layer in self.layers), len(x)), dtype)
        values = np.empty((sum(layer.units for layer in self.layers), len(x)), dtype)
        with self._one_thread(len(x)):
            epochs.evaluate(self.plan, self.parameters, x, sums, values)
        return sums, values

    def _differentiate(self, inputs: Any, targets: Any, sample_weight: Any) -> tuple[float, Floats]:
        from layerwise.neuron.engine import epochs

        samples = self.prepare(inputs, targets, sample_weight)
        gradient = np.empty_like(self.parameters)
        with self._one_thread(len(samples.inputs)):
            cost = epochs.differentiate(self.plan, self.parameters, samples, gradient)
        return float(cost), gradient

    def _require_finite(self, losses: list[float]) -> None:
        if not np.isfinite(losses).all():
            raise DivergedError(
                f"The loss stopped being finite at step {self.steps + 1} (epoch {self.epoch + 1}) with "
                f"{self.descent.optimizer} at rate {self.descent.learning_rate:g}; the weights before that step are "
                f"kept. Try a smaller learning rate, such as {self.descent.learning_rate / 10:g}."
            )

    def _take(self, weights: Sequence[LayerWeights]) -> None:
        asked = [(W.shape, b.shape) for W, b in self.weights]
        given = [(np.shape(W), np.shape(b)) for W, b in weights]
        if asked != given:
            raise UsageError(f"The weights must have the shapes {asked}, received {given}.")
        for (W, b), (new_W, new_b) in zip(self.weights, weights, strict=True):
            W[:], b[:] = new_W, new_b


@dataclass(frozen=True)
class Layer:
    """inputs, units: neurons below and here. sums: weighted sums, two a neuron for maxout. rule: of initial_weights."""

    inputs: int
    units: int
    sums: int
    activation: str
    rule: str


def _layers_of(config: StackConfig) -> list[Layer]:
    sizes, depth = config.sizes, len(config.sizes) - 1
    layers = []
    for number, (inputs, units) in enumerate(pairwise(sizes)):
        name = config.output if number == depth - 1 else config.activation
        sums = units * (MAXOUT_PIECES if name == "maxout" else 1)
        layers.append(Layer(inputs, units, sums, name, ACTIVATIONS[name].initial))
    return layers


def plan_of(layers: Sequence[Layer], loss: str, on_raw: bool, dropout: float = 0.0) -> Any:
    """Return the dense.Plan of the layers."""
    from layerwise.neuron.engine.dense import Plan

    names = list(ACTIVATIONS)
    return Plan(
        np.array([layer.inputs for layer in layers]),
        np.array([layer.units for layer in layers]),
        np.array([layer.sums // layer.units for layer in layers]),
        np.array([names.index(layer.activation) for layer in layers]),
        np.cumsum([0, *(layer.sums * (layer.inputs + 1) for layer in layers)]),
        np.cumsum([0, *(layer.sums for layer in layers)]),
        np.cumsum([0, *(layer.units for layer in layers)]),
        list(LOSSES).index(loss),
        on_raw,
        float(dropout),
    )


def one_thread_for(layers: Sequence[Layer], batch_size: int) -> AbstractContextManager[None]:
    """Hold BLAS to one thread where a product of a batch is left to it."""
    from layerwise.neuron.engine.dense import SMALL_PRODUCT
    from layerwise.neuron.engine.threads import one_blas_thread

    largest = max(layer.sums * layer.inputs for layer in layers)
    return one_blas_thread() if largest * (batch_size + 8) >= SMALL_PRODUCT else nullcontext()
