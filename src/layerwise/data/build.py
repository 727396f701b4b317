"""From raw samples to a data set: split, limit, fit on the training part, encode, look over; once, for all kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Preprocessing, Split
from layerwise.data.images.kind import ImageData, MaskData
from layerwise.data.kind import DataKind, Values
from layerwise.data.raw import (
    Parts,
    RawCharacters,
    RawData,
    RawDocuments,
    RawForecast,
    RawImages,
    RawMasks,
    RawPairs,
    RawSeries,
    RawTable,
    RawTaggedText,
    RawText,
)
from layerwise.data.series.forecast import ForecastData
from layerwise.data.series.kind import SeriesData
from layerwise.data.tables.files import TableFile
from layerwise.data.tables.kind import TableData
from layerwise.data.text.bag_of_words import BagOfWordsData
from layerwise.data.text.characters import CharacterData
from layerwise.data.text.language_modeling import TextData
from layerwise.data.text.sequence_tagging import TaggedTextData
from layerwise.data.text.translation import PairData

KINDS: dict[type, DataKind[Any, Any, Any]] = {  # a path is of the first kind that accepts it
    RawText: TextData(),
    RawMasks: MaskData(),
    RawImages: ImageData(),
    RawSeries: SeriesData(),
    RawPairs: PairData(),
    RawForecast: ForecastData(),
    RawTable: TableData(),
    TableFile: TableData(),
    RawDocuments: BagOfWordsData(),
    RawCharacters: CharacterData(),
    RawTaggedText: TaggedTextData(),
}


def build(raw: Any, name: str, config: DataConfig | None = None, seed: int = 0) -> Dataset:
    """Make a data set of raw samples.

    Parameters
    ----------
    raw : RawData
        Samples of any kind in `KINDS`.
    name : str
        What the data set is called.
    config : DataConfig, optional
        How it is divided and limited.
    seed : int
        Decides what chance decides.

    Returns
    -------
    Dataset
        Its preprocessing was fitted to the training split alone.

    Raises
    ------
    DataError
        The samples cannot be used; the sentence names the row, column or class.
    UsageError
        An option does not suit this kind of data.
    """
    config = config or DataConfig(data=name)
    kind = KINDS[type(raw)]
    raw = kind.prepare(raw, name, config)
    with kind.naming_errors(raw):
        divided = kind.split(raw, config, seed)
        train, valid, test = (kind.cut(part, config) for part in (divided.train, divided.valid, divided.test))
        parts = Parts(kind.limit(train, config, seed), valid, test)
        preprocessing, fit_notices = kind.fit(parts.train, config)
        splits = kind.encode_parts(preprocessing, parts, config, seed)
        dataset = _assemble(name, raw, preprocessing, splits, kind.values(preprocessing, raw))
        found = kind.look_over(dataset, parts, config)
        return replace(dataset, notices=(*raw.notices, *fit_notices, *found))


def _assemble(name: str, raw: RawData, preprocessing: Preprocessing, splits: Parts[Split], values: Values) -> Dataset:
    return Dataset(
        name=name,
        kind=preprocessing.kind,
        task=raw.task,
        train=splits.train,
        valid=splits.valid,
        test=splits.test,
        preprocessing=preprocessing,
        classes=raw.classes,
        target_names=values.names,
        target_means=values.means,
        target_deviations=values.deviations,
        source=raw.source,
    )


def encode_test_part(
    raw: Any, name: str, config: DataConfig, preprocessing: Preprocessing, seed: int = 0
) -> tuple[Split, tuple[str, ...]]:
    """Return the test part of raw samples, encoded by a preprocessing of their kind that was fitted to others.

    Returns
    -------
    split : Split
    classes : tuple of str
        Those of the raw samples, by which class numbers among the targets are counted.
    """
    kind = KINDS[type(raw)]
    raw = kind.prepare(raw, name, config)
    with kind.naming_errors(raw):
        test = kind.cut(kind.split(raw, config, seed).test, config)
        return kind.encode(preprocessing, test), raw.classes
