"""A data set as one neuron takes it: rows of numbers, and targets in the form that the loss asks for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Split
from layerwise.data.loading import load
from layerwise.data.tables.preprocessing import TablePreprocessing
from layerwise.data.text.bag_of_words import BagOfWordsPreprocessing
from layerwise.errors import UsageError, nearest
from layerwise.neuron.tables.activations import ACTIVATIONS
from layerwise.neuron.tables.losses import LOSSES

Floats = NDArray[np.floating[Any]]

CELLS_AT_MOST = 200_000_000  # of all inputs in float32; more do not belong in front of one neuron
DOUBLE_UP_TO = 5_000_000  # cells up to which float64 costs nothing


@dataclass(frozen=True)
class Samples:
    """Training and test rows for one neuron.

    inputs, test_inputs: (n, features). targets, test_targets: (n,), numbers, -1 and 1, or 0 and 1.
    features: the name of each. sides: what the lower and the upper target mean; empty for numbers.
    notices: sentences that a user should read.
    """

    name: str
    noun: str
    inputs: Floats
    targets: Floats
    test_inputs: Floats
    test_targets: Floats
    features: tuple[str, ...]
    target_name: str
    sides: tuple[str, ...]
    notices: tuple[str, ...]


def load_quietly(config: DataConfig, seed: int) -> Dataset:
    """Load data; that something is fetched is told on the error stream, so that --json stays one document."""
    return load(config, seed, progress=lambda sentence: print(sentence, file=sys.stderr))


def samples_of(dataset: Dataset, loss: str, activation: str, positive: str | None = None) -> Samples:
    """Return a data set for a neuron with this loss.

    positive: the class that counts as 1, all others together as the other side; needed for more than two classes.

    Raises UsageError where loss and data do not fit.
    """
    task = "numbers" if dataset.task == "regression" else "classes"
    if task == "numbers" and LOSSES[loss].targets != "numbers":
        raise UsageError(
            f"The {loss} loss tells two classes apart, and {dataset.name} asks for numbers; use `loss` squared."
        )
    if task == "numbers" and len(dataset.target_names) > 1:
        names = ", ".join(dataset.target_names)
        raise UsageError(
            f"One neuron gives one number, and {dataset.name} has the targets {names}; name one by `target`."
        )
    inputs, targets = rows_of(dataset, dataset.train)
    test_inputs, test_targets = rows_of(dataset, dataset.test)
    sides: tuple[str, ...] = ()
    if task == "classes":
        chosen = _positive(dataset, positive)
        others = " or ".join(dataset.classes[:chosen] + dataset.classes[chosen + 1 :])
        sides = (others if len(others) <= 40 else f"not {dataset.classes[chosen]}", dataset.classes[chosen])
        low = lower_target(loss, activation)
        targets, test_targets = (np.where(labels == chosen, 1.0, low) for labels in (targets, test_targets))
    elif positive:
        raise UsageError(f"`positive` names a class, and {dataset.name} asks for numbers; leave it out.")
    return Samples(
        name=dataset.name,
        noun={"images": "images", "table": "rows", "bag_of_words": "texts"}[dataset.kind],
        inputs=inputs,
        targets=targets,
        test_inputs=test_inputs,
        test_targets=test_targets,
        features=_feature_names(dataset),
        target_name=f"{dataset.target_names[0]} (standardised)" if dataset.target_names else "class",
        sides=sides,
        notices=tuple(
            notice.text
            for notice in dataset.notices
            if notice.severity == "warning" or "left out" in notice.text  # a constant column, for one
        ),
    )


def lower_target(loss: str, activation: str) -> float:
    """Return the target of the other class: 0 or -1 as the loss asks, else -1 where the activation reaches it."""
    asked = LOSSES[loss].targets
    if asked == "numbers":
        return -1.0 if ACTIVATIONS[activation].range[0] <= -1 else 0.0
    return -1.0 if asked == "signs" else 0.0


def _positive(dataset: Dataset, name: str | None) -> int:
    """Return the number of the class that counts as 1."""
    classes = dataset.classes
    if name is not None:
        if name not in classes:
            known = ", ".join(classes[:12])
            raise UsageError(
                f"`positive` must be a class of {dataset.name} ({known}), received '{name}'.{nearest(name, classes)}"
            )
        return classes.index(name)
    if len(classes) != 2:
        raise UsageError(
            f"One neuron tells two classes apart, and {dataset.name} has {len(classes)}; "
            f"choose one against all others, such as `positive` {classes[0]}."
        )
    return 1


def rows_of(dataset: Dataset, split: Split) -> tuple[Floats, Floats]:
    """Return inputs (n, features), in float64 where that is small, and targets (n,)."""
    width = int(np.prod(dataset.input_shape))
    if len(split) * width > CELLS_AT_MOST or not isinstance(split.inputs, torch.Tensor):
        raise UsageError(f"{dataset.name} is too large for this lesson; use fewer samples by `limit`.")
    inputs = dataset.preprocessing.transform(split.inputs).reshape(len(split), width).numpy()
    is_small = inputs.size <= DOUBLE_UP_TO
    targets = split.targets.numpy()
    return inputs.astype(np.float64) if is_small else inputs, targets.reshape(len(split), -1)[:, 0].astype(np.float64)


def _feature_names(dataset: Dataset) -> tuple[str, ...]:
    preprocessing = dataset.preprocessing
    if isinstance(preprocessing, TablePreprocessing):
        return preprocessing.features
    if isinstance(preprocessing, BagOfWordsPreprocessing):
        return preprocessing.vocabulary
    return tuple(f"pixel {'-'.join(map(str, place))}" for place in np.ndindex(*dataset.input_shape))
