"""Scripts of every task and kind of data reach the figures of their runs, with the same bits."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from script_helpers import assert_laid_out, assert_same_bits, figures, perform, perform_alone

import layerwise
from layerwise.cli.main import run as command
from layerwise.data.dataset import UNLABELLED
from layerwise.experiments.run import Run
from layerwise.scripts.writer import bytes_of_tokens

QUICK = {"quiet": True, "threads": 1, "precision": "float32", "compile": "no"}


@pytest.fixture
def train(tmp_path):
    def train(model: Any, data: Any, **options: Any) -> Run:
        return layerwise.train(model, data, runs=tmp_path / "runs", **{**QUICK, **options})

    return train


@pytest.fixture
def same_outcome(tmp_path):
    """A script ends with the weights of its run, and its last line has the run's own figure."""

    def check(run: Run, metric: str, place: int = 0) -> dict[str, Any]:
        names, printed = perform(run, tmp_path / "script")
        assert_laid_out(tmp_path / "script")
        assert_same_bits(names, run)
        assert figures(printed.splitlines()[-1])[place] == round(run.result["test"][metric], 4)
        return names

    return check


# Language modelling

GPT = {"embed_dim": 16, "heads": 2, "layers": 1, "window": 16, "vocabulary": 280, "batch_size": 8, "epochs": 2}


def say(count: int, seed: int = 0) -> str:
    chance = random.Random(seed)
    names = chance.choices(("Anna", "Boris", "Clara", "Jürgen"), k=count)
    return "".join(f"{name} says the name {name} {chance.choice('+-*')}\n" for name in names)


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(say(160), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_script_of_a_gpt_by_muon_tells_the_text_as_its_run_where_this_package_is_not_installed(train, book, tmp_path):
    run = train("gpt", book, learning_rate=0.01, **GPT)
    command(["code", run.name, "--out", str(tmp_path / "script"), "--runs", str(tmp_path / "runs")])
    last = perform_alone(tmp_path / "script")
    assert figures(last)[0] == pytest.approx(run.result["test"]["bits_per_byte"], abs=2e-4)
    assert last.endswith(f" bits per byte of {run.result['test']['text_bytes']} bytes")


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (
            "gpt",
            {**GPT, "optimizer": "adamw", "accumulation_steps": 3, "valid": 0.0, "epochs": 1, "learning_rate": 0.01},
        ),
        ("gpt", {**GPT, "optimizer": "adamw", "ema_decay": 0.9, "dropout": 0.1, "limit": 30, "learning_rate": 0.01}),
        ("lstm", {"hidden": 12, "embedding": 8, "layers": 2, "dropout": 0.2, "window": 16, "vocabulary": 259,
                  "epochs": 1, "valid": 0.0, "batch_size": 8}),
    ],
)  # fmt: skip
def test_a_script_of_a_language_model_takes_the_steps_of_its_run(train, book, same_outcome, model, options):
    run = train(model, book, **options)
    names = same_outcome(run, "bits_per_byte")
    assert tuple(names["data"]["token_bytes"].tolist()) == run.preprocessing.token_bytes


def test_the_bytes_of_tokens_are_their_text(train, book):
    tokenizer = train("gpt", book, **{**GPT, "epochs": 1}).preprocessing.tokenizer
    pieces = bytes_of_tokens(tokenizer)
    (tokens,) = tokenizer.encode(["Jürgen says — ok"])
    assert b"".join(pieces[token] for token in tokens).decode() == "Jürgen says — ok"


# Translation


def write_pairs(path: Path, count: int) -> Path:
    words = {"red": "rouge", "house": "maison", "old": "vieille", "cat": "chat", "Jürgen": "Jürgen", "sees": "voit"}
    chance, known = random.Random(0), set()
    while len(known) < count:
        known.add(tuple(chance.choices(list(words), k=chance.randint(2, 6))))
    rows = [f"{' '.join(row)}\t{' '.join(words[word] for word in row)}" for row in sorted(known)]
    path.write_text("English\tFrench\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


TRANSFORMER = {"embed_dim": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 1}
SEQ2SEQ = {"embedding": 16, "hidden": 16, "layers": 2}


@pytest.mark.slow
def test_a_script_of_a_translator_reaches_its_bleu_where_this_package_is_not_installed(train, tmp_path):
    pairs = write_pairs(tmp_path / "world.pairs.tsv", 300)
    run = train("transformer", pairs, **TRANSFORMER, epochs=20, batch_size=32, learning_rate=0.02, warmup=1.0)
    command(["code", run.name, "--out", str(tmp_path / "script"), "--runs", str(tmp_path / "runs")])
    bleu, loss, accuracy = figures(perform_alone(tmp_path / "script"))
    test = run.result["test"]
    assert bleu == round(test["bleu"], 4) > 1
    assert (accuracy, loss) == (round(test["accuracy"], 4), pytest.approx(test["loss"], abs=2e-4))


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("transformer", {**TRANSFORMER, "norm_first": False, "label_smoothing": 0.1, "limit": 97, "batch_size": 16}),
        ("seq2seq", {**SEQ2SEQ, "shared": False, "valid": 0.0, "batch_size": 32, "ema_decay": 0.0, "seed": 3}),
    ],
)
def test_a_script_takes_the_steps_of_a_translator(train, tmp_path, same_outcome, model, options):
    run = train(model, write_pairs(tmp_path / "world.pairs.tsv", 200), epochs=2, warmup=0.5, **options)
    same_outcome(run, "bleu")


# Segmentation


def draw_islands(folder: Path, count: int = 16) -> Path:
    """Round islands in pictures of several sizes, with a row that nobody has judged."""
    for side in ("pictures", "masks"):
        (folder / side / "deep").mkdir(parents=True)
    for number in range(count):
        chance = np.random.default_rng(number)
        height, width = (20, 20) if number % 3 else (26, 33)
        y, x = np.mgrid[:height, :width]
        mask = ((y - 9) ** 2 + (x - chance.integers(6, 14)) ** 2 < 30).astype(np.uint8)
        colours = np.array([[20, 60, 160], [190, 170, 60]])[mask] + chance.integers(-20, 60, (height, width, 3))
        mask[0] = UNLABELLED
        place = f"deep/{number}.png" if number % 4 == 1 else f"{number}.png"
        Image.fromarray(colours.astype(np.uint8)).save(folder / "pictures" / place)
        Image.fromarray(mask).save(folder / "masks" / place)
    return folder


@pytest.mark.slow
def test_a_script_of_masks_reaches_their_overlap_where_this_package_is_not_installed(train, tmp_path):
    run = train("unet", draw_islands(tmp_path / "islands"), widths=(4, 6), epochs=3, batch_size=4, learning_rate=0.01)
    command(["code", run.name, "--out", str(tmp_path / "script"), "--runs", str(tmp_path / "runs")])
    assert figures(perform_alone(tmp_path / "script"))[0] == round(run.result["test"]["mean_iou"], 4)


@pytest.mark.parametrize("more", [{}, {"accumulation_steps": 2}])
def test_a_script_takes_the_steps_of_a_segnet(train, tmp_path, same_outcome, more):
    options = {"widths": (4, 6), "convolutions": (1, 1), "limit": 13, "valid": 0.0, **more}
    run = train("segnet", draw_islands(tmp_path / "islands"), epochs=1, batch_size=4, **options)
    same_outcome(run, "mean_iou")


def test_a_script_balances_classes_as_its_run_but_for_rounding(train, tmp_path):
    run = train("unet", draw_islands(tmp_path / "islands"), epochs=1, batch_size=4, widths=(4,), class_weights="median")
    names, _ = perform(run, tmp_path / "script")
    assert names["CLASS_WEIGHTS"] == run.task.weights
    for theirs, ours in zip(run.model.parameters(), names["model"].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    assert "the same but for rounding" in " ".join((tmp_path / "script" / "train.py").read_text().split())


def test_a_script_moves_masks_with_their_pictures(train, tmp_path):
    folder = draw_islands(tmp_path / "islands")
    run = train("unet", folder, widths=(4,), epochs=1, augment="flip,rotate:20,colour,shift:2,cutout:3,crop:1")
    names, _ = perform(run, tmp_path / "script")
    assert_laid_out(tmp_path / "script")
    pictures = torch.zeros(32, 3, 20, 20)
    pictures[:, 1, 5:15, 5:15] = 1  # a square that is of class 1
    masks = (pictures[:, 1] > 0).byte()
    moved, moved_masks = names["part_masks"](names["augment"](names["join_masks"](pictures, masks)))
    judged = moved_masks != UNLABELLED
    assert set(moved_masks.unique().tolist()) == {0, 1, UNLABELLED}
    is_square = moved[:, 1] > moved.amax((2, 3)).amax(1)[:, None, None] / 2
    assert ((is_square == (moved_masks == 1)) | ~judged).float().mean() > 0.97


# Generation


@pytest.fixture
def fruits(tmp_path, monkeypatch):
    """Noisy one-coloured pictures; judges of generated pictures go to the folder of the test."""
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path / "judges"))
    chance = np.random.default_rng(0)
    for name, colour in {"apple": (200, 40, 40), "banana": (60, 60, 220)}.items():
        (tmp_path / "fruits" / name).mkdir(parents=True)
        for number in range(16):
            pixels = np.clip(np.array(colour) + chance.integers(-50, 50, (10, 10, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "fruits" / name / f"{number}.png")
    return tmp_path / "fruits"


CODER = {"code": 3, "widths": (4, 4), "hidden": 8, "batch_size": 8, "epochs": 1, "learning_rate": 5e-3}
PLAYERS = {"noise": 4, "widths": (8, 4), "batch_size": 8, "epochs": 1}


def grid_of(pictures: torch.Tensor) -> np.ndarray:
    rows = [np.concatenate(list(row), axis=1) for row in pictures.permute(0, 2, 3, 1).numpy().reshape(8, 8, 10, 10, 3)]
    return np.concatenate(rows, axis=0)


def test_a_script_of_a_vae_paints_the_very_pictures_of_its_run(train, fruits, tmp_path, same_outcome):
    run = train("vae", fruits, beta=0.1, **CODER)
    same_outcome(run, "squared_error")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "script" / "samples.png")), grid_of(run.sample(64, 0)))


def test_a_script_of_an_autoencoder_shows_what_comes_back(train, fruits, tmp_path, same_outcome):
    same_outcome(train("autoencoder", fruits, **CODER), "squared_error")
    shown = np.asarray(Image.open(tmp_path / "script" / "samples.png"))
    assert shown.shape[2] == 3
    assert shown[:10, :10].std() > 0


@pytest.mark.parametrize(("model", "options"), [("gan", {"weight_decay": 0.01, "clip_norm": 1.0}), ("dcgan", {})])
def test_a_script_of_a_gan_takes_its_steps_but_for_rounding(train, fruits, tmp_path, model, options):
    run = train(model, fruits, **PLAYERS, **options)
    names, printed = perform(run, tmp_path / "script")
    assert_laid_out(tmp_path / "script")
    for (name, theirs), ours in zip(run.model.named_parameters(), names["kept"].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.01, atol=1e-3, msg=name)
    test = run.result["test"]
    assert figures(printed.splitlines()[-1]) == pytest.approx(
        [test["accuracy_on_real"], test["accuracy_on_generated"]], abs=0.1
    )
    generated = np.asarray(Image.open(tmp_path / "script" / "samples.png"), int)
    assert np.abs(generated - grid_of(run.sample(64, 0))).mean() < 2


# Sequences

RECURRENT = {"hidden": 8, "embedding": 6, "epochs": 1, "batch_size": 16}


def test_a_script_of_a_recurrent_network_takes_series_of_unequal_length(train, tmp_path, same_outcome):
    chance, lines = np.random.default_rng(0), ["@problemName waves", "@classLabel true slow fast", "@data"]
    for number in range(60):
        time = np.arange(chance.integers(6, 11))
        label, rate = (("slow", 0.3), ("fast", 1.5))[number % 2]
        channels = [",".join(f"{x:.4f}" for x in f(rate * time + chance.normal())) for f in (np.sin, np.cos)]
        lines.append(":".join([*channels, label]))
    (tmp_path / "waves.ts").write_text("\n".join(lines) + "\n")
    options = {**RECURRENT, "layers": 2, "dropout": 0.3, "bidirectional": True, "limit": 33}
    same_outcome(train("gru", tmp_path / "waves.ts", **options), "accuracy")


@pytest.mark.parametrize("options", [{"season": 4, "limit": 60}, {"valid": 0.0, "from_last": True}])
def test_a_script_forecasts_as_its_run(train, tmp_path, same_outcome, options):
    days = [f"{day},{50 + 9 * np.sin(day / 4):.3f},{day % 7}" for day in range(140)]
    (tmp_path / "shop.csv").write_text("day,sales,weekday\n" + "\n".join(days) + "\n")
    run = train("gru", tmp_path / "shop.csv", target="sales", window=8, horizon=3, **RECURRENT, **options)
    same_outcome(run, "r2")


@pytest.mark.parametrize("options", [{}, {"accumulation_steps": 2, "ema_decay": 0.9}])
def test_a_script_tags_each_character_as_its_run(train, same_outcome, options):
    run = train("rnn", "python-syntax", **RECURRENT, window=40, limit=60, **options)
    same_outcome(run, "accuracy")
