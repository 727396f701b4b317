"""A run printed as a plain-PyTorch script trains the same network on the same data, without this package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from script_helpers import assert_same_bits, assert_same_data, figures, perform, perform_alone
from torch import Tensor, nn

import layerwise
from layerwise.cli.main import run as command
from layerwise.data import augmentation_ops
from layerwise.data.augmentation import Augmentation
from layerwise.data.sources import mnist
from layerwise.data.splits import hold_out, limit_indices, split_indices
from layerwise.errors import NotFoundError, UsageError
from layerwise.experiments.experiment import Experiment
from layerwise.experiments.run import Run
from layerwise.experiments.script import plain_script, written
from layerwise.experiments.scripting.augmentation import variation
from layerwise.experiments.scripting.excerpts import Excerpts
from layerwise.experiments.scripting.fold import fold
from layerwise.experiments.scripting.networks import catalogue_network
from layerwise.experiments.scripting.parts import division
from layerwise.models import CATALOGUE, build
from layerwise.training.config import TrainingConfig
from layerwise.training.schedules import rate_at

SMALL = {"limit": 120, "epochs": 3, "batch_size": 32, "learning_rate": 0.01}


@pytest.fixture
def train(tmp_path):
    def train(model: Any = None, data: Any = "digits", **options: Any) -> Run:
        return layerwise.train(model, data, runs=tmp_path / "runs", quiet=True, **options)

    return train


def described(run: Run, **options: Any) -> Run:
    """Return the run with another description, for scripts that are looked at and not compared."""
    experiment = Experiment.of(run.experiment.model, {**run.experiment.asked, **options})
    run.folder.write_json("experiment.json", experiment.to_json())
    return Run(run.folder)


# Whole scripts


@pytest.mark.slow
def test_a_script_trains_to_the_figure_of_its_run_where_this_package_is_not_installed(train, tmp_path):
    run = train("lenet5", image_size=12, dropout=0.2, **SMALL)
    script = tmp_path / "script.py"
    command(["code", run.name, "--out", str(script), "--runs", str(tmp_path / "runs")])
    accuracy, loss = figures(perform_alone(script))
    assert accuracy == round(run.result["test"]["accuracy"], 4)
    assert loss == round(run.result["test"]["loss"], 4)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "sgd", "schedule": "step", "penalty": "l1", "strength": 0.01, "learning_rate": 0.1},
        {"optimizer": "momentum", "schedule": "linear", "penalty": "l2", "strength": 0.01, "clip_norm": 0.5},
        {"optimizer": "nesterov", "schedule": "cosine", "warmup": 0.5, "average": 0.9, "weight_decay": 0.01},
        {"optimizer": "rmsprop", "weight_decay": 0.01, "label_smoothing": 0.1, "learning_rate": 0.001},
        {"optimizer": "adam", "schedule": "plateau", "patience": 1, "accumulate": 3, "epochs": 8, "learning_rate": 0.1},
        {"optimizer": "adamw", "schedule": "one-cycle", "dropout": 0.5, "batch_norm": True, "seed": 3},
        {"optimizer": "adam", "batch_size": "full", "valid": 0.0, "weight_decay": 0.1, "warmup": 1.0},
        {"optimizer": "adam", "batch_size": 17, "activation": "scaled-tanh", "precision": "bfloat16"},
        {"batch_size": 7, "limit": 113},
    ],
    ids=lambda options: options.get("optimizer", "a last batch of one"),
)
def test_a_script_takes_every_step_of_its_run(train, options):
    run = train("mlp", **{**SMALL, **options})
    names, printed = perform(plain_script(run))
    assert_same_bits(names, run)
    assert figures(printed.splitlines()[-1])[0] == round(run.result["test"]["accuracy"], 4)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam", "penalty": "elastic", "strength": 0.02},
        {"optimizer": "rmsprop", "penalty": "l1", "strength": 0.02, "learning_rate": 0.001},
    ],
    ids=lambda options: options["optimizer"],
)
def test_a_penalty_in_the_metric_of_the_optimiser_leaves_the_same_zeros(train, options):
    run = train("logistic", **{**SMALL, **options})
    names, _ = perform(plain_script(run))
    (theirs, _), (ours, _) = run.model.parameters(), names["model"].parameters()
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert torch.equal(theirs == 0, ours == 0)
    assert (ours == 0).any()


def test_muon_on_full_batches_takes_the_steps_of_ours(train):
    run = train("lenet5", image_size=12, optimizer="muon", weight_decay=0.1, batch_size="full", limit=60, epochs=3)
    names, _ = perform(plain_script(run))
    for theirs, ours in zip(run.model.parameters(), names["model"].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("model", ["resnet-tiny", "lenet5-paper"])
def test_convolutions_take_the_steps_of_the_run(train, model):
    run = train(model, image_size=14, optimizer="nesterov", threads=1, **SMALL)
    names, _ = perform(plain_script(run))
    for theirs, ours in zip(run.model.parameters(), names["model"].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_augmentation_and_mixup_reach_a_figure_that_is_alike(train):
    options = {"augment": "shift:1,rotate:5,colour,cutout:1", "mixup": 0.2, "learning_rate": 0.01}
    run = train("mlp", epochs=5, limit=400, batch_size=32, **options)
    script = plain_script(run)
    names, printed = perform(script)
    accuracy, _ = figures(printed.splitlines()[-1])
    assert abs(accuracy - run.result["test"]["accuracy"]) < 0.15
    assert "alike" in script
    assert_same_data(names, run)


def test_the_rate_of_a_script_is_the_rate_of_the_run(train):
    run = train("logistic", limit=50, batch_size=20, epochs=1)
    for schedule in ("constant", "step", "cosine", "linear", "one-cycle"):
        for warmup in (0.0, 1.5):
            options = {"schedule": schedule, "warmup": warmup, "epochs": 4, "learning_rate": 0.03}
            script = plain_script(described(run, **options))
            if schedule == "constant" and not warmup:
                assert "rate_at" not in script
                continue
            names, _ = perform(script)
            rates = [rate_at(step, 12, 3, TrainingConfig(**options)) for step in range(12)]
            assert [names["rate_at"](step) for step in range(12)] == rates


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


@pytest.mark.parametrize(("suffix", "target"), [("csv", "height"), ("parquet", "tall"), ("csv", "class")])
def test_a_script_encodes_a_table_as_its_run(train, tmp_path, suffix, target):
    frame = table()
    path = tmp_path / f"trees.{suffix}"
    frame.write_csv(path) if suffix == "csv" else frame.write_parquet(path)
    run = train("mlp", path, target=target, epochs=1, limit=50)
    names, printed = perform(plain_script(run))
    if target == "height":
        assert torch.equal(names["train_x"], run.dataset().train.inputs)
        torch.testing.assert_close(names["train_y"], run.dataset().train.targets)
        assert figures(printed.splitlines()[-1])[0] == pytest.approx(run.result["test"]["r2"], abs=2e-4)
    else:
        assert_same_data(names, run)
        assert_same_bits(names, run)


@pytest.mark.parametrize(
    ("way", "column", "valid"), [("time", "planted", 0.2), ("time", "height", 0.0), ("group", "park", 0.2)]
)
def test_a_script_divides_a_table_by_time_and_group_as_its_run(train, tmp_path, way, column, valid):
    path = tmp_path / "trees.csv"
    table().drop_nulls(["planted", "height"]).write_csv(path, separator=";")
    run = train("logistic", path, target="class", split_by=way, split_column=column, valid=valid, epochs=1)
    names, _ = perform(plain_script(run))
    dataset = run.dataset()
    assert torch.equal(names["train_x"], dataset.train.inputs)
    assert torch.equal(names["test_x"], dataset.test.inputs)
    assert torch.equal(names["features"][names["test"]], dataset.test.inputs)


@pytest.mark.parametrize("data", ["iris", "diabetes"])
def test_a_script_takes_tables_from_scikit_learn(train, data):
    run = train("linear" if data == "diabetes" else "logistic", data, epochs=2)
    names, printed = perform(plain_script(run))
    torch.testing.assert_close(names["train_x"], run.dataset().train.inputs)
    metric = "r2" if data == "diabetes" else "accuracy"
    assert figures(printed.splitlines()[-1])[0] == round(run.result["test"][metric], 4)


def test_a_script_predicts_another_column_of_a_table_from_scikit_learn(train):
    run = train("linear", "iris", target="petal width (cm)", split_by="group", split_column="species", epochs=1)
    names, _ = perform(plain_script(run))
    assert torch.equal(names["train_x"], run.dataset().train.inputs)


def picture(path: Path, number: int, mode: str = "RGB") -> None:
    draws = np.random.default_rng(number)
    values = draws.integers(0, 256, (12 + number % 3, 15, 4), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values[..., :3]) if mode != "RGBA" else Image.fromarray(values)
    if mode == "I;16":
        image = Image.fromarray(draws.integers(0, 65536, (13, 15), np.uint16))
    (image.convert("P") if mode == "P" else image).save(path)


@pytest.mark.parametrize("own", [(), ("test",), ("val",), ("valid", "test")], ids=lambda own: "+".join(own) or "none")
def test_a_script_reads_a_folder_of_pictures_as_its_run(train, tmp_path, own):
    folder, modes = tmp_path / "pets", ("RGB", "RGBA", "P", "I;16")
    for part in ("train", *own) if own else ("",):
        for label, name in enumerate(("cats", "dogs")):
            for number in range(12 if part in ("", "train") else 3):
                inner = "old" if number % 5 == 4 else ""
                picture(folder / part / name / inner / f"{number}.png", 20 * label + number, modes[number % 4])
    run = train("logistic", folder, image_size=9, epochs=1)
    names, _ = perform(plain_script(run))
    assert_same_data(names, run)
    assert_same_bits(names, run)


def test_a_script_reads_idx_files_as_its_run(train, tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "mnist"
    folder.mkdir(parents=True)
    pins = []
    for name in mnist.FILES:
        count = 60 if name.startswith("train") else 20
        draws = np.random.default_rng(len(name) + count)
        shape = (count, 28, 28) if "images" in name else (count,)
        values = draws.integers(0, 256 if "images" in name else 10, shape, np.uint8)
        values.flat[: 3 * 10] = np.arange(30) % 10
        header = bytes((0, 0, 8, len(shape))) + np.array(shape, ">u4").tobytes()
        (folder / name).write_bytes(header + values.tobytes())
        content = (folder / name).read_bytes()
        pins.append(mnist.Pin(name, len(content), __import__("hashlib").sha256(content).hexdigest()))
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(mnist, "MNIST", mnist.Package("mnist", tuple(pins)))
    run = train("logistic", "mnist", epochs=1, limit=40, image_size=14)
    names, _ = perform(plain_script(run))
    assert_same_data(names, run)
    assert_same_bits(names, run)


@pytest.mark.parametrize("seed", range(5))
def test_samples_are_divided_as_by_the_run(seed):
    labels = torch.randint(4, (90,), generator=torch.Generator().manual_seed(seed)) ** 2 // 3
    parts = split_indices(90, test=0.2, valid=0.1, seed=seed, classes=labels)
    assert all(map(torch.equal, parts, division.divide(labels, 0.2, 0.1, seed)))
    train, _, test = split_indices(90, test=0.3, valid=0.0, seed=seed, classes=labels)
    assert all(map(torch.equal, (train, test), division.divide_in_two(labels, 0.3, seed)))
    kept, held_out = hold_out(90, valid=0.15, seed=seed, classes=labels)
    assert all(map(torch.equal, (kept, held_out), division.hold_out(labels, 0.15, seed)))
    assert torch.equal(limit_indices(kept, 31, seed, labels), division.thin(kept, labels, 31, seed))


# Augmentation


def vary_of(text: str) -> dict[str, Any]:
    excerpts = Excerpts()
    function, settings = variation(text, excerpts)
    constants = "".join(f"{name} = {value.text}\n" for name, value in settings.items())
    names: dict[str, Any] = {}
    exec(written(f"{constants}\n{function}\nchanged = vary", excerpts), names)
    return names


def pictures(count: int = 64) -> Tensor:
    return torch.rand(count, 3, 12, 10, generator=torch.Generator().manual_seed(5)).mul(255).round() / 255


@pytest.mark.parametrize(
    "operation",
    [
        "(invert,1,0)",
        "(equalize,1,0)",
        "(auto-contrast,1,0)",
        "(solarize,1,6)",
        "(posterize,1,7)",
        "(contrast,1,9)",
        "(saturation,1,2)",
        "(brightness,1,9)",
        "(sharpness,1,8)",
        "(invert,1,0),(posterize,1,9)",
        "(rotate,0,9)",
    ],
)
def test_operations_without_chance_do_what_the_policy_does(operation):
    text = f"policy:[{operation}]"
    expected = Augmentation.parse(text)(pictures(), 0, 0, torch.arange(64))
    torch.testing.assert_close(vary_of(text)["vary"](pictures()), expected)


@pytest.mark.parametrize("operation", ["rotate", "shear-x", "shear-y", "translate-x", "translate-y"])
def test_moves_of_a_policy_go_the_same_two_ways(operation):
    text = f"policy:[({operation},1,8)]"
    one = pictures(1).expand(64, -1, -1, -1)
    ours = {tuple(p.flatten().mul(1000).round().tolist()) for p in vary_of(text)["vary"](one)}
    theirs = {
        tuple(p.flatten().mul(1000).round().tolist()) for p in Augmentation.parse(text)(one, 0, 0, torch.arange(64))
    }
    assert len(ours) == 2
    for own in ours:
        assert min(np.abs(np.subtract(own, other)).max() for other in theirs) <= 1


@pytest.mark.parametrize("text", ["flip", "vflip", "shift:1", "crop:1"])
def test_copies_are_among_those_that_the_run_makes(text):
    one = pictures(1).expand(400, -1, -1, -1)
    ours = {p.numpy().tobytes() for p in vary_of(text)["vary"](one).contiguous()}
    theirs = {p.numpy().tobytes() for p in Augmentation.parse(text)(one, 0, 0, torch.arange(400)).contiguous()}
    assert ours == theirs


def test_maps_move_pictures_as_ours_do():
    names = vary_of("rotate:30,scale:0.2,shear,translate,flip,shift:1")
    degrees = torch.linspace(-180, 180, 64)
    expected = augmentation_ops.sample_affine(pictures(), augmentation_ops.rotation(degrees))
    ours = names["resample"](pictures(), names["rotation"](pictures(), degrees))
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
    changed = names["vary"](pictures())
    assert changed.shape == (64, 3, 12, 10)
    assert changed.min() >= 0
    assert changed.max() <= 1


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
    ("gpt", {"depth": 8, "heads": 2, "blocks": 2, "dropout": 0.1}, (6, 11)),
    ("transformer", {"depth": 8, "heads": 2, "norm_first": False, "shared": False}, (6, 11)),
    ("transformer", {"depth": 8, "heads": 2, "decoder_blocks": 1, "shared": False}, (6, 11)),
    ("seq2seq", {"embedding": 8, "hidden": 6, "layers": 2, "shared": False}, (6, 11)),
    ("gru", {"hidden": 5, "layers": 2, "bidirectional": True, "dropout": 0.1}, (6, 2)),
    ("lstm", {"hidden": 5, "season": 3}, (6, 2)),
    ("rnn", {"hidden": 5, "each_step": True}, (6, 2)),
    ("vae", {"code": 3, "widths": (4, 6, 8), "hidden": 10}, (3, 17, 12)),
    ("gan", {"noise": 3, "widths": (8, 6, 4)}, (3, 17, 12)),
    ("unet", {"widths": (4, 6, 8)}, (3, 17, 12)),
    ("segnet", {"widths": (4, 6), "convolutions": (1, 2)}, (3, 17, 12)),
]


def network_script(name: str, options: dict[str, Any], shape: tuple[int, ...], outputs: int) -> str:
    excerpts = Excerpts()
    reads_tokens = True if CATALOGUE[name].takes in ("prose", "pairs") else None
    with torch.device("meta"):
        classes, expression, _ = catalogue_network(name, options, shape, outputs, excerpts, reads_tokens)
    return written(f"{classes}\nmodel = {expression}", excerpts)


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


def assert_same_start(name: str, options: dict[str, Any], shape: tuple[int, ...], outputs: int) -> None:
    script = network_script(name, options, shape, outputs)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build(name, shape, outputs, **options).parameters())
    names: dict[str, Any] = {}
    with torch.device("cpu" if parameters < 2e6 else "meta"):
        torch.manual_seed(7)
        model = build(name, shape, outputs, **options)
        torch.manual_seed(7)
        exec(script, names)
    assert "config" not in script
    for ours, theirs in zip(names["model"].parameters(), model.parameters(), strict=True):
        assert ours.shape == theirs.shape
        assert ours.is_meta or torch.equal(ours, theirs)
    if parameters < 2e6:
        samples = samples_for(name, model, shape)
        assert all(map(torch.equal, outputs_of(names["model"], samples), outputs_of(model, samples)))


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_network_of_a_script_starts_with_the_weights_of_the_catalogue(name):
    assert_same_start(name, {}, CATALOGUE[name].usual_input, CATALOGUE[name].usual_outputs)


@pytest.mark.parametrize(("name", "options", "shape"), VARIATIONS)
def test_so_does_one_with_other_options(name, options, shape):
    assert_same_start(name, options, shape, 3)


@pytest.mark.slow
def test_scripts_are_laid_out_and_need_no_name_that_they_do_not_import(train, tmp_path):
    folder = tmp_path / "scripts"
    folder.mkdir()
    for name in CATALOGUE:
        entry = CATALOGUE[name]
        (folder / f"{name}.py").write_text(network_script(name, {}, entry.usual_input, entry.usual_outputs))
    for number, (name, options, shape) in enumerate(VARIATIONS):
        (folder / f"{name}-{number}.py").write_text(network_script(name, options, shape, 3))
    run = train("mlp", "digits", limit=50, epochs=1, dropout=0.1)
    for number, options in enumerate(
        [
            {"optimizer": "muon", "augment": "rotate:12,scale,shift:2", "average": 0.9, "schedule": "plateau"},
            {"optimizer": "adam", "augment": "cifar10,crop:1,flip,cutout:2,colour", "mixup": 0.2, "accumulate": 2},
            {"optimizer": "nesterov", "penalty": "elastic", "strength": 0.01, "precision": "bfloat16"},
            {"optimizer": "adamw", "clip_norm": 1.0, "patience": 2, "penalty": "l1", "strength": 0.01},
        ]
    ):
        (folder / f"digits-{number}.py").write_text(plain_script(described(run, **options)))
    path = tmp_path / "trees.csv"
    table().write_csv(path)
    (folder / "trees.py").write_text(plain_script(train("mlp", path, target="height", epochs=1)))
    for arguments in (["check"], ["format", "--check", "--line-length", "120"]):
        ruff = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", str(folder)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


class Own(nn.Module):
    """A network of the user's own."""

    def __init__(self, hidden: int = 8) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, hidden), nn.Linear(hidden, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(squash(self.first(x.flatten(1))))


def squash(x: Tensor) -> Tensor:
    return torch.tanh(x)


def test_a_network_of_the_users_own_is_taken_out_of_its_file(train):
    run = train(Own(), **SMALL)
    script = plain_script(run)
    names, _ = perform(script)
    assert [p.shape for p in names["model"].parameters()] == [p.shape for p in run.model.parameters()]
    assert "def squash" in script
    assert "drawn anew" in script


def test_layers_of_torch_in_a_row_are_written_out(train):
    run = train(nn.Sequential(nn.Flatten(), nn.Linear(64, 9, bias=False), nn.ReLU(), nn.Linear(9, 10)), **SMALL)
    names, _ = perform(plain_script(run))
    assert [p.shape for p in names["model"].parameters()] == [(9, 64), (10, 9), (10,)]


# Refusals


def test_a_network_whose_making_is_not_known_is_refused(train, tmp_path):
    run = train(Own(hidden=5), **SMALL)
    with pytest.raises(UsageError, match="another network than the one that was trained"):
        plain_script(run)
    with pytest.raises(UsageError, match="open the run in Python with the network"):
        plain_script(Run.open(run.name, runs=tmp_path / "runs"))


def test_a_script_of_a_run_on_an_accelerator_moves_samples_and_network_there(train, tmp_path):
    for number in range(8):
        picture(tmp_path / "pets" / "cats" / f"{number}.png", number)
        picture(tmp_path / "pets" / "dogs" / f"{number}.png", number + 9)
    run = train("logistic", tmp_path / "pets", image_size=9, epochs=1, augment="cifar10,shift:1,colour,flip")
    environment = {**run.folder.read_json("environment.json"), "device": "Some Card"}
    run.folder.write_json("environment.json", environment)
    script = plain_script(Run(run.folder))
    perform(script)
    assert "(pictures - MEAN.to(pictures.device)) / STD.to(pictures.device)" in script
    assert "LinearNeurons().to(device)" in script


def test_data_that_is_gone_or_is_read_otherwise_is_refused(train, tmp_path):
    path = tmp_path / "trees.csv"
    text = table().write_csv()
    path.write_text(text.replace("size,", "the  size,", 1))
    run = train("logistic", path, target="class", epochs=1)
    with pytest.raises(UsageError, match="blanks in the names"):
        plain_script(run)
    path.unlink()
    with pytest.raises(NotFoundError, match="put it back"):
        plain_script(run)


# Folding


def test_folding_puts_what_is_always_the_same_into_functions():
    code = (
        "def stem(kind, width):\n"
        '    if kind == "small":\n'
        "        return nn.Conv2d(1, width, 3)\n"
        "    return other(1, width, 7)\n\n\n"
        "def other(a, b, c):\n"
        "    return nn.Conv2d(a, b, c)\n"
        'model = stem("small", 32)\n'
    )
    assert fold(code) == "def stem(width):\n    return nn.Conv2d(1, width, 3)\n\n\nmodel = stem(32)\n"


@pytest.mark.parametrize(
    "code",
    [
        "def f(a):\n    return a\n\n\nx = f(True)\ny = f(False)\n",  # two values
        "def f(a):\n    return a\n\n\nx = f(True)\ny = map(f, x)\n",  # handed on
        "def f(a):\n    a += 1\n    return a\n\n\nx = f(True)\n",  # changed within
        "def f(*a):\n    return a\n\n\nx = f(True)\n",
        "def f(n):\n    k = 1\n    for _ in range(n):\n        k = 2 * k\n    return k\n\n\nx = f(y)\n",  # in a loop
    ],
)
def test_folding_leaves_what_can_differ(code):
    assert fold(code) == code


def test_folding_follows_an_elif_to_its_end():
    code = 'def f(a, b):\n    if b:\n        c = 1\n    elif a == "x":\n        c = b\n    else:\n        c = 3\n'
    code += "    return c\n\n\n"
    assert "elif" not in fold(code + 'y = f("x", z)\n')
    assert "c = b" in fold(code + 'y = f("x", z)\n')
    assert "c = b" not in fold(code + 'y = f("y", z)\n')
    compile(fold(code + 'y = f("y", z)\n'), "", "exec")
