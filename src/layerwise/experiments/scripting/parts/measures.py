"""How well a network does what it learned, for tasks beside classes and values."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.experiments.scripting.parts.pairs import trimmed
from layerwise.generation.decoding import greedy


@torch.no_grad()
def bits_a_byte(model: nn.Module, inputs: Tensor, targets: Tensor, token_bytes: Tensor) -> float:
    """Return the bits that the network needs to tell a byte of text; targets of 0 are told already."""
    model.eval()
    nats = size = 0.0
    for some, tokens in zip(inputs.split(16), targets.split(16), strict=True):
        told = tokens[tokens != 0]
        nats += F.cross_entropy(model(some)[tokens != 0], told, reduction="none").double().sum().item()
        size += token_bytes[told].sum().item()
    return nats / math.log(2) / size


def foretold(model: nn.Module, sources: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scores of the token at each place, the true ones before it given, and the true ones."""
    starts = torch.ones_like(targets[:, :1])  # the mark that a text begins
    scores = model(sources, torch.cat((starts, targets[:, :-1]), dim=1))  # (batch, time, tokens)
    return scores.flatten(0, 1), targets.flatten()


@torch.no_grad()
def measure_tokens(model: nn.Module, sources: Tensor, targets: Tensor) -> tuple[float, float]:
    """Return the share of tokens that are told rightly, the true ones before them given, and their mean nats."""
    model.eval()
    nats = right = count = 0.0
    for some, texts in zip(sources.split(64), targets.split(64), strict=True):
        scores, tokens = foretold(model, trimmed(some), trimmed(texts))
        nats += F.cross_entropy(scores, tokens, ignore_index=0, reduction="sum").item()
        right += ((scores.argmax(1) == tokens) & (tokens != 0)).sum().item()
        count += (tokens != 0).sum().item()
    return right / count, nats / count


def translate(model: nn.Module, sources: Tensor) -> list[list[int]]:
    """Translate by the likeliest token at each step; texts have three times the tokens of the longest at most."""
    model.eval()
    found = []
    for some in sources.split(64):
        limit = 3 * (1 + int((some != 0).sum(1).max()))
        found += greedy(model, some, start=1, end=2, limit=limit)  # type: ignore[arg-type]
    return found


@torch.no_grad()
def measure_steps(model: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
    """Return the share of steps that are told rightly, and the mean cross-entropy of a step; -1 is none."""
    model.eval()
    nats = right = count = 0.0
    for some, truth in zip(inputs.split(512), targets.split(512), strict=True):
        scores, told = model(some)[truth != -1], truth[truth != -1]
        nats += F.cross_entropy(scores, told, reduction="sum").item()
        right += (scores.argmax(1) == told).sum().item()
        count += len(told)
    return right / count, nats / count
