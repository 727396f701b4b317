"""Explaining answers of runs: the files that are written, what they hold, and one sentence for what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_data import QUICK, draw_fruits, write_flats
from torch import nn

import layerwise
from layerwise.errors import NotFoundError, UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.training import train


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs called fruits (pictures by a ViT), flats (a table) and waves (series)."""
    folder = tmp_path_factory.mktemp("explained")
    common: dict[str, Any] = {"runs": folder / "runs", **QUICK}
    pictures = draw_fruits(folder / "pictures", 10)
    train("vit", pictures, name="fruits", image_size=8, embed_dim=16, layers=2, epochs=2, **common)
    flats = write_flats(folder / "flats.csv")
    train("mlp", flats, target="rent", name="flats", hidden=(8,), epochs=8, **common)
    lines = ["@classLabel true slow fast", "@data"]
    chance = np.random.default_rng(0)
    for number in range(60):
        label, rate = (("slow", 0.3), ("fast", 1.5))[number % 2]
        steps = np.arange(chance.integers(8, 14))
        lines.append(",".join(f"{value:.4f}" for value in np.sin(rate * steps)) + f":{label}")
    (folder / "waves.ts").write_text("\n".join(lines))
    train("gru", folder / "waves.ts", name="waves", hidden=8, embedding=8, epochs=2, **common)
    return folder


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as picture:
        return picture.size


def open_run(runs: Path, name: str) -> Run:
    return Run.open(name, runs=runs / "runs")


def test_a_picture_is_explained_in_all_parts_that_apply(runs: Path, tmp_path: Path) -> None:
    run, picture = open_run(runs, "fruits"), runs / "pictures" / "Äpfel" / "bild 00.png"
    found, files = layerwise.explain(run, picture, out=tmp_path)
    assert [file.name for file in files] == [
        *("explanation.html", "gradients.png", "occlusion.png", "attention.png", "rollout.png"),
        *("filters.png", "maps-patches.png"),
    ]
    assert all(size_of(file) > (50, 50) for file in files[1:])
    page = files[0].read_text(encoding="utf-8")
    assert found.gradients is not None
    assert "they add up" in page
    assert f"layerwise explain {run.name}" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    answer = run.predict(picture)[0]
    assert run.task.classes[found.output] == answer["label"]
    assert found.score == pytest.approx(run.outputs(run.preprocessing.read(picture)[0])[0].max().item(), rel=1e-5)


def test_the_columns_of_a_table_share_the_answer_between_them(runs: Path) -> None:
    run = open_run(runs, "flats")
    found, files = layerwise.explain(run, runs / "flats.csv", row=3)
    assert list(found.groups) == ["size", "town", "balcony"]
    assert found.gradients is not None
    assert found.gradients.values.shape == found.occlusion.shape == (3,)
    assert found.gradients.is_complete
    assert files[0] == run.path / "explanations" / "flats.csv-3" / "explanation.html"
    assert "Why ‘rent’?" in files[0].read_text(encoding="utf-8")


def test_a_series_and_a_class_that_is_asked_about(runs: Path, tmp_path: Path) -> None:
    run = open_run(runs, "waves")
    slow, _ = layerwise.explain(run, runs / "waves.ts", output="slow", parts=("occlusion",), out=tmp_path)
    fast, _ = layerwise.explain(run, runs / "waves.ts", output="fast", parts=("occlusion",), out=tmp_path)
    assert {run.task.classes[slow.output], run.task.classes[fast.output]} == {"slow", "fast"}
    assert slow.gradients is None
    assert not torch.equal(slow.occlusion, fast.occlusion)


def test_a_module_of_ones_own_writes_only_where_it_is_told(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    found, files = layerwise.explain(model, torch.randn(3, 8, 8))
    assert files == []
    assert set(found.maps) == {"0"}
    _, files = layerwise.explain(model, torch.randn(3, 8, 8), parts=("filters",), out=tmp_path)
    assert [file.name for file in files] == ["explanation.html", "filters.png"]
    with pytest.raises(UsageError, match=r"is a run or a torch\.nn\.Module, received int"):
        layerwise.explain(3, torch.zeros(4))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"a file or a prepared torch\.Tensor, received ndarray"):
        layerwise.explain(nn.Linear(4, 2), torch.zeros(4).numpy())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no preprocessing; give it a prepared tensor"):
        layerwise.explain(model, "picture.png")


def test_test_samples_become_a_map(runs: Path, tmp_path: Path) -> None:
    run = open_run(runs, "fruits")
    places, files = layerwise.embed(run, out=tmp_path)
    assert places.shape == (len(run.dataset().test), 2)
    assert size_of(files[0]) > (500, 500)
    assert len(layerwise.embed(open_run(runs, "flats"), limit=9, out=tmp_path)[0]) == 9


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("flats", {"inputs": "flats.csv", "row": 161}, "`row` must be from 1 to 160"),
        (
            "flats",
            {"inputs": "flats.csv", "output": "rant"},
            "must be one of rent, received 'rant'. Did you mean 'rent'",
        ),
        ("flats", {"inputs": "flats.csv", "parts": ("filters",)}, "no filters to show"),
        ("flats", {"inputs": "flats.csv", "parts": ("filter",)}, "'filter' is no part"),
        ("flats", {"inputs": torch.randn(3)}, "takes samples of shape"),
        ("fruits", {"inputs": torch.randn(3, 9, 9)}, "takes samples of shape (3, 8, 8) without the batch"),
        ("waves", {"inputs": torch.randn(9, 2)}, "takes samples of shape"),
    ],
)
def test_what_cannot_be_explained_is_said_in_a_sentence(
    name: str, options: dict[str, Any], words: str, runs: Path, tmp_path: Path
) -> None:
    given = options["inputs"]
    inputs = given if isinstance(given, torch.Tensor) else runs / given
    rest = {key: value for key, value in options.items() if key != "inputs"}
    with pytest.raises(UsageError) as refusal:
        layerwise.explain(open_run(runs, name), inputs, out=tmp_path, **rest)
    assert words in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_there_is_not_is_said_to_be_missing(runs: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        layerwise.explain(open_run(runs, "flats"), runs / "flat.csv")
