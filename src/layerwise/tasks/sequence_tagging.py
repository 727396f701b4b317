"""A class at each step of a sequence: cross-entropy and accuracy of a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.dataset import Dataset
from layerwise.layers.sequences import lengths_of
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.metrics import score_by
from layerwise.tasks.task import Batch, Task

NOT_TOLD = -1  # the target of a step that has no class


@dataclass(frozen=True)
class SequenceTagging(Task):
    """The model gives the scores of each step, (batch, time, classes); targets are (batch, time), -1 where none is.

    classes: their names, in the order of the scores.
    """

    classes: tuple[str, ...]

    options: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def for_data(cls, dataset: Dataset, config: TaskConfig) -> SequenceTagging:
        return cls(dataset.classes)

    def parts(self, model: nn.Module) -> Mapping[str, nn.Module]:
        return {"model": model}

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield the mean cross-entropy of a step that has a class."""
        scores = model(batch.inputs).flatten(0, 1)
        yield "model", F.cross_entropy(scores, batch.targets.flatten(), ignore_index=NOT_TOLD)

    def weight(self, batch: Batch) -> Tensor:
        """Return how many steps have a class."""
        return (batch.targets != NOT_TOLD).sum()

    def evaluate(self, model: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
        return self.metrics(*self.tell(model, batches))

    def tell(self, model: nn.Module, batches: Iterable[Batch]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the true class, the given class and the nats of each step that has one, (steps,) each, in order."""
        rows = []
        for batch in batches:
            is_told = batch.targets != NOT_TOLD
            scores, targets = model(batch.inputs)[is_told].float(), batch.targets[is_told]
            nats = F.cross_entropy(scores, targets, reduction="none")
            rows.append((targets.cpu(), scores.argmax(1).cpu(), nats.cpu()))
        truth, given, nats = (torch.cat(column) for column in zip(*rows, strict=True))
        return truth, given, nats

    def metrics(self, truth: Tensor, given: Tensor, nats: Tensor) -> dict[str, float]:
        """Return 'loss' (nats a step) and 'accuracy' (of a step)."""
        return {"loss": nats.double().mean().item(), "accuracy": (truth == given).double().mean().item()}

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Accuracy, and among equals the smaller loss."""
        return score_by(metrics, "accuracy", "loss")

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """Return the class of each step of each sequence, as names with spaces between them."""
        return [{"labels": " ".join(self.classes[label] for label in row)} for row in outputs.argmax(2).tolist()]

    def answer(self, model: nn.Module, inputs: Tensor) -> list[dict[str, Any]]:
        """Return the class of each step of each sequence, padding left out."""
        outputs, lengths = model(inputs), lengths_of(inputs).tolist()
        return [self.decode(row[None, :length])[0] for row, length in zip(outputs, lengths, strict=True)]
