"""Pairs of texts: read, cleaned, divided so that no text is in two parts, numbered, and cut into batches by length."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.data.batches import POOL, Batches, trim_padding
from layerwise.data.build import build
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Split
from layerwise.data.loading import load, preprocessing_from_json
from layerwise.data.raw import RawPairs
from layerwise.data.text.tokenizer import END
from layerwise.data.text.translation import PairPreprocessing, distinct, normalise
from layerwise.errors import DataError, UsageError

SOURCES = [f"the {word} number {n}" for n in range(40) for word in ("car", "house", "very old and very small street")]
TARGETS = [f"numéro {n} {word}" for n in range(40) for word in ("voiture", "maison", "rue")]
RAW = RawPairs(SOURCES, TARGETS, ("english", "french"), "made")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return build(RAW, "made", DataConfig(), 0)


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@given(st.lists(st.tuples(st.text("aA b", max_size=3), st.text("xX y", max_size=3))))
def test_of_distinct_pairs_no_text_is_there_twice_and_none_is_empty(pairs: list[tuple[str, str]]) -> None:
    kept = distinct(pairs)
    for texts in zip(*kept, strict=True):
        assert len({text.casefold() for text in texts}) == len(texts)
        assert all(texts)
    normal = [tuple(normalise(text) for text in pair) for pair in pairs]
    assert all(pair in normal for pair in kept)
    assert not normal or not all(normal[0]) or kept[0] == normal[0]


def test_texts_are_compared_in_one_unicode_form() -> None:
    apart = unicodedata.normalize("NFD", "élève")
    assert normalise(f"  {apart}\u00a0 x ") == "élève x"
    assert len(distinct([("a", "élève"), ("b", apart)])) == 1


def test_splits_have_no_text_in_common_and_targets_end_with_their_mark(dataset: Dataset) -> None:
    parts = (dataset.train, dataset.valid, dataset.test)
    assert [len(part) for part in parts] == [86, 10, 24]
    assert len({text for part in parts for text in part.ids}) == 120
    for part in parts:
        lengths = (part.targets != 0).sum(1)
        assert (part.targets[torch.arange(len(part)), lengths - 1] == END).all()
    assert (dataset.kind, dataset.task) == ("pairs", "translation")
    assert dataset.output_count == dataset.input_shape[1] == len(dataset.preprocessing.tokenizer)  # type: ignore[attr-defined]


def test_the_test_part_that_the_data_brings_along_stays_as_it_is() -> None:
    raw = RawPairs(SOURCES, TARGETS, ("a", "b"), "made", ["a car"], ["une voiture"])
    dataset = build(raw, "made", DataConfig(limit=50), 0)
    assert [len(dataset.train), len(dataset.valid), list(dataset.test.ids)] == [50, 12, ["a car"]]


def test_the_size_of_the_vocabulary_can_be_said() -> None:
    assert build(RAW, "made", DataConfig(vocabulary=270), 0).output_count == 270


def test_tokens_and_words_are_learned_from_the_training_split_alone() -> None:
    held_out = RawPairs(SOURCES, TARGETS, ("a", "b"), "made", ["zyxwv zyxwv"], ["vwxyz vwxyz"])
    preprocessing = build(held_out, "made", DataConfig(), 0).preprocessing
    assert isinstance(preprocessing, PairPreprocessing)
    assert not any("zyx" in token or "vwx" in token for token in preprocessing.tokenizer.tokens)
    assert "zyxwv" not in preprocessing.words


@pytest.mark.parametrize("texts", [SOURCES[:3], ["ÉLÈVE ☃ élève"], ["  two   spaces "]])
def test_a_text_comes_back_from_its_tokens(dataset: Dataset, texts: list[str]) -> None:
    preprocessing = dataset.preprocessing
    assert isinstance(preprocessing, PairPreprocessing)
    rows = preprocessing.encode_targets(texts).tolist()
    assert [preprocessing.decode(row) for row in rows] == [normalise(text) for text in texts]
    assert "".join(preprocessing.pieces(preprocessing.tokenizer.encode(["a car"])[0])) == "a car"


def test_a_saved_preprocessing_is_the_same(dataset: Dataset) -> None:
    assert preprocessing_from_json(json.loads(json.dumps(dataset.preprocessing.to_json()))) == dataset.preprocessing


def test_empty_texts_and_those_longer_than_any_that_was_learned_from_are_refused_by_name(dataset: Dataset) -> None:
    preprocessing = dataset.preprocessing
    assert isinstance(preprocessing, PairPreprocessing)
    with pytest.raises(DataError, match="text 2 is empty; there is nothing to translate"):
        preprocessing.encode(["car", " \n"], ["text 1", "text 2"])
    with pytest.raises(DataError, match=rf"it has \d+ tokens, and the longest .* {preprocessing.length}; cut it into"):
        preprocessing.encode(["car " * 100], ["it"])


def test_a_table_of_pairs_is_read_under_the_names_of_its_columns(tmp_path: Path) -> None:
    rows = [f"{one}\t{other}" for one, other in zip(SOURCES, TARGETS, strict=True)]
    path = write(tmp_path / "my.pairs.tsv", "english\tfrench", *rows, rows[0], "\tvide", "a\t")
    dataset = load(DataConfig(data=str(path)))
    assert dataset.name == "my"
    assert dataset.preprocessing.languages == ("english", "french")  # type: ignore[attr-defined]
    assert [len(dataset.train), len(dataset.valid), len(dataset.test)] == [86, 10, 24]
    assert [notice.text for notice in dataset.notices] == [
        "3 of 123 pairs repeat a text or lack one; they are left out."
    ]


def test_a_table_of_other_than_two_columns_is_no_table_of_pairs(tmp_path: Path) -> None:
    path = write(tmp_path / "my.pairs.csv", "a,b,c", "1,2,3", "4,5,6")
    with pytest.raises(DataError, match=r"has 3 columns \(a, b, c\) where two were expected"):
        load(DataConfig(data=str(path)))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["english"], "has 1 column .english. where two were expected, .* add the other one"),
        (["english\tfrench"], "has a header and no pairs below it; give some to learn from"),
        (["english\tfrench", "a\tb", "A\tc", "b\tB"], "two.pairs.tsv has 1 sample, and training, validation and test"),
        (
            ["the red car drives\tla voiture rouge", "a\tb"],
            "begins with the pair 'the red car drives' and .* two languages",
        ),
    ],
)
def test_tables_of_too_few_pairs_and_without_names_of_languages_are_refused(
    tmp_path: Path, rows: list[str], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        load(DataConfig(str(write(tmp_path / "two.pairs.tsv", *rows))))


def test_flags_for_tables_are_refused_for_pairs(tmp_path: Path) -> None:
    rows = [f"{one}\t{other}" for one, other in zip(SOURCES, TARGETS, strict=True)]
    path = write(tmp_path / "my.pairs.tsv", "english\tfrench", *rows)
    with pytest.raises(UsageError, match="`target` names a column, and my is no table"):
        load(DataConfig(data=str(path), target="french"))


def test_texts_to_answer_for_are_the_lines_of_a_file(dataset: Dataset, tmp_path: Path) -> None:
    path = write(tmp_path / "texts.txt", "the car", "", "the house")
    inputs, ids = dataset.preprocessing.read(path)
    assert (len(inputs), ids) == (2, ["the car", "the house"])
    with pytest.raises(DataError, match=r"texts\.txt, line 3 has \d+ tokens, and the longest text"):
        dataset.preprocessing.read(write(tmp_path / "texts.txt", "the car", "", "the car " * 40))
    with pytest.raises(DataError, match="holds no text"):
        dataset.preprocessing.read(write(tmp_path / "none.txt", ""))


def batches(lengths: list[int], size: int) -> Batches:
    """Pairs whose targets have these lengths."""
    rows = [torch.arange(1, length + 1) for length in lengths]
    targets = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    split = Split(targets.clone(), targets, [str(number) for number in range(len(lengths))])
    preprocessing = build(RAW, "made", DataConfig(limit=9), 0).preprocessing
    return Batches(split, preprocessing, size, seed=3, shuffle=True)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=5, max_size=90), st.integers(2, 7))
def test_batches_by_length_hold_every_sample_once_and_are_a_function_of_the_epoch(
    lengths: list[int], size: int
) -> None:
    made, again = batches(lengths, size), batches(lengths, size)
    assert sorted(made.order(1).tolist()) == list(range(len(lengths)))
    assert made.order(1).tolist() == again.order(1).tolist()
    resumed = [batch.samples.tolist() for batch in made.epoch(1, start=2)]
    assert resumed == [batch.samples.tolist() for batch in again.epoch(1)][2:]


def test_batches_hold_pairs_of_like_length_in_an_order_without_one() -> None:
    lengths = torch.randint(1, 40, (POOL * 4,), generator=torch.Generator().manual_seed(0)).tolist()
    made = batches(lengths, 4)
    widths = [batch.targets.shape[1] for batch in made.epoch(0)]
    shares = [float((batch.targets != 0).float().mean()) for batch in made.epoch(0)]
    assert sum(shares) / len(shares) > 0.9  # of the places hold a token; about 0.6 where batches are drawn by chance
    assert widths != sorted(widths)
    assert made.order(0).tolist() != made.order(1).tolist()


def test_padding_behind_the_longest_row_is_cut() -> None:
    rows = torch.tensor([[3, 4, 0, 0], [5, 0, 0, 0]])
    assert trim_padding(rows).tolist() == [[3, 4], [5, 0]]
    assert trim_padding(torch.zeros(2, 3, dtype=torch.int64)).shape == (2, 1)
