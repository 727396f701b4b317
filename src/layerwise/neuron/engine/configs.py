"""What a user says about a dense stack and its training; checked when it is said."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from layerwise.errors import UsageError, nearest
from layerwise.neuron.engine.updates import ADAMW_DECAY, OPTIMIZERS
from layerwise.neuron.tables.activations import ACTIVATIONS
from layerwise.neuron.tables.losses import LOSSES
from layerwise.neuron.tables.penalties import PENALTIES
from layerwise.neuron.tables.schedules import SCHEDULES

__all__ = ["OPTIMIZERS", "DescentConfig", "StackConfig"]


@dataclass(frozen=True)
class StackConfig:
    """What is computed.

    sizes: inputs, neurons of each hidden layer, outputs; (4, 1) is a single neuron on four features.
    activation: of the hidden layers, a name of ACTIVATIONS.
    output: activation of the last layer. The loss sees its value, except a loss that contains it as its link
        (logistic: sigmoid, cross-entropy: softmax), which sees the raw sums and takes no other but identity.
    loss: a name of LOSSES. The cost is the mean over the samples, and over the outputs where each has its own loss.
    dropout: share of the hidden neurons silenced at each step, the others scaled by 1 / (1 - dropout).

    Raises UsageError, naming the field, for a value that cannot work.
    """

    sizes: tuple[int, ...]
    activation: str = "relu"
    output: str = "identity"
    loss: str = "squared"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        counts = all(isinstance(size, int) and not isinstance(size, bool) and size >= 1 for size in self.sizes)
        if not counts or len(self.sizes) < 2:
            raise _refuse("sizes", "inputs, hidden neurons and outputs, whole numbers of at least 1", self.sizes)
        _choice("activation", self.activation, ACTIVATIONS)
        _choice("output", self.output, ACTIVATIONS)
        _choice("loss", self.loss, LOSSES)
        _number("dropout", self.dropout, 0, math.nextafter(1, 0), "a number from 0 to below 1")
        link = LOSSES[self.loss].link
        if link != "identity" and self.output not in (link, "identity"):
            raise UsageError(
                f"The loss {self.loss} contains the {link} of the output, so the output must be {link} or identity, "
                f"received {self.output!r}."
            )

    @property
    def is_loss_on_raw(self) -> bool:
        """The loss sees the weighted sums of the last layer, before its activation."""
        return self.output == "identity" or LOSSES[self.loss].link != "identity"


@dataclass(frozen=True)
class DescentConfig:
    """How the weights are found; the words and formulas are those of TrainingConfig and PenaltyConfig.

    epochs: passes over the data.
    batch_size: samples a step; 'full' for all. The order is a permutation that follows from (seed, epoch); a last,
        smaller batch is trained on, too.
    optimizer: sgd, momentum, nesterov, rmsprop, adam, adamw or muon (see optimizers.py).
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
    penalty_strength: float = 0.0
    mix: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        _count("epochs", self.epochs, 1, "a whole number of at least 1")
        if self.batch_size != "full":
            _count("batch_size", self.batch_size, 1, "a whole number of at least 1, or 'full'")
        _choice("optimizer", self.optimizer, OPTIMIZERS)
        _number("learning_rate", self.learning_rate, math.ulp(0), math.inf, "a positive number")
        _number("momentum", self.momentum, 0, math.nextafter(1, 0), "a number from 0 to below 1")
        if self.weight_decay is not None:
            _number("weight_decay", self.weight_decay, 0, math.inf, "0 or a positive number")
        _choice("schedule", self.schedule, SCHEDULES)
        _choice("penalty", self.penalty, PENALTIES)
        _number("penalty_strength", self.penalty_strength, 0, math.inf, "0 or a positive number")
        _number("mix", self.mix, 0, 1, "a number from 0 (all L1) to 1 (all L2)")
        _count("seed", self.seed, 0, "a whole number from 0 to 2^63 - 1")
        if self.seed >= 2**63:
            raise _refuse("seed", "a whole number from 0 to 2^63 - 1", self.seed)

    @property
    def decay(self) -> float:
        """The weight decay that the optimiser uses."""
        return self.weight_decay if self.weight_decay is not None else ADAMW_DECAY if self.optimizer == "adamw" else 0.0

    @property
    def l1(self) -> float:
        """The factor of sum |w| in the objective."""
        return PENALTIES[self.penalty].l1(self.penalty_strength, self.mix)

    @property
    def l2(self) -> float:
        """The factor of sum w^2 in the objective."""
        return PENALTIES[self.penalty].l2(self.penalty_strength, self.mix)


def _refuse(name: str, expected: str, received: object) -> UsageError:
    return UsageError(f"`{name}` must be {expected}, received {received!r}.")


def _choice(name: str, received: str, known: Iterable[str]) -> None:
    names = list(known)
    if received not in names:
        hint = nearest(received, names) if isinstance(received, str) else ""
        raise UsageError(f"`{name}` must be one of {', '.join(names)}, received {received!r}.{hint}")


def _count(name: str, received: object, low: int, expected: str) -> None:
    if not isinstance(received, int) or isinstance(received, bool) or received < low:
        raise _refuse(name, expected, received)


def _number(name: str, received: object, low: float, high: float, expected: str) -> None:
    is_number = isinstance(received, int | float) and not isinstance(received, bool) and math.isfinite(received)
    if not is_number or not low <= received <= high:  # type: ignore[operator]
        raise _refuse(name, expected, received)
