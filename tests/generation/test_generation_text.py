"""Text while its tokens come: whole characters at once, and the same text as when all are there."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.data.text.language_modeling import TextPreprocessing
from layerwise.data.text.tokenizer import END, LEAST_SIZE, Tokenizer
from layerwise.errors import UsageError
from layerwise.generation.config import SamplingConfig
from layerwise.generation.text import go_on, text_of
from layerwise.models import build

BYTES = Tokenizer.train(["a"], LEAST_SIZE)


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_text_comes_in_whole_characters_and_nothing_is_lost(text: str):
    pieces = list(text_of(BYTES, BYTES.encode([text])[0]))
    assert "".join(pieces) == text
    assert all(piece.encode("utf-8", "strict").decode() == piece for piece in pieces)
    assert len(pieces) == len(text) or "\ufffd" in text


def test_bytes_that_are_no_text_are_shown_as_such_and_what_follows_still_comes():
    tokens = BYTES.encode(["✓"])[0][:1] * 9 + BYTES.encode(["ok"])[0]
    text = "".join(text_of(BYTES, tokens))
    assert text.endswith("ok")
    assert "\ufffd" in text


class Parrot:
    """A writer that says the same tokens whatever it is told, and remembers what it was given."""

    limit = 8

    def __init__(self, tokens: list[int]) -> None:
        self.tokens, self.seen = tokens, []

    def begin(self) -> int:
        return 0

    def step(self, tokens: torch.Tensor, state: int) -> tuple[torch.Tensor, int]:
        self.seen += tokens[0].tolist()
        scores = torch.full((1, tokens.shape[1], LEAST_SIZE), -1e9)
        scores[0, -1, self.tokens[min(state, len(self.tokens) - 1)]] = 0
        return scores, state + 1


PREPROCESSING = TextPreprocessing(BYTES, 8)


def test_a_text_is_begun_by_its_mark_and_ends_where_the_network_ends_it():
    parrot = Parrot([*BYTES.encode(["hey"])[0], END, *BYTES.encode(["no"])[0]])
    assert "".join(go_on(parrot, PREPROCESSING, "a", 6, SamplingConfig())) == "hey"
    assert parrot.seen[:2] == [END, *BYTES.encode(["a"])[0]]


def test_no_more_tokens_are_written_than_were_asked_for():
    assert "".join(go_on(Parrot(BYTES.encode(["x"])[0]), PREPROCESSING, "a", 5, SamplingConfig())) == "xxxxx"


@pytest.mark.parametrize(
    ("prompt", "tokens", "sentence"),
    [
        ("", 5, "the prompt is empty; give the beginning"),
        ("123456789", 5, "the prompt has 9 tokens, and the network sees 8 at once; shorten"),
        ("a", 0, "`tokens` must be a whole number of at least 1, received 0"),
    ],
)
def test_what_cannot_be_gone_on_with_is_refused_in_a_sentence(prompt: str, tokens: int, sentence: str):
    with pytest.raises(UsageError, match=sentence):
        go_on(Parrot([5]), PREPROCESSING, prompt, tokens, SamplingConfig())


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_recurrent_network_reads_token_by_token_as_in_one(name: str, layers: int):
    torch.manual_seed(0)
    model = build(name, (9, 12), 12, hidden=8, embedding=4, layers=layers, each_step=True).eval().double()
    text = torch.randint(1, 12, (3, 9))
    state, scores = model.begin(), []
    for place in range(9):
        row, state = model.step(text[:, place : place + 1], state)
        scores.append(row)
    torch.testing.assert_close(torch.cat(scores, dim=1), model(text))
    kept, same = state.select(torch.tensor([2, 0])), torch.full((3, 1), 5)
    torch.testing.assert_close(model.step(same[:2], kept)[0], model.step(same, state)[0][[2, 0]])
