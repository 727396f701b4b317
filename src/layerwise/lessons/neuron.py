"""One neuron that learns on a data set: how its cost falls, where its decision lies, how often it is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset
from layerwise.errors import DivergedError
from layerwise.lessons.samples import Samples, load_quietly, samples_of
from layerwise.neuron.functions.cost import NeuronCost, activation_name, check_words
from layerwise.neuron.functions.minibatches import BatchDescent, descend_on_data
from layerwise.neuron.tables.losses import LOSSES

Floats = NDArray[np.floating[Any]]

# The classics are the same neuron with a few words filled in.
CLASSICS: Mapping[str, dict[str, Any]] = {
    "perceptron": {"activation": "identity", "loss": "perceptron"},
    "linear-regression": {"activation": "identity", "loss": "squared"},
    "svm": {"activation": "identity", "loss": "hinge", "penalty": "l2", "penalty_strength": 1e-3},
    "logistic-regression": {"activation": "sigmoid", "loss": "logistic"},
}
BATCH = 32  # samples a step, unless told otherwise
TELLING = 12  # features that are listed on each side


@dataclass(frozen=True)
class TrainedNeuron:
    """A neuron after its training, with all that it saw.

    share_right, baseline: of the test rows, and of always naming the commonest class; None for numbers.
    mistakes: of the perceptron, the share of wrong answers at each look, (2, looks), on training and test rows. Its
        cost says little: it grows with the weights, and is 0 where they all are.
    r2: share of the variance of the test targets that is explained; None for classes.
    """

    samples: Samples
    cost: NeuronCost
    descent: BatchDescent
    test_costs: Floats
    share_right: float | None
    baseline: float | None
    r2: float | None
    mistakes: Floats | None
    notices: tuple[str, ...]

    @property
    def weights(self) -> Floats:
        """w (features,)."""
        return self.descent.end[:-1]

    @property
    def bias(self) -> float:
        return float(self.descent.end[-1])

    def telling(self) -> list[tuple[str, float]]:
        """Return the features with the largest weights and those weights, the largest first."""
        order = np.argsort(-np.abs(self.weights), kind="stable")[: 2 * TELLING]
        return [(self.samples.features[place], float(self.weights[place])) for place in order if self.weights[place]]

    def to_json(self) -> dict[str, Any]:
        """Return what was trained and reached as plain JSON values."""
        return {
            "data": self.samples.name,
            "activation": self.cost.activation,
            "loss": self.cost.loss,
            "penalty": self.cost.penalty,
            "penalty_strength": self.cost.penalty_strength,
            "optimizer": self.descent.optimizer,
            "learning_rate": self.descent.settings.learning_rate,
            "largest_stable_rate": self.descent.largest_stable_rate,
            "batch_size": self.descent.batch_size,
            "epochs": [float(epoch) for epoch in self.descent.epochs],
            "costs": [float(value) for value in self.descent.costs],
            "test_costs": [float(value) for value in self.test_costs],
            "test_accuracy": self.share_right,
            "test_baseline": self.baseline,
            "test_r2": self.r2,
            "mistakes": None if self.mistakes is None else self.mistakes[0].tolist(),
            "test_mistakes": None if self.mistakes is None else self.mistakes[1].tolist(),
            "weights": dict(zip(self.samples.features, self.weights.tolist(), strict=True)),
            "bias": self.bias,
            "sides": list(self.samples.sides),
            "notices": list(self.notices),
        }


def train_neuron(
    data: DataConfig,
    *,
    activation: str | None = None,
    loss: str | None = None,
    penalty: str = "none",
    penalty_strength: float = 0.0,
    mix: float = 0.5,
    positive: str | None = None,
    batch_size: int | str | None = None,
    epochs: int = 50,
    optimizer: str = "sgd",
    learning_rate: float | None = None,
    momentum: float = 0.9,
    seed: int = 0,
) -> TrainedNeuron:
    """Train one neuron by gradient descent from zero weights, and measure it on the test split.

    activation, loss: None takes what goes with the other and with the data.
    batch_size: None takes 32, or all rows where there are fewer.
    learning_rate: None takes one over the largest curvature of the cost.

    Raises UsageError for words or data that make no single neuron, DivergedError where the rate is too large, naming
    the step and the largest stable rate, and what `load` raises.
    """
    dataset = load_quietly(data, seed)
    samples, cost = neuron_for(dataset, activation, loss, penalty, penalty_strength, mix, positive)
    count = len(samples.targets)
    size = min(BATCH, count) if batch_size is None else count if batch_size == "full" else int(batch_size)
    descent = descend_on_data(
        cost,
        size,
        epochs=epochs,
        optimizer=optimizer,
        learning_rate=learning_rate,
        momentum=momentum,
        seed=seed,
        looks=200 if samples.inputs.size <= 1_000_000 else 60,
    )
    is_finite = bool(np.isfinite(descent.costs).all())
    if descent.diverged is not None and (cost.curvature_bound is not None or not is_finite):
        raise DivergedError(_about_divergence(descent))
    return measure(samples, cost, descent)


def neuron_for(
    dataset: Dataset,
    activation: str | None = None,
    loss: str | None = None,
    penalty: str = "none",
    penalty_strength: float = 0.0,
    mix: float = 0.5,
    positive: str | None = None,
) -> tuple[Samples, NeuronCost]:
    """Return the samples as the neuron takes them, and its cost on the training rows."""
    activation, loss = choose_words(dataset, activation, loss)
    check_words(activation, loss, penalty, penalty_strength, mix)
    samples = samples_of(dataset, loss, activation, positive)
    return samples, NeuronCost(samples.inputs, samples.targets, activation, loss, penalty, penalty_strength, mix)


def choose_words(dataset: Dataset, activation: str | None, loss: str | None) -> tuple[str, str]:
    """Fill in what is left out: logistic regression for classes, linear regression for numbers, else what goes with
    the word that is given."""
    if loss is None:
        wants_sigmoid = dataset.task == "classification" and activation in (None, "sigmoid")
        loss = "logistic" if wants_sigmoid else "squared"
    if activation is None:
        activation = "sigmoid" if loss == "logistic" else "identity"
    return activation_name(activation), loss


def _about_divergence(descent: BatchDescent) -> str:
    rate = descent.largest_stable_rate
    sure = f"; steps of all samples are sure to descend up to `learning_rate` {rate:.3g}" if rate else ""
    return (
        f"The descent diverges from step {descent.diverged} on: the cost rises from {descent.costs[0]:.4g} to "
        f"{descent.costs[-1]:.4g} at `learning_rate` {descent.settings.learning_rate:g}{sure}."
    )


def measure(samples: Samples, cost: NeuronCost, descent: BatchDescent) -> TrainedNeuron:
    """Compare the trained neuron with the test rows."""
    test = NeuronCost(
        samples.test_inputs,
        samples.test_targets,
        cost.activation,
        cost.loss,
        cost.penalty,
        cost.penalty_strength,
        cost.mix,
    )
    test_costs = np.array([test.value(v) for v in descent.points])
    z = test.sums(descent.end)
    share_right = baseline = r2 = None
    if samples.sides:
        truth = samples.test_targets > 0
        share_right = float(((z > 0) == truth).mean()) if cost.sees_sum or _is_odd(cost) else _right(test, z, truth)
        baseline = float(max(truth.mean(), 1 - truth.mean()))
    else:
        errors = test.outputs(z) - samples.test_targets
        around = samples.test_targets - samples.test_targets.mean()
        r2 = float(1 - (errors @ errors) / (around @ around)) if around.any() else None
    return TrainedNeuron(
        samples,
        cost,
        descent,
        test_costs,
        share_right,
        baseline,
        r2,
        _mistakes(cost, test, descent) if cost.loss == "perceptron" else None,
        (*samples.notices, *_notices(samples, cost, descent)),
    )


def _mistakes(cost: NeuronCost, test: NeuronCost, descent: BatchDescent) -> Floats:
    """Return the share of rows on the wrong side at each look, on the training and on the test rows, (2, looks)."""
    shares = [[((rows.sums(v) > 0) != (rows.targets > 0)).mean() for v in descent.points] for rows in (cost, test)]
    return np.array(shares)


def _is_odd(cost: NeuronCost) -> bool:
    """Whether the answer lies between the two targets exactly where z = 0."""
    return float(cost.outputs(np.zeros(1))[0]) * 2 == sum(_both_targets(cost))


def _both_targets(cost: NeuronCost) -> tuple[float, float]:
    return float(cost.targets.min()), float(cost.targets.max())


def _right(test: NeuronCost, z: Floats, truth: NDArray[np.bool_]) -> float:
    middle = sum(_both_targets(test)) / 2
    return float(((test.outputs(z) > middle) == truth).mean())


def _notices(samples: Samples, cost: NeuronCost, descent: BatchDescent) -> list[str]:
    """Say what the course of the training alone does not show."""
    found = []
    if samples.sides and LOSSES[cost.loss].name == "logistic" and cost.penalty == "none":
        signs = np.where(samples.targets > 0, 1, -1)
        if (signs * cost.sums(descent.end) > 0).all():
            found.append(
                "The training rows are separable: without a penalty the weights grow for ever and the cost has no "
                "minimum; add `penalty` l2 `penalty_strength` 0.001."
            )
    if descent.costs[-1] > descent.costs[0] > 0:  # the perceptron's weights of zero cost nothing
        found.append("The cost is higher than at the start; a smaller `learning_rate` lowers it.")
    return found
