"""From the name of some data to a data set that is split, prepared and looked over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.catalogue import SOURCES, load_raw
from layerwise.data.checks import check_splits
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Preprocessing, Rows, Split, TaskName
from layerwise.data.images.files import is_picture_name
from layerwise.data.images.folders import scan_folder
from layerwise.data.images.mask_folders import is_mask_folder, scan_masks
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.json_checks import check_fields
from layerwise.data.raw import (
    Progress,
    RawCharacters,
    RawForecast,
    RawImages,
    RawPairs,
    RawSeries,
    RawTable,
    RawTaggedText,
    RawText,
)
from layerwise.data.series.dataset import forecast_dataset, forecast_file, series_dataset
from layerwise.data.series.preprocessing import SeriesPreprocessing, series_file
from layerwise.data.splits import hold_out, limit_indices, split_indices
from layerwise.data.tables.dataset import frame_dataset, table_file_dataset
from layerwise.data.tables.files import TABLE_SUFFIXES
from layerwise.data.tables.preprocessing import TablePreprocessing
from layerwise.data.text.bag_of_words import BagOfWordsPreprocessing, bag_of_words_dataset
from layerwise.data.text.characters import CharacterPreprocessing, character_dataset
from layerwise.data.text.language_modeling import SUFFIXES as TEXT_SUFFIXES
from layerwise.data.text.language_modeling import TextPreprocessing, is_long_text, read_long_texts, text_dataset
from layerwise.data.text.sequence_tagging import sequence_tagging_dataset
from layerwise.data.text.translation import SUFFIXES as PAIR_SUFFIXES
from layerwise.data.text.translation import PairPreprocessing, pair_dataset, pairs_file
from layerwise.errors import DataError, NotFoundError, UsageError, nearest

ARCHIVE_SUFFIXES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
PREPROCESSINGS: dict[str, Callable[[Mapping[str, Any]], Preprocessing]] = {
    "images": ImagePreprocessing.from_json,
    "table": TablePreprocessing.from_json,
    "bag_of_words": BagOfWordsPreprocessing.from_json,
    "series": SeriesPreprocessing.from_json,
    "characters": CharacterPreprocessing.from_json,
    "text": TextPreprocessing.from_json,
    "pairs": PairPreprocessing.from_json,
}


def load(config: DataConfig, seed: int = 0, progress: Progress = print) -> Dataset:
    """Load, split and prepare the data that `config` names.

    Args:
        config: a data set's name, a folder of class folders, a CSV or Parquet file, or texts, and how to divide it.
        seed: decides the splits.
        progress: is told in a sentence what is being fetched.

    Raises:
        NotFoundError: nothing is called so; the nearest name is suggested.
        UnavailableError: the data set is not on this machine and cannot be fetched.
        DataError: the data cannot be used; the sentence names the file, row or column.
        UsageError: a field does not suit the data.
    """
    path = Path(config.data)
    if config.data in SOURCES:
        dataset = _of_source(config, seed, progress)
    elif not config.target and is_long_text(path):
        dataset = text_dataset(read_long_texts(path), path.stem, config, seed)
    elif is_mask_folder(path):
        masks = scan_masks(path, config, seed)
        dataset = image_dataset(masks, path.resolve().name, replace(config, image_size=None), seed)
    elif path.is_dir():
        folder = scan_folder(path, image_size=config.image_size)
        dataset = image_dataset(folder, path.resolve().name, replace(config, image_size=None), seed)
    elif path.suffix.lower() == ".ts" and path.is_file():
        dataset = series_dataset(series_file(path), path.stem, config, seed)
    elif path.name.lower().endswith(PAIR_SUFFIXES) and path.is_file():
        dataset = pair_dataset(pairs_file(path), path.name.partition(".")[0], config, seed)
    elif path.name.lower().endswith(TABLE_SUFFIXES) and config.horizon:
        dataset = forecast_dataset(forecast_file(path, config), path.stem, config)
    elif path.name.lower().endswith(TABLE_SUFFIXES):
        dataset = table_file_dataset(path, config, seed)
    elif path.exists():
        raise DataError(_unsuitable(path))
    else:
        raise NotFoundError(_nothing_there(config.data))
    _check_flags(config, dataset)
    return dataset


def _unsuitable(path: Path) -> str:
    """Say why a file is no data, and how it becomes some."""
    expected = "a folder of class folders or a table was expected"
    if path.name.lower().endswith(ARCHIVE_SUFFIXES):
        return f"{path} is an archive where {expected}; unpack it and name what was in it."
    if is_picture_name(path):
        return f"{path} is one picture where {expected}; make a folder with a folder of pictures for each class."
    return (
        f"{path} is a file where {expected}; save a table under a name that ends in {', '.join(TABLE_SUFFIXES)}, "
        f"series under one that ends in .ts, and a text under one that ends in {', '.join(TEXT_SUFFIXES)}."
    )


def _nothing_there(data: str) -> str:
    """Say that a name is nobody's, with the nearest data set, or the nearest file beside a path."""
    path = Path(data)
    hint = nearest(data, SOURCES)
    if not hint and path.parent.is_dir():
        hint = nearest(path.name, [entry.name for entry in path.parent.iterdir()])
    return (
        f"there is no data '{data}': no data set has this name and no file or folder is there.{hint} "
        "`layerwise data` lists the data sets."
    )


def preprocessing_from_json(values: Mapping[str, Any]) -> Preprocessing:
    """Rebuild a preprocessing from what its `to_json` gave.

    Raises KeyError, TypeError or ValueError for anything else.
    """
    preprocessing = PREPROCESSINGS[values["kind"]](values)
    check_fields(preprocessing)
    if isinstance(preprocessing, TablePreprocessing):
        for part in (*preprocessing.columns, preprocessing.target):
            check_fields(part)
    if min(preprocessing.input_shape) < 1:
        raise ValueError(f"the shape of a sample is {preprocessing.input_shape}")
    return preprocessing


def image_dataset(raw: RawImages, name: str, config: DataConfig, seed: int) -> Dataset:
    """Divide pictures, keeping the parts that they bring along, and fit their preprocessing to the training split."""
    if config.image_size and raw.task == "segmentation":
        raise UsageError(f"`image_size` would part the masks of {name} from their scale; leave it out.")
    if config.image_size:
        raw = _resized(raw, config.image_size)
    train, valid, test = _divide(raw, config, seed)
    chosen = limit_indices(torch.arange(len(train)), config.limit, seed, _labels(raw.task, train))
    train = _select(train, chosen) if len(chosen) < len(train) else train
    preprocessing = ImagePreprocessing.fit(train.inputs)
    dataset = Dataset(
        name=name,
        kind="images",
        task=raw.task,
        train=train,
        valid=valid,
        test=test,
        preprocessing=preprocessing,
        classes=raw.classes,
        source=raw.source,
        notices=raw.notices,
    )
    return replace(dataset, notices=(*raw.notices, *check_splits(dataset)))


def _of_source(config: DataConfig, seed: int, progress: Progress) -> Dataset:
    name, raw = config.data, load_raw(config.data, progress)
    match raw:
        case RawImages():
            return image_dataset(raw, name, config, seed)
        case RawTable():
            return frame_dataset(raw.frame, raw.target, raw.task, name, config, seed, raw.source)
        case RawSeries():
            return series_dataset(raw, name, config, seed)
        case RawForecast():
            return forecast_dataset(raw, name, config)
        case RawPairs():
            return pair_dataset(raw, name, config, seed)
        case RawCharacters():
            return character_dataset(raw, name, config, seed)
        case RawTaggedText():
            return sequence_tagging_dataset(raw, name, config, seed)
        case RawText():
            return text_dataset(raw, name, config, seed)
        case _:
            return bag_of_words_dataset(raw.texts, raw.labels, raw.ids, name, config, seed, raw.source)


def _divide(raw: RawImages, config: DataConfig, seed: int) -> tuple[Split, Split, Split]:
    """Hold out what the material does not bring along; its own parts are kept as they are."""
    whole, labels = raw.train, _labels(raw.task, raw.train)
    if raw.test and raw.valid:
        return whole, raw.valid, raw.test
    if raw.test:
        kept, held_out = hold_out(len(whole), valid=config.valid, seed=seed, classes=labels)
        return _select(whole, kept), _select(whole, held_out), raw.test
    if raw.valid:
        kept, held_out = hold_out(len(whole), valid=config.test, seed=seed, classes=labels)
        return _select(whole, kept), raw.valid, _select(whole, held_out)
    parts = split_indices(len(whole), test=config.test, valid=config.valid, seed=seed, classes=labels, name=raw.source)
    train, valid, test = (_select(whole, part) for part in parts)
    return train, valid, test


def _labels(task: TaskName, split: Split) -> Tensor | None:
    """Return the class of each sample, by which chance is fair to all; None where a sample is of several."""
    return split.targets if task == "classification" else None


class _SomeRows(Rows):
    """A choice of rows that are read when they are asked for."""

    def __init__(self, rows: Rows, positions: Tensor) -> None:
        self._rows, self._positions = rows, positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, indices: Tensor) -> Tensor:
        return self._rows[self._positions[indices]]


def _select(split: Split, positions: Tensor) -> Split:
    inputs = split.inputs[positions] if isinstance(split.inputs, Tensor) else _SomeRows(split.inputs, positions)
    return Split(inputs, split.targets[positions], [split.ids[position] for position in positions.tolist()])


def _resized(raw: RawImages, side_px: int) -> RawImages:
    return replace(
        raw,
        train=_resize(raw.train, side_px),
        valid=_resize(raw.valid, side_px) if raw.valid else None,
        test=_resize(raw.test, side_px) if raw.test else None,
    )


def _resize(split: Split, side_px: int) -> Split:
    """Resize pictures in memory as Pillow does, bicubic with antialiasing."""
    if not isinstance(split.inputs, Tensor) or tuple(split.inputs.shape[-2:]) == (side_px, side_px):
        return split
    parts = [
        F.interpolate(part, size=(side_px, side_px), mode="bicubic", antialias=True)
        for part in split.inputs.split(4096)
    ]
    return replace(split, inputs=torch.cat(parts))


def _check_flags(config: DataConfig, dataset: Dataset) -> None:
    """Refuse flags that say nothing about this kind of data, rather than leave them aside in silence."""
    if config.vocabulary and dataset.kind not in ("text", "pairs"):
        raise UsageError(f"`vocabulary` is for texts, and {dataset.name} is a {dataset.kind}; leave it out.")
    takes_window = dataset.kind == "series" or (
        dataset.task in ("language_modeling", "sequence_tagging") and not config.horizon
    )
    if (config.window or config.horizon) and not takes_window:
        field = "`horizon`" if config.horizon else "`window`"
        raise UsageError(f"{field} is for forecasts of a series, and {dataset.name} is a {dataset.kind}; leave it out.")
    if config.image_size and dataset.kind != "images":
        raise UsageError(f"`image_size` is for pictures, and {dataset.name} is a {dataset.kind}; leave it out.")
    is_forecast_of_table = bool(config.horizon) and config.data not in SOURCES
    if is_forecast_of_table and config.split_by == "group":
        raise UsageError("`split_by` group suits no forecast, whose latest steps are for testing; leave it out.")
    if dataset.kind != "table" and not is_forecast_of_table:
        for field, value in (("`target`", config.target), ("`split_column`", config.split_column)):
            if value:
                raise UsageError(f"{field} names a column, and {dataset.name} is no table; leave it out.")
        if config.split_by != "random":
            raise UsageError(f"`split_by` {config.split_by} needs a table, and {dataset.name} is none; leave it out.")
