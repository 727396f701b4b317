"""Writing token by token: the likeliest next one, a beam of several texts at once, or a draw.

A translator starts with a source, a writer with nothing; both go on step by step with a state that they give back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from layerwise.errors import UsageError
from layerwise.generation.config import BeamConfig, SamplingConfig


class State(Protocol):
    """What a network needs to go on with several texts; `select` keeps some of them."""

    def select(self, rows: Tensor) -> Any: ...


class Translator(Protocol):
    """A network that reads a source and then writes token by token."""

    def start(self, source: Tensor) -> Any: ...
    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]: ...


class Writer(Protocol):
    """A network that goes on with a text. limit: tokens that it can look back on."""

    limit: int

    def begin(self) -> Any: ...
    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]: ...


@torch.inference_mode()
def greedy(model: Translator, source: Tensor, *, start: int, end: int, limit: int) -> list[list[int]]:
    """Write the likeliest next token until each text ends.

    source: (batch, source) tokens. limit: tokens of a text at most. Returns the tokens of each, without marks.
    """
    state = model.start(source)
    tokens = torch.full((len(source),), start, device=source.device)
    is_open = torch.ones(len(source), dtype=torch.bool, device=source.device)
    columns = []
    for _ in range(limit):
        scores, state = model.step(tokens, state)
        tokens = torch.where(is_open, scores.argmax(1), end)
        columns.append(tokens)
        is_open &= tokens != end
        if not is_open.any():
            break
    return [_until(row, end) for row in torch.stack(columns, dim=1).tolist()]


@dataclass(frozen=True)
class Written:
    """A text of a beam: its tokens without marks, and the mean logarithm of their probabilities, length-corrected."""

    tokens: list[int]
    score: float


@torch.inference_mode()
def beam(
    model: Translator, source: Tensor, *, start: int, end: int, limit: int, width: int = 4, length_penalty: float = 0.6
) -> list[Written]:
    """Keep the `width` best beginnings of a translation of one source, (1, source); return what became of them, best
    first.

    A text of n tokens with log-probability s is judged by s / ((5 + n) / 6)^length_penalty (Wu et al. 2016,
    https://arxiv.org/abs/1609.08144, equation 14).
    """
    BeamConfig(width)  # refuses a width that cannot be
    state = model.start(source).select(torch.zeros(1, dtype=torch.int64, device=source.device))
    tokens = torch.full((1,), start, device=source.device)
    sums = torch.zeros(1, device=source.device)
    texts: list[list[int]] = [[]]
    done: list[Written] = []
    for _ in range(limit):
        scores, state = model.step(tokens, state)
        totals = sums[:, None] + scores.log_softmax(1)  # (beginnings, vocabulary)
        best, places = totals.flatten().topk(min(2 * width, totals.numel()))
        kept: list[tuple[float, int, int]] = []
        for total, place in zip(best.tolist(), places.tolist(), strict=True):
            if total == float("-inf"):
                break  # what follows cannot be written at all
            row, token = divmod(place, totals.shape[1])
            if token == end:
                done.append(Written(texts[row], _judged(total, len(texts[row]) + 1, length_penalty)))
            elif len(kept) < width:
                kept.append((total, row, token))
        done = sorted(done, key=lambda text: -text.score)[:width]
        if not kept or (len(done) == width and done[-1].score >= _judged(kept[0][0], limit, length_penalty)):
            break
        rows = torch.tensor([row for _, row, _ in kept], device=source.device)
        state, tokens = state.select(rows), torch.tensor([token for *_, token in kept], device=source.device)
        sums = torch.tensor([total for total, *_ in kept], device=source.device)
        texts = [[*texts[row], token] for _, row, token in kept]
    unfinished = [
        Written(text, _judged(total, len(text), length_penalty))
        for text, total in zip(texts, sums.tolist(), strict=True)
        if len(text) == limit
    ]
    return sorted([*done, *unfinished], key=lambda text: -text.score)[:width]


def _judged(total: float, length: int, length_penalty: float) -> float:
    return float(total / ((5 + length) / 6) ** length_penalty)


def _until(tokens: list[int], end: int) -> list[int]:
    return tokens[: tokens.index(end)] if end in tokens else tokens


def draw_token(scores: Tensor, sampling: SamplingConfig, generator: torch.Generator) -> int:
    """Draw one token from the scores of all, (vocabulary,)."""
    if sampling.temperature == 0:
        return int(scores.argmax())
    ranked, tokens = (scores.float().cpu() / sampling.temperature).sort(descending=True)
    if sampling.top_k:
        ranked = ranked[: sampling.top_k]
    probabilities = ranked.softmax(0)
    before = probabilities.cumsum(0) - probabilities  # what the likelier ones have together
    probabilities = probabilities * (before < sampling.top_p)
    return int(tokens[torch.multinomial(probabilities, 1, generator=generator)])


@torch.inference_mode()
def write(model: Writer, prompt: Tensor, count: int, sampling: SamplingConfig) -> Iterator[int]:
    """Yield `count` tokens that go on from `prompt`, (tokens,), each as soon as it is drawn.

    A text longer than the model's limit is read anew from its second half. Raises UsageError for an empty prompt.
    """
    if not len(prompt):
        raise UsageError("the prompt is empty; give at least one token to go on from.")
    generator = torch.Generator().manual_seed(sampling.seed)
    text: list[int] = prompt.tolist()[-model.limit :]
    scores, state = model.step(prompt[None, -model.limit :], model.begin())
    for _ in range(count):
        token = draw_token(scores[0, -1], sampling, generator)
        yield token
        text.append(token)
        if len(text) > model.limit:
            text = text[-max(1, model.limit // 2) :]
            scores, state = model.step(torch.tensor([text], device=prompt.device), model.begin())
        else:
            scores, state = model.step(torch.tensor([[token]], device=prompt.device), state)
