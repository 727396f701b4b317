"""A look into some data before anything is trained on it: facts, samples, balance, augmentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset
from layerwise.data.images.augmentation import Augmentation, preview
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.loading import load
from layerwise.reports import charts, pictures
from layerwise.reports.figures import save
from layerwise.reports.overlays import generated
from layerwise.reports.statistics import Statistic, statistics
from layerwise.runs.atomic import make_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES_SHOWN = 40
VARIED_SHOWN = 8
EPOCHS_SHOWN = 3  # in which all parts of an augmentation work together


def inspect(config: DataConfig, seed: int, out: str | Path) -> tuple[dict[str, Any], list[Path]]:
    """Load data, draw its pages into the folder `out`; return the facts and the files."""
    augmentation = Augmentation.parse(config.augment)
    dataset = load(config, seed)
    augmentation.check(dataset.input_shape)
    folder = make_folder(Path(out))
    files, described = [], statistics(dataset)
    for name, figure in pages(dataset, described, augmentation, seed):
        files.append(folder / f"{dataset.name}-{name}.png")
        save(figure, files[-1])
    return facts_of(dataset, described) | {"augmentation": augmentation.describe()}, files


def facts_of(dataset: Dataset, described: Sequence[Statistic]) -> dict[str, Any]:
    """Return what is to be said of a data set as plain JSON values."""
    counts: dict[str, list[int]] = {}
    if dataset.task == "classification":
        columns = [dataset.class_counts(split) for split in (dataset.train, dataset.valid, dataset.test)]
        counts = {name: list(row) for name, row in zip(dataset.classes, zip(*columns, strict=True), strict=True)}
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "task": dataset.task,
        "source": dataset.source,
        "input_shape": list(dataset.input_shape),
        "sizes": dataset.sizes,
        "class_counts": counts,
        "statistics": [statistic.to_json() for statistic in described],
        "notices": [asdict(notice) for notice in dataset.notices],
    }


def pages(
    dataset: Dataset, described: Sequence[Statistic], augmentation: Augmentation, seed: int
) -> Iterator[tuple[str, Figure]]:
    """Yield the name and the figure of each page."""
    if dataset.task == "classification":
        splits = {"training": dataset.train, "validation": dataset.valid, "test": dataset.test}
        counts = {name: dataset.class_counts(split) for name, split in splits.items()}
        yield "balance", charts.class_balance_chart(dataset.classes, counts)
    if not isinstance(dataset.preprocessing, ImagePreprocessing):
        title = f"{dataset.name}: the training samples"
        yield "columns", charts.column_chart([one.name for one in described], [one.values for one in described], title)
        return
    chosen = pictures.pick_samples(dataset, dataset.train, SAMPLES_SHOWN)
    shown, _ = dataset.train.take(chosen)
    captions = pictures.names_of(dataset, dataset.train, chosen)
    yield (
        "samples",
        pictures.picture_page(
            pictures.to_pixels(shown), captions, title=f"{dataset.name}: some of the training pictures"
        ),
    )
    if dataset.task == "segmentation":
        pairs = zip(pictures.to_pixels(shown), masks_of(dataset, chosen), strict=True)
        title = f"{dataset.name}: training pictures, each before its mask of {', '.join(dataset.classes)}"
        yield "masks", pictures.picture_page([half for pair in pairs for half in pair], columns=8, title=title)
    if augmentation:
        few = dataset.preprocessing.to_float(shown[torch.linspace(0, len(shown) - 1, VARIED_SHOWN).long().unique()])
        title = f"{dataset.name}: the same pictures under `augment` {augmentation.to_text()}"
        yield "augmented", pictures.variation_page(variations(few, augmentation, seed), title=title)


def masks_of(dataset: Dataset, chosen: Tensor) -> list[pictures.Pixels]:
    """Return the masks of training pictures in the colours of their classes."""
    return [generated(mask, len(dataset.classes)) for mask in dataset.train.targets[chosen].numpy()]


def variations(samples: Tensor, augmentation: Augmentation, seed: int) -> list[pictures.TrainTransforms]:
    """Return the rows of a page: the originals, each part alone, and all together in the first epochs.

    samples: (n, channels, height, width) in [0, 1].
    """
    rows = [pictures.TrainTransforms("original", "as it is in the data", _pixels(samples))]
    if len(augmentation.parts) > 1:
        for part in augmentation.parts:
            varied = preview(samples, Augmentation((part,)), seed, 1)[0]
            rows.append(pictures.TrainTransforms(f"{part.to_text()} alone", part.describe(), _pixels(varied)))
    name = "all together" if len(augmentation.parts) > 1 else augmentation.to_text()
    note = "" if len(augmentation.parts) > 1 else augmentation.describe()[0]
    for epoch, varied in enumerate(preview(samples, augmentation, seed, EPOCHS_SHOWN)):
        rows.append(pictures.TrainTransforms(f"{name}, epoch {epoch + 1}", "" if epoch else note, _pixels(varied)))
    return rows


def _pixels(samples: Tensor) -> list[pictures.Pixels]:
    return pictures.to_pixels((samples * 255).round().to(torch.uint8))
