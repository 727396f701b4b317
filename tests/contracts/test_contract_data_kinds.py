"""Every kind of data is built by one function, and its preprocessing is fitted to the training part alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from layerwise.data.build import KINDS, build
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Split
from layerwise.data.images.mask_folders import scan_masks
from layerwise.data.raw import (
    RawCharacters,
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
from layerwise.data.tables.files import TableFile, survey_frame

COUNT = 40
LABELS = ["no", "yes"] * (COUNT // 2)
WORDS = ("red", "blue", "green", "house", "boat", "the", "a", "old", "new", "small")


def sentence(number: int) -> str:
    chance = np.random.default_rng(number)
    return f"{' '.join(chance.choice(WORDS, 6))} {number}"


TEXTS = [sentence(number) for number in range(COUNT)]


def frame() -> pl.DataFrame:
    chance = np.random.default_rng(0)
    x, word = chance.normal(size=COUNT), [WORDS[number % 3] for number in range(COUNT)]
    return pl.DataFrame({"x": x, "word": word, "y": LABELS})


def images() -> RawImages:
    pictures = torch.randint(0, 200, (COUNT, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return RawImages(Split(pictures, torch.arange(COUNT) % 2, list(map(str, range(COUNT)))), ("no", "yes"), "made")


def masks() -> RawMasks:
    chance = np.random.default_rng(0)
    pictures = [chance.integers(0, 200, (1, 6, 6), np.uint8) for _ in range(COUNT)]
    return RawMasks(TEXTS, pictures, [picture[0] % 2 for picture in pictures], ("no", "yes"), "made", 4, 1)


def series() -> RawSeries:
    chance = np.random.default_rng(0)
    steps = [chance.normal(size=(5, 2)).astype(np.float32) for _ in range(COUNT)]
    return RawSeries(steps, LABELS, ("a", "b"), "made")


def forecast() -> RawForecast:
    chance = np.random.default_rng(0)
    values = pl.DataFrame({"when": np.arange(COUNT), "sold": chance.normal(size=COUNT)})
    return RawForecast(values, "sold", "when", "made", 3, 2)


def text() -> RawText:
    return RawText({f"{number}.txt": one * 4 for number, one in enumerate(TEXTS)}, "made")


def tagged() -> RawTaggedText:
    texts = {f"{number}.txt": (one, [number % 2] * len(one)) for number, one in enumerate(TEXTS)}
    return RawTaggedText(texts, ("no", "yes"), "made", frozenset(["3.txt", "8.txt"]))


MADE: dict[type, Callable[[], Any]] = {
    RawText: text,
    RawMasks: masks,
    RawImages: images,
    RawSeries: series,
    RawPairs: lambda: RawPairs(TEXTS, [one.upper() for one in TEXTS], ("english", "loud"), "made"),
    RawForecast: forecast,
    RawTable: lambda: RawTable(frame(), "y", None, "made"),
    TableFile: lambda: survey_frame(frame(), "made"),
    RawDocuments: lambda: RawDocuments(TEXTS, LABELS, [f"{number}.txt" for number in range(COUNT)], "made"),
    RawCharacters: lambda: RawCharacters(TEXTS, LABELS, "made"),
    RawTaggedText: tagged,
}


def built(raw: Any, **options: Any) -> Dataset:
    if isinstance(raw, RawText | RawPairs):
        pytest.importorskip("tokenizers")
        options |= {"vocabulary": 262} | ({"window": 8} if isinstance(raw, RawText) else {})
    target = "y" if isinstance(raw, TableFile) else None
    return build(raw, "made", DataConfig(data="made", target=target, **options), seed=1)


def test_every_kind_is_tested() -> None:
    assert set(MADE) == set(KINDS)


@pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.__name__)
def test_a_kind_is_divided_with_no_sample_in_two_parts(kind: type) -> None:
    dataset = built(MADE[kind]())
    parts = [set(split.ids) for split in (dataset.train, dataset.valid, dataset.test)]
    assert all(parts)
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert dataset.preprocessing.transform(dataset.train.take(torch.arange(2))[0]).shape[0] == 2


@pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.__name__)
def test_a_limit_leaves_so_many_training_samples_and_the_same_others(kind: type) -> None:
    whole, limited = built(MADE[kind]()), built(MADE[kind](), limit=8)
    assert len(limited.train) == 8
    assert set(limited.train.ids) <= set(whole.train.ids)
    assert list(limited.test.ids) == list(whole.test.ids)
    assert list(limited.valid.ids) == list(whole.valid.ids)


@pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.__name__)
def test_what_is_held_out_changes_nothing_of_the_preprocessing(kind: type) -> None:
    raw = MADE[kind]()
    before = built(raw)
    held_out = set(before.valid.ids) | set(before.test.ids)
    after = built(with_other_samples(raw, held_out))
    assert after.preprocessing.to_json() == before.preprocessing.to_json()
    assert torch.equal(after.train.take(torch.arange(len(after.train)))[0], before.train.take(
        torch.arange(len(before.train)))[0])  # fmt: skip
    assert not torch.equal(after.test.inputs[torch.arange(2)], before.test.inputs[torch.arange(2)])


def with_other_samples(raw: Any, ids: set[str]) -> Any:
    """Return the same samples with others in place of those that were held out."""
    if isinstance(raw, RawImages):
        pictures = raw.train.inputs.clone()  # type: ignore[union-attr]
        pictures[[int(one) for one in ids]] = 255
        return replace(raw, train=replace(raw.train, inputs=pictures))
    if isinstance(raw, RawMasks):
        held = {one.partition(" at ")[0] for one in ids}
        pictures = [p * 0 + 255 if one in held else p for one, p in zip(raw.names, raw.pictures, strict=True)]
        return replace(raw, pictures=pictures)
    if isinstance(raw, RawSeries):
        return replace(raw, series=[s + 9 if one in ids else s for one, s in zip(raw.ids, raw.series, strict=True)])
    if isinstance(raw, RawForecast):
        latest = min(map(int, ids))
        return replace(raw, frame=raw.frame.with_columns(sold=pl.when(pl.col("when") >= latest).then(99.0).otherwise("sold")))  # noqa: E501  # fmt: skip
    if isinstance(raw, RawTable | TableFile):
        rows = raw.frame if isinstance(raw, RawTable) else raw.rows.frame  # type: ignore[union-attr]
        held_rows = [int(one.split()[-1]) - 1 for one in ids]
        chosen = pl.Series(np.isin(np.arange(len(rows)), held_rows))
        other = rows.with_columns(x=pl.when(chosen).then(99.0).otherwise("x"))
        return replace(raw, frame=other) if isinstance(raw, RawTable) else survey_frame(other, "made")
    if isinstance(raw, RawText | RawTaggedText):
        held = {one.partition(",")[0] for one in ids}
        if isinstance(raw, RawTaggedText):
            texts = {name: ("§" * len(one[0]), one[1]) if name in held else one for name, one in raw.texts.items()}  # type: ignore[misc]
        else:
            texts = {name: f"§{name}" * 9 if name in held else one for name, one in raw.texts.items()}
        return replace(raw, texts=texts)
    if isinstance(raw, RawPairs):
        return replace(raw, sources=["ß" + one if one in ids else one for one in raw.sources])
    names = raw.ids if isinstance(raw, RawDocuments) else raw.texts
    return replace(raw, texts=["§§ ßß" if one in ids else text for one, text in zip(names, raw.texts, strict=True)])


def test_tiles_of_one_picture_come_into_one_part(tmp_path: Any) -> None:
    chance = np.random.default_rng(0)
    for folder in ("pictures", "masks"):
        (tmp_path / folder).mkdir()
        for number in range(9):
            values = chance.integers(0, 2 if folder == "masks" else 256, (8, 12), np.uint8)
            Image.fromarray(values).save(tmp_path / folder / f"{number}.png")
    dataset = build(scan_masks(tmp_path, 4), "made")
    parts = [{one.partition(" at ")[0] for one in split.ids} for split in (dataset.train, dataset.valid, dataset.test)]
    assert sum(map(len, parts)) == 9
    assert len(dataset.train) == len(parts[0]) * 6
