"""From tokens to text while they come, and from a beginning to its continuation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile

import torch

from layerwise.data.text.language_modeling import TextPreprocessing
from layerwise.data.text.tokenizer import END, Tokenizer
from layerwise.errors import UsageError
from layerwise.generation.config import SamplingConfig
from layerwise.generation.decoding import Writer, write

LONGEST_CHARACTER = 4  # bytes of UTF-8
BROKEN = "\ufffd"


def text_of(tokenizer: Tokenizer, tokens: Iterable[int]) -> Iterator[str]:
    """Yield the text of tokens as soon as its characters are whole; a token may hold a part of one."""
    pending: list[int] = []
    for token in tokens:
        pending.append(token)
        text = tokenizer.decode(pending)
        if not text.endswith(BROKEN) or len(pending) >= LONGEST_CHARACTER:
            yield text
            pending = []
    if pending:
        yield tokenizer.decode(pending)


def go_on(
    model: Writer, preprocessing: TextPreprocessing, prompt: str, tokens: int, sampling: SamplingConfig
) -> Iterator[str]:
    """Yield what a network writes behind `prompt`, piece by piece: at most so many tokens, until the text ends.

    Raises UsageError for an empty prompt, and for one that is longer than what the network sees at once.
    """
    if tokens < 1:
        raise UsageError(f"`tokens` must be a whole number of at least 1, received {tokens!r}.")
    if not prompt:
        raise UsageError("the prompt is empty; give the beginning of a text, such as 'import'.")
    [encoded] = preprocessing.tokenizer.encode([prompt])
    if len(encoded) > model.limit:
        raise UsageError(
            f"the prompt has {len(encoded)} tokens, and the network sees {model.limit} at once; shorten the prompt."
        )
    beginning = torch.tensor([END, *encoded][-model.limit :])  # as the first words of a text, where there is room
    written = write(model, beginning, tokens, sampling)
    return text_of(preprocessing.tokenizer, takewhile(lambda token: token != END, written))
