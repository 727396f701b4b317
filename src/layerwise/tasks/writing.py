"""The next token of a text at each place: cross-entropy, perplexity, bits a byte."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.dataset import Dataset
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.task import Batch, Task

PIECE = 16  # windows that are scored at once when nothing is learned


@dataclass(frozen=True)
class Writing(Task):
    """The model gives the scores of the next token at each place, (batch, time, tokens).

    token_bytes: bytes of text that each token stands for, in the order of their numbers; 0 for marks.
    """

    token_bytes: tuple[int, ...]

    options: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def for_data(cls, dataset: Dataset, config: TaskConfig) -> Writing:
        return cls(dataset.preprocessing.token_bytes)  # type: ignore[attr-defined]

    def parts(self, model: nn.Module) -> Mapping[str, nn.Module]:
        return {"model": model}

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield the mean cross-entropy of a token, in nats; places of padding (0) do not count."""
        yield "model", F.cross_entropy(model(batch.inputs).flatten(0, 1), batch.targets.flatten(), ignore_index=0)

    def evaluate(self, model: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
        """Return 'loss' (nats a token), 'bits_per_byte', and 'accuracy' of the likeliest token."""
        sizes = torch.tensor(self.token_bytes)
        nats = right = tokens = text_bytes = 0.0
        for inputs, rows in pieces_of(batches):
            scores, targets = model(inputs).flatten(0, 1).float(), rows.flatten()
            counted = targets != 0
            nats += F.cross_entropy(scores, targets, ignore_index=0, reduction="sum").item()
            right += ((scores.argmax(1) == targets) & counted).sum().item()
            tokens += counted.sum().item()
            text_bytes += sizes[targets.cpu()].sum().item()
        return {
            "loss": nats / max(tokens, 1),
            "bits_per_byte": nats / math.log(2) / max(text_bytes, 1),
            "accuracy": right / max(tokens, 1),
        }

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return (-metrics["bits_per_byte"],)

    def bits(self, model: nn.Module, batches: Iterable[Batch]) -> Tensor:
        """Return the bits that each token of the targets costs in its place, (samples, time); 0 at places of padding."""
        rows = []
        for inputs, targets in pieces_of(batches):
            scores = model(inputs).flatten(0, 1).float()
            nats = F.cross_entropy(scores, targets.flatten(), ignore_index=0, reduction="none")
            rows.append(nats.view(targets.shape).cpu() / math.log(2))
        return torch.cat(rows)

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """Return for each text the number of the likeliest token behind it, and its probability."""
        best, tokens = outputs[:, -1].float().softmax(1).max(1)
        return [{"token": t, "probability": p} for t, p in zip(tokens.tolist(), best.tolist(), strict=True)]


def pieces_of(batches: Iterable[Batch]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield inputs and targets of a few windows at a time, since the scores of all tokens at all places are large."""
    for batch in batches:
        yield from zip(batch.inputs.split(PIECE), batch.targets.split(PIECE), strict=True)
