"""The byte-pair tokeniser: nothing is unknown, every text comes back, marks are no text."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data.text.tokenizer import LEAST_SIZE, MARKS, Tokenizer
from layerwise.errors import UsageError

TEXTS = ["the low lower lowest", "the new newer newest", "the wide wider widest élève", "a <start> is no mark"] * 3
TOKENIZER = Tokenizer.train(TEXTS, 320)


@given(st.text())
def test_every_text_comes_back_as_it_was(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode([text])[0]) == text


@given(st.text())
def test_the_bytes_of_the_tokens_are_the_bytes_of_the_text(text: str) -> None:
    tokens = TOKENIZER.encode([text])[0]
    assert sum(TOKENIZER.token_bytes[token] for token in tokens) == len(text.encode())
    assert all(len(MARKS) <= token < len(TOKENIZER) for token in tokens)


def test_what_is_seen_often_is_one_token_and_what_is_not_is_several() -> None:
    often, never = TOKENIZER.encode(["the", "zyx"])
    assert len(often) == 1
    assert len(never) > 1


def test_the_first_pair_that_is_joined_is_the_most_frequent_one() -> None:
    """Sennrich et al. 2015, algorithm 1, counted by hand."""
    assert Tokenizer.train(["aab aab aab ab"], LEAST_SIZE + 1).merges == (("a", "b"),)
    assert Tokenizer.train(["xyz xyz", "xq"], LEAST_SIZE + 2).merges[1] in {("x", "yz"), ("xy", "z")}


def test_a_text_that_spells_a_mark_is_text() -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(["<start><pad><end>"])[0]) == "<start><pad><end>"
    assert TOKENIZER.decode([0, 1, *TOKENIZER.encode(["low"])[0], 2, 0]) == "low"


def test_a_saved_tokenizer_is_the_same() -> None:
    again = Tokenizer.from_json(json.loads(json.dumps(TOKENIZER.to_json())))
    assert again == TOKENIZER
    assert again.encode(TEXTS) == TOKENIZER.encode(TEXTS)


def test_the_same_texts_give_the_same_tokenizer() -> None:
    assert Tokenizer.train(TEXTS, 320) == TOKENIZER


def test_a_vocabulary_too_small_for_all_bytes_is_refused() -> None:
    with pytest.raises(UsageError, match="`vocabulary` must be at least 259, 256 bytes and 3 marks, received 100"):
        Tokenizer.train(TEXTS, 100)


def test_a_missing_library_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r"run pip install 'layerwise\[text\]'"):
        Tokenizer.train(TEXTS, 320)
