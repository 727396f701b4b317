"""Networks that paint, from training to samples: what is written, what is watched, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA
from small_data import QUICK, draw_fruits, outcome
from torch import nn

from layerwise.cli.main import main
from layerwise.cli.printing import next_commands
from layerwise.errors import UsageError
from layerwise.experiments import training
from layerwise.experiments.evaluation import evaluate
from layerwise.experiments.run import Run
from layerwise.experiments.sample_logger import SampleLogger
from layerwise.experiments.training import resume, train
from layerwise.generation.interpolation import tour
from layerwise.reports.grids import grid_files, step_of
from layerwise.reports.results import result_from_json
from layerwise.reports.results.adversarial import AdversarialResult
from layerwise.reports.results.reconstruction import ReconstructionResult
from layerwise.training.events import Event, Reported, Stepped

CODER: dict[str, Any] = {**QUICK, "code": 3, "widths": (8, 8), "hidden": 24, "batch_size": 8, "learning_rate": 5e-3}
PLAYERS: dict[str, Any] = {**QUICK, "noise": 4, "widths": (12, 8), "batch_size": 8}


@pytest.fixture(scope="module", autouse=True)
def _judges_apart(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Keep the judges of these pictures out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAYERWISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def vae_run(fruits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("vae", fruits, epochs=12, beta=0.05, runs=tmp_path_factory.mktemp("runs"), **CODER)


@pytest.fixture(scope="module")
def coder_run(fruits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("autoencoder", fruits, epochs=2, runs=tmp_path_factory.mktemp("runs"), **CODER)


@pytest.fixture(scope="module")
def gan_run(fruits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("gan", fruits, epochs=3, runs=tmp_path_factory.mktemp("runs"), **PLAYERS)


@pytest.fixture(scope="module")
def dcgan_run(fruits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("dcgan", fruits, epochs=2, runs=tmp_path_factory.mktemp("runs"), **PLAYERS)


def test_a_vae_gives_pictures_back_better_than_the_mean_picture(vae_run: Run) -> None:
    result = vae_run.evaluation
    assert isinstance(result, ReconstructionResult)
    assert result.code == 3
    assert result.squared_error < 0.6 * result.mean_error
    assert vae_run.result["test"]["squared_error"] == result.squared_error
    assert result.sample_quality
    assert result.sample_quality.frechet > 0
    assert result_from_json(json.loads(json.dumps(result.to_json()))) == result
    assert result.sentence("12 pictures").startswith("It reconstructs 12 pictures from 3 latent dimensions")


def test_the_baselines_are_those_of_the_training_pictures(coder_run: Run) -> None:
    dataset, result = coder_run.dataset(), coder_run.evaluation
    assert isinstance(result, ReconstructionResult)
    assert result.sample_quality is None
    train_rows, test_rows = (
        dataset.preprocessing.transform(split.inputs[torch.arange(len(split))]).flatten(1).double().numpy()
        for split in (dataset.train, dataset.test)
    )
    assert result.mean_error == pytest.approx(((test_rows - train_rows.mean(0)) ** 2).mean(), rel=1e-4)
    components = PCA(3, svd_solver="full").fit(train_rows)
    back = components.inverse_transform(components.transform(test_rows))
    assert result.component_error == pytest.approx(((test_rows - back) ** 2).mean(), rel=1e-2)


@pytest.mark.parametrize("name", ["gan_run", "dcgan_run"])
def test_a_gan_is_measured_beside_real_pictures(name: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(name)
    result = run.evaluation
    assert isinstance(result, AdversarialResult)
    assert 0 <= result.accuracy_on_real <= 1
    assert result.sample_quality.frechet > result.sample_quality.frechet_real > 0
    assert result.sample_quality.count == result.count // 2
    assert sum(result.sample_quality.shares) == pytest.approx(1)
    assert result_from_json(json.loads(json.dumps(result.to_json()))) == result
    assert set(run.metrics[-1]["metrics"]) == {"accuracy_on_real", "accuracy_on_generated"}
    assert set(next(record for record in run.metrics if record["kind"] == "report")["losses"]) == {
        "discriminator",
        "generator",
    }


@pytest.mark.parametrize("name", ["vae_run", "coder_run", "gan_run", "dcgan_run"])
def test_the_report_and_the_drawings_show_pictures(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run: Run = request.getfixturevalue(name)
    page = run.report.read_text()
    paints = name != "coder_run"
    assert ("Generated pictures" in page) == paints
    assert ("The same codes while it learned" in page) == paints
    assert ("From one picture to another" in page) == (name in ("vae_run", "coder_run"))
    assert ("Two players" in page) == ("gan" in name)
    assert "layerwise code" in page
    assert "more epochs may still help" not in page or "gan" not in name
    _, files = evaluate(run, out=tmp_path)
    drawn = {file.stem for file in files[1:]}
    expected = (
        {"samples", "neighbours", "walk"} if "gan" in name else {"reconstructions", "latent-map", "interpolations"}
    )
    assert drawn == expected | ({"samples"} if paints else set())
    assert all(np.asarray(Image.open(file)).std() > 5 for file in files[1:])


def test_one_seed_paints_the_same_pictures_and_another_seed_others(gan_run: Run) -> None:
    first, again, other = gan_run.sample(5, 1), gan_run.sample(5, 1), gan_run.sample(5, 2)
    assert first.shape == (5, 3, 10, 10)
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_samples_are_what_the_network_gives_of_normal_codes(vae_run: Run) -> None:
    codes = torch.randn(4, 3, generator=torch.Generator().manual_seed(9))
    pre: Any = vae_run.preprocessing
    with torch.no_grad():
        prepared = vae_run.model.decode(codes)  # type: ignore[operator]
    light = prepared * torch.tensor(pre.std)[:, None, None] + torch.tensor(pre.mean)[:, None, None]
    difference = vae_run.sample(4, 9).float() - light.clamp(0, 1) * 255
    assert difference.abs().max() <= 0.51


def test_a_walk_visits_its_stations(gan_run: Run) -> None:
    walked, waypoints = gan_run.walk(3, 4, seed=1), gan_run.sample(3, 1)
    assert walked.shape == (12, 3, 10, 10)
    assert (walked[::4].int() - waypoints.int()).abs().max() <= 1
    model: Any = gan_run.model
    codes = model.draw_noise(3, torch.Generator().manual_seed(1))
    assert tour(codes, 4).shape == (12, 4)


def test_a_training_is_the_same_with_and_without_what_paints_beside_it(
    fruits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = train("dcgan", fruits, epochs=2, ema_decay=0.9, runs=tmp_path / "with", **PLAYERS)
    monkeypatch.setattr(training, "sample_loggers", lambda *_: [])
    alone = train("dcgan", fruits, epochs=2, ema_decay=0.9, runs=tmp_path / "without", **PLAYERS)
    assert outcome(watched) == outcome(alone)
    assert grid_files(watched.path)
    assert not grid_files(alone.path)


def test_the_same_codes_are_generated_from_before_the_first_step_to_the_end(gan_run: Run) -> None:
    files = grid_files(gan_run.path)
    reports = [record["step"] for record in gan_run.metrics if record["kind"] == "report"]
    assert [step_of(file) for file in files] == [0, *reports]
    first, last = (np.asarray(Image.open(file)) for file in (files[0], files[-1]))
    assert first.shape == last.shape
    assert (first != last).any()
    with Image.open(gan_run.path / "samples" / "training.gif") as film:
        assert film.n_frames == len(files)  # type: ignore[attr-defined]
    watcher = SampleLogger(gan_run.task, gan_run.model, gan_run.path)  # type: ignore[arg-type]
    assert torch.equal(watcher.codes, SampleLogger(gan_run.task, gan_run.model, gan_run.path).codes)  # type: ignore[arg-type]


def test_a_training_that_was_stopped_paints_the_grids_of_one_that_was_not(
    fruits: Path, gan_run: Run, tmp_path: Path
) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("gan", fruits, epochs=3, runs=tmp_path, name="stopped", watchers=[stop], **PLAYERS)
    run = resume("stopped", runs=tmp_path, quiet=True)
    whole = {file.name: file.read_bytes() for file in grid_files(gan_run.path)}
    assert {file.name: file.read_bytes() for file in grid_files(run.path)} == whole


def test_painting_leaves_the_mode_and_the_chance_of_the_model_alone(gan_run: Run, tmp_path: Path) -> None:
    model = nn.Sequential(gan_run.model).train()[0]
    watcher = SampleLogger(gan_run.task, model, tmp_path)  # type: ignore[arg-type]
    (tmp_path / "samples").mkdir()
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    watcher(Stepped(1, 0, 8))
    assert not grid_files(tmp_path)
    watcher(Reported(1, 0, {}, 0.1))
    assert len(grid_files(tmp_path)) == 1
    assert torch.equal(torch.random.get_rng_state(), before)
    assert model.training
    model.eval()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--count", "0"], "--count must be a whole number of at least 1, received 0"),
        (["--seed", "-1"], "--seed must be a whole number from 0 to 2^63 - 1, received -1"),
        (["--out", "samples.jpg"], "the file must end in .png, received '.jpg'"),
        (["--out", "film.gif"], "the file must end in .png, received '.gif'"),
        (["--out", "nowhere/samples.png"], "there is no folder nowhere"),
        (["--steps", "3"], "--steps is for a walk; add --walk"),
        (["--walk", "--steps", "0"], "--steps must be a whole number of at least 1, received 0"),
        (["--walk", "--count", "1"], "a walk needs at least 2 stations, received 1; raise --count"),
        (["--walk", "--each", "folder"], "--each is for single pictures"),
    ],
)
def test_numbers_and_files_that_cannot_work_are_refused(
    words: list[str],
    sentence: str,
    gan_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sample", str(gan_run.path), *words]) != 0
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_command_writes_a_grid_single_pictures_and_a_film(
    gan_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sample", str(gan_run.path), "--count", "5", "--seed", "1", "--each", "single"]) == 0
    single = sorted((tmp_path / "single").iterdir())
    expected = gan_run.sample(5, 1).permute(0, 2, 3, 1).numpy()
    assert len(single) == 5
    assert all(np.array_equal(np.asarray(Image.open(f)), one) for f, one in zip(single, expected, strict=True))
    grid = np.asarray(Image.open("samples.png"))
    assert np.array_equal(grid[:50:5, :50:5], expected[0])
    assert main(["sample", str(gan_run.path), "--walk", "--count", "3", "--steps", "4"]) == 0
    with Image.open("walk.gif") as film:
        assert film.n_frames == 12  # type: ignore[attr-defined]
    assert main(["sample", str(gan_run.path), "--walk", "--count", "3", "--steps", "4", "--out", "walk.png"]) == 0
    rows, columns, _ = np.asarray(Image.open("walk.png")).shape
    assert columns > rows


def test_what_cannot_paint_and_what_cannot_be_asked_of_painters_is_refused(
    fruits: Path, fruit_run: Run, flats: Path, coder_run: Run, gan_run: Run, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="trained for classification, not for generation; train gan, dcgan or vae"):
        fruit_run.sample()
    with pytest.raises(UsageError, match="codes have no distribution to draw from; train vae"):
        coder_run.sample(2)
    with pytest.raises(UsageError, match="a GAN generates pictures and classifies none"):
        gan_run.predict(fruits / "蕉")
    for model, data, options, sentence in [
        (
            "gan",
            flats,
            {"target": "rent"},
            "learn from pictures with classes, and flats.* holds rows of a table for regression",
        ),
        ("gan", fruits, {"beta": 2.0}, "`beta` is for reconstruction, and gan on fruits is adversarial"),
        ("mlp", fruits, {"gradient_penalty": 1.0}, "`gradient_penalty` is for adversarial"),
        ("autoencoder", fruits, {"beta": 2.0}, "`beta` weighs the divergence of a VAE's codes, and autoencoder has"),
        ("gan", fruits, {"image_size": 7}, "a GAN needs pictures of at least 8x8 pixels, received 7x7"),
        ("vae", fruits, {"label_smoothing": 0.1}, "`label_smoothing` is for classification"),
    ]:
        with pytest.raises(UsageError, match=sentence):
            train(model, data, runs=tmp_path, **QUICK, **options)  # type: ignore[arg-type]


def test_an_autoencoder_answers_for_a_file_with_its_code(coder_run: Run, fruits: Path, capsys: Any) -> None:
    picture = next((fruits / "蕉").iterdir())
    [answer] = coder_run.predict(picture)
    assert len(answer["code"]) == 3
    assert main(["predict", str(coder_run.path), str(picture)]) == 0
    assert "squared_error" in capsys.readouterr().out
    out = coder_run.path / "answers.csv"
    assert main(["predict", str(coder_run.path), str(picture), "--out", str(out)]) == 0
    assert out.read_text().splitlines()[0] == "id,squared_error,code"


def test_only_a_network_whose_codes_can_be_drawn_is_said_to_paint(vae_run: Run, coder_run: Run) -> None:
    said = {run.name: [command for command, _ in next_commands(run)] for run in (vae_run, coder_run)}
    assert f"layerwise sample {vae_run.name}" in said[vae_run.name]
    assert not any("sample" in command for command in said[coder_run.name])


def test_painters_are_measured_on_other_pictures_of_any_classes(vae_run: Run, tmp_path: Path) -> None:
    others = draw_fruits(tmp_path / "others", each=6, seed=1)
    result, _ = evaluate(vae_run, data=str(others), out=tmp_path)
    assert result.count == 18
    assert isinstance(result, ReconstructionResult)
    assert result.squared_error < result.mean_error
