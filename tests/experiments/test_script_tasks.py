"""Scripts of texts, translations, masks, paintings and sequences reach the figures of their runs."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import random
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from script_helpers import assert_laid_out, assert_same_bits, figures, perform, perform_alone
from small_data import QUICK
from small_pairs import write_pairs

import layerwise
from layerwise.cli.main import run as command
from layerwise.data.augmentation_ops import Affine, sample_affine
from layerwise.data.augmentation_ops import rotation as turn
from layerwise.data.dataset import UNLABELLED
from layerwise.data.sources import cut_outs, descriptions, emoji, land_sea, names, series
from layerwise.data.sources.python import MANUAL_FOLDER, manual_texts
from layerwise.errors import UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.script import plain_script
from layerwise.experiments.scripting.parts import archives, prose, variation
from layerwise.experiments.scripting.parts.tokens import learn_tokens


@pytest.fixture
def train(tmp_path):
    def train(model: Any, data: Any, **options: Any) -> Run:
        return layerwise.train(model, data, runs=tmp_path / "runs", **{**QUICK, **options})

    return train


def assert_same_splits(names: dict[str, Any], run: Run) -> None:
    """The samples and their targets are those of the run."""
    dataset = run.dataset()
    for part in ("train", "valid", "test"):
        split = getattr(dataset, part)
        if len(split):
            assert torch.equal(names[f"{part}_x"], split.inputs)
            assert torch.equal(names[f"{part}_y"], split.targets)


def assert_same_outcome(script: str, run: Run, metric: str) -> dict[str, Any]:
    """A script ends with the weights of its run, and its last line begins with the run's own figure."""
    assert_laid_out(script)
    names, printed = perform(script)
    assert_same_bits(names, run)
    assert figures(printed.splitlines()[-1])[0] == round(run.result["test"][metric], 4)
    return names


# Writing


GPT = {"depth": 16, "heads": 2, "blocks": 1, "window": 16, "vocabulary": 280, "batch_size": 8, "epochs": 2}


def say(count: int, seed: int = 0) -> str:
    chance = random.Random(seed)
    names = chance.choices(("Anna", "Boris", "Clara", "Jürgen"), k=count)
    return "".join(f"{name} says the name {name} {chance.choice('+-*')}\n" for name in names)


@pytest.fixture
def library(tmp_path):
    """A folder of 14 texts, of which one is a copy, one is empty and one lies deeper."""
    folder = tmp_path / "library"
    (folder / "deeper").mkdir(parents=True)
    for number in range(12):
        (folder / f"{number}.txt").write_text(say(12, number), encoding="utf-8")
    (folder / "copy.txt").write_text(say(12, 3).replace("\n", "\n\n"), encoding="utf-8")
    (folder / "empty.txt").write_text("\n")
    (folder / "deeper" / "code.py").write_bytes("prénom = 'Jürgen'\n".encode("latin-1") * 9)
    return folder


@pytest.mark.slow
def test_a_script_of_a_gpt_tells_the_text_as_its_run_where_this_package_is_not_installed(train, tmp_path):
    book = tmp_path / "book.txt"
    book.write_text(say(200), encoding="utf-8")
    run = train("gpt", book, learning_rate=0.01, **GPT)  # by Muon, with vectors of tokens apart
    script = tmp_path / "script.py"
    command(["code", run.name, "--out", str(script), "--runs", str(tmp_path / "runs")])
    last = perform_alone(script)
    assert figures(last)[0] == pytest.approx(run.result["test"]["bits_per_byte"], abs=2e-4)
    assert last.endswith(f" bits a byte of {run.result['test']['text_bytes']} bytes")


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("gpt", {**GPT, "optimizer": "adamw", "accumulate": 3, "valid": 0.0, "epochs": 1, "learning_rate": 0.01}),
        ("gpt", {**GPT, "optimizer": "adamw", "average": 0.9, "dropout": 0.1, "limit": 30, "learning_rate": 0.01}),
        ("lstm", {"hidden": 12, "embedding": 8, "layers": 2, "dropout": 0.2, "window": 16, "vocabulary": 259,
                  "epochs": 1, "valid": 0.0, "batch_size": 8}),
    ],
)  # fmt: skip
def test_a_script_divides_a_library_and_cuts_it_into_tokens_as_its_run(train, library, model, options):
    run = train(model, library, **options)
    names = assert_same_outcome(plain_script(run), run, "bits_per_byte")
    assert_same_splits(names, run)
    assert tuple(names["token_bytes"].tolist()) == run.preprocessing.token_bytes


def test_a_script_reads_the_library_of_python_and_keeps_what_is_held_out(train, library, monkeypatch):
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(library)})
    for number in range(60):
        (library / f"module{number}.py").write_text(say(6, 100 + number))
    run = train("gpt", "python-library", **{**GPT, "optimizer": "adamw", "epochs": 1})
    names = assert_same_outcome(plain_script(run), run, "bits_per_byte")
    assert_same_splits(names, run)


def test_the_manual_is_read_out_of_its_package_as_by_the_run(tmp_path):
    package = debian_package({f"./{MANUAL_FOLDER}/library/re.rst.txt": "re — regular\n", "./usr/other.txt": "no"})
    (tmp_path / "manual.deb").write_bytes(package)
    expected = {"docs/library/re.rst": "re — regular\n"}
    assert archives.read_manual(tmp_path / "manual.deb") == expected
    assert dict(manual_texts(tmp_path / "manual.deb")) == expected


def debian_package(files: dict[str, str]) -> bytes:
    def tar_of(members: dict[str, str]) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
            for name, text in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
        return buffer.getvalue()

    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": tar_of({"./control": "Package: manual\nVersion: 1\nArchitecture: all\n"}),
        "data.tar.xz": tar_of(files),
    }
    package = b"!<arch>\n"
    for name, data in parts.items():
        package += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        )
    return package


def test_a_script_goes_on_with_a_text_that_the_network_knows_by_heart():
    class Parrot(torch.nn.Module):
        """Tells the byte after the last one."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.eye(259).roll(1, 1) * 1000)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.weight[x]

    assert prose.go_on(Parrot(), learn_tokens(["a"], 259), "ab", 4, 8) == "abcdef"


# Translation

TRANSFORMER = {"depth": 16, "heads": 2, "encoder_blocks": 1, "decoder_blocks": 1}
SEQ2SEQ = {"embedding": 16, "hidden": 16, "layers": 2}


@pytest.mark.slow
def test_a_script_of_a_translator_reaches_its_bleu_where_this_package_is_not_installed(train, tmp_path):
    pairs = write_pairs(tmp_path / "world.pairs.tsv", 400)
    run = train("transformer", pairs, **TRANSFORMER, epochs=6, batch_size=32, learning_rate=0.02, warmup=1.0)
    script = tmp_path / "script.py"
    command(["code", run.name, "--out", str(script), "--runs", str(tmp_path / "runs")])
    bleu, accuracy, loss = figures(perform_alone(script))
    test = run.result["test"]
    assert bleu == round(test["bleu"], 4) > 1
    assert (accuracy, loss) == (round(test["accuracy"], 4), pytest.approx(test["loss"], abs=2e-4))


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("transformer", {**TRANSFORMER, "norm_first": False, "label_smoothing": 0.1, "limit": 97, "batch_size": 16}),
        ("seq2seq", {**SEQ2SEQ, "shared": False, "valid": 0.0, "batch_size": 32, "average": 0.0, "seed": 3}),
    ],
)
def test_a_script_takes_the_steps_of_a_translator(train, tmp_path, model, options):
    run = train(model, write_pairs(tmp_path / "world.pairs.tsv", 200), epochs=2, warmup=0.5, **options)
    names = assert_same_outcome(plain_script(run), run, "bleu")
    assert_same_splits(names, run)


def test_a_script_keeps_the_descriptions_that_are_for_testing(train, tmp_path, monkeypatch):
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path))
    monkeypatch.setattr(descriptions, "TEST_COUNT", 40)
    (tmp_path / "english-french").mkdir()
    path = write_pairs(tmp_path / "english-french" / "english-french.pairs.tsv", 150)
    path.write_text(path.read_text() + "the\tla rue jaune derrière la maison calme de la rue\n")  # no translation
    run = train("seq2seq", "english-french", **SEQ2SEQ, epochs=1, warmup=0.0)
    names, _ = perform(plain_script(run).replace("TEST_COUNT = 1000", "TEST_COUNT = 40"))
    assert_same_splits(names, run)
    assert len(names["test_x"]) == 40


# Masks


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
    script = tmp_path / "script.py"
    command(["code", run.name, "--out", str(script), "--runs", str(tmp_path / "runs")])
    assert figures(perform_alone(script))[0] == round(run.result["test"]["mean_iou"], 4)


def test_a_script_takes_the_steps_of_a_segnet(train, tmp_path):
    options = {"widths": (4, 6), "convolutions": (1, 1), "limit": 13, "valid": 0.0}
    run = train("segnet", draw_islands(tmp_path / "islands"), epochs=1, batch_size=4, **options)
    names = assert_same_outcome(plain_script(run), run, "mean_iou")
    assert_same_splits(names, run)


def test_a_script_balances_classes_as_its_run_but_for_rounding(train, tmp_path):
    run = train("unet", draw_islands(tmp_path / "islands"), epochs=1, batch_size=4, widths=(4,), balance="median")
    script = plain_script(run)
    assert_laid_out(script)
    names, _ = perform(script)
    assert names["WEIGHTS"].tolist() == torch.tensor(run.task.weights).tolist()
    for theirs, ours in zip(run.model.parameters(), names["model"].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)
    assert "the same but for rounding" in " ".join(script.split())


def test_a_script_moves_masks_with_their_pictures(train, tmp_path):
    folder = draw_islands(tmp_path / "islands")
    run = train("unet", folder, widths=(4,), epochs=1, augment="flip,rotate:20,colour,shift:2,cutout:3,crop:1")
    script = plain_script(run)
    assert_laid_out(script)
    names, _ = perform(script)
    pictures = torch.zeros(32, 3, 20, 20)
    pictures[:, 1, 5:15, 5:15] = 1  # a square that is of class 1
    masks = (pictures[:, 1] > 0).byte()
    moved, moved_masks = names["taken_apart"](names["vary"](names["with_masks"](pictures, masks)))
    judged = moved_masks != UNLABELLED
    assert set(moved_masks.unique().tolist()) == {0, 1, UNLABELLED}
    is_square = moved[:, 1] > moved.amax((2, 3)).amax(1)[:, None, None] / 2
    assert ((is_square == (moved_masks == 1)) | ~judged).float().mean() > 0.97


def test_masks_are_turned_as_by_the_run():
    masks = torch.randint(3, (16, 12, 10), generator=torch.Generator().manual_seed(0)).byte()
    degrees = torch.linspace(-90, 90, 16)
    planes = variation.with_masks(torch.zeros(16, 3, 12, 10), masks)
    source = variation.rotation(planes, degrees)
    _, ours = variation.taken_apart(variation.resample_both(planes, source))
    moved: Affine = turn(degrees)
    theirs = sample_affine(masks[:, None].float(), moved, float(UNLABELLED), "nearest")[:, 0].byte()
    assert (ours != theirs).float().mean() < 0.01  # where a pixel comes from the edge between two


def small_emoji(folder: Path) -> None:
    """An archive of 60 emoji of four kinds, in the layout of the real one."""
    entries, kinds = (
        [],
        (("face-smiling", "Smileys"), ("animal-bird", "Animals"), ("food-fruit", "Food"), ("sky", "Sky")),
    )
    (folder / "emoji").mkdir(parents=True)
    with tarfile.open(folder / "emoji" / emoji.ARCHIVE.name, "w:gz") as tar:
        for number in range(60):
            subcategory, category = kinds[number % 4]
            name = f"{number}.png"
            entries.append({"name": f"E{number}", "category": category, "subcategory": subcategory, "image": name})
            pixels = np.zeros((64, 64, 4), np.uint8)
            pixels[8:56, 8:56] = (number * 4, 255 - number, 60 * (number % 4), 255)
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "png")
            add(tar, emoji.FOLDER + name, buffer.getvalue())
        add(tar, emoji.LIST, json.dumps(entries).encode())


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A folder in the place of the cache, whose files are taken as they are."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LAYERWISE_CACHE", str(folder))
    for module in (emoji, land_sea, names, series):
        monkeypatch.setattr(module, "fetch", lambda package, progress=None: folder / package.name)
    return folder


def test_a_script_lays_emoji_on_photographs_as_its_run(train, cache, monkeypatch):
    small_emoji(cache)
    monkeypatch.setattr(cut_outs, "COUNTS", {"train": 12, "valid": 4, "test": 4})
    run = train("unet", "cut-outs", widths=(4,), epochs=1)
    counts = 'COUNTS = {"train": 2000, "valid": 300, "test": 500}'
    script = plain_script(run)
    assert counts in script
    assert_laid_out(script)
    names, _ = perform(script.replace(counts, 'COUNTS = {"train": 12, "valid": 4, "test": 4}'))
    assert_same_splits(names, run)


def test_a_script_cuts_the_earth_into_tiles_as_its_run(train, cache, monkeypatch):
    chance = np.random.default_rng(0)
    (cache / "land-sea").mkdir(parents=True)
    picture = chance.integers(0, 256, (120, 660, 3), np.uint8)
    Image.fromarray(picture).save(cache / "land-sea" / "bmng.jpg")
    cells = np.repeat(np.repeat(chance.integers(0, 3, (24, 132), np.uint8), 6, 0), 6, 1)
    (cache / "land-sea" / "lsmask_2.5min_f.bin").write_bytes(gzip.compress(cells.tobytes()))
    monkeypatch.setattr(land_sea, "read_mask", lambda path: cells[::-1])
    run = train("unet", "land-sea", widths=(2,), epochs=1)
    script = plain_script(run)
    assert_laid_out(script)
    names, _ = perform(script.replace("MASK_SHAPE = (4320, 8640)", "MASK_SHAPE = (144, 792)"))
    assert_same_splits(names, run)


# Painting


@pytest.fixture
def judged_apart(tmp_path, monkeypatch):
    """Judges of painted pictures and samples go to the folder of the test."""
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path / "judges"))
    monkeypatch.chdir(tmp_path)


CODER = {"code": 3, "widths": (4, 4), "hidden": 8, "batch_size": 8, "epochs": 1, "learning_rate": 5e-3}
PLAYERS = {"noise": 4, "widths": (8, 4), "batch_size": 8, "epochs": 1}


def grid_of(pictures: torch.Tensor) -> np.ndarray:
    rows = [np.concatenate(list(row), axis=1) for row in pictures.permute(0, 2, 3, 1).numpy().reshape(8, 8, 10, 10, 3)]
    return np.concatenate(rows, axis=0)


def test_a_script_of_a_vae_paints_the_very_pictures_of_its_run(train, fruits, judged_apart):
    run = train("vae", fruits, beta=0.1, **CODER)
    assert_same_outcome(plain_script(run), run, "squared_error")
    assert np.array_equal(np.asarray(Image.open("samples.png")), grid_of(run.sample(64, 0)))


def test_a_script_of_an_autoencoder_shows_what_comes_back(train, fruits, judged_apart):
    run = train("autoencoder", fruits, **CODER)
    assert_same_outcome(plain_script(run), run, "squared_error")
    shown = np.asarray(Image.open("samples.png"))
    assert shown.shape[2] == 3
    assert shown[:10, :10].std() > 0


@pytest.mark.parametrize(("model", "options"), [("gan", {"weight_decay": 0.01, "clip_norm": 1.0}), ("dcgan", {})])
def test_a_script_of_two_players_takes_their_steps_but_for_rounding(train, fruits, judged_apart, model, options):
    run = train(model, fruits, **PLAYERS, **options)
    script = plain_script(run)
    assert_laid_out(script)
    names, printed = perform(script)
    for (name, theirs), ours in zip(run.model.named_parameters(), names["average"].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.01, atol=1e-3, msg=name)
    figure = figures(printed.splitlines()[-1])
    assert figure == pytest.approx([run.result["test"][f"right_on_{what}"] for what in ("real", "painted")], abs=0.1)
    assert np.abs(np.asarray(Image.open("samples.png"), int) - grid_of(run.sample(64, 0))).mean() < 2
    assert "same but for rounding" in " ".join(script.split())


def test_a_script_of_two_players_with_settings_for_one_is_refused(train, fruits, judged_apart):
    run = train("gan", fruits, **{**PLAYERS, "accumulate": 2})
    with pytest.raises(UsageError, match="two players with --optimizer muon, a penalty or --accumulate"):
        plain_script(run)


def test_a_script_reads_emoji_as_its_run(train, cache):
    small_emoji(cache)
    run = train("logistic", "emoji", epochs=1)
    names = assert_same_outcome(plain_script(run), run, "accuracy")
    assert_same_splits(names, run)


# Sequences

RECURRENT = {"hidden": 8, "embedding": 6, "epochs": 1, "batch_size": 16}


def waves(count: int, seed: int = 0) -> str:
    """Slow and fast waves of unequal lengths and two channels."""
    chance, lines = np.random.default_rng(seed), ["@problemName waves", "@classLabel true slow fast", "@data"]
    for number in range(count):
        time = np.arange(chance.integers(6, 11))
        label, rate = (("slow", 0.3), ("fast", 1.5))[number % 2]
        channels = [",".join(f"{x:.4f}" for x in f(rate * time + chance.normal())) for f in (np.sin, np.cos)]
        lines.append(":".join([*channels, label]))
    return "\n".join(lines) + "\n"


def assert_same_prepared(names: dict[str, Any], run: Run) -> None:
    dataset = run.dataset()
    for part in ("train", "valid", "test"):
        split = getattr(dataset, part)
        if len(split):
            expected = dataset.preprocessing.prepare(split.inputs)
            torch.testing.assert_close(names[f"{part}_x"], expected, rtol=0, atol=0, equal_nan=True)
            assert torch.equal(names[f"{part}_y"], split.targets)


def test_a_script_of_a_recurrent_network_reads_series_as_its_run(train, tmp_path):
    (tmp_path / "waves.ts").write_text(waves(60))
    options = {**RECURRENT, "layers": 2, "dropout": 0.3, "bidirectional": True, "limit": 33}
    run = train("gru", tmp_path / "waves.ts", **options)
    names = assert_same_outcome(plain_script(run), run, "accuracy")
    assert_same_prepared(names, run)


def test_a_script_reads_the_classic_series_out_of_their_package(train, cache):
    (cache / "series").mkdir(parents=True)
    with zipfile.ZipFile(cache / "series" / series.WHEEL.name, "w") as wheel:
        for part, count in (("TRAIN", 40), ("TEST", 20)):
            wheel.writestr(f"{series.FOLDER}BasicMotions/BasicMotions_{part}.ts", waves(count, count))
        months = "".join(f"m{n},{100 + n + 20 * (n % 12)}\n" for n in range(90))
        wheel.writestr(f"{series.FOLDER}Airline/Airline.csv", f"Date,Passengers\n{months}")
    run = train("lstm", "basic-motions", **RECURRENT)
    assert_same_prepared(assert_same_outcome(plain_script(run), run, "accuracy"), run)
    run = train("rnn", "airline", **RECURRENT, from_last=True)
    assert_same_prepared(assert_same_outcome(plain_script(run), run, "r2"), run)


@pytest.mark.parametrize("options", [{"season": 4, "limit": 60}, {"valid": 0.0, "split_column": "day"}])
def test_a_script_cuts_a_table_into_windows_with_what_came_after_them(train, tmp_path, options):
    days = [f"{day},{50 + 9 * np.sin(day / 4):.3f},{day % 7}" for day in range(140)]
    if "split_column" in options:
        random.Random(0).shuffle(days)
    (tmp_path / "shop.csv").write_text("day,sales,weekday\n" + "\n".join(days) + "\n")
    run = train("gru", tmp_path / "shop.csv", target="sales", window=8, horizon=3, **RECURRENT, **options)
    assert_same_prepared(assert_same_outcome(plain_script(run), run, "r2"), run)


def test_no_script_is_written_of_days_whose_order_is_not_that_of_their_letters(train, tmp_path):
    days = [datetime.date(2026, 1, 1) + datetime.timedelta(days=day) for day in range(90)]
    rows = [f"{day:%d.%m.%Y},{number % 7}" for number, day in enumerate(days)]
    (tmp_path / "shop.csv").write_text("day,sales\n" + "\n".join(rows) + "\n")
    options = {"target": "sales", "window": 8, "horizon": 3, "split_column": "day", "valid": 0.0}
    run = train("gru", tmp_path / "shop.csv", **RECURRENT, **options)
    with pytest.raises(UsageError, match=r"of .*shop.csv, such as '01.01.2026', .* write them as 2026-01-31"):
        plain_script(run)


def test_a_script_reads_names_character_by_character(train, cache):
    (cache / "names").mkdir(parents=True)
    with zipfile.ZipFile(cache / "names" / names.WHEEL.name, "w") as wheel:
        for number, (locale, language) in enumerate(names.LANGUAGES.items()):
            listed = [f"{language[:3]}{'é' * (number % 2)}{n}" for n in range(12)] + ["Maria"]
            wheel.writestr(f"faker/providers/person/{locale}/__init__.py", f"first_names = {listed!r}\nlast = 1\n")
    run = train("gru", "names", **RECURRENT, limit=90)
    found = assert_same_outcome(plain_script(run), run, "accuracy")
    assert_same_splits(found, run)


def test_a_script_labels_the_characters_of_modules(train, library, monkeypatch):
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(library)})
    for number in range(50):
        (library / f"module{number}.py").write_text(f"# {number}\ndef name{number}(x):\n    return x + {number}\n" * 3)
    run = train("rnn", "python-syntax", **RECURRENT, window=40, limit=60)
    found = assert_same_outcome(plain_script(run), run, "accuracy")
    assert_same_splits(found, run)
