"""The plainest translator: which word stands for which, from pairs alone."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from layerwise.data.text.ibm_model1 import NOTHING, ROUNDS, fit_ibm_model1, split_words, word_by_word

SOURCES = ["the house", "the book", "a book", "the red house", "a red book"]
TARGETS = ["la maison", "la livre", "une livre", "la maison rouge", "une livre rouge"]


def written_out(sources: list[str], targets: list[str]) -> dict[str, str]:
    """IBM model 1 in plain loops, as in the lecture notes of M. Collins (figure 3)."""
    pairs = [
        ([NOTHING, *split_words(one.lower())], split_words(other)) for one, other in zip(sources, targets, strict=True)
    ]
    chances: dict[tuple[str, str], float] = defaultdict(lambda: 1.0)
    for _ in range(ROUNDS):
        counts: Counter[tuple[str, str]] = Counter()
        totals: Counter[str] = Counter()
        for read, written in pairs:
            for target in written:
                mass = sum(chances[source, target] for source in read)
                for source in read:
                    counts[source, target] += chances[source, target] / mass  # type: ignore[assignment]
                    totals[source] += chances[source, target] / mass  # type: ignore[assignment]
        chances = defaultdict(float, {pair: count / totals[pair[0]] for pair, count in counts.items()})
    best: dict[str, str] = {}
    for source, target in sorted(chances, key=lambda pair: chances[pair]):
        best[source] = target
    return {source: target for source, target in best.items() if source not in (NOTHING, target)}


def test_words_are_learned_as_by_the_plain_loops_of_ibm_model_1() -> None:
    expected = written_out(SOURCES, TARGETS)
    assert fit_ibm_model1(SOURCES, TARGETS) == expected
    assert expected["house"] == "maison"
    assert expected["red"] == "rouge"


def test_each_word_is_replaced_in_its_place_and_unknown_ones_stay() -> None:
    words = fit_ibm_model1(SOURCES, TARGETS)
    assert word_by_word("The red house (Zork)", words) == "la rouge maison ( Zork )"


def test_without_pairs_nothing_is_learned() -> None:
    assert fit_ibm_model1([], []) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [("the library's files", ["the", "library's", "files"]), ("C++, été", ["C", "+", "+", ",", "été"]), ("", [])],
)
def test_a_text_is_cut_into_words_and_signs(text: str, words: list[str]) -> None:
    assert split_words(text) == words
