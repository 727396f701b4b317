"""Every preprocessing reads a path, the bytes of a file, and values in memory, and all three give the same bits."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from layerwise.data.dataset import Labels, Preprocessing, Split
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.data.loading import PREPROCESSINGS, preprocessing_from_json
from layerwise.data.series.preprocessing import SeriesPreprocessing
from layerwise.data.tables.preprocessing import TablePreprocessing, fit_columns
from layerwise.data.tables.targets import TargetColumn
from layerwise.data.tables.types import ColumnType
from layerwise.data.text.bag_of_words import fit_bag_of_words
from layerwise.data.text.characters import CharacterPreprocessing
from layerwise.data.text.language_modeling import TextPreprocessing
from layerwise.data.text.tokenizer import LEAST_SIZE, Tokenizer
from layerwise.data.text.translation import PairPreprocessing
from layerwise.errors import DataError, NotFoundError, UsageError

SERIES = [np.linspace(0, 1, 10, dtype=np.float32).reshape(5, 2), np.linspace(2, 3, 6, dtype=np.float32).reshape(3, 2)]
TEXTS = ["red cars are fast", "blue cars are slow", "red boats are slow"]
ROWS = [
    {"age": 20.5, "city": "Oslo", "member": True, "bought": "yes"},
    {"age": None, "city": "Rome", "member": False, "bought": "no"},
    {"age": 31.0, "city": None, "member": True, "bought": "no"},
]
PAIRS = [("red car", "auto rouge"), ("blue car", "auto bleue")]
CLASSES = Labels("classification", ("no", "yes"), 2)


class Case(NamedTuple):
    """A preprocessing, and the same samples three times: bytes with their name, and values."""

    preprocessing: Preprocessing
    name: str
    content: bytes
    values: Any


class LabelledCase(NamedTuple):
    preprocessing: Preprocessing
    name: str
    content: bytes
    values: Any
    labels: Labels


def picture(side: int = 9, channels: int = 3) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 256, (side, side, channels), np.uint8)
    return values if channels == 3 else values[..., 0]


def png(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()


def csv(rows: list[dict[str, Any]]) -> bytes:
    return pl.DataFrame(rows).write_csv().encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pl.DataFrame(rows).write_parquet(stream)
    return stream.getvalue()


def ts(labels: list[str]) -> bytes:
    lines = ["@classLabel true no yes", "@data"]
    for steps, label in zip(SERIES, labels, strict=True):
        lines.append(":".join([*(",".join(map(repr, channel.tolist())) for channel in steps.T), label]))
    return "\n".join(lines).encode()


def images(channels: int = 3, side: int = 6) -> ImagePreprocessing:
    return ImagePreprocessing(channels, side, side, (0.4,) * channels, (0.2,) * channels)


def table() -> TablePreprocessing:
    types = {"age": ColumnType("number"), "city": ColumnType("text"), "member": ColumnType("boolean")}
    frame = pl.DataFrame({"age": [20.5, 31.0], "city": ["Oslo", "Rome"], "member": [True, False]})
    columns, _ = fit_columns([frame], types)
    return TablePreprocessing(columns, TargetColumn("bought", "classification", ColumnType("text"), ("no", "yes")))


def series() -> SeriesPreprocessing:
    return SeriesPreprocessing(("a", "b"), 5, (0.5, 0.5), (2.0, 2.0))


def windows() -> SeriesPreprocessing:
    return SeriesPreprocessing(("a", "b"), 3, (0.5, 0.5), (2.0, 2.0), is_window=True)


def steps() -> list[dict[str, float]]:
    return [{"a": float(a), "b": float(b)} for a, b in SERIES[0]]


def pairs() -> PairPreprocessing:
    pytest.importorskip("tokenizers")
    sources, targets = zip(*PAIRS, strict=True)
    return PairPreprocessing.fit(sources, targets, ("english", "french"), LEAST_SIZE)


def long_text() -> TextPreprocessing:
    pytest.importorskip("tokenizers")
    return TextPreprocessing(Tokenizer.train(TEXTS, LEAST_SIZE), 4)


CASES: dict[str, Callable[[], Case]] = {
    "images": lambda: Case(images(), "a.png", png(picture()), picture()),
    "images by Pillow": lambda: Case(images(), "a.png", png(picture()), Image.fromarray(picture())),
    "grey images": lambda: Case(images(1), "a.png", png(picture(channels=1)), [picture(channels=1)]),
    "table": lambda: Case(table(), "a.csv", csv(ROWS), ROWS),
    "table in Parquet": lambda: Case(table(), "a.parquet", parquet(ROWS), pl.DataFrame(ROWS)),
    "row of a table": lambda: Case(table(), "a.csv", csv(ROWS[:1]), ROWS[0]),
    "array of a table": lambda: Case(
        table(), "a.csv", csv(ROWS), np.array([[row[name] for name in ("age", "city", "member")] for row in ROWS])
    ),
    "bag_of_words": lambda: Case(fit_bag_of_words(TEXTS), "a.txt", TEXTS[0].encode(), TEXTS[:1]),
    "bag_of_words of a table": lambda: Case(
        fit_bag_of_words(TEXTS), "a.csv", csv([{"text": text} for text in TEXTS]), TEXTS
    ),
    "characters": lambda: Case(CharacterPreprocessing.fit(TEXTS), "a.txt", "\n".join(TEXTS).encode(), TEXTS),
    "pairs": lambda: Case(pairs(), "a.txt", b"red car\nblue", ["red car", "blue"]),
    "series": lambda: Case(series(), "a.ts", ts(["no", "yes"]), SERIES),
    "series of a table": lambda: Case(series(), "a.csv", csv(steps()), SERIES[0]),
    "windows": lambda: Case(windows(), "a.csv", csv(steps()), steps()),
}
LABELLED: dict[str, Callable[[], LabelledCase]] = {
    "table": lambda: LabelledCase(table(), "a.csv", csv(ROWS), ROWS, CLASSES),
    "bag_of_words": lambda: LabelledCase(
        fit_bag_of_words(TEXTS),
        "a.csv",
        csv([{"text": text, "label": label} for text, label in zip(TEXTS, ("no", "yes", "no"), strict=True)]),
        list(zip(TEXTS, ("no", "yes", "no"), strict=True)),
        CLASSES,
    ),
    "characters": lambda: LabelledCase(
        CharacterPreprocessing.fit(TEXTS),
        "a.csv",
        csv([{"text": text, "label": label} for text, label in zip(TEXTS, ("no", "yes", "no"), strict=True)]),
        list(zip(TEXTS, ("no", "yes", "no"), strict=True)),
        CLASSES,
    ),
    "pairs": lambda: LabelledCase(
        pairs(),
        "a.pairs.tsv",
        "\n".join("\t".join(pair) for pair in [("english", "french"), *PAIRS]).encode(),
        PAIRS,
        Labels("translation"),
    ),
    "text": lambda: LabelledCase(
        long_text(), "a.txt", TEXTS[0].encode(), TEXTS[:1], Labels("language_modeling")
    ),
    "series": lambda: LabelledCase(
        series(), "a.ts", ts(["yes", "no"]), list(zip(SERIES, ("yes", "no"), strict=True)), CLASSES
    ),
    "windows": lambda: LabelledCase(
        windows(), "a.csv", csv(steps()), SERIES[0], Labels("regression", output_count=2)
    ),
}  # fmt: skip


def test_every_kind_is_tested() -> None:
    kinds = {name.split()[0] for name in CASES} | {name.split()[0] for name in LABELLED} | {"grey", "row", "array"}
    assert set(PREPROCESSINGS) <= kinds


@pytest.mark.parametrize("name", CASES)
def test_a_path_its_bytes_and_its_values_give_the_same_bits(name: str, tmp_path: Path) -> None:
    preprocessing, file, content, values = CASES[name]()
    (tmp_path / file).write_bytes(content)
    prepared = []
    for source, called in ((tmp_path / file, ""), (str(tmp_path / file), ""), (content, file), (values, "")):
        inputs, ids = preprocessing.read(source, called)
        assert len(inputs) == len(ids) == len(set(ids))
        prepared.append(preprocessing.transform(inputs))
    assert prepared[0].shape[2:] == preprocessing.input_shape[1:] or prepared[0].dtype == torch.int64
    for other in prepared[1:]:
        assert other.dtype == prepared[0].dtype
        assert torch.equal(other.nan_to_num(nan=-9), prepared[0].nan_to_num(nan=-9))


@pytest.mark.parametrize("name", CASES)
def test_bytes_without_a_name_are_told_by_their_content(name: str, tmp_path: Path) -> None:
    preprocessing, file, content, _ = CASES[name]()
    if name == "bag_of_words of a table":
        pytest.skip("a CSV file without its name is a text")
    (tmp_path / file).write_bytes(content)
    expected, found = preprocessing.read(tmp_path / file)[0], preprocessing.read(content)[0]
    assert torch.equal(found.nan_to_num(), expected.nan_to_num())


def same(split: Split, other: Split) -> bool:
    inputs, others = (part.inputs[torch.arange(len(part))].nan_to_num() for part in (split, other))
    return torch.equal(inputs, others) and torch.equal(split.targets, other.targets)


@pytest.mark.parametrize("name", LABELLED)
def test_labelled_samples_come_by_the_same_door(name: str, tmp_path: Path) -> None:
    preprocessing, file, content, values, labels = LABELLED[name]()
    (tmp_path / file).write_bytes(content)
    split = preprocessing.read_labelled(tmp_path / file, labels)
    assert len(split) == len(split.ids) > 0
    assert same(preprocessing.read_labelled(content, labels, file), split)
    assert same(preprocessing.read_labelled(values, labels), split)


def test_labelled_pictures_are_a_folder_or_pairs_numbered_as_the_network_was_trained(tmp_path: Path) -> None:
    for number, name in enumerate(("yes", "no")):
        (tmp_path / name).mkdir()
        Image.fromarray(picture(side=7 + number)).save(tmp_path / name / "1.png")
    split = images().read_labelled(tmp_path, CLASSES)
    assert split.targets.tolist() == [0, 1]
    assert same(images().read_labelled([(picture(8), "no"), (picture(7), "yes")], CLASSES), split)
    with pytest.raises(DataError, match="has the class 'yes', which the network was not trained on"):
        images().read_labelled(tmp_path, Labels("classification", ("no", "maybe")))


def test_labelled_masks_are_a_folder_or_pairs_cut_into_tiles(tmp_path: Path) -> None:
    mask = np.random.default_rng(1).integers(0, 2, (9, 9), np.uint8)
    for folder, values in (("pictures", picture(9)), ("masks", mask)):
        (tmp_path / folder).mkdir()
        Image.fromarray(values).save(tmp_path / folder / "1.png")
    (tmp_path / "classes.txt").write_text("no\nyes\n")
    labels = Labels("segmentation", ("yes", "no"), 2)
    split = images().read_labelled(tmp_path, labels)
    assert split.targets.shape == (4, 6, 6)
    assert torch.equal(split.targets[0], torch.from_numpy(1 - mask[:6, :6]))
    assert same(images().read_labelled([(picture(9), 1 - mask)], labels), split)


def test_texts_with_a_class_at_each_character_are_numbered_as_the_network_was_trained() -> None:
    fitted, labels = CharacterPreprocessing("abc", 4), Labels("sequence_tagging", ("vowel", "other"), 2)
    split = fitted.read_labelled([("ab", ["vowel", "other"]), ("cba", ["other", "other", "vowel"])], labels)
    assert split.inputs[torch.arange(2)].tolist() == [[2, 3, 0], [4, 3, 2]]
    assert split.targets.tolist() == [[0, 1, -1], [1, 1, 0]]
    for odd in ([("ab", ["vowel"])], [("a", ["digit"])], ["ab"]):
        with pytest.raises(DataError):
            fitted.read_labelled(odd, labels)


@pytest.mark.parametrize("name", CASES)
def test_what_is_no_sample_gets_one_sentence(name: str, tmp_path: Path) -> None:
    preprocessing, file, *_ = CASES[name]()
    for source in (3, [], [3.5, object()], {}, np.zeros((1, 2, 3, 4, 5)), [None], b""):
        if isinstance(source, bytes) and preprocessing.kind == "bag_of_words":  # an empty message is one
            continue
        with pytest.raises(DataError) as refusal:
            preprocessing.read(source)
        assert "\n" not in str(refusal.value), refusal.value
        with pytest.raises(DataError):
            preprocessing.read_labelled(source, CLASSES)
    with pytest.raises(NotFoundError, match="does not exist"):
        preprocessing.read(tmp_path / file)


def test_a_text_that_is_gone_on_with_has_no_answer() -> None:
    with pytest.raises(UsageError, match=r"has no answer for a\.txt"):
        long_text().read(b"red", "a.txt")


@pytest.mark.parametrize("name", CASES)
def test_what_is_saved_reads_the_same(name: str) -> None:
    preprocessing, _, _, values = CASES[name]()
    again = preprocessing_from_json(preprocessing.to_json())
    assert again == preprocessing
    assert torch.equal(again.read(values)[0].nan_to_num(), preprocessing.read(values)[0].nan_to_num())


@pytest.mark.parametrize("name", CASES)
def test_a_saved_field_that_holds_something_else_is_refused(name: str) -> None:
    saved = CASES[name]()[0].to_json()
    for field in saved:
        for value in ({"odd": object()}, [object()], math.nan):
            with pytest.raises((KeyError, TypeError, ValueError)):
                preprocessing_from_json({**saved, field: value})
        with pytest.raises((KeyError, TypeError)):
            preprocessing_from_json({key: value for key, value in saved.items() if key != field})
