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
from layerwise.tasks.metrics import score_by
from layerwise.tasks.task import Batch, Task

PIECE = 16  # windows that are scored at once when nothing is learned


@dataclass(frozen=True)
class LanguageModeling(Task):
    """The model gives the scores of the next token at each place, (batch, time, tokens).

    token_bytes: bytes of text that each token stands for, in the order of their numbers; 0 for marks.
    """

    token_bytes: tuple[int, ...]

    options: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def for_data(cls, dataset: Dataset, config: TaskConfig) -> LanguageModeling:
        return cls(dataset.preprocessing.token_bytes)  # type: ignore[attr-defined]

    def parts(self, model: nn.Module) -> Mapping[str, nn.Module]:
        return {"model": model}

    def losses(self, model: nn.Module, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield the mean cross-entropy of a token, in nats; places of padding (0) do not count."""
        yield "model", F.cross_entropy(model(batch.inputs).flatten(0, 1), batch.targets.flatten(), ignore_index=0)

    def weight(self, batch: Batch) -> Tensor:
        """Return how many tokens are told."""
        return (batch.targets != 0).sum()

    def evaluate(self, model: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
        """Return 'loss' (nats a token), 'bits_per_byte', and 'accuracy' of the likeliest token."""
        return self.metrics(*self.tell(model, batches))

    def tell(self, model: nn.Module, batches: Iterable[Batch]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the tokens of the targets in the order of the text, the nats that each costs in its place, and
        whether it was the likeliest, (tokens,) each on the CPU; places of padding are left out."""
        rows: list[tuple[Tensor, Tensor, Tensor]] = []
        for inputs, targets in pieces_of(batches):
            is_told = targets != 0
            scores, tokens = model(inputs)[is_told].float(), targets[is_told]
            nats = F.cross_entropy(scores, tokens, reduction="none")
            rows.append((tokens.cpu(), nats.cpu(), (scores.argmax(1) == tokens).cpu()))
        tokens, nats, is_right = (torch.cat(column) for column in zip(*rows, strict=True))
        return tokens, nats, is_right

    def metrics(self, tokens: Tensor, nats: Tensor, is_right: Tensor) -> dict[str, float]:
        """Return the figures of tokens that were told, see `tell`."""
        text_bytes = torch.tensor(self.token_bytes)[tokens].sum().item()
        total, count = nats.double().sum().item(), max(len(tokens), 1)
        return {
            "loss": total / count,
            "bits_per_byte": total / math.log(2) / max(text_bytes, 1),
            "accuracy": is_right.sum().item() / count,
        }

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return score_by(metrics, "bits_per_byte")

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """Return for each text the number of the likeliest token behind it, and its probability."""
        best, tokens = outputs[:, -1].float().softmax(1).max(1)
        return [{"token": t, "probability": p} for t, p in zip(tokens.tolist(), best.tolist(), strict=True)]


def pieces_of(batches: Iterable[Batch]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield inputs and targets of a few windows at a time, since the scores of all tokens at all places are large."""
    for batch in batches:
        yield from zip(batch.inputs.split(PIECE), batch.targets.split(PIECE), strict=True)
