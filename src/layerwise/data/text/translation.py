"""Texts of one language with their translations into another, as rows of byte pairs.

Both languages share one vocabulary, so that names, which are the same in both, are cut into the same tokens. Compact
samples are (n, longest) int64, padded behind the end by 0; targets end with END. Texts are in the Unicode form NFC.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Kind, Labels, Notice, Split
from layerwise.data.inputs import File, Source, label_source, open_source, split_pairs
from layerwise.data.json_checks import from_plain, to_plain
from layerwise.data.kind import DataKind
from layerwise.data.raw import RawPairs
from layerwise.data.tables.files import open_rows
from layerwise.data.text.files import read_lines
from layerwise.data.text.ibm_model1 import fit_ibm_model1
from layerwise.data.text.tokenizer import END, Tokenizer
from layerwise.errors import DataError

VOCABULARY_SIZE = 4000
SUFFIXES = (".pairs.tsv", ".pairs.csv")
LONGEST_NAME = 3  # words in the name of a language


@dataclass(frozen=True)
class PairPreprocessing:
    """Texts of two languages as rows of byte pairs.

    Parameters
    ----------
    tokenizer : Tokenizer
        Of both languages, learned from the training texts.
    length : int
        Tokens of the longest training source.
    languages : tuple of str
        The names of the two.
    words : mapping of str to str
        The likeliest translation of each word, as a plain translator to compare with would have it.
    """

    tokenizer: Tokenizer
    length: int
    languages: tuple[str, ...]
    words: Mapping[str, str]
    kind: Kind = "pairs"

    @classmethod
    def fit(
        cls, sources: Sequence[str], targets: Sequence[str], languages: tuple[str, str], size: int = VOCABULARY_SIZE
    ) -> PairPreprocessing:
        """Learn at most `size` tokens, and the words, of the training texts."""
        spaced = [f" {text}" for text in (*sources, *targets)]
        tokenizer = Tokenizer.train(spaced, size)
        length = max(map(len, tokenizer.encode(spaced[: len(sources)])))
        return cls(tokenizer, length, languages, fit_ibm_model1(sources, targets))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.length, len(self.tokenizer))

    @property
    def output_count(self) -> int:
        return len(self.tokenizer)

    def encode(self, texts: Sequence[str], names: Sequence[str]) -> Tensor:
        """Return the tokens of texts to translate, (n, longest) int64.

        Raises DataError, by its name, for an empty text and for one longer than all that were learned from.
        """
        rows = self.encode_sources(texts)
        for text, size, name in zip(texts, rows.ne(0).sum(1).tolist(), names, strict=True):
            if not normalise(text):
                raise DataError(f"{name} is empty; there is nothing to translate in it.")
            if size > self.length:
                raise DataError(
                    f"{name} has {size} tokens, and the longest text that the network learned from has {self.length}; "
                    "cut it into sentences."
                )
        return rows

    def encode_sources(self, texts: Sequence[str]) -> Tensor:
        """Return the tokens of texts to translate, however long they are, (n, longest) int64."""
        return pad_rows(self.tokenizer.encode([f" {normalise(text)}" for text in texts]))  # as any word within a text

    def encode_targets(self, texts: Sequence[str]) -> Tensor:
        """Return the tokens of translations, each with END behind it, (n, longest) int64."""
        return pad_rows([[*row, END] for row in self.tokenizer.encode([f" {normalise(text)}" for text in texts])])

    def encode_pairs(self, sources: Sequence[str], targets: Sequence[str]) -> Split:
        """Return pairs as a split; a text that is held out may be longer than all that were learned from."""
        return Split(self.encode_sources(sources), self.encode_targets(targets), list(sources))

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of some tokens."""
        return self.tokenizer.decode(tokens).strip()

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """Return what each token stands for; bytes that are no whole character become U+FFFD."""
        return [self.tokenizer.decode([token]) for token in tokens]

    def transform(self, inputs: Tensor) -> Tensor:
        """Return the tokens as they are; networks embed them."""
        return inputs

    def read(self, source: Source, name: str = "") -> tuple[Tensor, list[str]]:
        """Read texts to translate.

        Parameters
        ----------
        source : str, Path, bytes, list of str, or the rows of a table
            A .txt file with a text a line, a folder of texts, or a table with a column of the first language's name;
            a list of texts.
        name : str
            What the bytes are called, such as 'manual.txt'.

        Returns
        -------
        tokens : Tensor, (texts, longest) int64
            0 behind the end of a text.
        ids : list of str

        Raises
        ------
        NotFoundError, DataError
            There is no such file, it holds no text, or a text is longer than all that were learned from.
        """
        texts, ids, places = read_lines(source, self.languages[0], name)
        return self.encode(texts, places), ids

    def read_labelled(self, source: Source, labels: Labels, name: str = "") -> Split:
        """Read texts with their translations; see `Preprocessing.read_labelled`.

        A table of two columns whose names end in .pairs.tsv or .pairs.csv, or a list of (text, translation).
        """
        file = open_source(source, name)
        if file is not None:
            if isinstance(file, Path) and not file.name.lower().endswith(SUFFIXES):
                raise DataError(f"{file} is no table of pairs; give one whose name ends in {' or '.join(SUFFIXES)}.")
            raw = read_pairs(file)
            sources, targets = raw.sources, raw.targets
        else:
            pairs = distinct(zip(*split_pairs(source, "(text, translation)"), strict=True))
            sources, targets = [first for first, _ in pairs], [second for _, second in pairs]
        where = label_source(source, name)
        inputs = self.encode(sources, [f"{where}, '{text:.40}'" for text in sources])
        return Split(inputs, self.encode_targets(targets), list(sources))

    def to_json(self) -> dict[str, Any]:
        return to_plain(self)

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> PairPreprocessing:
        """Rebuild what `to_json` gave."""
        return from_plain(PairPreprocessing, saved)


def normalise(text: str) -> str:
    """Return a text in the Unicode form NFC, with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def distinct(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the normalised pairs, without those of which a text is empty or was met before, in any case.

    What is left has no text twice, so that however it is divided, no text is in two parts.
    """
    known: tuple[set[str], set[str]] = (set(), set())
    kept = []
    for pair in pairs:
        source, target = (normalise(text) for text in pair)
        if source and target and source.casefold() not in known[0] and target.casefold() not in known[1]:
            known[0].add(source.casefold())
            known[1].add(target.casefold())
            kept.append((source, target))
    return kept


def read_pairs(path: File) -> RawPairs:
    """Read a table of two columns whose header names two languages, a pair of texts a row. Raises DataError."""
    rows = open_rows(path)
    if len(rows.names) != 2:
        many = len(rows.names) > 2
        raise DataError(
            f"{path} has {len(rows.names)} column{'s' if many else ''} ({', '.join(rows.names)}) where two were "
            f"expected, a text and its translation; {'take the others out' if many else 'add the other one'}."
        )
    if any(len(name.split()) > LONGEST_NAME for name in rows.names):
        raise DataError(
            f"{path} begins with the pair '{rows.names[0]}' and '{rows.names[1]}', where the names of two languages "
            "were expected; put a line with them at the top."
        )
    chunks = [chunk.frame for chunk in rows.chunks()]
    if not chunks:
        raise DataError(f"{path} has a header and no pairs below it; give some to learn from.")
    frame = pl.concat(chunks).fill_null("")
    pairs = distinct((str(first), str(second)) for first, second in frame.select(rows.names).rows())
    left_out = len(frame) - len(pairs)
    notices = (Notice("info", f"{left_out} of {len(frame)} pairs repeat a text or lack one; they are left out."),)
    return RawPairs(
        sources=[source for source, _ in pairs],
        targets=[target for _, target in pairs],
        languages=(rows.names[0], rows.names[1]),
        source=str(path),
        notices=notices if left_out else (),
    )


class PairData(DataKind[RawPairs, RawPairs, PairPreprocessing]):
    """Texts with their translations: tables of pairs, and data sets by name."""

    def accepts(self, path: Path, config: DataConfig) -> bool:
        return path.name.lower().endswith(SUFFIXES) and path.is_file()

    def read(self, path: Path, config: DataConfig) -> RawPairs:
        return read_pairs(path)

    def fit(self, train: RawPairs, config: DataConfig) -> tuple[PairPreprocessing, tuple[Notice, ...]]:
        size = config.vocabulary or VOCABULARY_SIZE
        return PairPreprocessing.fit(train.sources, train.targets, train.languages, size), ()

    def encode(self, preprocessing: PairPreprocessing, samples: RawPairs) -> Split:
        return preprocessing.encode_pairs(samples.sources, samples.targets)


def pad_rows(rows: Sequence[Sequence[int]]) -> Tensor:
    if not rows:
        return torch.empty(0, 1, dtype=torch.int64)
    return pad_sequence([torch.tensor(row, dtype=torch.int64) for row in rows], batch_first=True)
