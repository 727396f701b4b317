"""A look into some data before anything is trained on it: facts, samples, balance, augmentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from layerwise.data.augmentation import Augmentation, preview
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset
from layerwise.data.loading import load
from layerwise.data.pictures import PicturePreprocessing
from layerwise.experiments.run import sizes_of
from layerwise.reports import charts, pictures
from layerwise.reports.figures import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES_SHOWN = 40
VARIED_SHOWN = 8
VARIATIONS_SHOWN = 6


def inspect(config: DataConfig, seed: int, out: str | Path) -> tuple[dict[str, Any], list[Path]]:
    """Load data, draw its pages into the folder `out`; return the facts and the files."""
    augmentation = Augmentation.parse(config.augment)
    dataset = load(config, seed)
    augmentation.check(dataset.input_shape)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, figure in pages(dataset, augmentation, seed):
        files.append(folder / f"{dataset.name}-{name}.png")
        save(figure, files[-1])
    return facts_of(dataset), files


def facts_of(dataset: Dataset) -> dict[str, Any]:
    """Return what is to be said of a data set as plain JSON values."""
    counts: dict[str, list[int]] = {}
    if dataset.goal == "classification":
        columns = [dataset.class_counts(split) for split in (dataset.train, dataset.valid, dataset.test)]
        counts = {name: list(row) for name, row in zip(dataset.classes, zip(*columns, strict=True), strict=True)}
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "goal": dataset.goal,
        "source": dataset.source,
        "input_shape": list(dataset.input_shape),
        "sizes": sizes_of(dataset),
        "class_counts": counts,
        "notices": [asdict(notice) for notice in dataset.notices],
    }


def pages(dataset: Dataset, augmentation: Augmentation, seed: int) -> Iterator[tuple[str, Figure]]:
    """Yield the name and the figure of each page."""
    if dataset.goal == "classification":
        splits = {"training": dataset.train, "validation": dataset.valid, "test": dataset.test}
        counts = {name: dataset.class_counts(split) for name, split in splits.items()}
        yield "balance", charts.class_balance_chart(dataset.classes, counts)
    if not isinstance(dataset.preprocessing, PicturePreprocessing):
        return
    chosen = pictures.pick_samples(dataset, dataset.train, SAMPLES_SHOWN)
    shown, targets = dataset.train.take(chosen)
    captions = [dataset.classes[target] for target in targets.tolist()]
    yield "samples", pictures.picture_page(pictures.to_pixels(shown), captions, title=f"{dataset.name}: training")
    if augmentation:
        few = shown[:VARIED_SHOWN]
        varied = preview(dataset.preprocessing.to_float(few), augmentation, seed, VARIATIONS_SHOWN)
        rows = [("as it is", pictures.to_pixels(few))]
        for epoch, batch in enumerate(varied):
            rows.append((f"epoch {epoch + 1}", pictures.to_pixels((batch * 255).round().to(torch.uint8))))
        yield "augmented", pictures.variation_page(rows, title=augmentation.to_text())
