"""Everything that is said about a trained model on one split, as plain numbers that survive JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from layerwise.errors import DataError
from layerwise.tasks import Classification, Regression, Task

CALIBRATION_BINS = 15
WORST_COUNT = 24
POINTS_AT_MOST = 1000
NORMAL_95 = 1.959963984540054  # the 97.5 % quantile of the standard normal distribution

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ClassScore:
    """One class. support: how many samples are of it; given: how many the model names so.

    A ratio without a denominator (a class never given, or without samples) is 0.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    given: int


@dataclass(frozen=True)
class Mistake:
    """A sample that was named wrongly. position: its row in the split; probability: of the name given."""

    position: int
    id: str
    truth: str
    given: str
    probability: float
    truth_probability: float


@dataclass(frozen=True)
class CalibrationBin:
    """Answers given with a probability in (low, high]: how many, how sure on average, how often right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class ClassEvaluation:
    """A classifier on one split.

    accuracy_low, accuracy_high: 95 % interval (Wilson, 1927).
    loss: mean cross-entropy, nats. baseline: accuracy of always giving the commonest class of the split.
    macro: means of precision, recall and f1 over the classes that have samples, each class counting the same.
    confusion: samples of class `row` that were given class `column`.
    calibration_error: mean distance of sureness from rightness (Guo et al., 2017, equation 3), 15 equal bins.
    worst: the most confidently wrong samples, the surest first.
    """

    count: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    loss: float
    baseline: float
    macro: Mapping[str, float]
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration_error: float
    calibration: tuple[CalibrationBin, ...]
    worst: tuple[Mistake, ...]

    @property
    def metrics(self) -> dict[str, float]:
        """The headline figures under the names that the task gives them while training."""
        return {"loss": self.loss, "accuracy": self.accuracy}

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {"goal": "classification", **asdict(self)}


@dataclass(frozen=True)
class Residual:
    """A sample with a large error. residual: given - truth, in the target's unit."""

    position: int
    id: str
    target: str
    truth: float
    given: float
    residual: float


@dataclass(frozen=True)
class TargetScore:
    """One predicted quantity, in its own unit.

    baseline_rmse: the error of always giving the split's mean. bias: mean residual (given - truth).
    quantiles: 5, 25, 50, 75 and 95 % quantiles of the residuals.
    points: (truth, given) of up to 1,000 samples evenly spread over the split, for plots.
    """

    name: str
    r2: float
    mae: float
    rmse: float
    median_error: float
    largest_error: float
    baseline_rmse: float
    bias: float
    quantiles: tuple[float, ...]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ValueEvaluation:
    """A regression on one split. r2, mae, rmse: means over the targets; worst: the largest errors, measured
    in standard deviations of their target so that targets of different units compare."""

    count: int
    loss: float
    r2: float
    mae: float
    rmse: float
    targets: tuple[TargetScore, ...]
    worst: tuple[Residual, ...]

    @property
    def metrics(self) -> dict[str, float]:
        """The headline figures under the names that the task gives them while training."""
        return {"loss": self.loss, "r2": self.r2, "mae": self.mae, "rmse": self.rmse}

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {"goal": "regression", **asdict(self)}


Evaluation = ClassEvaluation | ValueEvaluation


def evaluation_from_json(values: Mapping[str, Any]) -> Evaluation:
    """Rebuild what `to_json` described."""
    rest = {name: value for name, value in values.items() if name != "goal"}
    if values["goal"] == "classification":
        nested = {"classes": ClassScore, "calibration": CalibrationBin, "worst": Mistake}
        rest |= {name: tuple(kind(**item) for item in values[name]) for name, kind in nested.items()}
        rest["confusion"] = tuple(tuple(row) for row in values["confusion"])
        return ClassEvaluation(**rest)
    rest["targets"] = tuple(_target_from_json(item) for item in values["targets"])
    rest["worst"] = tuple(Residual(**item) for item in values["worst"])
    return ValueEvaluation(**rest)


def _target_from_json(values: Mapping[str, Any]) -> TargetScore:
    points = tuple((truth, given) for truth, given in values["points"])
    return TargetScore(**{**values, "quantiles": tuple(values["quantiles"]), "points": points})


def evaluate_outputs(task: Task, outputs: Tensor, targets: Tensor, ids: Sequence[str]) -> Evaluation:
    """Measure raw outputs against targets.

    Args:
        task: says what outputs mean; a Classification or a Regression.
        outputs: (n, classes) logits or (n, targets) standardised values.
        targets: (n,) int64 classes or (n, targets) standardised values.
        ids: a name of each sample, for the list of the worst.

    Raises:
        DataError: there is no sample, or the three disagree in length.
        TypeError: no evaluation is known for this kind of task.
    """
    if not len(outputs) == len(targets) == len(ids):
        raise DataError(
            f"an evaluation needs as many outputs as targets and ids, "
            f"received {len(outputs)}, {len(targets)} and {len(ids)}."
        )
    if len(targets) == 0:
        raise DataError("there is no sample to evaluate on; give data with at least one labelled sample.")
    outputs, targets = outputs.detach().cpu(), targets.cpu()
    if isinstance(task, Classification):
        return evaluate_classes(task.classes, outputs, targets, ids)
    if isinstance(task, Regression):
        return evaluate_values(task, outputs, targets, ids)
    raise TypeError(f"there is no evaluation for {type(task).__name__}; a Classification or Regression has one")


def evaluate_classes(names: Sequence[str], logits: Tensor, labels: Tensor, ids: Sequence[str]) -> ClassEvaluation:
    """Measure a classifier. logits: (n, classes); labels: (n,) int64."""
    probabilities: Floats = logits.double().softmax(1).numpy()
    truth: Integers = labels.numpy().astype(np.int64)
    given: Integers = logits.argmax(1).numpy().astype(np.int64)
    confusion = count_confusion(truth, given, len(names))
    right = given == truth
    low, high = wilson_interval(int(right.sum()), len(truth))
    scores = score_classes(names, confusion)
    confidence: Floats = np.take_along_axis(probabilities, given[:, None], 1)[:, 0]
    bins, calibration_error = calibrate(confidence, right)
    return ClassEvaluation(
        count=len(truth),
        accuracy=float(right.mean()),
        accuracy_low=low,
        accuracy_high=high,
        loss=F.cross_entropy(logits.double(), labels.long()).item(),
        baseline=float(confusion.sum(1).max() / len(truth)),
        macro=_macro_means(scores),
        classes=scores,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        calibration_error=calibration_error,
        calibration=bins,
        worst=_worst_mistakes(names, probabilities, truth, given, ids),
    )


def count_confusion(truth: Integers, given: Integers, class_count: int) -> Integers:
    """Return how many samples of class `row` were given class `column`, (classes, classes)."""
    cells = np.bincount(truth * class_count + given, minlength=class_count**2)
    return cells.reshape(class_count, class_count)


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, `right` of `count` (Wilson, 1927)."""
    square = NORMAL_95**2
    rate = right / count
    centre = (rate + square / (2 * count)) / (1 + square / count)
    half = NORMAL_95 / (1 + square / count) * (rate * (1 - rate) / count + square / (4 * count**2)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def score_classes(names: Sequence[str], confusion: Integers) -> tuple[ClassScore, ...]:
    """Return precision, recall and F1 of each class."""
    hits, support, given = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    precision, recall = hits / np.maximum(given, 1), hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(given + support, 1)
    columns = (values.tolist() for values in (precision, recall, f1, support, given))
    return tuple(ClassScore(*row) for row in zip(names, *columns, strict=True))


def _macro_means(scores: Sequence[ClassScore]) -> dict[str, float]:
    present = [score for score in scores if score.support]
    return {
        name: sum(getattr(score, name) for score in present) / len(present) for name in ("precision", "recall", "f1")
    }


def calibrate(
    confidence: Floats, right: NDArray[np.bool_], bin_count: int = CALIBRATION_BINS
) -> tuple[tuple[CalibrationBin, ...], float]:
    """Sort answers into bins of equal width by their sureness; return the bins and the calibration error."""
    edges = np.linspace(0, 1, bin_count + 1)
    places = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bin_count - 1)
    counts = np.bincount(places, minlength=bin_count)
    sure = np.bincount(places, confidence, bin_count) / np.maximum(counts, 1)
    hits = np.bincount(places, right, bin_count) / np.maximum(counts, 1)
    error = float((counts * np.abs(sure - hits)).sum() / len(confidence))
    columns = (values.tolist() for values in (edges[:-1], edges[1:], counts, sure, hits))
    return tuple(CalibrationBin(*row) for row in zip(*columns, strict=True)), error


def _worst_mistakes(
    names: Sequence[str], probabilities: Floats, truth: Integers, given: Integers, ids: Sequence[str]
) -> tuple[Mistake, ...]:
    wrong = np.flatnonzero(given != truth)
    confidence = probabilities[wrong, given[wrong]]
    order = wrong[np.argsort(-confidence, kind="stable")][:WORST_COUNT]
    return tuple(
        Mistake(
            position=row,
            id=str(ids[row]),
            truth=names[truth[row]],
            given=names[given[row]],
            probability=float(probabilities[row, given[row]]),
            truth_probability=float(probabilities[row, truth[row]]),
        )
        for row in order.tolist()
    )


def evaluate_values(task: Regression, outputs: Tensor, targets: Tensor, ids: Sequence[str]) -> ValueEvaluation:
    """Measure a regression. outputs, targets: (n, targets), standardised; the figures are in units."""
    truth: Floats = task.in_units(targets).numpy()
    given: Floats = task.in_units(outputs).numpy()
    scores = tuple(
        score_target(name, truth[:, column], given[:, column]) for column, name in enumerate(task.target_names)
    )
    return ValueEvaluation(
        count=len(truth),
        loss=F.mse_loss(outputs.double(), targets.double()).item(),
        r2=float(np.mean([score.r2 for score in scores])),
        mae=float(np.mean([score.mae for score in scores])),
        rmse=float(np.mean([score.rmse for score in scores])),
        targets=scores,
        worst=_worst_residuals(task, truth, given, ids),
    )


def score_target(name: str, truth: Floats, given: Floats) -> TargetScore:
    """Measure one target in its own unit. truth, given: (n,)."""
    residuals = given - truth
    errors = np.abs(residuals)
    square_error = float(np.mean(residuals**2))
    variance = float(np.var(truth))
    r2 = 1 - square_error / variance if variance > 0 else float(square_error == 0)
    shown = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), POINTS_AT_MOST)).round().astype(int))
    return TargetScore(
        name=name,
        r2=r2,
        mae=float(errors.mean()),
        rmse=square_error**0.5,
        median_error=float(np.median(errors)),
        largest_error=float(errors.max()),
        baseline_rmse=variance**0.5,
        bias=float(residuals.mean()),
        quantiles=tuple(np.quantile(residuals, (0.05, 0.25, 0.5, 0.75, 0.95)).tolist()),
        points=tuple(zip(truth[shown].tolist(), given[shown].tolist(), strict=True)),
    )


def _worst_residuals(task: Regression, truth: Floats, given: Floats, ids: Sequence[str]) -> tuple[Residual, ...]:
    residuals = given - truth
    sizes = np.abs(residuals) / np.maximum(np.array(task.deviations), np.finfo(np.float64).tiny)
    largest = np.argsort(-sizes, axis=None, kind="stable")[:WORST_COUNT]
    rows, columns = np.unravel_index(largest, sizes.shape)
    return tuple(
        Residual(
            position=row,
            id=str(ids[row]),
            target=task.target_names[column],
            truth=float(truth[row, column]),
            given=float(given[row, column]),
            residual=float(residuals[row, column]),
        )
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    )
