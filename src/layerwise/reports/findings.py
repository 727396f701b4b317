"""What the figures of a finished training say in words. Only what the numbers show, each with the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layerwise.data.dataset import Notice
from layerwise.reports import wording
from layerwise.reports.results.result import Result

LOSS_ROSE_BY = 1.15
LOSS_FELL_BY = 0.95


def observe(evaluation: Result | None, records: Sequence[Mapping[str, Any]]) -> list[Notice]:
    """Return what a reader should know about the training and the trained model, most important first."""
    found = list(evaluation.notices()) if evaluation else []
    found += _of_training(records)
    return sorted(found, key=lambda notice: notice.severity != "warning")


def _of_training(records: Sequence[Mapping[str, Any]]) -> Iterator[Notice]:
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    best = max((place for place, record in enumerate(evaluations) if record["best"]), default=None)
    if best is None or len(evaluations) < 3 or "loss" not in evaluations[best]["metrics"]:
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
