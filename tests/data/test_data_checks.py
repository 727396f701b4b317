"""What is suspicious about data is said with its evidence, and honest data is left in peace."""

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from layerwise.data.build import build
from layerwise.data.checks import check_splits, one_column_score
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Split
from layerwise.data.raw import RawTable

RANDOM = np.random.default_rng(0)
NOISE = pl.DataFrame(RANDOM.normal(size=(400, 3)), schema=["a", "b", "c"])
COIN = pl.Series("y", RANDOM.integers(0, 2, 400))


def warnings_of(frame, **options):
    dataset = build(RawTable(frame, "y", None, ""), "planted", DataConfig(**options))
    return [notice.text for notice in dataset.notices if notice.severity == "warning"]


def picture_set(train, train_labels, test, test_labels):
    def split(pictures, labels, name):
        ids = [f"{name}/{number}.png" for number in range(len(labels))]
        return Split(torch.as_tensor(pictures, dtype=torch.uint8), torch.as_tensor(labels), ids)

    parts = (
        split(train, train_labels, "train"),
        split(test[:0], test_labels[:0], "valid"),
        split(test, test_labels, "test"),
    )
    return Dataset("pictures", "images", "classification", *parts, preprocessing=None, classes=("0", "1"))


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_diabetes])
def test_honest_tables_raise_no_alarm_of_leakage(load):
    data = load()
    frame = pl.DataFrame(data.data, schema=[str(name) for name in data.feature_names])
    texts = warnings_of(frame.with_columns(y=pl.Series(data.target)))
    assert [text for text in texts if "gives the target away" in text or "rises" in text] == []


def test_a_planted_copy_of_the_target_is_found_with_its_score():
    assert warnings_of(NOISE.with_columns(COIN)) == []
    names = pl.Series("copy", ["ham" if label else "spam" for label in COIN])
    (text,) = warnings_of(NOISE.with_columns(names, COIN))
    assert "Column 'copy' alone gives the target away: balanced accuracy 1.000 on 288 training rows" in text


def test_a_copy_in_another_unit_of_a_value_is_found():
    value = pl.Series("y", np.exp(RANDOM.normal(size=400)))
    (text,) = warnings_of(NOISE.with_columns(value, (value.log() * 1.8 + 32).alias("fahrenheit")))
    assert "Column 'fahrenheit' alone gives the target away: R2 of ranks" in text


def test_missing_cells_that_betray_the_target_are_found():
    boat = pl.Series("boat", [RANDOM.normal() if label else None for label in COIN])
    (text,) = warnings_of(NOISE.with_columns(boat, COIN))
    assert "'boat' alone gives the target away" in text


def test_a_feature_is_not_a_copy_because_one_class_is_everywhere():
    rare = np.arange(500) % 100 == 0
    assert one_column_score(RANDOM.normal(size=(500, 1)), rare.astype(int), True) < 0.9


def test_a_column_that_numbers_the_rows_is_left_out_and_one_that_rises_is_warned_of():
    numbered = NOISE.with_columns(COIN, id=pl.int_range(1, 401))
    (text,) = warnings_of(numbered)
    assert "'id' is left out: it numbers the rows" in text
    rising = NOISE.with_columns(COIN, ticket=pl.int_range(1, 401) * 7 + 1000)
    (text,) = warnings_of(rising)
    assert "'ticket' rises with every one of 288 training rows" in text
    assert warnings_of(rising, split_by="time", split_column="ticket") == []


def test_the_same_row_in_two_splits_is_warned_of_by_name():
    frame = NOISE.with_columns(COIN)
    doubled = pl.concat([frame, frame[:40]])
    texts = warnings_of(doubled)
    (text,) = [text for text in texts if "test samples are in the training split" in text]
    assert " equals row " in text
    pair = text.split("(")[1].split(",")[0].replace("row ", "").split(" equals ")
    assert doubled[int(pair[0]) - 1].equals(doubled[int(pair[1]) - 1])


def test_rows_of_few_possible_values_repeat_without_alarm():
    frame = pl.DataFrame({"a": RANDOM.integers(0, 3, 300), "b": RANDOM.integers(0, 3, 300)})
    frame = frame.with_columns(y=pl.Series(RANDOM.integers(0, 2, 300)))
    assert warnings_of(frame) == []
    notices = build(RawTable(frame, "y", None, ""), "planted").notices
    assert any("repeat naturally" in notice.text for notice in notices)


def test_imbalance_beyond_ten_to_one_is_counted():
    rare = pl.Series("y", ["ill" if i % 16 == 0 else "well" for i in range(400)])
    (text,) = warnings_of(NOISE.with_columns(rare))
    assert "270 training samples are 'well' and 18 'ill'" in text
    assert "right in 93.8%" in text


def test_identical_pictures_in_two_splits_and_with_two_labels_are_found():
    digits = load_digits()
    pictures = digits.images.astype(np.uint8)[:, None]
    labels = digits.target % 2
    honest = picture_set(pictures[:1000], labels[:1000], pictures[1000:], labels[1000:])
    assert check_splits(honest) == ()
    train = np.concatenate([pictures[:1000], pictures[1500:1503]])
    contradicting = np.concatenate([labels[:1000], 1 - labels[1500:1503]])
    train = np.concatenate([train, pictures[:60]])
    contradicting = np.concatenate([contradicting, labels[:59], 1 - labels[59:60]])
    texts = [notice.text for notice in check_splits(picture_set(train, contradicting, pictures[1000:], labels[1000:]))]
    assert "3 of 797 test samples are in the training split too (test/500.png equals train/1000.png" in texts[0]
    assert "60 of 1063 training samples (6%) repeat" in texts[1]
    assert "2 training samples equal one of another class, for example train/59.png" in texts[2]
    assert "and train/1062.png" in texts[2]
