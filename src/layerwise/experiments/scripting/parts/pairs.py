"""Texts with their translations, as rows of tokens."""

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from layerwise.experiments.scripting.parts.tokens import END, encode

POOL = 32  # batches that are sorted by length together


def tokens_of(tokenizer: Tokenizer, pairs: list[tuple[str, str]]) -> tuple[Tensor, Tensor]:
    """Return the tokens of texts and of their translations, END behind these, (pairs, longest) each, padded by 0."""
    sources, targets = (encode(tokenizer, [f" {text}" for text in side]) for side in zip(*pairs, strict=True))
    rows = [torch.tensor(row) for row in sources], [torch.tensor([*row, END]) for row in targets]
    return pad_sequence(rows[0], batch_first=True), pad_sequence(rows[1], batch_first=True)


def trimmed(rows: Tensor) -> Tensor:
    """Leave out the columns behind the longest row, which are padding."""
    return rows[:, : int((rows != 0).sum(1).max())]


def by_length(order: Tensor, lengths: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Sort each pool of batches by length, so that little is padding, then put the full batches in a random order."""
    pools = [pool[lengths[pool].argsort(stable=True)] for pool in order.split(POOL * size)]
    batches = torch.cat(pools).split(size)
    full = len(batches) - (len(batches[-1]) < size)
    shuffled = torch.randperm(full, generator=generator).tolist()
    return torch.cat([*(batches[number] for number in shuffled), *batches[full:]])


def text_of(tokenizer: Tokenizer, tokens: list[int]) -> str:
    """Return the text of some tokens, without the marks."""
    return tokenizer.decode([token for token in tokens if token > END], skip_special_tokens=False).strip()
