"""The networks that are named where another cannot work: they suit what the data is and what it is for."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from layerwise.data.catalogue import SOURCES
from layerwise.data.config import DataConfig
from layerwise.data.loading import load
from layerwise.errors import UsageError
from layerwise.experiments.compatibility import GOALS, hint_of
from layerwise.experiments.default_model import SUITABLE, choose_model, suitable_models
from layerwise.experiments.training import train
from layerwise.models import CATALOGUE, build

TAKEN = {  # what networks take, by what data is
    "images": {"images", "masks", "any"},
    "table": {"features", "any"},
    "bag_of_words": {"features", "any"},
    "series": {"sequences"},
    "characters": {"sequences"},
    "text": {"text", "sequences"},
    "pairs": {"pairs"},
}


def test_there_are_networks_for_every_kind_of_data_with_every_goal() -> None:
    assert set(SUITABLE) >= {(source.kind, source.task) for source in SOURCES.values()}


@pytest.mark.parametrize(("kind", "task"), SUITABLE)
def test_networks_that_are_suggested_take_this_kind_of_data_and_learn_its_goal(kind: str, task: str) -> None:
    for name in SUITABLE[kind, task]:  # type: ignore[index]
        entry = CATALOGUE[name]
        assert entry.takes in TAKEN[kind]
        assert task in GOALS[entry.takes]
        assert not entry.task, "it learns what the data says"


def test_a_network_for_masks_on_digits_names_networks_that_can_read_digits(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        train("segnet", "digits", runs=tmp_path)
    hint = str(refusal.value).split("; ")[-1]
    assert hint == "use resnet-small, densenet-small or mlp."
    for name in re.findall(r"[\w-]+", hint.removeprefix("use ").replace(" or ", " ")):
        outputs = build(name, (1, 8, 8), 10).eval()(torch.zeros(2, 1, 8, 8))
        assert outputs.shape == (2, 10)


def test_the_first_that_is_suggested_is_the_one_that_is_picked_where_none_is_named() -> None:
    digits = load(DataConfig(data="digits", image_size=96))
    assert suitable_models(digits)[0] == choose_model(digits)[0] == "resnet18"
    assert suitable_models(digits)[1:] == ("resnet-small", "densenet-small", "mlp")


def test_where_no_network_suits_other_data_is_asked_for() -> None:
    odd = replace(load(DataConfig(data="iris")), task="language_modeling")
    assert hint_of(odd) == "name other data"
