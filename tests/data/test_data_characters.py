"""Characters as tokens, and names that are read from Python files without running them."""

from __future__ import annotations

import sys
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data.build import build
from layerwise.data.config import DataConfig
from layerwise.data.loading import preprocessing_from_json
from layerwise.data.raw import RawCharacters
from layerwise.data.sources import names as source
from layerwise.data.text.characters import FIRST, UNKNOWN, CharacterPreprocessing
from layerwise.errors import DataError

texts = st.lists(st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), min_size=1), min_size=1, max_size=6)


@given(texts)
def test_training_texts_are_coded_without_loss(written: list[str]) -> None:
    fitted = CharacterPreprocessing.fit(written)
    coded = fitted.encode(written, written)
    back = ["".join(fitted.characters[number - FIRST] for number in row if number) for row in coded.tolist()]
    assert back == [unicodedata.normalize("NFC", text) for text in written]
    assert fitted.input_shape == (coded.shape[1], FIRST + len(fitted.characters))
    assert coded.max() < fitted.input_shape[1]


def test_a_character_that_training_did_not_see_is_known_as_unknown() -> None:
    fitted = CharacterPreprocessing.fit(["ab"])
    assert fitted.encode(["bxa", "a"], ["", ""]).tolist() == [[3, UNKNOWN, 2], [2, 0, 0]]


def test_a_letter_is_the_same_however_its_accent_is_written() -> None:
    fitted = CharacterPreprocessing.fit(["José"])
    assert fitted.encode(["José"], ["x"]).tolist() == fitted.encode(["José"], ["x"]).tolist()
    assert UNKNOWN not in fitted.encode(["José"], ["x"])


@pytest.mark.parametrize("text", ["", "  ", "\t\n"])
def test_an_empty_text_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(DataError, match=r"line 3 is empty; there is nothing to read in it"):
        CharacterPreprocessing.fit(["ab"]).encode(["a", text], ["line 2", "line 3"])


def test_new_texts_are_read_line_by_line(tmp_path: Path) -> None:
    fitted = CharacterPreprocessing.fit(["ab"])
    (tmp_path / "new.txt").write_text("ab\n\nba\n", encoding="utf-8")
    inputs, ids = fitted.read(tmp_path / "new.txt")
    assert (inputs.tolist(), ids) == ([[2, 3], [3, 2]], ["ab", "ba"])
    (tmp_path / "none.txt").write_text("\n \n", encoding="utf-8")
    with pytest.raises(DataError, match=r"none\.txt"):
        fitted.read(tmp_path / "none.txt")


def test_characters_are_learned_from_the_training_split_alone() -> None:
    written = [f"{chr(0x100 + number)}x" for number in range(40)]  # each text has a character of its own
    dataset = build(RawCharacters(written, ["a", "b"] * 20, "made"), "texts", DataConfig(), seed=1)
    assert isinstance(dataset.preprocessing, CharacterPreprocessing)
    assert set(dataset.preprocessing.characters) == {letter for text in dataset.train.ids for letter in text}
    assert dataset.test.inputs[:, 0].unique().tolist() == [UNKNOWN]
    assert preprocessing_from_json(dataset.preprocessing.to_json()) == dataset.preprocessing


MODULE = """
raise SystemExit("this file was run")
class Provider:
    first_names_male = ("Ada", "Jose\\u0301", "Ada")
    first_names: tuple[str, ...] = first_names_male
    last_names = OrderedDict([("Berg", 0.5), ("Dahl", 0.25)])
    formats = ("{{last_name}}",)
"""


def test_names_are_read_as_text_and_never_run() -> None:
    before = set(sys.modules)
    assert list(source.find_names(MODULE)) == ["Ada", "José", "Ada", "Berg", "Dahl"]
    assert not any(name.split(".")[0] == "faker" for name in set(sys.modules) - before)


def test_a_name_of_two_languages_belongs_to_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small package of the same layout stands for the real one, which the test of the network reads."""
    own = source.LANGUAGES
    with zipfile.ZipFile(tmp_path / source.WHEEL.name, "w") as archive:
        for locale, language in own.items():
            text = f"first_names = ('{language}a', 'Maria')\nlast_names = ('{language}b',)\n"
            archive.writestr(f"faker/providers/person/{locale}/__init__.py", text)
    monkeypatch.setattr(source, "fetch", lambda *_: tmp_path)
    found = source.names()
    assert Counter(found.labels) == dict.fromkeys(own.values(), 2)
    assert sorted(found.texts) == sorted(language + end for language in own.values() for end in "ab")
    with zipfile.ZipFile(tmp_path / source.WHEEL.name, "w") as archive:
        archive.writestr("faker/providers/person/en_US/__init__.py", "first_names = ('Ada',)")
    with pytest.raises(DataError, match=r"lacks names of .*German.*; get it anew"):
        source.names()


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2500])
def test_of_many_names_a_thousand_are_taken_from_all_over_the_list(count: int) -> None:
    listed = [str(number) for number in range(count)]
    taken = source.spread(listed)
    assert len(taken) == len(set(taken)) == min(count, source.AT_MOST)
    if taken:
        assert int(taken[0]) == 0
        assert int(taken[-1]) >= count - 1 - count / source.AT_MOST
