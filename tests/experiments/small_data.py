"""Small data in raw files and in memory, and what two runs of it are compared by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from PIL import Image
from torch import Tensor

from layerwise.data.dataset import Dataset, Split
from layerwise.experiments.run import Run

QUICK: dict[str, Any] = {"quiet": True, "threads": 1, "precision": "float32", "compile": "no"}
FRUITS = {"Äpfel": (200, 40, 40), "груши": (60, 200, 60), "蕉": (60, 60, 220)}


def draw_fruits(folder: Path, each: int, seed: int = 0) -> Path:
    """Write noisy one-coloured pictures of 10x10 in a folder a class, named in three scripts."""
    chance = np.random.default_rng(seed)
    for name, colour in FRUITS.items():
        (folder / name).mkdir(parents=True)
        for number in range(each):
            noise = chance.integers(-50, 50, (10, 10, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"bild {number:02}.png")
    return folder


def write_flats(path: Path, rows: int = 160, seed: int = 0) -> Path:
    """Write a table of flats whose rent follows from size, town and balcony, with gaps in the sizes."""
    chance = np.random.default_rng(seed)
    size = chance.uniform(20, 120, rows).round(1)
    town = chance.choice(["Köln", "Łódź", "Graz"], rows)
    balcony = chance.choice(["yes", "no"], rows)
    rent = 8 * size + 100 * (town == "Köln") + 60 * (balcony == "yes") + chance.normal(0, 15, rows)
    sizes = [None if number % 17 == 5 else value for number, value in enumerate(size.tolist())]
    pl.DataFrame({"size": sizes, "town": town, "balcony": balcony, "rent": rent.round(2)}).write_csv(path)
    return path


def outcome(run: Run) -> dict[str, Any]:
    """Return all of a finished run that must be the same in a second one: weights, figures, records without times."""
    records = [{key: value for key, value in record.items() if key != "elapsed_s"} for record in run.metrics]
    weights = (run.path / "model.safetensors").read_bytes()
    return {"weights": weights, "records": records, "test": run.result["test"], "status": run.status}


@dataclass(frozen=True)
class Plain:
    """A preprocessing of a user's own: rows of a CSV file without a header, as they are."""

    kind: str = "table"
    input_shape: tuple[int, ...] = (2,)

    def read(self, source: Path) -> tuple[Tensor, list[str]]:
        rows = torch.from_numpy(np.loadtxt(source, delimiter=",", ndmin=2)).float()
        return rows, [f"row {number}" for number in range(len(rows))]

    def transform(self, inputs: Tensor) -> Tensor:
        return inputs

    def to_json(self) -> dict[str, Any]:
        return {"kind": "plain"}


def blobs(rows: int = 120) -> Dataset:
    """Return two clouds of points as a Dataset of the user's own."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(rows) % 2
    points = torch.randn(rows, 2, generator=draw) + 4 * labels[:, None]
    ids = [f"point {number}" for number in range(rows)]
    parts = [slice(0, rows // 2), slice(rows // 2, 3 * rows // 4), slice(3 * rows // 4, rows)]
    train, valid, test = (Split(points[part], labels[part], ids[part]) for part in parts)
    return Dataset("blobs", "table", "classification", train, valid, test, Plain(), ("low", "high"))
