"""Measure a finished run on its own test split or on other data, and draw where it is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from layerwise.data.catalogue import SOURCES
from layerwise.data.dataset import Kind, Split
from layerwise.data.encoding import TablePreprocessing
from layerwise.data.folders import scan_folder
from layerwise.data.loading import load
from layerwise.data.pictures import PicturePreprocessing
from layerwise.data.tables import TABLE_SUFFIXES
from layerwise.errors import DataError
from layerwise.experiments.run import Run
from layerwise.reports.figures import save
from layerwise.reports.results import Result
from layerwise.runs.atomic import write_json
from layerwise.tasks import Classification

WITH_ARTICLE: dict[Kind, str] = {"pictures": "a set of pictures", "table": "a table", "text": "a set of texts"}


def evaluate(run: Run, data: str | None = None, out: str | Path | None = None) -> tuple[Result, list[Path]]:
    """Measure `run`; return the figures and the files that were written.

    Args:
        data: the name of a data set (its test part), a folder of class folders, or a table with the target column;
            the run's own test split where it is left out.
        out: a folder for the figures and pictures; 'evaluation' in the run's folder where it is left out.

    Raises:
        DataError: the data has other classes, columns or no samples.
    """
    split = split_of(run, data)
    result = run.evaluate_split(split)
    folder = Path(out) if out else run.path / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "evaluation.json"]
    write_json(files[0], result.to_json())
    for name, figure in result.drawings(run.subject(split)):
        files.append(folder / f"{name}.png")
        save(figure, files[-1])
    return result, files


def split_of(run: Run, data: str | None) -> Split:
    """Return the samples to measure on, prepared by the run's own preprocessing."""
    if data is None or data == run.experiment.data.data:
        return run.dataset().test
    path, preprocessing = Path(data), run.preprocessing
    if path.is_dir() and isinstance(preprocessing, PicturePreprocessing):
        return folder_split(run, path, preprocessing)
    kind = kind_of(data)
    if kind and kind != preprocessing.kind:
        raise DataError(
            f"{data} is {WITH_ARTICLE[kind]}, and run {run.name} was trained on {WITH_ARTICLE[preprocessing.kind]}; "
            "give data of that kind."
        )
    if isinstance(preprocessing, TablePreprocessing) and data not in SOURCES:
        return preprocessing.read_split(path)
    side = preprocessing.input_shape[-1] if isinstance(preprocessing, PicturePreprocessing) else None
    other = load(replace(run.experiment.data, data=data, image_size=side))
    if other.kind != preprocessing.kind or other.input_shape != run.preprocessing.input_shape:
        raise DataError(
            f"{data} gives samples of shape {other.input_shape}, and run {run.name} takes "
            f"{preprocessing.input_shape}; give data of the kind that it was trained on."
        )
    return with_classes_of(run, other.test, other.classes, data)


def kind_of(data: str) -> Kind | None:
    """Tell by its name what kind of data this is, None where the name does not tell."""
    if data in SOURCES:
        return SOURCES[data].kind
    if Path(data).is_dir():
        return "pictures"
    return "table" if data.lower().endswith(TABLE_SUFFIXES) else None


def folder_split(run: Run, folder: Path, preprocessing: PicturePreprocessing) -> Split:
    """Read a folder of class folders, or its test part, in the colours and size that the run takes."""
    material = scan_folder(folder, shape=(preprocessing.channels, preprocessing.height, preprocessing.width))
    return with_classes_of(run, material.test or material.train, material.classes, str(folder))


def with_classes_of(run: Run, split: Split, classes: tuple[str, ...], data: str) -> Split:
    """Number the classes of other data as the run does.

    Raises:
        DataError: a class was not in the training data.
    """
    task = run.task
    if not isinstance(task, Classification):  # it learned no classes, so that any will do
        return split
    unknown = sorted(set(classes) - set(task.classes))
    if unknown:
        raise DataError(
            f"{data} has the class '{unknown[0]}', which run {run.name} was not trained on; "
            f"its classes are {', '.join(task.classes[:10])}{', ...' if len(task.classes) > 10 else ''}."
        )
    numbers = torch.tensor([task.classes.index(name) for name in classes])
    return replace(split, targets=numbers[split.targets])
