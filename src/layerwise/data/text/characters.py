"""Short texts as rows of characters: each character that training saw has a number.

Compact samples are (n, longest) int64, padded behind the end by 0; 1 stands for every character that training did not
see. Texts are compared in the Unicode form NFC.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Kind, Labels, Notice, Split
from layerwise.data.inputs import Source, label_source, split_pairs
from layerwise.data.json_checks import from_plain, to_plain
from layerwise.data.kind import DataKind
from layerwise.data.raw import RawCharacters
from layerwise.data.text.files import read_labelled_texts, read_lines
from layerwise.errors import DataError

UNKNOWN = 1
NOT_TOLD = -1  # the target of padding
FIRST = 2  # the number of the first known character


@dataclass(frozen=True)
class CharacterPreprocessing:
    """Short texts as the numbers of their characters.

    Parameters
    ----------
    characters : str
        Those of the training texts, in the order of their numbers, from 2 on.
    length : int
        Characters of the longest training text.

    Examples
    --------
    >>> fitted = CharacterPreprocessing.fit(["abba", "bad"])
    >>> fitted.read(["dad", "ab!"])[0]
    tensor([[4, 2, 4],
            [2, 3, 1]])
    """

    characters: str
    length: int
    kind: Kind = "characters"

    @classmethod
    def fit(cls, texts: Sequence[str]) -> CharacterPreprocessing:
        """Learn the characters of the training texts."""
        normal = [unicodedata.normalize("NFC", text) for text in texts]
        return cls("".join(sorted(set().union(*normal))), max(map(len, normal)))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.length, FIRST + len(self.characters))

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each known character."""
        return {character: FIRST + place for place, character in enumerate(self.characters)}

    def encode(self, texts: Sequence[str], names: Sequence[str]) -> Tensor:
        """Return the numbers of texts, (n, longest) int64. Raises DataError, by its name, for an empty text."""
        rows = []
        for text, name in zip(texts, names, strict=True):
            normal = unicodedata.normalize("NFC", text).strip()
            if not normal:
                raise DataError(f"{name} is empty; there is nothing to read in it.")
            rows.append(torch.tensor([self.numbers.get(character, UNKNOWN) for character in normal]))
        return pad_sequence(rows, batch_first=True)

    def encode_tagged(self, texts: Sequence[str], tags: Sequence[Sequence[int]], ids: Sequence[str]) -> Split:
        """Return texts with a class at each character, as they are: inputs and targets (n, longest) int64.

        Behind the end of a text there is 0 among the inputs and -1 among the targets.
        """
        if not texts:
            return Split(torch.empty(0, 1, dtype=torch.int64), torch.empty(0, 1, dtype=torch.int64), [])
        rows = [torch.tensor([self.numbers.get(character, UNKNOWN) for character in text]) for text in texts]
        targets = [torch.tensor(list(one)) for one in tags]
        return Split(
            pad_sequence(rows, batch_first=True),
            pad_sequence(targets, batch_first=True, padding_value=NOT_TOLD),
            list(ids),
        )

    def transform(self, inputs: Tensor) -> Tensor:
        """Return the numbers as they are; networks embed them."""
        return inputs

    def read(self, source: Source, name: str = "") -> tuple[Tensor, list[str]]:
        """Read short texts as the numbers of their characters.

        Parameters
        ----------
        source : str, Path, bytes, list of str, or the rows of a table
            A .txt file with a text a line, a folder of texts, or a table with a column 'text'; a list of texts.
        name : str
            What the bytes are called, such as 'names.txt'.

        Returns
        -------
        numbers : Tensor, (texts, longest) int64
            0 behind the end of a text, 1 for a character that training did not see.
        ids : list of str

        Raises
        ------
        NotFoundError, DataError
            There is no such file, or it holds no text.
        """
        texts, ids, places = read_lines(source, "text", name)
        return self.encode(texts, places), ids

    def read_labelled(self, source: Source, labels: Labels, name: str = "") -> Split:
        """Read texts with their classes; see `Preprocessing.read_labelled`.

        A table with a column of texts and a column 'label', or a list of (text, label); where each character has a
        class, a list of (text, names of its classes).
        """
        if labels.task == "sequence_tagging":
            return self._read_tagged(source, labels)
        (texts, ids, places), names = read_labelled_texts(source, "text", name)
        return Split(self.encode(texts, places), labels.encode(names, label_source(source, name)), ids)

    def _read_tagged(self, source: Source, labels: Labels) -> Split:
        texts, tagged = split_pairs(source, "(text, names of the classes of its characters)")
        ids = [f"text {number}" for number in range(1, len(texts) + 1)]
        for text, tags, one in zip(texts, tagged, ids, strict=True):
            if not isinstance(text, str) or not text or not isinstance(tags, list | tuple) or len(tags) != len(text):
                raise DataError(f"{one}: expected a text with the name of a class for each character, one at least.")
        numbers = [labels.encode(tags, one).tolist() for tags, one in zip(tagged, ids, strict=True)]
        return self.encode_tagged(texts, numbers, ids)

    def to_json(self) -> dict[str, Any]:
        return to_plain(self)

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> CharacterPreprocessing:
        """Rebuild what `to_json` gave."""
        return from_plain(CharacterPreprocessing, saved)


class CharacterData(DataKind[RawCharacters, RawCharacters, CharacterPreprocessing]):
    """Labelled short texts as rows of characters; data sets by name."""

    def fit(self, train: RawCharacters, config: DataConfig) -> tuple[CharacterPreprocessing, tuple[Notice, ...]]:
        return CharacterPreprocessing.fit(train.texts), ()

    def encode(self, preprocessing: CharacterPreprocessing, samples: RawCharacters) -> Split:
        texts = list(samples.texts)
        inputs = preprocessing.encode(texts, texts) if texts else torch.empty(0, 1, dtype=torch.int64)
        return Split(inputs, samples.targets, texts)
