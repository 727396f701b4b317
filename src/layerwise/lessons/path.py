"""Coefficient paths on a data set: which weights a penalty leaves, from strong to weak, and how well they predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.data.config import DataConfig
from layerwise.errors import UsageError
from layerwise.lessons.samples import Samples, load_quietly, rows_of, samples_of
from layerwise.neuron.solvers.paths import CoefficientPath, coefficient_path

Floats = NDArray[np.floating[Any]]

FEATURES_AT_MOST = 5000


@dataclass(frozen=True)
class FollowedPath:
    """A path with R² on the validation and the test rows at each strength. best: the best validation's place."""

    samples: Samples
    path: CoefficientPath
    valid_scores: Floats
    test_scores: Floats

    @property
    def best(self) -> int:
        return int(np.argmax(self.valid_scores))

    def active_names(self, place: int) -> list[str]:
        """Return the features whose weights are not zero at strength number `place`."""
        return [self.samples.features[feature] for feature in self.path.active(place)]

    def entries(self) -> list[tuple[int, list[str], list[str]]]:
        """Return (place, features that came, features that went) wherever the active set changes."""
        changes = []
        before: set[str] = set()
        for place in range(len(self.path.strengths)):
            now = set(self.active_names(place))
            if now != before:
                changes.append((place, sorted(now - before), sorted(before - now)))
            before = now
        return changes

    def to_json(self) -> dict[str, Any]:
        """Return strengths, weights, active sets and scores as plain JSON values."""
        return {
            "data": self.samples.name,
            "penalty": self.path.penalty,
            "mix": self.path.mix,
            "features": list(self.samples.features),
            "strengths": self.path.strengths.tolist(),
            "weights": self.path.weights.tolist(),
            "biases": self.path.biases.tolist(),
            "active": [self.active_names(place) for place in range(len(self.path.strengths))],
            "duality_gaps": self.path.gaps.tolist(),
            "valid_r2": self.valid_scores.tolist(),
            "test_r2": self.test_scores.tolist(),
            "best": self.best,
        }


def follow_path(
    data: DataConfig,
    penalty: str = "l1",
    *,
    mix: float = 0.5,
    count: int = 100,
    smallest: float = 1e-3,
    positive: str | None = None,
    seed: int = 0,
) -> FollowedPath:
    """Follow the weights of a linear neuron with squared error on the training rows.

    positive: a class against all others; two classes are taken as the numbers -1 and 1.

    Raises UsageError for settings or data that cannot work.
    """
    dataset = load_quietly(data, seed)
    samples = samples_of(dataset, "squared", "identity", positive)
    if len(samples.features) > FEATURES_AT_MOST:
        raise UsageError(
            f"A path takes at most {FEATURES_AT_MOST} features, and {samples.name} has {len(samples.features)}."
        )
    path = coefficient_path(samples.inputs, samples.targets, penalty, mix=mix, count=count, smallest=smallest)
    valid_inputs, valid_targets = rows_of(dataset, dataset.valid)
    if samples.sides:
        upper = dataset.classes.index(samples.sides[1])
        valid_targets = np.where(valid_targets == upper, 1.0, -1.0)
    valid = _scores(path, valid_inputs, valid_targets)
    return FollowedPath(samples, path, valid, _scores(path, samples.test_inputs, samples.test_targets))


def _scores(path: CoefficientPath, inputs: Floats, targets: Floats) -> Floats:
    """Return R² at each strength, (strengths,); zeros where the targets are all the same."""
    answers = inputs @ path.weights.T + path.biases
    around = float(((targets - targets.mean()) ** 2).sum())
    scores: Floats = (
        1 - ((answers - targets[:, None]) ** 2).sum(0) / around if around else np.zeros(len(path.strengths))
    )
    return scores
