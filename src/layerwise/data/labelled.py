"""Labelled data for a network that is trained already: by the name of a data set, or by a path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from layerwise.data.build import encode_test_part
from layerwise.data.catalogue import SOURCES
from layerwise.data.config import DataConfig
from layerwise.data.dataset import WITH_ARTICLE, Kind, Labels, Preprocessing, Split
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.loading import read_raw
from layerwise.data.series.preprocessing import SeriesPreprocessing
from layerwise.data.tables.files import TABLE_SUFFIXES
from layerwise.data.text.language_modeling import is_long_text
from layerwise.data.text.translation import SUFFIXES as PAIR_SUFFIXES
from layerwise.data.text.translation import PairPreprocessing
from layerwise.errors import DataError


def load_labelled(data: str, preprocessing: Preprocessing, labels: Labels, config: DataConfig) -> Split:
    """Load samples to measure a trained network on, as it takes them.

    Parameters
    ----------
    data : str
        The name of a data set, of which the test part is taken, or a path, see `Preprocessing.read_labelled`.
    preprocessing : Preprocessing
        That of the network.
    labels : Labels
        What the network answers.
    config : DataConfig
        How its own data was divided.

    Raises
    ------
    NotFoundError
        Nothing is called so.
    DataError
        It is of another kind, task, shape or language, or has other classes.
    """
    if data in SOURCES and SOURCES[data].task != labels.task:
        raise DataError(
            f"{data} is for {SOURCES[data].task}, and {labels.owner} learned {labels.task}; give data for that."
        )
    _check_kind(data, preprocessing, labels)
    path = Path(data)
    is_readable = path.is_dir() if preprocessing.kind == "images" else path.exists()
    if data not in SOURCES and (is_readable or preprocessing.kind in ("table", "pairs", "text")):
        return preprocessing.read_labelled(path, labels)
    return _encode_known(data, preprocessing, labels, config)


def _encode_known(data: str, preprocessing: Preprocessing, labels: Labels, config: DataConfig) -> Split:
    """Encode the test part of a data set that has a name."""
    if isinstance(preprocessing, PairPreprocessing):
        _check_languages(data, preprocessing, labels)
    if isinstance(preprocessing, ImagePreprocessing) and labels.task != "segmentation":
        config = replace(config, image_size=preprocessing.width)
    if isinstance(preprocessing, SeriesPreprocessing) and preprocessing.is_window:
        config = replace(config, window=preprocessing.length, horizon=labels.output_count)
    raw, name = read_raw(replace(config, data=data), print)
    if data not in SOURCES:
        raise DataError(f"{data} is not what {labels.owner} was trained on; give {WITH_ARTICLE[preprocessing.kind]}.")
    split, classes = encode_test_part(raw, name, config, preprocessing)
    _check_shape(data, split, preprocessing, labels)
    return split if preprocessing.kind == "table" else labels.number(split, classes, data)


def _check_languages(data: str, preprocessing: PairPreprocessing, labels: Labels) -> None:
    """Refuse pairs of other languages before they are fetched; data sets are called by their languages."""
    languages = tuple(data.split("-"))
    if languages != preprocessing.languages:
        there, here = (" to ".join(names) for names in (languages, preprocessing.languages))
        raise DataError(f"{data} is from {there}, and {labels.owner} learned {here}; give pairs of these languages.")


def _check_shape(data: str, split: Split, preprocessing: Preprocessing, labels: Labels) -> None:
    """Refuse pictures of other colours or sizes, and series of other channels."""
    found, expected = tuple(split.inputs[torch.arange(min(1, len(split)))].shape[1:]), preprocessing.input_shape
    is_fixed = preprocessing.kind in ("images", "table", "bag_of_words")
    if (is_fixed and found != expected) or (preprocessing.kind == "series" and found[1:] != expected[1:]):
        raise DataError(
            f"{data} gives samples of shape {found}, and {labels.owner} takes {expected}; give data of the kind that "
            "it was trained on."
        )


def _check_kind(data: str, preprocessing: Preprocessing, labels: Labels) -> None:
    """Refuse data whose name tells that it is of another kind."""
    kind = _guess_kind(data)
    takes_tables = preprocessing.kind in ("series", "bag_of_words", "characters")
    is_table_of_kind = kind == "table" and takes_tables and data not in SOURCES
    is_folder = preprocessing.kind == "images" and Path(data).is_dir()
    if kind and kind != preprocessing.kind and not is_table_of_kind and not is_folder:
        raise DataError(
            f"{data} is {WITH_ARTICLE[kind]}, and {labels.owner} was trained on {WITH_ARTICLE[preprocessing.kind]}; "
            "give data of that kind."
        )


def _guess_kind(data: str) -> Kind | None:
    if data in SOURCES:
        return SOURCES[data].kind
    if data.lower().endswith(PAIR_SUFFIXES):
        return "pairs"
    if is_long_text(Path(data)):
        return "text"
    if Path(data).is_dir():
        return "images"
    return "table" if data.lower().endswith(TABLE_SUFFIXES) else None
