"""One class out of several: softmax cross-entropy, accuracy, labels with probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.dataset import Dataset
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.metrics import score_by
from layerwise.tasks.task import Batch, Task, collect_outputs


@dataclass(frozen=True)
class Classification(Task):
    """The model gives one logit a class, (batch, classes).

    classes: their names, in the order of the logits.
    label_smoothing: share of the target spread evenly over all classes (Szegedy et al., 2016, section 7);
        it shapes the training loss alone, the loss that is reported at evaluations is the plain one.
    """

    classes: tuple[str, ...]
    label_smoothing: float = 0.0

    options: ClassVar[tuple[str, ...]] = ("label_smoothing",)

    @classmethod
    def for_data(cls, dataset: Dataset, config: TaskConfig) -> Classification:
        return cls(dataset.classes, config.label_smoothing)

    def parts(self, model: nn.Module) -> Mapping[str, nn.Module]:
        return {"model": model}

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield the mean cross-entropy; targets are class numbers, or shares of classes under mixup."""
        yield (
            "model",
            F.cross_entropy(model(batch.inputs), batch.targets, label_smoothing=self.label_smoothing),
        )

    def evaluate(self, model: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
        return self.metrics(*collect_outputs(model, batches))

    def metrics(self, logits: Tensor, labels: Tensor) -> dict[str, float]:
        """Return the mean cross-entropy ('loss', nats) and the share of right answers ('accuracy')."""
        right = (logits.argmax(1) == labels).float().mean()
        return {"loss": F.cross_entropy(logits, labels).item(), "accuracy": right.item()}

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Accuracy, and among equals the smaller loss."""
        return score_by(metrics, "accuracy", "loss")

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """Return for each row the label, its probability and the probability of every class."""
        probabilities = outputs.float().softmax(1)
        best, labels = probabilities.max(1)
        return [
            {
                "label": self.classes[label],
                "probability": probability,
                "probabilities": dict(zip(self.classes, row, strict=True)),
            }
            for label, probability, row in zip(labels.tolist(), best.tolist(), probabilities.tolist(), strict=True)
        ]
