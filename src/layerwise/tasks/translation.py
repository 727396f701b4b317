"""A text of one language to a text of another, token by token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.dataset import Dataset
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.task import Batch, Task

START, END = 1, 2  # the marks of every target vocabulary; 0 is padding


@dataclass(frozen=True)
class Translation(Task):
    """The model reads a source and the target before each place; it gives the scores of the token at each place.

    Targets are (batch, time) tokens that end with END, padded by 0. In training the model is always given the true
    tokens before a place (teacher forcing, Williams and Zipser 1989).

    label_smoothing: share of the target spread evenly over all tokens (section 5.4 of Vaswani et al. 2017).
    """

    label_smoothing: float = 0.1

    options: ClassVar[tuple[str, ...]] = ("label_smoothing",)

    @classmethod
    def for_data(cls, dataset: Dataset, config: TaskConfig) -> Translation:
        return cls(config.label_smoothing)

    def parts(self, model: nn.Module) -> Mapping[str, nn.Module]:
        return {"model": model}

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield the mean cross-entropy of a token, in nats."""
        scores, targets = self.scores(model, batch)
        yield "model", F.cross_entropy(scores, targets, ignore_index=0, label_smoothing=self.label_smoothing)

    def scores(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the scores at all places and what stands there, (batch * time, tokens) and (batch * time,)."""
        targets = batch.targets
        starts = torch.full_like(targets[:, :1], START)
        scores = model(batch.inputs, torch.cat((starts, targets[:, :-1]), dim=1))  # (batch, time, tokens)
        return scores.flatten(0, 1), targets.flatten()

    def evaluate(self, model: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
        """Return 'loss' (nats a token) and 'accuracy' of the likeliest token, the true ones before it given."""
        nats = right = tokens = 0.0
        for batch in batches:
            scores, targets = self.scores(model, batch)
            nats += F.cross_entropy(scores.float(), targets, ignore_index=0, reduction="sum").item()
            right += ((scores.argmax(1) == targets) & (targets != 0)).sum().item()
            tokens += (targets != 0).sum().item()
        return {"loss": nats / max(tokens, 1), "accuracy": right / max(tokens, 1)}

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return (-metrics["loss"],)

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """Return the likeliest token at each place of each text."""
        return [{"tokens": row} for row in outputs.argmax(2).tolist()]
