"""Labelled data for a network that is trained already: by the name of a data set, or by a path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from layerwise.data.catalogue import SOURCES, load_raw
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Kind, Labels, Preprocessing, Split
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.loading import load
from layerwise.data.raw import RawPairs, RawText
from layerwise.data.tables.files import TABLE_SUFFIXES
from layerwise.data.text.language_modeling import TextPreprocessing, is_long_text
from layerwise.data.text.translation import SUFFIXES as PAIR_SUFFIXES
from layerwise.data.text.translation import PairPreprocessing
from layerwise.errors import DataError

WITH_ARTICLE: dict[Kind, str] = {
    "images": "a set of pictures",
    "table": "a table",
    "bag_of_words": "a set of texts",
    "series": "a set of series",
    "characters": "a set of short texts",
    "pairs": "a table of pairs of texts (.pairs.tsv)",
    "text": "a long text",
}


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
    if data in SOURCES and isinstance(preprocessing, TextPreprocessing):
        raw = load_raw(data)
        assert isinstance(raw, RawText)
        return preprocessing.evaluation_split({name: raw.texts[name] for name in sorted(raw.test)})
    if data in SOURCES and isinstance(preprocessing, PairPreprocessing):
        return _known_pairs(data, preprocessing, labels)
    path = Path(data)
    is_readable = path.is_dir() if preprocessing.kind == "images" else path.exists()
    if data not in SOURCES and (is_readable or preprocessing.kind in ("table", "pairs", "text")):
        return preprocessing.read_labelled(path, labels)
    return _test_part(data, preprocessing, labels, config)


def _test_part(data: str, preprocessing: Preprocessing, labels: Labels, config: DataConfig) -> Split:
    is_resized = isinstance(preprocessing, ImagePreprocessing) and labels.task != "segmentation"
    side = preprocessing.input_shape[-1] if is_resized else None
    other = load(replace(config, data=data, image_size=side))
    if other.kind != preprocessing.kind or other.input_shape != preprocessing.input_shape:
        raise DataError(
            f"{data} gives samples of shape {other.input_shape}, and {labels.owner} takes "
            f"{preprocessing.input_shape}; give data of the kind that it was trained on."
        )
    return labels.number(other.test, other.classes, data)


def _known_pairs(data: str, preprocessing: PairPreprocessing, labels: Labels) -> Split:
    languages = tuple(data.split("-"))  # such data sets are called so
    if languages != preprocessing.languages:
        there, here = (" to ".join(names) for names in (languages, preprocessing.languages))
        raise DataError(f"{data} is from {there}, and {labels.owner} learned {here}; give pairs of these languages.")
    raw = load_raw(data)
    assert isinstance(raw, RawPairs)
    return preprocessing.encode_pairs(raw.test_sources, raw.test_targets)


def _check_kind(data: str, preprocessing: Preprocessing, labels: Labels) -> None:
    """Refuse data whose name tells that it is of another kind."""
    kind = _guess_kind(data)
    is_table_of_kind = kind == "table" and preprocessing.kind in ("series", "bag_of_words", "characters")
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
