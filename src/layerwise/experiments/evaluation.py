"""Measure a finished run on its own test split or on other data, and draw where it is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from layerwise.data.catalogue import SOURCES, load_raw
from layerwise.data.dataset import UNLABELLED, Kind, Split
from layerwise.data.images.folders import scan_folder
from layerwise.data.images.mask_folders import read_folder, tiles_of
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.loading import load
from layerwise.data.raw import RawPairs, RawText
from layerwise.data.series.dataset import forecast_split, labelled_split
from layerwise.data.series.preprocessing import SeriesPreprocessing
from layerwise.data.tables.files import TABLE_SUFFIXES
from layerwise.data.tables.preprocessing import TablePreprocessing
from layerwise.data.text.language_modeling import (
    SUFFIXES,
    TextPreprocessing,
    is_long_text,
    read_long_texts,
    without_copies,
)
from layerwise.data.text.translation import SUFFIXES as PAIR_SUFFIXES
from layerwise.data.text.translation import PairPreprocessing
from layerwise.errors import DataError, NotFoundError, UsageError
from layerwise.experiments.run import Run
from layerwise.generation.config import BeamConfig
from layerwise.reports.figures import save
from layerwise.reports.results import Result
from layerwise.runs.atomic import make_folder, write_json
from layerwise.tasks import Classification
from layerwise.tasks.segmentation import Segmentation
from layerwise.tasks.translation import Translation

WITH_ARTICLE: dict[Kind, str] = {
    "images": "a set of pictures",
    "table": "a table",
    "bag_of_words": "a set of texts",
    "series": "a set of series",
    "characters": "a set of short texts",
    "pairs": "a table of pairs of texts (.pairs.tsv)",
    "text": "a long text",
}


def evaluate(
    run: Run, data: str | None = None, out: str | Path | None = None, beam: int = 1
) -> tuple[Result, list[Path]]:
    """Measure `run`; return the figures and the files that were written.

    Args:
        data: the name of a data set (its test part), a folder of class folders, or a table with the target column;
            the run's own test split where it is left out.
        out: a folder for the figures and pictures; 'evaluation' in the run's folder where it is left out.
        beam: beginnings that a translator keeps while it writes.

    Raises:
        DataError: the data has other classes, columns or no samples.
        UsageError: a beam was asked for that this run has no use for.
    """
    check_beam(run, beam)
    split = split_of(run, data)
    result = run.evaluate_split(split, beam)
    folder = make_folder(Path(out) if out else run.path / "evaluation")
    files = [folder / "evaluation.json"]
    write_json(files[0], result.to_json())
    for name, figure in result.drawings(run.evaluation_input(split, beam)):
        files.append(folder / f"{name}.png")
        save(figure, files[-1])
    return result, files


def check_beam(run: Run, beam: int) -> None:
    """Raise UsageError for a beam that is no number of beginnings, or of a run that writes no text."""
    if BeamConfig(beam).beam > 1 and not isinstance(run.task, Translation):
        raise UsageError(f"`beam` is for runs that translate, and run {run.name} does not; leave it out.")


def split_of(run: Run, data: str | None) -> Split:
    """Return the samples to measure on, prepared by the run's own preprocessing."""
    if data is None or data == run.experiment.data.data:
        return run.dataset().test
    path, preprocessing = Path(data), run.preprocessing
    if path.is_dir() and isinstance(preprocessing, ImagePreprocessing):
        is_of_masks = isinstance(run.task, Segmentation)
        return (mask_split if is_of_masks else folder_split)(run, path, preprocessing)
    if data in SOURCES and SOURCES[data].task != run.data_info["data_task"]:
        raise DataError(
            f"{data} is for {SOURCES[data].task}, and run {run.name} learned {run.data_info['data_task']}; "
            "give data for that."
        )
    if isinstance(preprocessing, SeriesPreprocessing) and path.is_file():
        return series_split(run, path, preprocessing)
    kind = "pairs" if data.lower().endswith(PAIR_SUFFIXES) else kind_of(data)
    if kind and kind != preprocessing.kind:
        raise DataError(
            f"{data} is {WITH_ARTICLE[kind]}, and run {run.name} was trained on {WITH_ARTICLE[preprocessing.kind]}; "
            "give data of that kind."
        )
    if isinstance(preprocessing, TextPreprocessing):
        return prose_split(data, preprocessing)
    if isinstance(preprocessing, PairPreprocessing):
        if data in SOURCES:
            return known_pairs(run, data, preprocessing)
        if not data.lower().endswith(PAIR_SUFFIXES):
            raise DataError(f"{data} is no table of pairs; give one whose name ends in {' or '.join(PAIR_SUFFIXES)}.")
        return preprocessing.read_split(path)
    if isinstance(preprocessing, TablePreprocessing) and data not in SOURCES:
        return preprocessing.read_split(path)
    is_resized = isinstance(preprocessing, ImagePreprocessing) and not isinstance(run.task, Segmentation)
    side = preprocessing.input_shape[-1] if is_resized else None
    other = load(replace(run.experiment.data, data=data, image_size=side))
    if other.kind != preprocessing.kind or other.input_shape != run.preprocessing.input_shape:
        raise DataError(
            f"{data} gives samples of shape {other.input_shape}, and run {run.name} takes "
            f"{preprocessing.input_shape}; give data of the kind that it was trained on."
        )
    return with_classes_of(run, other.test, other.classes, data)


def known_pairs(run: Run, data: str, preprocessing: PairPreprocessing) -> Split:
    """Return the test pairs of a data set as the run's own tokens. Raises DataError for other languages."""
    languages = tuple(data.split("-"))  # such data sets are called so
    if languages != preprocessing.languages:
        there, here = (" to ".join(names) for names in (languages, preprocessing.languages))
        raise DataError(f"{data} is from {there}, and run {run.name} learned {here}; give pairs of these languages.")
    raw = load_raw(data)
    assert isinstance(raw, RawPairs)
    return preprocessing.split_of(raw.test_sources, raw.test_targets)


def prose_split(data: str, preprocessing: TextPreprocessing) -> Split:
    """Return the test texts of a data set, or all texts of a file or folder, as the run's own tokens.

    Raises:
        NotFoundError, DataError: there is no text.
    """
    if data in SOURCES:
        raw = load_raw(data)
        assert isinstance(raw, RawText)
        return preprocessing.evaluation_split({name: raw.texts[name] for name in sorted(raw.test)})
    if not is_long_text(Path(data)):
        if not Path(data).exists():
            raise NotFoundError(f"there is no text {data}; name a file that ends in {', '.join(SUFFIXES)}.")
        raise DataError(f"{data} is no text; name a file that ends in {', '.join(SUFFIXES)}, or a folder of them.")
    return preprocessing.evaluation_split(without_copies(read_long_texts(Path(data)).texts))


def series_split(run: Run, path: Path, preprocessing: SeriesPreprocessing) -> Split:
    """Read a table as windows with what came after them, or a .ts file of labelled series, as the run takes them."""
    if path.suffix.lower() == ".ts" and not preprocessing.is_window:
        return with_classes_of(run, *labelled_split(path, preprocessing), str(path))
    if not preprocessing.is_window or not path.name.lower().endswith(TABLE_SUFFIXES):
        wanted = f"a table with the column {preprocessing.channels[0]}" if preprocessing.is_window else "a .ts file"
        raise DataError(f"{path} is not what run {run.name} was trained on; give {wanted}.")
    return forecast_split(path, preprocessing, run.data_info["output_count"])


def kind_of(data: str) -> Kind | None:
    """Tell by its name what kind of data this is, None where the name does not tell."""
    if data in SOURCES:
        return SOURCES[data].kind
    if is_long_text(Path(data)):
        return "text"
    if Path(data).is_dir():
        return "images"
    return "table" if data.lower().endswith(TABLE_SUFFIXES) else None


def folder_split(run: Run, folder: Path, preprocessing: ImagePreprocessing) -> Split:
    """Read a folder of class folders, or its test part, in the colours and size that the run takes."""
    raw = scan_folder(folder, shape=(preprocessing.channels, preprocessing.height, preprocessing.width))
    return with_classes_of(run, raw.test or raw.train, raw.classes, str(folder))


def mask_split(run: Run, folder: Path, preprocessing: ImagePreprocessing) -> Split:
    """Read a folder of pictures and masks in the colours that the run takes, cut into tiles of its size."""
    names, pictures, masks, classes = read_folder(folder, preprocessing.channels)
    split = tiles_of(zip(names, pictures, masks, strict=True), preprocessing.height, preprocessing.channels)
    return with_classes_of(run, split, classes, str(folder))


def with_classes_of(run: Run, split: Split, classes: tuple[str, ...], data: str) -> Split:
    """Number the classes of other data as the run does.

    Raises:
        DataError: a class was not in the training data.
    """
    task = run.task
    if not isinstance(task, Classification | Segmentation):  # it learned no classes, so that any will do
        return split
    unknown = sorted(set(classes) - set(task.classes))
    if unknown:
        raise DataError(
            f"{data} has the class '{unknown[0]}', which run {run.name} was not trained on; "
            f"its classes are {', '.join(task.classes[:10])}{', ...' if len(task.classes) > 10 else ''}."
        )
    numbers = torch.arange(UNLABELLED + 1)  # what is of no class stays so
    numbers[: len(classes)] = torch.tensor([task.classes.index(name) for name in classes])
    return replace(split, targets=numbers[split.targets.long()].to(split.targets.dtype))
