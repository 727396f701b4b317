"""What the figures of a finished training say in words. Only what the numbers show, each with the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layerwise.data.dataset import Notice
from layerwise.reports import wording
from layerwise.reports.evaluation import ClassEvaluation, Evaluation

WEAK_BY = 0.08  # recall below the mean by this much is worth a sentence
FEW_SAMPLES = 5
MISCALIBRATED_BY = 0.05
LOSS_ROSE_BY = 1.15
LOSS_FELL_BY = 0.95


def observe(evaluation: Evaluation | None, records: Sequence[Mapping[str, Any]]) -> list[Notice]:
    """Return what a reader should know about the training and the trained model, most important first."""
    found = list(_of_classes(evaluation)) if isinstance(evaluation, ClassEvaluation) else []
    found += _of_training(records)
    return sorted(found, key=lambda notice: notice.severity != "warning")


def _of_classes(evaluation: ClassEvaluation) -> Iterator[Notice]:
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
    yield from _of_calibration(evaluation)


def _of_calibration(evaluation: ClassEvaluation) -> Iterator[Notice]:
    sure = sum(part.count * part.confidence for part in evaluation.calibration) / evaluation.count
    if abs(sure - evaluation.accuracy) > MISCALIBRATED_BY:
        word = "surer" if sure > evaluation.accuracy else "less sure"
        yield Notice(
            "info",
            f"The model is {word} than it should be: its mean probability is {wording.share(sure)}, "
            f"and {wording.share(evaluation.accuracy)} of its answers are right.",
        )


def _of_training(records: Sequence[Mapping[str, Any]]) -> Iterator[Notice]:
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    best = max((place for place, record in enumerate(evaluations) if record["best"]), default=None)
    if best is None or len(evaluations) < 3:
        return
    losses = [record["metrics"].get("loss") for record in evaluations]
    if best == len(evaluations) - 1:
        yield Notice("info", "The last epoch was the best one; more epochs may still help.")
    elif losses[best] is not None and losses[-1] > LOSS_ROSE_BY * losses[best]:
        then, last = (_training_loss(records, evaluations[place]["epoch"]) for place in (best, -1))
        if last > LOSS_FELL_BY * then:
            return  # it did not learn more of the training data either: the best epoch was a lucky one
        yield Notice(
            "info",
            f"The validation loss rose again after epoch {best + 1}, from {wording.decimal(losses[best])} to "
            f"{wording.decimal(losses[-1])}: from there on the network learned the training data by heart. "
            f"The weights of epoch {best + 1} are kept; dropout, weight decay or augmentation may help.",
        )


def _training_loss(records: Sequence[Mapping[str, Any]], epoch: int) -> float:
    """Return the mean training loss over the reports of an epoch, of all parts together; infinite without any."""
    reports = [record for record in records if record["kind"] == "report" and record["epoch"] == epoch]
    return sum(sum(record["losses"].values()) for record in reports) / len(reports) if reports else math.inf
