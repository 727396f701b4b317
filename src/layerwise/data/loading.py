"""From the name of some data to a data set that is split, prepared and looked over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from layerwise.data.build import KINDS, build
from layerwise.data.catalogue import SOURCES, load_raw
from layerwise.data.config import DataConfig
from layerwise.data.dataset import WITH_ARTICLE, Dataset, Preprocessing
from layerwise.data.images.files import is_picture_name
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.raw import Progress
from layerwise.data.series.preprocessing import SeriesPreprocessing
from layerwise.data.tables.files import TABLE_SUFFIXES
from layerwise.data.tables.preprocessing import TablePreprocessing
from layerwise.data.text.bag_of_words import BagOfWordsPreprocessing
from layerwise.data.text.characters import CharacterPreprocessing
from layerwise.data.text.language_modeling import SUFFIXES as TEXT_SUFFIXES
from layerwise.data.text.language_modeling import TextPreprocessing
from layerwise.data.text.translation import PairPreprocessing
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

    Parameters
    ----------
    config : DataConfig
        A data set's name, a folder of class folders, a CSV or Parquet file, series or texts, and how to divide it.
    seed : int
        Decides the splits, and which samples a limit leaves.
    progress : callable of str
        Is told in a sentence what is being fetched.

    Returns
    -------
    Dataset
        Split, with a preprocessing that was fitted to the training split alone.

    Raises
    ------
    NotFoundError
        Nothing is called so; the nearest name is suggested.
    UnavailableError
        The data set is not on this machine and cannot be fetched.
    DataError
        The data cannot be used; the sentence names the file, row or column.
    UsageError
        A field does not suit the data.

    Examples
    --------
    >>> from layerwise import DataConfig, load
    >>> iris = load(DataConfig(data="iris", test=0.3), seed=1)
    >>> iris.classes
    ('setosa', 'versicolor', 'virginica')
    >>> rows, ids = iris.preprocessing.read([[5.1, 3.5, 1.4, 0.2]])
    >>> rows.shape
    torch.Size([1, 4])
    """
    raw, name = read_raw(config, progress)
    dataset = build(raw, name, config, seed)
    _check_options(config, dataset)
    return dataset


def read_raw(config: DataConfig, progress: Progress) -> tuple[Any, str]:
    """Return the raw samples that `config.data` names, and what the data set is called."""
    if config.data in SOURCES:
        return load_raw(config.data, progress), config.data
    path = Path(config.data)
    for kind in KINDS.values():
        if kind.accepts(path, config):
            name = path.resolve().name if path.is_dir() else path.stem
            return kind.read(path, config), name.removesuffix(".pairs")
    if path.exists():
        raise DataError(_unsuitable(path))
    raise NotFoundError(_nothing_there(config.data))


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
    """Rebuild a preprocessing from what its `to_json` gave; 'kind' says of which class.

    Raises
    ------
    KeyError, TypeError, ValueError
        A field is missing or holds something else.
    """
    preprocessing = PREPROCESSINGS[values["kind"]](values)
    if min(preprocessing.input_shape) < 1:
        raise ValueError(f"the shape of a sample is {preprocessing.input_shape}")
    return preprocessing


def _check_options(config: DataConfig, dataset: Dataset) -> None:
    """Refuse flags that say nothing about this kind of data, rather than leave them aside in silence."""
    if config.vocabulary and dataset.kind not in ("text", "pairs"):
        raise UsageError(
            f"`vocabulary` is for texts, and {dataset.name} is {WITH_ARTICLE[dataset.kind]}; leave it out."
        )
    takes_window = dataset.kind == "series" or (
        dataset.task in ("language_modeling", "sequence_tagging") and not config.horizon
    )
    if (config.window or config.horizon) and not takes_window:
        field = "`horizon`" if config.horizon else "`window`"
        raise UsageError(
            f"{field} is for forecasts of a series, and {dataset.name} is {WITH_ARTICLE[dataset.kind]}; leave it out."
        )
    if config.image_size and dataset.kind != "images":
        raise UsageError(
            f"`image_size` is for pictures, and {dataset.name} is {WITH_ARTICLE[dataset.kind]}; leave it out."
        )
    is_forecast_of_table = bool(config.horizon) and config.data not in SOURCES
    if is_forecast_of_table and config.split_by == "group":
        raise UsageError("`split_by` group suits no forecast, whose latest steps are for testing; leave it out.")
    if dataset.kind != "table" and not is_forecast_of_table:
        for field, value in (("`target`", config.target), ("`split_column`", config.split_column)):
            if value:
                raise UsageError(f"{field} names a column, and {dataset.name} is no table; leave it out.")
        if config.split_by != "random":
            raise UsageError(f"`split_by` {config.split_by} needs a table, and {dataset.name} is none; leave it out.")
