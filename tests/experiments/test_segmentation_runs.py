"""Trainings on masks: from a folder to classes laid on pictures of any size, and one sentence for what cannot work."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_data import QUICK, draw_fruits, outcome

from layerwise.cli.main import main
from layerwise.data.config import DataConfig
from layerwise.data.dataset import UNLABELLED
from layerwise.errors import DataError, NotFoundError, StorageError, UsageError
from layerwise.experiments.evaluation import evaluate
from layerwise.experiments.inspection import inspect
from layerwise.experiments.run import Run
from layerwise.experiments.training import train
from layerwise.reports.overlays import class_colours

SMALL: dict[str, Any] = {"widths": (8, 16), "epochs": 12, "batch_size": 8, "learning_rate": 0.01, **QUICK}


def generate(height: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A blue sea with a round island of yellow noise; the island is class 1."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    centre = chance.uniform(0.3, 0.7, 2) * (height, width)
    mask = ((y - centre[0]) ** 2 + (x - centre[1]) ** 2 < (0.3 * min(height, width)) ** 2).astype(np.uint8)
    colours = np.array([[20, 60, 160], [190, 170, 60]])[mask] + chance.integers(-30, 30, (height, width, 3))
    return colours.astype(np.uint8), mask


def draw_islands(folder: Path, count: int = 40) -> Path:
    for side in ("pictures", "masks"):
        (folder / side).mkdir(parents=True)
    for number in range(count):
        picture, mask = generate(24, 24, number)
        mask[0] = UNLABELLED
        Image.fromarray(picture).save(folder / "pictures" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    (folder / "classes.txt").write_text("sea\nisland\n")
    return folder


@pytest.fixture(scope="module")
def islands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_islands(tmp_path_factory.mktemp("data") / "islands")


@pytest.fixture(scope="module")
def unet(islands: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("unet", islands, runs=tmp_path_factory.mktemp("runs"), augment="flip,rotate:20", **SMALL)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Run:
    fruits = draw_fruits(tmp_path_factory.mktemp("fruits"), each=6)
    return train("resnet-small", fruits, runs=tmp_path_factory.mktemp("runs"), **{**QUICK, "epochs": 1})


def test_a_network_learns_masks_far_beyond_the_commonest_class(unet: Run) -> None:
    figures = unet.result["test"]
    assert figures["mean_iou"] > 0.9 > figures["baseline_iou"] + 0.3
    assert figures["pixel_accuracy"] > 0.95 > figures["baseline"]
    assert unet.evaluation.metrics.keys() == {"loss", "pixel_accuracy", "class_accuracy", "mean_iou"}


def test_segnet_learns_masks_balanced_by_the_median_of_their_frequencies(islands: Path, tmp_path: Path) -> None:
    run = train("segnet", islands, runs=tmp_path, class_weights="median", convolutions=(1, 1), **SMALL)
    assert run.result["test"]["mean_iou"] > 0.85
    sea, island = run.folder.read_json("data.json")["task"]["weights"]
    assert sea < 1 < island
    assert sea + island == pytest.approx(sea * island * 2)  # each is the middle of both frequencies over its own


def test_two_trainings_on_masks_end_with_the_same_bits(islands: Path, tmp_path: Path) -> None:
    options = {**SMALL, "epochs": 2, "augment": "flip,rotate:20,crop:3"}
    first, second = (train("unet", islands, runs=tmp_path / name, **options) for name in ("a", "b"))
    assert outcome(first) == outcome(second)


def test_the_report_shows_pictures_between_truth_and_answer(unet: Run, tmp_path: Path) -> None:
    page = unet.report.read_text()
    assert "mean IoU" in page
    assert "with most wrong pixels" in page
    assert page.count('alt="truth. "') == page.count('alt="given. ') > 0
    result, files = evaluate(unet, out=tmp_path)
    assert {path.name for path in files} == {"evaluation.json", "confusion.png", "worst.png"}
    assert result.to_json() == unet.evaluation.to_json()


def test_data_with_masks_is_looked_at(islands: Path, tmp_path: Path) -> None:
    facts, files = inspect(DataConfig(str(islands), augment="flip,rotate:30"), 0, tmp_path)
    assert facts["task"] == "segmentation"
    assert {path.name for path in files} == {"islands-samples.png", "islands-masks.png", "islands-augmented.png"}


# -- pictures of any size -----------------------------------------------------------------------------------


def test_a_picture_of_any_size_is_segmented_at_its_own_scale(unet: Run, tmp_path: Path) -> None:
    for height, width in ((40, 77), (24, 24), (7, 90)):
        picture, mask = generate(height, width, 99)
        Image.fromarray(picture).save(tmp_path / "picture.png")
        segments = unet.segment(tmp_path / "picture.png")
        assert segments.mask.shape == (height, width)
        assert np.array_equal(segments.mask, unet.segment(picture).mask)
        assert sum(segments.shares.values()) == pytest.approx(1)
        assert segments.shares["island"] == pytest.approx((segments.mask == 1).mean())
        if height > 7:
            assert (segments.mask == mask).mean() > 0.95


def test_a_grey_picture_is_taken_as_one_in_colour(unet: Run) -> None:
    grey = np.full((30, 30), 90, np.uint8)
    assert np.array_equal(unet.segment(grey).mask, unet.segment(np.stack([grey] * 3, -1)).mask)


def test_predict_gives_the_shares_of_each_picture(unet: Run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for number in range(2):
        Image.fromarray(generate(30, 50, number)[0]).save(tmp_path / f"{number}.png")
    answers = unet.predict(tmp_path)
    assert [answer["id"] for answer in answers] == ["0.png", "1.png"]
    assert answers[0]["shares"] == unet.segment(tmp_path / "0.png").shares
    assert run_command("predict", unet.path, tmp_path / "0.png", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["predictions"] == [answers[0]]
    assert run_command("predict", unet.path, tmp_path) == 0
    table = capsys.readouterr().out
    assert re.search(r"sea\s+island", table)
    assert "1.png" in table


def run_command(*words: object) -> int:
    return main([str(word) for word in words])


def test_an_overlay_keeps_the_picture_under_the_colours_of_its_classes(unet: Run, tmp_path: Path) -> None:
    picture, _ = generate(60, 300, 5)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    assert run_command("predict", unet.path, tmp_path / "picture.png", "--overlay", tmp_path / "out.png") == 0
    with Image.open(tmp_path / "out.png") as image:
        drawn = np.asarray(image)
    assert drawn.shape[1] == 300
    assert drawn.shape[0] > 60  # the legend
    mask = unet.segment(picture).mask
    expected = np.rint(0.45 * picture + 0.55 * class_colours(2)[mask])
    assert np.abs(drawn[:60].astype(int) - expected).max() <= 1


def test_a_mask_that_is_written_is_read_as_the_same_numbers(unet: Run, tmp_path: Path) -> None:
    segments = unet.segment(generate(20, 31, 3)[0])
    segments.save_mask(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as image:
        assert np.array_equal(np.asarray(image), segments.mask)


# -- what cannot work ---------------------------------------------------------------------------------------


def test_an_overlay_that_cannot_be_is_refused_in_one_sentence(
    unet: Run, classifier: Run, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    picture, out = tmp_path / "a.png", tmp_path / "out.png"
    Image.fromarray(generate(20, 20, 0)[0]).save(picture)
    cases = [
        ((classifier.path, picture, "--overlay", out), 2, "trained for classification, not for segmentation"),
        ((unet.path, picture, picture, "--overlay", out), 2, "one file for one picture, received 2 of them"),
        ((unet.path, tmp_path, "--overlay", out), 2, "one file for one picture, received the folder"),
        ((unet.path, picture, "--overlay", tmp_path / "out.gif"), 2, "must end in one of .png"),
        ((unet.path, picture, "--overlay", tmp_path / "no" / "out.png"), StorageError.exit_code, "there is no folder"),
        ((unet.path, picture, "--overlay", picture), 2, "is an input file and would be overwritten"),
        ((unet.path, tmp_path / "b.png", "--overlay", out), NotFoundError.exit_code, "b.png does not exist"),
    ]
    for words, code, sentence in cases:
        assert run_command("predict", *words) == code
        assert sentence in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_what_is_no_picture_is_refused(unet: Run, classifier: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="received float64 of shape"):
        unet.segment(np.zeros((5, 5)))
    with pytest.raises(UsageError, match="not for segmentation; name a run of segnet or unet"):
        classifier.segment(np.zeros((5, 5), np.uint8))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        unet.predict(tmp_path / "empty")
    with pytest.raises(NotFoundError, match="does not exist"):
        unet.predict(tmp_path / "missing.png")


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        (
            "resnet-small",
            {},
            "resnet-small is for classification or regression, and islands is for segmentation; use unet",
        ),
        ("unet", {"mixup": 0.2}, "`mixup` is for classification, and unet on islands is segmentation"),
        ("unet", {"label_smoothing": 0.1}, "`label_smoothing` is for classification"),
        (
            "unet",
            {"class_weights": "mean"},
            "`class_weights` must be one of none, median, received 'mean'. Did you mean 'median'?",
        ),
        ("unet", {"augment": "cifar10"}, "is a policy, which moves pictures and not their masks"),
    ],
)
def test_options_that_say_nothing_of_masks_are_refused(
    model: str, options: dict[str, Any], sentence: str, islands: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        train(model, islands, runs=tmp_path, **{**QUICK, "epochs": 1}, **options)


def test_masks_are_not_for_classes(tmp_path: Path) -> None:
    fruits = draw_fruits(tmp_path / "fruits", each=6)
    with pytest.raises(UsageError, match=r"unet is for segmentation, and fruits is for classification"):
        train("unet", fruits, runs=tmp_path, **{**QUICK, "epochs": 1})


def test_a_run_on_masks_is_measured_on_other_masks(unet: Run, tmp_path: Path) -> None:
    other = draw_islands(tmp_path / "other", 10)
    result, _ = evaluate(unet, data=str(other), out=tmp_path / "out")
    assert result.metrics["mean_iou"] > 0.85
    (other / "classes.txt").write_text("sea\nland\n")
    with pytest.raises(DataError, match=r"has the class 'land', which run .* was not trained on"):
        evaluate(unet, data=str(other), out=tmp_path / "out")
