"""Long texts: tokens in one row, windows without copies, and held-out texts told token by token, each once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.data.build import build
from layerwise.data.config import DataConfig
from layerwise.data.loading import load, preprocessing_from_json
from layerwise.data.raw import RawText
from layerwise.data.text.language_modeling import (
    TextData,
    TextPreprocessing,
    drop_copies,
    is_long_text,
    read_long_texts,
)
from layerwise.data.text.tokenizer import END, LEAST_SIZE, Tokenizer
from layerwise.errors import DataError, UsageError

BYTES = Tokenizer.train(["a"], LEAST_SIZE)
WORDS = "one line of a text that is long enough to tell where it is from\n"


def many(count: int = 40) -> dict[str, str]:
    return {f"{number}.txt": f"text {number}\n" + WORDS * (number % 3 + 1) for number in range(count)}


def test_windows_of_training_are_a_view_of_one_row_a_token_apart():
    split = TextPreprocessing(BYTES, 8).training_split({"a": "abcdefgh" * 10})
    inputs = split.inputs
    assert isinstance(inputs, torch.Tensor)
    assert inputs.untyped_storage().data_ptr() == split.targets.untyped_storage().data_ptr()
    assert torch.equal(inputs[:, 1:], split.targets[:, :-1])
    assert inputs.flatten()[0] == END
    assert torch.equal(inputs.flatten()[1:], split.targets.flatten()[:-1])


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=5), window=st.integers(2, 9))
def test_each_token_of_a_held_out_text_is_told_once_and_in_order(texts: list[str], window: int):
    preprocessing = TextPreprocessing(BYTES, window)
    split = preprocessing.evaluation_split({str(number): text for number, text in enumerate(texts)})
    told = split.targets[split.targets != 0].tolist()
    assert told == [token for text in BYTES.encode(texts) for token in [*text, END]]
    assert BYTES.decode(told).encode() == "".join(texts).encode()
    assert len(split.ids) == len(split)


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 60), window=st.integers(2, 9))
def test_a_token_is_told_with_half_a_window_before_it_where_there_is_so_much(length: int, window: int):
    split = TextPreprocessing(BYTES, window).evaluation_split({"a": "x" * length})
    for number, targets in enumerate(split.targets):
        first = int((targets != 0).nonzero()[0])
        assert first == 0 if number == 0 else first == window - window // 2


def test_windows_are_named_by_their_text_and_place():
    split = TextPreprocessing(BYTES, 4).training_split({"first": "abcdef", "second": "ghijklmnop"})
    assert split.ids == ["first, token 0", "first, token 4", "second, token 1", "second, token 5"]


def test_copies_and_empty_texts_are_left_out():
    texts = {"a": "def f():\n    return 1\n", "b": "def f():\n\treturn 1", "c": " \n", "d": "other"}
    assert list(drop_copies(texts)) == ["a", "d"]


def divide(texts, test, config, seed):
    parts = TextData().split(RawText(texts, "made", test), config, seed)
    return parts.train.texts, parts.valid.texts, parts.test.texts


def test_whole_texts_are_held_out_and_none_is_in_two_splits():
    texts = many()
    parts = divide(texts, frozenset(), DataConfig(test=0.2, valid=0.1), 0)
    assert sorted(name for part in parts for name in part) == sorted(texts)
    assert all(part[name] == texts[name] for part in parts for name in part)
    assert len(parts[2]) == 8


def test_the_texts_that_a_source_holds_out_are_the_test_whatever_the_seed():
    texts, test = many(), frozenset({"3.txt", "5.txt"})
    for seed in range(3):
        train, valid, tested = divide(texts, test, DataConfig(valid=0.1), seed)
        assert set(tested) == test
        assert not test & (set(train) | set(valid))


def test_one_text_is_told_by_its_last_part():
    text = "".join(f"{number}\n" for number in range(100))
    parts = divide({"book": text}, frozenset(), DataConfig(test=0.2, valid=0.25), 0)
    assert "".join(part["book"] for part in parts) == text
    assert [part["book"].count("\n") for part in parts] == [60, 20, 20]


def test_a_data_set_learns_its_tokens_from_the_training_texts_alone():
    texts = {**many(), "held.txt": "zyzzyva " * 200}
    dataset = build(RawText(texts, "made", frozenset({"held.txt"})), "made", DataConfig(window=16, vocabulary=300), 0)
    assert (dataset.kind, dataset.task, dataset.input_shape) == (
        "text",
        "language_modeling",
        (16, dataset.output_count),
    )
    assert not any("zyz" in token for token in dataset.preprocessing.to_json()["tokenizer"]["tokens"])
    assert any("1 held-out text has 1,600 bytes" in notice.text for notice in dataset.notices)


def test_lines_of_the_test_that_stand_in_the_training_text_are_told_of():
    dataset = build(RawText(many(), "made"), "made", DataConfig(window=8, vocabulary=300), 0)
    [notice] = [notice for notice in dataset.notices if "stand in the training texts" in notice.text]
    assert "100.0% stand" in notice.text
    assert notice.severity == "warning"


def test_preprocessing_comes_back_from_json_with_the_same_tokens():
    preprocessing = TextPreprocessing(Tokenizer.train([WORDS * 20], 290), 16)
    again = preprocessing_from_json(preprocessing.to_json())
    assert isinstance(again, TextPreprocessing)
    assert again.tokenizer.encode([WORDS, "Ünïcode ✓"]) == preprocessing.tokenizer.encode([WORDS, "Ünïcode ✓"])
    assert (again.input_shape, again.token_bytes) == (preprocessing.input_shape, preprocessing.token_bytes)


def test_files_and_folders_of_texts_are_read_and_pictures_are_none(tmp_path: Path):
    for name in ("a.txt", "b/c.py", "b/d.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"in {name}")
    assert is_long_text(tmp_path)
    assert is_long_text(tmp_path / "a.txt")
    assert not is_long_text(tmp_path / "b/d.bin")
    assert read_long_texts(tmp_path).texts == {"a.txt": "in a.txt", "b/c.py": "in b/c.py"}
    (tmp_path / "photo.png").write_bytes(b"")
    assert not is_long_text(tmp_path)


def test_a_limit_leaves_fewer_windows_and_keeps_the_test(tmp_path: Path):
    file = tmp_path / "book.txt"
    file.write_text(WORDS * 100)
    whole, few = (load(DataConfig(str(file), window=16, vocabulary=270, limit=limit)) for limit in (None, 5))
    assert len(few.train) == 5
    assert torch.equal(few.test.inputs[:], whole.test.inputs[:])  # type: ignore[arg-type]


BAD = [
    ("", {}, DataError, r"book\.txt is empty"),
    ("short", {"test": 0.0}, DataError, "fill one window of 128; give a longer text, or lower `window`"),
    (WORDS * 100, {"window": 1}, UsageError, "`window` must be at least 2 tokens"),
    (WORDS * 100, {"horizon": 2}, UsageError, "`horizon` is for forecasts"),
    (WORDS * 100, {"vocabulary": 20}, UsageError, "`vocabulary` must be a whole number of at least 259, received 20"),
    (WORDS * 100, {"target": "x"}, DataError, "book.txt is a file where"),
    (WORDS * 100, {"image_size": 8}, UsageError, "`image_size` is for pictures"),
]


@pytest.mark.parametrize(("text", "options", "kind", "sentence"), BAD)
def test_what_cannot_be_learned_from_is_refused_in_a_sentence(
    text: str, options: dict[str, object], kind: type[Exception], sentence: str, tmp_path: Path
):
    (tmp_path / "book.txt").write_text(text)
    with pytest.raises(kind, match=sentence):
        load(DataConfig(str(tmp_path / "book.txt"), **options))  # type: ignore[arg-type]


def test_a_vocabulary_for_data_that_is_no_text_is_refused():
    with pytest.raises(UsageError, match="`vocabulary` is for texts, and iris is a table"):
        load(DataConfig("iris", vocabulary=300))
