"""Decoding: the likeliest token, a beam against every text there is, and draws that keep to their limits."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from layerwise.errors import UsageError
from layerwise.generation.config import SamplingConfig
from layerwise.generation.decoding import beam, draw_token, greedy, write
from layerwise.models.gpt import GPT, GPTConfig
from layerwise.models.seq2seq import Seq2Seq, Seq2SeqConfig
from layerwise.models.transformer import Transformer, TransformerConfig

START, END, TOKENS = 1, 2, 5


class Sofar(NamedTuple):
    texts: Tensor  # (batch, tokens so far)

    def select(self, rows: Tensor) -> Sofar:
        return Sofar(self.texts[rows])


class Table:
    """A translator whose scores are a fixed function of all that it wrote."""

    def __init__(self, seed: int, boldness: float = 2.0) -> None:
        self.seed, self.boldness = seed, boldness

    def start(self, source: Tensor) -> Sofar:
        return Sofar(torch.empty(len(source), 0, dtype=torch.int64))

    def step(self, tokens: Tensor, state: Sofar) -> tuple[Tensor, Sofar]:
        texts = torch.cat((state.texts, tokens[:, None]), dim=1)
        return torch.stack([self.scores(row) for row in texts.tolist()]), Sofar(texts)

    def scores(self, text: list[int]) -> Tensor:
        place = self.seed + sum((token + 1) * 7**place for place, token in enumerate(text))
        scores = torch.randn(TOKENS, generator=torch.Generator().manual_seed(place)) * self.boldness
        scores[[0, START]] = float("-inf")  # padding and the start mark are never written
        return scores

    def chance(self, text: list[int]) -> float:
        """The logarithm of the probability of a whole text, marks included."""
        so_far, total = [START], 0.0
        for token in text:
            total += self.scores(so_far).log_softmax(0)[token].item()
            so_far.append(token)
        return total


SOURCE = torch.ones(1, 1, dtype=torch.int64)


@pytest.mark.parametrize("seed", range(8))
def test_a_beam_that_is_wide_enough_finds_the_best_of_all_texts(seed: int) -> None:
    table, limit = Table(seed), 3
    texts = [[*words, END] for length in range(limit) for words in product((3, 4), repeat=length)]
    texts += [list(words) for words in product((3, 4), repeat=limit)]
    judged = {tuple(t for t in text if t != END): table.chance(text) / ((5 + len(text)) / 6) ** 0.6 for text in texts}
    best = max(judged, key=lambda text: judged[text])
    found = beam(table, SOURCE, start=START, end=END, limit=limit, width=8)
    assert tuple(found[0].tokens) == best
    assert found[0].score == pytest.approx(judged[best], abs=1e-5)
    assert [text.score for text in found] == sorted((text.score for text in found), reverse=True)


def test_a_beam_finds_what_the_greedy_way_misses() -> None:
    def likelihood(seed: int, width: int) -> float:
        return beam(Table(seed), SOURCE, start=START, end=END, limit=5, width=width, length_penalty=0.0)[0].score

    gains = [likelihood(seed, 32) - likelihood(seed, 1) for seed in range(20)]
    assert min(gains) > -1e-6
    assert max(gains) > 0.01


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_of_one_that_ends_with_its_first_text_is_greedy(seed: int) -> None:
    table = Table(seed, boldness=6.0)
    [expected] = greedy(table, SOURCE, start=START, end=END, limit=6)
    [found] = beam(table, SOURCE, start=START, end=END, limit=6, width=1, length_penalty=0.0)
    assert found.tokens == expected


def translators() -> list[Any]:
    torch.manual_seed(0)
    no_share = {"shared": False}
    models = [
        Seq2Seq((9, 7), TOKENS, Seq2SeqConfig(8, 8, **no_share)),
        Transformer((9, 7), TOKENS, TransformerConfig(8, 2, **no_share)),
    ]
    return [model.eval() for model in models]


@pytest.mark.parametrize("which", [0, 1])
def test_texts_of_a_batch_are_written_as_each_alone(which: int) -> None:
    model = translators()[which]
    source = torch.tensor([[3, 4, 5], [6, 0, 0], [4, 4, 0]])
    together = greedy(model, source, start=START, end=END, limit=6)
    alone = [greedy(model, row[row != 0][None], start=START, end=END, limit=6)[0] for row in source]
    assert together == alone
    assert all(END not in text and len(text) <= 6 for text in together)


@pytest.mark.parametrize("which", [0, 1])
def test_a_beam_scores_its_text_as_the_whole_pass_does(which: int) -> None:
    model, source = translators()[which], torch.tensor([[3, 4, 5]])
    for text in beam(model, source, start=START, end=END, limit=4, width=3, length_penalty=0.0):
        for marks in ([END], []):  # an unfinished text has no end mark
            tokens = [*text.tokens, *marks]
            previous = torch.tensor([[START, *tokens[:-1]]])
            chances = model(source, previous)[0].log_softmax(1)[torch.arange(len(tokens)), torch.tensor(tokens)]
            if chances.sum().item() == pytest.approx(text.score, abs=1e-5):
                break
        else:
            pytest.fail(f"{text} is scored otherwise")


def chances_of(scores: Tensor, sampling: SamplingConfig, draws: int = 300) -> set[int]:
    generator = torch.Generator().manual_seed(0)
    return {draw_token(scores, sampling, generator) for _ in range(draws)}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=3, max_size=8, unique=True), st.integers(1, 3), st.floats(0.05, 0.95))
def test_draws_keep_to_the_likeliest_few_and_to_their_share(values: list[float], top_k: int, top_p: float) -> None:
    scores = torch.tensor(values)
    ranked = scores.argsort(descending=True).tolist()
    assert chances_of(scores, SamplingConfig(1.0, top_k=top_k), 40) <= set(ranked[:top_k])
    share, nucleus = 0.0, []
    for token in ranked:
        nucleus.append(token)
        share += scores.softmax(0)[token].item()
        if share > top_p + 1e-6:
            break
    assert chances_of(scores, SamplingConfig(1.0, top_p=top_p), 40) <= set(nucleus)


def test_draws_without_limits_have_the_probabilities_of_the_softmax() -> None:
    scores, generator = torch.tensor([1.0, 0.0, -1.0, 0.5]), torch.Generator().manual_seed(0)
    for temperature in (0.5, 1.0, 2.0):
        sampling = SamplingConfig(temperature)
        counts = torch.bincount(
            torch.tensor([draw_token(scores, sampling, generator) for _ in range(4000)]), minlength=4
        )
        expected = (scores / temperature).softmax(0)
        assert (counts / 4000 - expected).abs().max() < 0.03  # four deviations of 4000 draws


def test_temperature_0_takes_the_likeliest_and_a_tiny_share_does_too() -> None:
    scores = torch.tensor([0.1, 0.3, 0.2])
    assert chances_of(scores, SamplingConfig(0.0), 20) == chances_of(scores, SamplingConfig(1.0, top_p=1e-9), 20) == {1}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"temperature": -1.0}, "`temperature` must be 0 or a positive number .*, received -1.0"),
        ({"temperature": float("nan")}, "`temperature` must be 0 or a positive number .*, received nan"),
        ({"top_k": -1}, "`top_k` must be a whole number of at least 0 .*, received -1"),
        ({"top_p": 0.0}, "`top_p` must be a number above 0 and at most 1, received 0.0"),
    ],
)
def test_a_way_of_drawing_that_cannot_work_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        SamplingConfig(**values)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(UsageError, match="the prompt is empty; give at least one token"):
        next(write(gpt(), torch.empty(0, dtype=torch.int64), 3, SamplingConfig()))


def test_a_beam_of_no_width_is_refused() -> None:
    with pytest.raises(UsageError, match="`beam` must be a whole number of at least 1, received 0"):
        beam(Table(0), SOURCE, start=START, end=END, limit=3, width=0)


def gpt(limit: int = 12) -> GPT:
    torch.manual_seed(0)
    return GPT((limit, 9), 9, GPTConfig(16, 2, 1)).eval()


def test_a_seed_repeats_a_text_and_another_seed_does_not() -> None:
    prompt = torch.tensor([3, 4])
    first, again, other = (list(write(gpt(), prompt, 10, SamplingConfig(seed=seed))) for seed in (1, 1, 2))
    assert first == again != other


def test_the_likeliest_text_is_that_of_the_whole_pass_at_each_token() -> None:
    model, text = gpt(), [3, 4]
    for token in write(model, torch.tensor([3, 4]), 8, SamplingConfig(0.0)):
        assert token == model(torch.tensor([text]))[0, -1].argmax()
        text.append(token)


@pytest.mark.parametrize("prompt", [[3, 4], list(range(1, 9)) * 3])
def test_a_text_may_go_on_beyond_what_the_network_looks_back_on(prompt: list[int]) -> None:
    tokens = list(write(gpt(limit=8), torch.tensor(prompt), 30, SamplingConfig()))
    assert len(tokens) == 30
    assert all(0 <= token < 9 for token in tokens)
