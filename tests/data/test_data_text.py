"""Texts become counts of words that the training texts taught, weighted as scikit-learn weights them."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfTransformer

from layerwise.data.build import build
from layerwise.data.raw import RawDocuments
from layerwise.data.text.bag_of_words import BagOfWordsPreprocessing, fit_bag_of_words, tokenise
from layerwise.errors import DataError, NotFoundError, UsageError

LETTERS = ["the offer ends today", "the meeting is today", "the offer is free", "lunch is ready"]


def test_words_are_lower_cased_and_telling_features_become_marks():
    assert tokenise("FREE <b>Offer</b>!!! Don't") == ["free", "<tag>", "offer", "<tag>", "<shouting>", "don't"]
    assert tokenise("joe.doe@mail.example https://win.example/x?y=1") == ["<address>", "<url>"]
    assert tokenise("$1,000 or 50 EUR, 24 h") == ["<money>", "or", "<money>", "<number>", "h"]


def test_words_of_any_script_are_kept_whole():
    assert tokenise("Größe naïve Привет 你好") == ["größe", "naïve", "привет", "你好"]


@given(st.text(max_size=200))
def test_any_text_gives_words_without_spaces(text):
    assert all(token and " " not in token for token in tokenise(text))


def test_the_vocabulary_is_the_words_that_most_texts_hold_but_not_all_and_not_one():
    letters = [f"{letter} x" for letter in LETTERS]
    assert fit_bag_of_words(letters).vocabulary == ("is", "offer", "the", "today")
    assert fit_bag_of_words(letters, size=2).vocabulary == ("is", "the")


def test_prepared_texts_equal_scikit_learns_weighting_of_logarithmic_counts():
    preprocessing = fit_bag_of_words(LETTERS)
    counts = preprocessing.count([*LETTERS, "offer offer offer today unknown"])
    oracle = TfidfTransformer().fit(preprocessing.count(LETTERS).numpy())
    expected = oracle.transform(np.log1p(counts.numpy().astype(float))).toarray()
    np.testing.assert_allclose(preprocessing.transform(counts), expected, atol=1e-6)


def test_counts_are_bytes_and_end_at_255():
    preprocessing = fit_bag_of_words(LETTERS)
    counts = preprocessing.count(["offer " * 300, ""])
    assert counts.dtype == torch.uint8
    assert counts.max() == 255
    assert preprocessing.transform(counts)[1].abs().sum() == 0
    assert preprocessing.input_shape == (counts.shape[1],)


@given(st.lists(st.text(max_size=5), max_size=9, unique=True), st.integers(1, 99))
def test_preprocessing_survives_being_saved(words, text_count):
    preprocessing = BagOfWordsPreprocessing(tuple(words), tuple(range(len(words))), text_count, "body")
    assert BagOfWordsPreprocessing.from_json(json.loads(json.dumps(preprocessing.to_json()))) == preprocessing


def test_the_vocabulary_comes_from_the_training_texts_alone():
    texts = [f"{'odd' if i % 2 else 'even'} {chr(97 + i // 4)}x" for i in range(80)]
    dataset = build(RawDocuments(texts, ["ham", "spam"] * 40, [f"{i}.txt" for i in range(80)], ""), "mail")
    rows = [int(name.split(".")[0]) for name in dataset.train.ids]
    assert dataset.preprocessing == fit_bag_of_words(texts[row] for row in rows)
    held_out = [int(name.split(".")[0]) for name in dataset.test.ids]
    assert torch.equal(dataset.test.inputs, dataset.preprocessing.count([texts[row] for row in held_out]))
    assert dataset.classes == ("ham", "spam")
    assert dataset.test.targets.tolist() == [row % 2 for row in held_out]
    assert dataset.class_counts(dataset.test) == [8, 8]


def test_texts_are_read_from_a_file_a_folder_and_a_table(tmp_path):
    preprocessing = fit_bag_of_words(LETTERS)
    (tmp_path / "in").mkdir()
    for number, letter in enumerate(LETTERS):
        (tmp_path / "in" / f"{number}.txt").write_text(letter)
    counts, ids = preprocessing.read(tmp_path)
    assert torch.equal(counts, preprocessing.count(LETTERS))
    assert ids == ["in/0.txt", "in/1.txt", "in/2.txt", "in/3.txt"]
    assert torch.equal(preprocessing.read(tmp_path / "in" / "2.txt")[0], counts[2:3])
    (tmp_path / "mail.csv").write_text("text,from\n" + "".join(f'"{letter}",x\n' for letter in LETTERS))
    from_table, lines = preprocessing.read(tmp_path / "mail.csv")
    assert torch.equal(from_table, counts)
    assert lines == ["line 2", "line 3", "line 4", "line 5"]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_old_encodings_are_read(tmp_path, codec):
    preprocessing = BagOfWordsPreprocessing(("größe",), (1,), 2)
    (tmp_path / "a.txt").write_bytes("Größe".encode(codec))
    assert preprocessing.read(tmp_path / "a.txt")[0].tolist() == [[1]]


def test_what_is_no_text_is_refused(tmp_path):
    preprocessing = fit_bag_of_words(LETTERS)
    with pytest.raises(DataError, match=r"holds no \.txt files"):
        preprocessing.read(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"a\0b")
    with pytest.raises(DataError, match=r"a\.txt holds NUL bytes"):
        preprocessing.read(tmp_path / "a.txt")
    with pytest.raises(NotFoundError, match=r"b\.txt does not exist.*Did you mean 'a\.txt'"):
        preprocessing.read(tmp_path / "b.txt")
    (tmp_path / "a.doc").write_bytes(b"a")
    with pytest.raises(DataError, match=r"a\.doc is no text"):
        preprocessing.read(tmp_path / "a.doc")
    (tmp_path / "m.csv").write_text("txt,b\nx,y\n")
    with pytest.raises(DataError, match=r"no column 'text'.*Did you mean 'txt'"):
        preprocessing.read(tmp_path / "m.csv")
    with pytest.raises(UsageError, match="at least 1, received 0"):
        fit_bag_of_words(LETTERS, size=0)
    with pytest.raises(DataError, match="No word occurs in some of the 2"):
        fit_bag_of_words(["a", "a"])
