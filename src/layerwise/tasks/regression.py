"""One or several numbers: squared error, R2, and answers in the units of the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.dataset import Dataset
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.metrics import score_by
from layerwise.tasks.task import Batch, Task, collect_outputs


@dataclass(frozen=True)
class Regression(Task):
    """The model gives standardised values, (batch, outputs); the task turns them back into the units of the data.

    target_names: one name an output.
    means, deviations: of each target over the training split, in its own unit.
    """

    target_names: tuple[str, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    options: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def for_data(cls, dataset: Dataset, config: TaskConfig) -> Regression:
        return cls(dataset.target_names, dataset.target_means, dataset.target_deviations)

    def parts(self, model: nn.Module) -> Mapping[str, nn.Module]:
        return {"model": model}

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield the mean squared error of the standardised values."""
        yield "model", F.mse_loss(model(batch.inputs), batch.targets)

    def evaluate(self, model: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
        return self.metrics(*collect_outputs(model, batches))

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Return 'loss' (standardised squared error), and 'r2', 'mae', 'rmse' in the targets' own units.

        Several targets are averaged evenly. Where a target is the same in all rows, there is no 'r2'.
        """
        loss = F.mse_loss(outputs, targets).item()
        given, truth = self.in_units(outputs), self.in_units(targets)
        residual = (given - truth).square().sum(0)
        spread = (truth - truth.mean(0)).square().sum(0)
        r2 = {"r2": (1 - residual / spread).mean().item()} if spread.min() > 0 else {}
        return {
            "loss": loss,
            **r2,
            "mae": (given - truth).abs().mean().item(),
            "rmse": (given - truth).square().mean(0).sqrt().mean().item(),
        }

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return score_by(metrics, "loss")

    def in_units(self, standardised: Tensor) -> Tensor:
        """Return values in the units of the data, float64, (rows, outputs)."""
        means = torch.tensor(self.means, dtype=torch.float64)
        return standardised.double().cpu() * torch.tensor(self.deviations, dtype=torch.float64) + means

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """Return for each row the value of every target by its name."""
        return [dict(zip(self.target_names, row, strict=True)) for row in self.in_units(outputs).tolist()]
