"""What each pixel belongs to: cross-entropy of pixels, their accuracy, and the overlap of each class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.dataset import UNLABELLED, Dataset
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.metrics import score_by
from layerwise.tasks.task import Batch, Task

NEXT_TO_NOTHING = 1e-6  # pixels of a batch that has none with a class: their mean is 0, and not 0 / 0


@dataclass(frozen=True)
class Segmentation(Task):
    """The model gives the scores of each pixel, (batch, classes, height, width); targets are (batch, height, width).

    classes: their names, in the order of the numbers in the masks.
    weights: of each class in the loss; empty for equal ones. They shape the training loss alone, the loss that is
        reported at evaluations is the plain one.
    """

    classes: tuple[str, ...]
    weights: tuple[float, ...] = ()

    options: ClassVar[tuple[str, ...]] = ("class_weights",)

    @classmethod
    def for_data(cls, dataset: Dataset, config: TaskConfig) -> Segmentation:
        if config.class_weights == "none":
            return cls(dataset.classes)
        return cls(dataset.classes, median_frequency_weights(dataset.train.targets, len(dataset.classes)))

    def parts(self, model: nn.Module) -> Mapping[str, nn.Module]:
        return {"model": model}

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield the mean cross-entropy of a pixel; 0 where no pixel has a class."""
        weights = torch.tensor(self.weights, device=batch.targets.device) if self.weights else None
        scores, targets = model(batch.inputs), batch.targets.long()
        total = F.cross_entropy(scores, targets, weights, ignore_index=UNLABELLED, reduction="sum")
        yield "model", total / self.weight(batch)

    def weight(self, batch: Batch) -> Tensor:
        """Return how many pixels have a class, each as much as its class weighs."""
        weights = torch.zeros(UNLABELLED + 1)
        weights[: len(self.classes)] = torch.tensor(self.weights or 1.0)
        return weights.to(batch.targets.device)[batch.targets.long()].sum().clamp(min=NEXT_TO_NOTHING)

    def evaluate(self, model: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
        """Return 'loss', 'pixel_accuracy', 'class_accuracy' (mean over classes) and 'mean_iou'."""
        confusion = torch.zeros(len(self.classes), len(self.classes), dtype=torch.int64)
        loss, count = 0.0, 0
        for batch in batches:
            scores, targets = model(batch.inputs), batch.targets.long()
            loss += F.cross_entropy(scores.float(), targets, ignore_index=UNLABELLED).item() * len(targets)
            count += len(targets)
            confusion += count_pixels(targets, scores.argmax(1), len(self.classes))
        return {"loss": loss / max(count, 1), **overlap(confusion)}

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return score_by(metrics, "mean_iou", "loss")

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """Return for each picture the share of its pixels that is of each class."""
        shares = F.one_hot(outputs.argmax(1), len(self.classes)).float().mean((1, 2))
        return [{"shares": dict(zip(self.classes, row, strict=True))} for row in shares.tolist()]


def median_frequency_weights(masks: Tensor, class_count: int) -> tuple[float, ...]:
    """Return the median of the classes' frequencies over the frequency of each class, 0 for a class without pixels.

    A frequency is a class's share of the pixels of those pictures that show it (Eigen and Fergus 2015, section 6.3.2,
    after which Badrinarayanan et al. 2015 balance, section 4).

    Args:
        masks: (pictures, height, width) class numbers.
    """
    counts = torch.stack([(masks == number).sum((1, 2)) for number in range(class_count)])  # (classes, pictures)
    judged = (masks != UNLABELLED).sum((1, 2))
    frequencies = counts.sum(1).double() / (judged * (counts > 0)).sum(1).clamp(min=1)
    median = frequencies[frequencies > 0].quantile(0.5)
    weights = torch.where(frequencies > 0, median / frequencies.clamp(min=1e-12), 0.0)
    return tuple(weights.tolist())


def count_pixels(truth: Tensor, given: Tensor, class_count: int) -> Tensor:
    """Return how many pixels of class `row` were given class `column`, (classes, classes) int64 on the CPU."""
    judged = truth != UNLABELLED
    cells = truth[judged] * class_count + given[judged]
    return torch.bincount(cells, minlength=class_count**2).view(class_count, class_count).cpu()


def overlap(confusion: Tensor) -> dict[str, float]:
    """Return pixel accuracy, mean class accuracy and mean intersection over union; classes without pixels are left out
    (Badrinarayanan et al. 2015, section 4)."""
    hits, truth, given = confusion.diagonal().double(), confusion.sum(1), confusion.sum(0)
    there = truth > 0
    return {
        "pixel_accuracy": (hits.sum() / confusion.sum().clamp(min=1)).item(),
        "class_accuracy": (hits / truth.clamp(min=1))[there].mean().item(),
        "mean_iou": (hits / (truth + given - hits).clamp(min=1))[there].mean().item(),
    }
