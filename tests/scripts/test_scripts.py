"""A run written as a plain-PyTorch script trains the same network on the same data, without this package."""

from __future__ import annotations

import runpy
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from script_helpers import assert_laid_out, assert_same_bits, figures, perform, perform_alone
from torch import Tensor, nn

import layerwise
from layerwise.cli.main import run as command
from layerwise.errors import NotFoundError, UsageError
from layerwise.experiments.experiment import SECTIONS
from layerwise.experiments.run import Run
from layerwise.models import CATALOGUE, build
from layerwise.scripts import writer
from layerwise.scripts.layers import text
from layerwise.scripts.network import Network
from layerwise.scripts.options import COVERED
from layerwise.scripts.writer import module_of, script_of, weights_in
from layerwise.tasks import TASKS

SMALL = {"limit": 120, "epochs": 3, "batch_size": 32, "learning_rate": 0.01}
TEMPLATES = sorted(
    path for path in (Path(writer.__file__).parent / "templates").glob("*.py") if path.stem != "__init__"
)


@pytest.fixture
def train(tmp_path):
    def train(model: Any = None, data: Any = "digits", **options: Any) -> Run:
        return layerwise.train(model, data, runs=tmp_path / "runs", quiet=True, **options)

    return train


# Templates


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_each_template_runs_as_it_stands(template, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(template), run_name="__main__")
    assert capsys.readouterr().out.splitlines()[-1].startswith("test: ")


def test_each_task_has_a_template():
    assert set(TASKS) == {path.stem for path in TEMPLATES}


def test_each_option_is_covered_or_refused():
    for section, kind in SECTIONS.items():
        assert set(COVERED[section]) == {one.name for one in fields(kind)}, section
    assert COVERED.keys() == SECTIONS.keys()


# Whole scripts


@pytest.mark.slow
def test_a_script_trains_to_the_figure_of_its_run_where_this_package_is_not_installed(train, tmp_path, capsys):
    run = train("lenet5", image_size=12, dropout=0.2, **SMALL)
    command(["code", run.name, "--out", str(tmp_path / "script"), "--runs", str(tmp_path / "runs")])
    assert capsys.readouterr().out.splitlines()[-1] == f"next: python {tmp_path / 'script' / 'train.py'}"
    accuracy, loss = figures(perform_alone(tmp_path / "script"))
    assert accuracy == round(run.result["test"]["accuracy"], 4)
    assert loss == round(run.result["test"]["loss"], 4)


def test_without_a_folder_a_script_is_written_to_one_with_the_name_of_the_run(train, tmp_path, monkeypatch):
    run = train("logistic", **SMALL)
    monkeypatch.chdir(tmp_path)
    command(["code", run.name, "--runs", str(tmp_path / "runs")])
    files = {path.name for path in (tmp_path / run.name).iterdir()}
    assert files == {"train.py", "data.safetensors", "initial_weights.safetensors"}


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "sgd", "schedule": "step", "penalty": "l1", "penalty_strength": 0.01, "learning_rate": 0.1},
        {"optimizer": "momentum", "schedule": "linear", "penalty": "l2", "penalty_strength": 0.01, "clip_norm": 0.5},
        {"optimizer": "nesterov", "schedule": "cosine", "warmup": 0.5, "ema_decay": 0.9, "weight_decay": 0.01},
        {"optimizer": "rmsprop", "weight_decay": 0.01, "label_smoothing": 0.1, "learning_rate": 0.001},
        {
            "optimizer": "adam",
            "schedule": "plateau",
            "patience": 1,
            "accumulation_steps": 3,
            "epochs": 8,
            "learning_rate": 0.1,
        },
        {"optimizer": "adamw", "schedule": "one-cycle", "dropout": 0.5, "batch_norm": True, "seed": 3},
        {"optimizer": "adam", "batch_size": "full", "valid": 0.0, "weight_decay": 0.1, "warmup": 1.0},
        {"optimizer": "adam", "batch_size": 17, "activation": "scaled-tanh", "precision": "bfloat16"},
        {"schedule": "inverse-root", "warmup": 0.5, "batch_size": 7, "limit": 113},
        {"schedule": "inverse-root"},
        {"optimizer": "adam", "penalty": "elastic", "penalty_strength": 0.02},
        {"optimizer": "rmsprop", "penalty": "l1", "penalty_strength": 0.02, "learning_rate": 0.001},
    ],
    ids=lambda options: options.get("optimizer", options.get("schedule")),
)
def test_a_script_takes_every_step_of_its_run(train, tmp_path, options):
    run = train("mlp", **{**SMALL, **options})
    names, printed = perform(run, tmp_path / "script")
    assert_same_bits(names, run)
    assert figures(printed.splitlines()[-1])[0] == round(run.result["test"]["accuracy"], 4)
    assert_laid_out(tmp_path / "script")


def test_muon_on_full_batches_takes_the_steps_of_ours(train, tmp_path):
    run = train("lenet5", image_size=12, optimizer="muon", weight_decay=0.1, batch_size="full", limit=60, epochs=3)
    names, _ = perform(run, tmp_path / "script")
    for theirs, ours in zip(run.model.parameters(), names["model"].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("model", ["resnet-tiny", "lenet5-paper"])
def test_convolutions_take_the_steps_of_the_run(train, tmp_path, model):
    run = train(model, image_size=14, optimizer="nesterov", threads=1, **SMALL)
    names, _ = perform(run, tmp_path / "script")
    assert_same_bits(names, run)


@pytest.mark.parametrize("augment", ["shift:1,rotate:5,colour,cutout:1", "cifar10,flip,crop:1", "none"])
def test_augmentation_and_mixup_reach_a_figure_that_is_alike(train, tmp_path, augment):
    options = {"augment": augment, "mixup": 0.2 if augment != "cifar10,flip,crop:1" else 0.0, "learning_rate": 0.01}
    run = train("mlp", epochs=5, limit=400, batch_size=32, **options)
    _, printed = perform(run, tmp_path / "script")
    assert_laid_out(tmp_path / "script")
    accuracy, _ = figures(printed.splitlines()[-1])
    assert abs(accuracy - run.result["test"]["accuracy"]) < 0.2
    assert "alike" in (tmp_path / "script" / "train.py").read_text()


# Data


def table(rows: int = 80) -> pl.DataFrame:
    draws = np.random.default_rng(0)
    numbers = draws.normal(50, 20, rows)
    days = np.datetime64("2020-03-01T07:00") + draws.integers(0, 900_000, rows).astype("timedelta64[m]")
    return pl.DataFrame(
        {
            "size": [None if n % 9 == 0 else float(x) for n, x in enumerate(numbers)],
            "kind": [["oak", "ash", "elm, wych", None, "once"][min(n % 4 + (n == 70), 4)] for n in range(rows)],
            "sunny": [None if n % 11 == 5 else n % 3 == 0 for n in range(rows)],
            "planted": [None if n % 13 == 7 else day.astype("datetime64[us]").item() for n, day in enumerate(days)],
            "park": [f"p{draws.integers(9)}" for _ in range(rows)],
            "height": [None if n == 4 else float(x) * 0.3 + n % 4 for n, x in enumerate(numbers)],
            "tall": [x > 50 for x in numbers],
            "class": [("low", "mid", "top")[int(x > 40) + int(x > 60)] for x in numbers],
        }
    )


@pytest.mark.parametrize("target", ["height", "tall", "class"])
def test_a_script_of_a_table_reaches_the_figure_of_its_run(train, tmp_path, target):
    table().write_csv(tmp_path / "trees.csv")
    run = train("mlp", tmp_path / "trees.csv", target=target, epochs=2, limit=50)
    names, printed = perform(run, tmp_path / "script")
    assert_same_bits(names, run)
    assert_laid_out(tmp_path / "script")
    metric = "r2" if target == "height" else "accuracy"
    assert figures(printed.splitlines()[-1])[0] == round(run.result["test"][metric], 4)


def test_a_script_has_the_splits_of_its_run(train, tmp_path):
    run = train("logistic", **SMALL)
    names, _ = perform(run, tmp_path / "script")
    for part in ("train", "valid", "test"):
        split = getattr(run.dataset(), part)
        assert torch.equal(names["data"][f"{part}_x"], split.inputs)
        assert torch.equal(names["data"][f"{part}_y"], split.targets)


# Networks

VARIATIONS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("mlp", {"hidden": (8, 8, 4), "batch_norm": True, "dropout": 0.3, "activation": "scaled-tanh"}, (5,)),
    ("mlp", {"hidden": ()}, (3, 4, 4)),
    ("linear", {"bias": False}, (7,)),
    ("lenet5", {"pooling": "average", "activation": "gelu", "padding": 0, "dropout": 0.1}, (3, 32, 32)),
    ("resnet-small", {"widths": (4, 8), "blocks": (1, 2), "zero_start": False, "dropout": 0.2}, (1, 16, 16)),
    ("resnet-small", {"widths": (4, 8), "blocks": (2, 1), "bottleneck": True, "shortcut": "zeros"}, (1, 16, 16)),
    ("resnet-small", {"widths": (4, 8), "blocks": (1, 1), "stem": "7x7-pool"}, (3, 64, 48)),
    ("vgg-small", {"widths": (4, 8), "convolutions": (1, 2), "dense": (), "batch_norm": False}, (1, 16, 16)),
    ("densenet-small", {"layers": (2, 2), "stem": "7x7-pool", "growth": 4, "dropout": 0.1}, (3, 64, 64)),
    ("gpt", {"embed_dim": 8, "heads": 2, "layers": 2, "dropout": 0.1}, (6, 11)),
    ("transformer", {"embed_dim": 8, "heads": 2, "norm_first": False, "shared": False}, (6, 11)),
    ("transformer", {"embed_dim": 8, "heads": 2, "decoder_layers": 1, "shared": False}, (6, 11)),
    ("seq2seq", {"embedding": 8, "hidden": 6, "layers": 2, "shared": False}, (6, 11)),
    ("gru", {"hidden": 5, "layers": 2, "bidirectional": True, "dropout": 0.1}, (6, 2)),
    ("lstm", {"hidden": 5, "season": 3}, (6, 2)),
    ("rnn", {"hidden": 5, "each_step": True}, (6, 2)),
    ("vae", {"code": 3, "widths": (4, 6, 8), "hidden": 10}, (3, 17, 12)),
    ("gan", {"noise": 3, "widths": (8, 6, 4)}, (3, 17, 12)),
    ("unet", {"widths": (4, 6, 8)}, (3, 17, 12)),
    ("segnet", {"widths": (4, 6), "convolutions": (1, 2)}, (3, 17, 12)),
]


def samples_for(name: str, model: Any, shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Return what a network takes, for two samples."""
    if CATALOGUE[name].takes in ("prose", "pairs"):
        tokens = torch.randint(1, shape[1], (2, shape[0]))
        tokens[0, -1:] = 0
        return (tokens,) if CATALOGUE[name].takes == "prose" else (tokens, tokens % 3)
    return (torch.randn(2, *((model.noise,) if CATALOGUE[name].task == "adversarial" else shape)),)


def outputs_of(model: nn.Module, samples: tuple[Tensor, ...]) -> list[Tensor]:
    with torch.no_grad():
        outputs = model.eval()(*samples)
    return [one for one in (outputs if isinstance(outputs, tuple) else [outputs]) if one is not None]


def assert_same_network(name: str, options: dict[str, Any], shape: tuple[int, ...], outputs: int) -> None:
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build(name, shape, outputs, **options).parameters())
    with torch.device("cpu" if parameters < 2e6 else "meta"):
        torch.manual_seed(7)
        model = build(name, shape, outputs, **options)
        network = Network(model, writer.ASKED.get(CATALOGUE[name].task, set()), True)
        source = f"{module_of(network)}model = {text(network.maker)}\n"
        names: dict[str, Any] = {}
        exec(source, names)
    assert "config" not in source
    kept = weights_in(model)
    assert {one: tensor.shape for one, tensor in names["model"].state_dict().items()} == {
        one: tensor.shape for one, tensor in kept.items()
    }
    if parameters < 2e6:
        names["model"].load_state_dict(kept)
        samples = samples_for(name, model, shape)
        assert all(map(torch.equal, outputs_of(names["model"], samples), outputs_of(model, samples)))


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_network_of_a_script_is_that_of_the_catalogue(name):
    assert_same_network(name, {}, CATALOGUE[name].usual_input, CATALOGUE[name].usual_outputs)


@pytest.mark.parametrize(("name", "options", "shape"), VARIATIONS)
def test_so_is_one_with_other_options(name, options, shape):
    assert_same_network(name, options, shape, 3)


class Own(nn.Module):
    """A network of the user's own."""

    def __init__(self, hidden: int = 8) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, hidden), nn.Linear(hidden, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(squash(self.first(x.flatten(1))))


def squash(x: Tensor) -> Tensor:
    return torch.tanh(x)


@pytest.mark.parametrize(
    "make", [Own, lambda: Own(5), lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 9, bias=False), nn.Linear(9, 10))]
)
def test_a_network_of_the_users_own_is_written_as_it_is(train, tmp_path, make):
    run = train(make(), **SMALL)
    names, _ = perform(run, tmp_path / "script")
    assert_laid_out(tmp_path / "script")
    assert [p.shape for p in names["model"].parameters()] == [p.shape for p in run.model.parameters()]
    assert "drawn anew" in (tmp_path / "script" / "train.py").read_text()


# Refusals


class OwnWeight(Own):
    """It has a weight that no layer of torch makes."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.ones(10))


def test_what_no_script_can_be_written_of_is_refused_in_a_sentence(train, tmp_path):
    run = train(OwnWeight(), **SMALL)
    with pytest.raises(UsageError, match=r"OwnWeight\.bias is a weight whose first values the run does not know"):
        script_of(run)
    with pytest.raises(UsageError, match="open the run in Python with the network"):
        script_of(Run.open(run.name, runs=tmp_path / "runs"))
    run = train("gan", image_size=8, noise=4, widths=(8, 4), accumulation_steps=2, limit=40, epochs=1)
    with pytest.raises(UsageError, match="two networks with Muon, a penalty or batches in pieces"):
        script_of(run)


def test_data_that_is_gone_is_told(train, tmp_path):
    path = tmp_path / "trees.csv"
    table().write_csv(path)
    run = train("logistic", path, target="class", epochs=1)
    path.unlink()
    with pytest.raises(NotFoundError):
        script_of(Run.open(run.name, runs=tmp_path / "runs"))


def test_a_script_of_a_run_on_an_accelerator_moves_data_and_network_there(train, tmp_path):
    options = {"augment": "cifar10,shift:1,colour,flip", "ema_decay": 0.9, **SMALL, "epochs": 1}
    run = train("mlp", **options)
    run.folder.write_json("environment.json", {**run.folder.read_json("environment.json"), "device": "Some Card"})
    perform(Run(run.folder), tmp_path / "script")
    source = (tmp_path / "script" / "train.py").read_text()
    assert "device = torch.accelerator.current_accelerator(check_available=True) or" in source
    assert "model.to(device)" in source
    assert "alike" in source
    assert_laid_out(tmp_path / "script")


def test_a_script_of_a_compiled_run_compiles(train, tmp_path):
    run = train("mlp", **{**SMALL, "epochs": 1})
    run.folder.write_json("execution.json", {**run.folder.read_json("execution.json"), "compile": True})
    script_of(Run(run.folder)).write(tmp_path / "script")
    assert "    model.compile()\n" in (tmp_path / "script" / "train.py").read_text()
    assert_laid_out(tmp_path / "script")


def test_a_script_predicts_numbers_of_pictures(train, tmp_path):
    digits = train("logistic", **{**SMALL, "epochs": 1}).dataset()
    halves = {
        part: replace(split, targets=split.inputs.float().mean((1, 2, 3))[:, None] / 255)
        for part in ("train", "valid", "test")
        for split in [getattr(digits, part)]
    }
    units = {"target_names": ("light",), "target_means": (0.0,), "target_deviations": (1.0,), "classes": ()}
    run = train("mlp", replace(digits, task="regression", **units, **halves), epochs=2, batch_size=16)
    names, printed = perform(run, tmp_path / "script")
    assert_same_bits(names, run)
    assert figures(printed.splitlines()[-1])[0] == round(run.result["test"]["r2"], 4)
