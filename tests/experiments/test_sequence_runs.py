"""Trainings on sequences: exact resume, answers for new ones, and one sentence for what cannot work."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_data import QUICK, outcome

from layerwise.cli.printing import next_commands
from layerwise.data.build import build
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset
from layerwise.data.loading import load
from layerwise.data.raw import RawCharacters
from layerwise.errors import StoppedError, UsageError
from layerwise.experiments.evaluation import evaluate
from layerwise.experiments.inspection import inspect
from layerwise.experiments.training import resume, train
from layerwise.reports.statistics import statistics
from layerwise.tasks import Regression
from layerwise.training.events import Event, Stepped

SMALL: dict[str, Any] = {"hidden": 12, "embedding": 8, "epochs": 4, "batch_size": 16, **QUICK}


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slow and fast waves of unequal lengths."""
    chance, path = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "waves.ts"
    lines = ["@classLabel true slow fast", "@data"]
    for number in range(120):
        time = np.arange(chance.integers(8, 16))
        label, rate = (("slow", 0.3), ("fast", 1.5))[number % 2]
        lines.append(",".join(f"{value:.4f}" for value in np.sin(rate * time + chance.normal())) + f":{label}")
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "shop.csv"
    path.write_text("sales\n" + "\n".join(f"{1000 + 200 * np.sin(day / 4):.3f}" for day in range(200)))
    return path


def texts() -> Dataset:
    """Words of vowels and words of consonants."""
    chance = np.random.default_rng(0)
    words = ["".join(chance.choice(list(("aeiou", "bcdfg")[n % 2]), chance.integers(2, 6))) for n in range(80)]
    return build(RawCharacters(words, ["vowels", "consonants"] * 40, "made"), "words", DataConfig(), 0)


def stop_at(step: int) -> Any:
    def watch(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return watch


def test_a_recurrent_training_that_is_stopped_resumes_with_the_same_bits(waves: Path, tmp_path: Path) -> None:
    options = {**SMALL, "layers": 2, "dropout": 0.3, "bidirectional": True}
    whole = train("gru", waves, runs=tmp_path / "whole", **options)
    with pytest.raises(StoppedError):
        train("gru", waves, runs=tmp_path / "stopped", watchers=[stop_at(7)], **options)
    assert outcome(resume(runs=tmp_path / "stopped", quiet=True)) == outcome(whole)


def test_a_recurrent_network_tells_slow_waves_from_fast_ones_and_names_new_ones(waves: Path, tmp_path: Path) -> None:
    run = train(None, waves, runs=tmp_path, **{**SMALL, "epochs": 25})  # picked: gru
    assert run.experiment.model == "gru"
    assert run.result["test"]["accuracy"] > 0.9
    answers = run.predict(waves)
    labels = [line.rpartition(":")[2] for line in waves.read_text().splitlines()[2:]]
    assert np.mean([a["label"] == label for a, label in zip(answers, labels, strict=True)]) > 0.9


def test_a_forecast_is_in_the_units_of_the_table(sales: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {**SMALL, "epochs": 30, "learning_rate": 0.01}
    run = train("gru", sales, target="sales", window=12, horizon=3, from_last=True, runs=tmp_path, **options)
    assert run.result["test"]["r2"] > 0.8
    [answer] = run.predict(sales)
    values = [value for value in answer.values() if isinstance(value, float)]
    told = values if values else list(next(iter(answer.values())).values())
    truth = [1000 + 200 * np.sin(day / 4) for day in (200, 201, 202)]
    np.testing.assert_allclose(told, truth, atol=150)
    assert (f"layerwise predict {run.name} {sales}", "predict for your own files") in next_commands(run)
    page = run.report.read_text(encoding="utf-8")
    assert "It forecasts ‘sales’ 3 steps ahead, at 38 unseen times." in page
    assert "seriess" not in page
    (tmp_path / "newer.csv").write_bytes(sales.read_bytes())
    again, _ = evaluate(run, data=str(tmp_path / "newer.csv"), out=tmp_path / "again")
    assert again.count == 200 - 12 - 3 + 1


def test_figures_of_a_single_forecast_have_no_r2() -> None:
    task = Regression(("a", "b"), (0.0, 0.0), (1.0, 1.0))
    told, came = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.5, 2.0]])
    assert task.metrics(told, came) == {"loss": 0.125, "mae": 0.25, "rmse": 0.25}
    assert task.metrics(told.repeat(2, 1), torch.tensor([[0.0, 1.0], [2.0, 3.0]]))["r2"] == 0.0


def test_characters_are_learned_from(tmp_path: Path) -> None:
    run = train("gru", texts(), runs=tmp_path, **{**SMALL, "epochs": 10})
    assert run.result["test"]["accuracy"] > 0.9


def test_figures_of_series_leave_padding_out_and_are_in_the_units_of_the_data(waves: Path, sales: Path) -> None:
    steps, channel = statistics(load(DataConfig(str(waves))))
    assert (steps.name, channel.name) == ("steps", "channel 1")
    assert steps.lowest == 8
    assert channel.mean is not None
    assert abs(channel.mean) < 0.2
    column, first, *_ = statistics(load(DataConfig(str(sales), target="sales", window=12, horizon=3)))
    for described in (column, first):
        assert described.mean == pytest.approx(1000, abs=40)
    [length] = statistics(texts())
    assert (length.name, length.lowest, length.highest) == ("characters a text", 2, 5)


def test_data_of_series_can_be_looked_at(waves: Path, tmp_path: Path) -> None:
    facts, files = inspect(DataConfig(str(waves)), 0, tmp_path)
    assert facts["kind"] == "series"
    assert all(file.exists() for file in files)


REFUSALS: list[tuple[str, str, dict[str, Any], str]] = [
    ("gru", "digits", {}, r"gru takes sequences .* received samples of shape \(1, 8, 8\); use mlp .* for pictures"),
    ("gru", "iris", {}, r"gru takes sequences .* received samples of shape \(4,\); use mlp for rows of numbers"),
    ("resnet-small", "waves", {}, "resnet-small takes pictures, and waves is series; use gru, lstm or rnn"),
    ("vit", "iris", {}, r"ViT takes pictures .* use mlp for rows of numbers"),
    ("mlp", "waves", {}, "mlp takes samples of one length, and the series of waves differ; use gru, lstm or rnn"),
    ("logistic", "words", {}, "logistic takes numbers, and words is characters; use gru, lstm or rnn"),
    ("lenet5", "words", {}, "lenet5 takes pictures, and words is characters; use gru, lstm or rnn"),
    ("gru", "words", {"mixup": 0.2}, "`mixup` blends numbers, and words is characters; leave it out"),
    ("gru", "waves", {"augment": "flip"}, "`augment` changes pictures, and waves is a series"),
    ("gru", "waves", {"each_step": True}, "`each_step` gives outputs at every step, and waves has one target a sample"),
    ("gru", "waves", {"from_last": True}, "`from_last` is for forecasts, and waves has classes"),
    ("gru", "waves", {"compile": "yes"}, "`compile` yes: PyTorch's compiler cannot take gru"),
]


@pytest.mark.parametrize(("model", "data", "options", "sentence"), REFUSALS)
def test_a_network_that_cannot_read_the_data_is_refused_before_anything_is_written(
    model: str, data: str, options: dict[str, Any], sentence: str, waves: Path, tmp_path: Path
) -> None:
    source: Any = {"waves": waves, "words": texts()}.get(data, data)
    with pytest.raises(UsageError, match=sentence):
        train(model, source, runs=tmp_path, **{**QUICK, **options})
    assert list(tmp_path.iterdir()) == []


def test_series_of_one_length_may_go_into_any_network(waves: Path, tmp_path: Path) -> None:
    dataset = load(DataConfig(str(waves)))
    parts = {
        part: replace(split, inputs=split.inputs[:, :8]) if hasattr(split.inputs, "shape") else split
        for part, split in (("train", dataset.train), ("valid", dataset.valid), ("test", dataset.test))
    }
    cut = replace(dataset, **parts, preprocessing=replace(dataset.preprocessing, length=8))
    assert train("mlp", cut, runs=tmp_path, epochs=8, **QUICK).result["test"]["accuracy"] > 0.7
