"""A text of one language to a text of another, token by token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.dataset import Dataset
from layerwise.generation.decoding import beam, greedy
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.metrics import score_by
from layerwise.tasks.task import Batch, Task

START, END = 1, 2  # the marks of every target vocabulary; 0 is padding
SCORED_AT_ONCE = 64  # texts whose scores of all tokens at all places are in memory together
LONGER = 3  # times the tokens of the source and one that a translation may have


class Pairs(NamedTuple):
    """Sources and targets, (batch, time) int64 each."""

    inputs: Tensor
    targets: Tensor


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

    def weight(self, batch: Batch) -> Tensor:
        """Return how many tokens are told."""
        return (batch.targets != 0).sum()

    def scores(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the scores at all places and what stands there, (batch * time, tokens) and (batch * time,)."""
        targets = batch.targets
        starts = torch.full_like(targets[:, :1], START)
        scores = model(batch.inputs, torch.cat((starts, targets[:, :-1]), dim=1))  # (batch, time, tokens)
        return scores.flatten(0, 1), targets.flatten()

    def evaluate(self, model: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
        """Return 'loss' (nats a token) and 'accuracy' of the likeliest token, the true ones before it given."""
        nats = right = tokens = 0.0
        for part in parts_of(batches):
            scores, targets = self.scores(model, part)
            nats += F.cross_entropy(scores.float(), targets, ignore_index=0, reduction="sum").item()
            right += ((scores.argmax(1) == targets) & (targets != 0)).sum().item()
            tokens += (targets != 0).sum().item()
        return {"loss": nats / max(tokens, 1), "accuracy": right / max(tokens, 1)}

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return score_by(metrics, "loss")

    def decode(self, outputs: Tensor) -> list[dict[str, Any]]:
        """Return the likeliest token at each place of each text."""
        return [{"tokens": row} for row in outputs.argmax(2).tolist()]

    def answer(self, model: nn.Module, inputs: Tensor) -> list[dict[str, Any]]:
        """Translate by the likeliest token at each step."""
        return [{"tokens": tokens} for tokens in self.translate(model, inputs)]

    def translate(self, model: Any, inputs: Tensor, width: int = 1) -> list[list[int]]:
        """Return the tokens of each translation, without marks. width: of the beam; 1 takes the likeliest token."""
        if width == 1:
            parts = inputs.split(SCORED_AT_ONCE)
            return [row for part in parts for row in greedy(model, part, start=START, end=END, limit=limit_of(part))]
        rows = [inputs[place : place + 1] for place in range(len(inputs))]
        found = [beam(model, row, start=START, end=END, limit=limit_of(row), width=width) for row in rows]
        return [texts[0].tokens for texts in found]


def limit_of(inputs: Tensor) -> int:
    """Return the tokens that translations of these sources may have."""
    return LONGER * (1 + int((inputs != 0).sum(1).max()))


def parts_of(batches: Iterable[Batch]) -> Iterator[Pairs]:
    """Yield the batches in parts whose scores fit in memory."""
    for batch in batches:
        pieces = zip(batch.inputs.split(SCORED_AT_ONCE), batch.targets.split(SCORED_AT_ONCE), strict=True)
        yield from (Pairs(*piece) for piece in pieces)
