"""What a user says about a dense stack and its training; checked when it is said."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import Literal

from layerwise.errors import UsageError
from layerwise.fields import check, choice, numeric, share, sizes
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

    sizes: tuple[int, ...] = sizes(MISSING, "inputs, neurons of each hidden layer, outputs", least=2)
    activation: str = choice("relu", tuple(ACTIVATIONS), "activation of the hidden layers")
    output: str = choice("identity", tuple(ACTIVATIONS), "activation of the last layer")
    loss: str = choice("squared", tuple(LOSSES), "what is minimised")
    dropout: float = share(0.0, "share of the hidden neurons silenced per step", search=(0.0, 0.5))

    def __post_init__(self) -> None:
        check(self)
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
    penalty, penalty_strength, mix: none, l1, l2 or elastic (see penalties.py), proximal; biases are left alone.
    seed: first weights, order of the samples and dropout follow from it.

    Raises UsageError, naming the field, for a value that cannot work.
    """

    epochs: int = numeric(10, "passes over the data", at_least=1, unit="epochs", scale="log", search=(1, 100))
    batch_size: int | Literal["full"] = numeric(
        32,
        "samples per step; 'full' takes all of them",
        at_least=1,
        unit="samples",
        scale="powers of two",
        search=(16, 512),
    )
    optimizer: str = choice("adam", tuple(OPTIMIZERS), "update rule")
    learning_rate: float = numeric(1e-3, "step size, before the schedule", above=0, scale="log", search=(1e-5, 1.0))
    momentum: float = numeric(
        0.9, "share of the velocity kept from step to step", at_least=0, below=1, search=(0.5, 0.99)
    )
    weight_decay: float | None = numeric(
        None,
        "share of a weight that is lost per step, times the learning rate [0.01 for adamw, else 0]",
        at_least=0,
        scale="log",
        search=(1e-6, 0.1),
    )
    schedule: str = choice("constant", tuple(SCHEDULES), "how the learning rate changes over the steps")
    penalty: str = choice("none", tuple(PENALTIES), "term of the objective that keeps weights small")
    penalty_strength: float = numeric(0.0, "factor of the penalty, lambda", at_least=0, scale="log", search=(1e-6, 0.1))
    mix: float = numeric(
        0.5, "alpha of the elastic net: 0 is all L1, 1 is all L2", at_least=0, at_most=1, search=(0, 1)
    )
    seed: int = numeric(
        0, "first weights, order of the samples and dropout follow from it", at_least=0, at_most=2**63 - 1
    )

    def __post_init__(self) -> None:
        check(self)

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
