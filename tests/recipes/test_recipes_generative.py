"""The recipes of painters in a short form, on few pictures, which learns what no untaught or broken painter can."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Split
from layerwise.data.loading import load
from layerwise.errors import UnavailableError
from layerwise.experiments.experiment import Experiment
from layerwise.experiments.training import train
from layerwise.models import build
from layerwise.recipes import options_of
from layerwise.reports.results import measure
from layerwise.reports.results.result import EvaluationInput
from layerwise.tasks.adversarial import Adversarial

SHORT: dict[str, dict[str, Any]] = {
    "fashion-vae": {"epochs": 8, "batch_size": 32},
    "fashion-gan": {"epochs": 6, "ema_decay": 0.9},
    "emoji-gan": {"epochs": 12, "ema_decay": 0.9},
}
PICTURES = 500


def first(split: Split, count: int) -> Split:
    inputs, targets = split.take(torch.arange(min(count, len(split))))
    return Split(inputs, targets, split.ids[:count])


def few(data: str) -> Dataset:
    """Return a data set with few pictures in each of its splits. Skips the test where it cannot be fetched."""
    try:
        dataset = load(DataConfig(data=data, limit=PICTURES))
    except UnavailableError as error:
        pytest.skip(str(error))
    return replace(dataset, valid=first(dataset.valid, 100), test=first(dataset.test, 200))


def short_form(name: str, runs: Path) -> tuple[Any, Dataset]:
    options = options_of(name)
    dataset = few(options.pop("data"))
    return train(data=dataset, **(options | SHORT[name]), runs=runs, quiet=True), dataset


@pytest.mark.slow
@pytest.mark.network
def test_a_short_fashion_vae_knows_much_more_of_a_picture_than_the_mean_picture(tmp_path: Path) -> None:
    run, dataset = short_form("fashion-vae", tmp_path)
    prepare = dataset.preprocessing.transform
    mean = prepare(dataset.train.inputs).mean(0)  # type: ignore[arg-type]
    of_the_mean = (prepare(dataset.test.inputs) - mean).square().mean().item()  # type: ignore[arg-type]
    assert run.result["test"]["squared_error"] < 0.6 * of_the_mean


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(("name", "share"), [("fashion-gan", 0.5), ("emoji-gan", 0.75)])
def test_a_short_gan_paints_much_more_likely_pictures_than_an_untaught_one(
    name: str, share: float, tmp_path: Path
) -> None:
    run, dataset = short_form(name, tmp_path)
    torch.manual_seed(0)
    untaught = build("gan", dataset.input_shape, len(dataset.classes)).eval()
    task = Adversarial.for_data(dataset, Experiment.of("gan", {}).task)
    before = measure(EvaluationInput(untaught, task, dataset.preprocessing, dataset.test, lambda: dataset)).summary[
        "frechet"
    ]
    assert run.result["test"]["frechet"] < share * before
