"""Known data sets for a trained network: encoded by its own preprocessing, numbered by its own classes."""

import numpy as np
import polars as pl
import pytest
import torch

from layerwise.data.build import build
from layerwise.data.catalogue import load_raw
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Labels
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.labelled import load_labelled
from layerwise.data.loading import load
from layerwise.data.raw import RawCharacters, RawTable
from layerwise.data.text.characters import CharacterPreprocessing
from layerwise.errors import DataError, NotFoundError

IRIS = ("setosa", "versicolor", "virginica")


def test_a_table_is_encoded_by_the_run_s_own_means() -> None:
    raw = load_raw("iris", print)
    assert isinstance(raw, RawTable)
    numbers = pl.col(pl.Float64)
    own = build(RawTable(raw.frame.with_columns(numbers * 3 + 1), raw.target, raw.task, "made"), "made").preprocessing
    split = load_labelled("iris", own, Labels("classification", IRIS, 3), DataConfig(data="made"))
    [first] = [number for number, one in enumerate(load(DataConfig(data="iris")).test.ids) if one == split.ids[0]]
    row = int(split.ids[0].split()[-1]) - 1
    assert first == 0
    assert len(split) == 30
    assert torch.equal(split.inputs[torch.tensor([0])], own.read(raw.frame[row : row + 1])[0])


def test_pictures_come_in_the_run_s_size_and_other_colours_are_refused() -> None:
    labels = Labels("classification", tuple("9876543210"), 10)
    grey = ImagePreprocessing(1, 6, 6, (0.5,), (0.5,))
    split = load_labelled("digits", grey, labels, DataConfig(data="made"))
    there = load(DataConfig(data="digits", image_size=6)).test
    assert torch.equal(split.inputs[torch.arange(len(split))], there.inputs[torch.arange(len(there))])
    assert torch.equal(split.targets, 9 - there.targets)
    colour = ImagePreprocessing(3, 6, 6, (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(DataError, match=r"digits gives samples of shape \(1, 6, 6\), .* takes \(3, 6, 6\)"):
        load_labelled("digits", colour, labels, DataConfig(data="made"))


def test_texts_are_encoded_by_the_run_s_own_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = RawCharacters([f"{'ab'[number % 2]}{number}" for number in range(40)], ["x", "y"] * 20, "made")
    monkeypatch.setattr("layerwise.data.loading.load_raw", lambda *_: raw)
    own = CharacterPreprocessing("xyzba", 3)
    split = load_labelled("names", own, Labels("classification", ("y", "x"), 2), DataConfig(data="made"))
    assert np.array_equal(split.inputs[torch.arange(len(split))][:, 0] == own.numbers["a"], split.targets == 1)


def test_what_is_no_data_of_the_kind_is_refused() -> None:
    own = CharacterPreprocessing("ab", 3)
    with pytest.raises(DataError, match="iris is a table, and the network was trained on a set of short texts"):
        load_labelled("iris", own, Labels("classification"), DataConfig())
    with pytest.raises(NotFoundError, match="there is no data 'nmes'"):
        load_labelled("nmes", own, Labels("classification"), DataConfig())
