"""A stack of dense layers that a user holds: its plan, how it descends, and the living network.

    config = StackConfig(sizes=(2, 8, 8, 1), activation="tanh", loss="logistic")
    descent = DescentConfig(optimizer="sgd", learning_rate=0.1, batch_size=10, epochs=50)
    network = DenseStack(config, descent)
    for report in network.epochs(inputs, targets):      # (samples, features), (samples,) or (samples, outputs)
        print(report.epoch, report.loss)
        pictures = network.layer_outputs(grid)          # what every neuron says to every point of a grid
        gradients = network.gradients(inputs, targets)  # dJ/dW and dJ/db of every layer

Compiled code is loaded when the first network is made, not when this file is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
LayerWeights = tuple[Floats, Floats]  # (outputs, inputs) and (outputs,); as in torch's Linear


@dataclass(frozen=True)
class StackConfig:
    """What is computed.

    sizes: inputs, neurons of each hidden layer, outputs; (4, 1) is a single neuron on four features.
    activation: of the hidden layers, a name of ACTIVATIONS.
    output: activation of the last layer. The loss sees its value, except a loss that contains it as its link
        (logistic: sigmoid, cross-entropy: softmax), which sees the raw sums.
    loss: a name of LOSSES. The cost is the mean over the samples, and over the outputs where each has its own loss.
    dropout: share of the hidden neurons silenced at each step, the others scaled by 1 / (1 - dropout).

    Raises UsageError, naming the field, for a value that cannot work.
    """

    sizes: tuple[int, ...]
    activation: str = "relu"
    output: str = "identity"
    loss: str = "squared"
    dropout: float = 0.0


@dataclass(frozen=True)
class DescentConfig:
    """How the weights are found; the words and formulas are those of TrainingConfig and PenaltyConfig.

    epochs: passes over the data.
    batch_size: samples a step; 'full' for all. The order is a permutation that follows from (seed, epoch); a last,
        smaller batch is trained on, too.
    optimizer: sgd, momentum, nesterov, rmsprop, adam, adamw or muon.
    learning_rate, momentum, weight_decay: as in PyTorch. Decay is decoupled for adam, adamw and muon, added to the
        gradient for the others; None is 0.01 for adamw and 0 for the others.
    schedule: constant, step, cosine or linear, over all steps of `epochs`.
    penalty, strength, mix: none, l1, l2 or elastic (see penalties.py), by proximal steps; biases are left alone.
    seed: first weights, order of the samples and dropout follow from it.

    Raises UsageError, naming the field, for a value that cannot work.
    """

    epochs: int = 10
    batch_size: int | Literal["full"] = 32
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float | None = None
    schedule: str = "constant"
    penalty: str = "none"
    strength: float = 0.0
    mix: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class EpochReport:
    """One pass over the data. loss: mean over its batches of the loss before each step, without the penalty."""

    epoch: int
    loss: float
    network: DenseStack


class DenseStack:
    """A network with its weights and the state of its optimiser.

    Args:
        config, descent: what is computed, and how the weights are found.
        dtype: float32 or float64, of all arithmetic.
        weights: the first weights, one (W, b) a layer, copied; None draws them by the rule of first_weights.py.

    A call of `epochs` or `fit` goes on where the last one stopped, epoch numbers included.
    """

    def __init__(
        self,
        config: StackConfig,
        descent: DescentConfig = DescentConfig(),
        *,
        dtype: type[np.float32] | type[np.float64] = np.float32,
        weights: Sequence[LayerWeights] | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def weights(self) -> list[LayerWeights]:
        """Views of W (outputs, inputs) and b (outputs,) of each layer; writing to them changes the network."""
        raise NotImplementedError

    def layer_outputs(self, inputs: Floats) -> list[Floats]:
        """Return what every neuron answers, without dropout: for each layer (samples, neurons)."""
        raise NotImplementedError

    def outputs(self, inputs: Floats) -> Floats:
        """Return the network's answers after the output's activation, (samples, outputs)."""
        raise NotImplementedError

    def raw_outputs(self, inputs: Floats) -> Floats:
        """Return the weighted sums of the last layer, (samples, outputs)."""
        raise NotImplementedError

    def cost(self, inputs: Floats, targets: Any, sample_weight: Floats | None = None) -> float:
        """Return the weighted mean loss, without the penalty."""
        raise NotImplementedError

    def gradients(self, inputs: Floats, targets: Any, sample_weight: Floats | None = None) -> list[LayerWeights]:
        """Return dJ/dW and dJ/db of each layer for the cost over all these samples, without dropout and penalty."""
        raise NotImplementedError

    def epochs(
        self, inputs: Floats, targets: Any, sample_weight: Floats | None = None, count: int | None = None
    ) -> Iterator[EpochReport]:
        """Train, an epoch for each report; to stop is to leave the loop.

        inputs: (samples, features). targets: (samples,) or (samples, outputs), what the loss asks for (see
        losses.TARGETS); class numbers are (samples,), or shares of classes (samples, classes).
        sample_weight: (samples,), 0 or more, scaled to a mean of 1; class weights are sample weights.
        count: epochs, instead of those of the config.

        Raises DivergedError, naming the step, where the loss stops being finite; the weights are those before it.
        """
        raise NotImplementedError

    def fit(
        self, inputs: Floats, targets: Any, sample_weight: Floats | None = None, count: int | None = None
    ) -> list[float]:
        """Train as `epochs` does, all epochs in one compiled call; returns the loss of each."""
        raise NotImplementedError
