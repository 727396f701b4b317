"""Texts as rows of tokens: byte pairs, joined as often as they were seen in training.

Sennrich, Haddow and Birch 2015, https://arxiv.org/abs/1508.07909, over the bytes of UTF-8 (Radford et al. 2019), so
that no text holds anything unknown and every text comes back as it was. The library `tokenizers` trains and encodes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from layerwise.data.json_checks import from_plain, to_plain
from layerwise.errors import UsageError

PAD, START, END = 0, 1, 2
MARKS = ("<pad>", "<start>", "<end>")  # tokens that stand for no text; a text that spells one is text nevertheless
LEAST_SIZE = len(MARKS) + 256


@dataclass(frozen=True)
class Tokenizer:
    """tokens: each as one character a byte, the marks first. merges: the pairs that were joined, in that order."""

    tokens: tuple[str, ...]
    merges: tuple[tuple[str, str], ...]

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Tokenizer:
        """Learn at most `size` tokens from texts.

        Raises UsageError for a size that does not hold the marks and all bytes, or where `tokenizers` is missing.
        """
        if size < LEAST_SIZE:
            raise UsageError(
                f"`vocabulary` must be at least {LEAST_SIZE}, 256 bytes and {len(MARKS)} marks, received {size}."
            )
        library = _library()
        model = _byte_level(library, library.models.BPE())
        trainer = library.trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=list(MARKS),
            initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        model.train_from_iterator(texts, trainer)
        learned = json.loads(model.to_str())["model"]
        tokens = sorted(learned["vocab"], key=learned["vocab"].get)
        return cls.from_json({"tokens": tokens, "merges": learned["merges"]})

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def token_bytes(self) -> tuple[int, ...]:
        """Bytes of text that each token stands for; 0 for marks."""
        return (0,) * len(MARKS) + tuple(map(len, self.tokens[len(MARKS) :]))

    @cached_property
    def _model(self) -> Any:
        library = _library()
        numbers = {token: number for number, token in enumerate(self.tokens)}
        return _byte_level(library, library.models.BPE(vocab=numbers, merges=list(self.merges)))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text, without marks."""
        return [encoding.ids for encoding in self._model.encode_batch_fast(list(texts))]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of some tokens; marks say nothing, and bytes that are no UTF-8 become U+FFFD."""
        text: str = self._model.decode([token for token in tokens if token >= len(MARKS)], skip_special_tokens=False)
        return text

    def to_json(self) -> dict[str, Any]:
        return to_plain(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Tokenizer:
        """Rebuild what `to_json` gave."""
        return from_plain(cls, saved)


def _library() -> ModuleType:
    try:
        import tokenizers
    except ImportError as error:
        raise UsageError(
            "Texts are cut into tokens by the package tokenizers, which is not installed; run pip install "
            "'layerwise[text]'."
        ) from error
    return tokenizers


def _byte_level(library: ModuleType, pairs: Any) -> Any:
    """Return the library's tokeniser of these byte pairs; words, numbers and signs are never joined (GPT-2)."""
    model = library.Tokenizer(pairs)
    model.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = library.decoders.ByteLevel()
    return model
