"""A classifier on one split: how often it is right, with which classes, how sure it is, and its surest mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.dataset import Notice
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.reports import charts, markup, pictures, wording
from layerwise.reports.figures import to_svg
from layerwise.reports.results.result import EvaluationInput, ReportContext, Rows, Tile
from layerwise.tasks import Classification

if TYPE_CHECKING:
    from matplotlib.figure import Figure


CALIBRATION_BINS = 15
WORST_COUNT = 24
EXAMPLES_PRINTED = 5
NORMAL_95 = 1.959963984540054  # the 97.5 % quantile of the standard normal distribution
BALANCED_TO = 1.3  # the commonest class has at most this many times its even share
WEAK_BY = 0.08  # recall below the mean by this much is worth a sentence
FEW_SAMPLES = 5
MISCALIBRATED_BY = 0.05
ROWS_SHOWN_OPEN = 12
CLASSES_SHOWN_OPEN = 20

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
class ClassificationResult:
    """A classifier on one split.

    accuracy_low, accuracy_high: 95 % interval (Wilson, 1927).
    loss: mean cross-entropy, nats. baseline: accuracy of always giving the commonest class of the split.
    macro: means of precision, recall and f1 over the classes that have samples, each class counting the same.
    confusion: samples of class `row` that were given class `column`.
    calibration_error: mean distance of sureness from rightness (Guo et al., 2017, equation 3), 15 equal bins.
    worst: the most confidently wrong samples, the surest first.
    """

    task: ClassVar[str] = "classification"

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
        return {"loss": self.loss, "accuracy": self.accuracy}

    @property
    def summary(self) -> dict[str, float]:
        names = ("count", "accuracy", "accuracy_low", "accuracy_high", "baseline", "loss")
        return {name: getattr(self, name) for name in names}

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ClassificationResult:
        nested = {"classes": ClassScore, "calibration": CalibrationBin, "worst": Mistake}
        rebuilt: dict[str, Any] = {name: tuple(kind(**item) for item in values[name]) for name, kind in nested.items()}
        rebuilt["confusion"] = tuple(tuple(row) for row in values["confusion"])
        return cls(**{**values, **rebuilt})

    def sentence(self, samples: str, who: str = "It") -> str:
        return f"{who} classifies {wording.share(self.accuracy)} of {samples} correctly ({guessing(self)})."

    def lines(self) -> list[str]:
        return [
            f"accuracy {wording.share(self.accuracy)} of {wording.count(self.count)} samples "
            f"(95 % interval {wording.share(self.accuracy_low)} to {wording.share(self.accuracy_high)}), "
            f"loss {wording.decimal(self.loss)}, calibration error {wording.share(self.calibration_error)}"
        ]

    def table(self) -> Rows:
        rows = [
            [one.name, *(wording.share(value) for value in (one.precision, one.recall, one.f1)), one.support]
            for one in self.classes
        ]
        return ["class", "precision", "recall", "F1", "samples"], rows

    def examples(self) -> tuple[str, list[str]]:
        return "the mistakes it was surest of", [
            f"{mistake.id}: {mistake.given} ({wording.share(mistake.probability)}), in truth {mistake.truth}"
            for mistake in self.worst[:EXAMPLES_PRINTED]
        ]

    def tiles(self) -> list[Tile]:
        low, high = wording.share(self.accuracy_low), wording.share(self.accuracy_high)
        wrong = round((1 - self.accuracy) * self.count)
        listed = "all are listed below" if 0 < wrong <= len(self.worst) else ""
        return [
            (wording.share(self.accuracy), "accuracy", f"95 % interval: {low} to {high}"),
            (f"{wording.count(wrong)} of {wording.count(self.count)}", "mistakes", listed),
        ]

    def notices(self) -> Iterator[Notice]:
        yield from observe_classes(self)

    def section(self, context: ReportContext) -> str:
        return classification_section(self, context)

    def draw_confusion(self) -> Figure:
        """Draw the confusion matrix with the names of the classes."""
        return charts.confusion_chart(self.confusion, [score.name for score in self.classes])

    def drawings(self, evaluation_input: EvaluationInput) -> Iterator[tuple[str, Figure]]:
        yield "confusion", self.draw_confusion()
        yield "calibration", charts.calibration_chart(self.calibration)
        if isinstance(evaluation_input.preprocessing, ImagePreprocessing) and self.worst:
            shown, _ = evaluation_input.split.take(torch.tensor([mistake.position for mistake in self.worst]))
            captions = [f"given {one.given}, {one.probability:.0%}\ntruth {one.truth}" for one in self.worst]
            yield "mistakes", pictures.picture_page(pictures.to_pixels(shown), captions, title="The surest mistakes")


def measure(evaluation_input: EvaluationInput) -> ClassificationResult:
    """Measure a classifier."""
    assert isinstance(evaluation_input.task, Classification)
    outputs, targets = evaluation_input.outputs()
    return evaluate_classes(evaluation_input.task.classes, outputs, targets, evaluation_input.split.ids)


def evaluate_classes(names: Sequence[str], logits: Tensor, labels: Tensor, ids: Sequence[str]) -> ClassificationResult:
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
    return ClassificationResult(
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


def guessing(evaluation: ClassificationResult) -> str:
    """Return the accuracy of a guess that ignores the input, with its name."""
    class_count = len(evaluation.classes)
    if evaluation.baseline * class_count <= BALANCED_TO:
        return f"chance: {wording.share(1 / class_count)}"
    commonest = max(evaluation.classes, key=lambda score: score.support)
    return f"most frequent class, ‘{commonest.name}’: {wording.share(evaluation.baseline)}"


def observe_classes(evaluation: ClassificationResult) -> Iterator[Notice]:
    """Yield what a reader should know about a classifier."""
    if evaluation.accuracy_low <= evaluation.baseline:
        yield Notice(
            "warning",
            f"The model is not clearly better than always giving the commonest class, "
            f"which is right in {wording.share(evaluation.baseline)}.",
        )
    counts = [
        (count, evaluation.classes[row], evaluation.classes[column])
        for row, line in enumerate(evaluation.confusion)
        for column, count in enumerate(line)
        if row != column
    ]
    count, truth, given = max(counts, key=lambda item: item[0], default=(0, None, None))
    if count > 1 and truth and given:
        yield Notice(
            "info",
            f"The commonest mistake: ‘{truth.name}’ is taken for ‘{given.name}’, "
            f"{count} times in {wording.count(truth.support)}.",
        )
    measured = [score for score in evaluation.classes if score.support >= FEW_SAMPLES]
    weakest = min(measured, key=lambda score: score.recall, default=None)
    if weakest and weakest.recall < evaluation.macro["recall"] - WEAK_BY:
        yield Notice(
            "info",
            f"The hardest class is ‘{weakest.name}’: {wording.share(weakest.recall)} "
            f"of its {wording.count(weakest.support)} samples are found.",
        )
    yield from _observe_calibration(evaluation)


def _observe_calibration(evaluation: ClassificationResult) -> Iterator[Notice]:
    sure = sum(part.count * part.confidence for part in evaluation.calibration) / evaluation.count
    if abs(sure - evaluation.accuracy) > MISCALIBRATED_BY:
        word = "surer" if sure > evaluation.accuracy else "less sure"
        yield Notice(
            "info",
            f"The model is {word} than it should be: its mean probability is {wording.share(sure)}, "
            f"and {wording.share(evaluation.accuracy)} of its answers are right.",
        )


def classification_section(evaluation: ClassificationResult, context: ReportContext) -> str:
    """Which class is taken for which, class by class, and the surest mistakes."""
    confusion = markup.chart(
        to_svg(evaluation.draw_confusion(), _confusion_in_words(evaluation)),
        "Which class is taken for which",
        "A row is what it is, a column what the model says. Blue is right, orange is wrong; "
        "the fuller the colour, the larger the share of the row.",
    )
    calibration = markup.chart(
        to_svg(
            charts.calibration_chart(evaluation.calibration),
            f"Calibration: the expected calibration error is {wording.share(evaluation.calibration_error)}.",
        ),
        "Is it as sure as it should be?",
        f"Of answers given with 80 %, 80 % should be right: points on the dashed line. On average the model is off "
        f"by {wording.share(evaluation.calibration_error)} (expected calibration error).",
    )
    return markup.section(
        "answers",
        "Where it is right, and where not",
        markup.columns(confusion, f"<div>{_class_table(evaluation)}{calibration}</div>"),
        _show_mistakes(context, evaluation),
    )


def _confusion_in_words(evaluation: ClassificationResult) -> str:
    right = sum(evaluation.confusion[place][place] for place in range(len(evaluation.confusion)))
    return f"Confusion matrix of {len(evaluation.classes)} classes: {right} of {evaluation.count} on the diagonal."


def _class_table(evaluation: ClassificationResult) -> str:
    def line(score: ClassScore) -> list[str]:
        shares = (wording.share(value) for value in (score.recall, score.precision, score.f1))
        return [score.name, *shares, wording.count(score.support)]

    means = (wording.share(evaluation.macro[name]) for name in ("recall", "precision", "f1"))
    rows = [line(score) for score in evaluation.classes]
    rows.append(["mean of the classes", *means, wording.count(evaluation.count)])
    drawn = markup.table(
        ["class", "recall", "precision", "F1", "samples"],
        rows,
        caption="Class by class. Recall: how many of its samples are found. "
        "Precision: how many of the answers with its name are right.",
    )
    return markup.folded(f"All {len(rows) - 1} classes", drawn) if len(rows) > CLASSES_SHOWN_OPEN + 1 else drawn


def _show_mistakes(context: ReportContext, evaluation: ClassificationResult) -> str:
    if not evaluation.worst:
        return ""
    title = markup.subtitle("The mistakes it was surest of")
    if context.dataset.kind == "images" and len(context.split) == evaluation.count:
        chosen = torch.tensor([mistake.position for mistake in evaluation.worst])
        raw = context.split.inputs[chosen]
        captions = [
            (f"‘{mistake.given}’ {wording.share(mistake.probability)}", f"is ‘{mistake.truth}’, {mistake.id}")
            for mistake in evaluation.worst
        ]
        return title + markup.gallery(pictures.to_pixels(raw), captions)
    rows = [
        [mistake.id, mistake.truth, mistake.given, wording.share(mistake.probability)] for mistake in evaluation.worst
    ]
    table = markup.table(["sample", "is", "given", "probability"], rows, words=3)
    return markup.folded(f"The {len(rows)} mistakes it was surest of", table, is_open=len(rows) <= ROWS_SHOWN_OPEN)
