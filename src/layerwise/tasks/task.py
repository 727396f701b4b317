"""The contract of a task. It knows losses, metrics and meaning, and nothing of devices, precision or processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

from layerwise.data.dataset import Dataset
from layerwise.tasks.config import TaskConfig


class Batch(Protocol):
    """What a task reads of a batch: prepared inputs and their targets."""

    @property
    def inputs(self) -> Tensor: ...

    @property
    def targets(self) -> Tensor: ...


class Task(Protocol):
    """What a network is trained for.

    options: the fields of TaskConfig that it reads.
    """

    options: ClassVar[tuple[str, ...]]

    @classmethod
    def for_data(cls, dataset: Dataset, config: TaskConfig) -> Self:
        """Return this task for `dataset`."""
        ...

    def parts(self, model: nn.Module) -> Mapping[str, nn.Module]:
        """Return the parts of `model` that have an optimiser of their own, by name."""
        ...

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield (part, loss); each part takes its step before the next loss is asked for.

        A loss is a mean over what `weight` counts, so that the pieces of a batch add up to the whole.
        """
        ...

    def weight(self, batch: Batch) -> Tensor | float:
        """Return how much a piece of a batch counts beside the others: as many samples as it has."""
        return len(batch.inputs)

    def evaluate(self, model: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
        """Measure `model` on `batches`; the model comes in evaluation mode, without gradients."""
        ...

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return what is compared to choose the best epoch; larger is better."""
        ...

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """Say what each row of raw outputs means, as plain JSON values."""
        ...

    def answer(self, model: nn.Module, inputs: Tensor) -> list[dict[str, Any]]:
        """Let `model`, in evaluation mode, answer for prepared inputs; what each answer means, as plain JSON values."""
        return self.decode(model(inputs))


def collect_outputs(model: nn.Module, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """Run `model` over `batches` and return all raw outputs (float32) and targets, in order, on the CPU."""
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        rows = [(model(batch.inputs).float().cpu(), batch.targets.cpu()) for batch in batches]
    model.train(was_training)
    outputs, targets = zip(*rows, strict=True)
    return torch.cat(outputs), torch.cat(targets)
