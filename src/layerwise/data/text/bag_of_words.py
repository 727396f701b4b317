"""The preprocessing of texts: words, counted, weighted by how few texts hold them.

tf-idf with the logarithm of counts (Manning, Raghavan and Schütze, "Introduction to Information
Retrieval", 2008, section 6.4), with the smoothed inverse document frequency of scikit-learn, ln((1 + n) /
(1 + df)) + 1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.checks import check_splits
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Kind, Split
from layerwise.data.splits import limit_indices, split_indices
from layerwise.data.tables.csv import Delimited
from layerwise.data.tables.files import TABLE_SUFFIXES, open_rows
from layerwise.errors import DataError, NotFoundError, UsageError, nearest

VOCABULARY_SIZE = 4000
RAREST = 2  # texts that must hold a word before it is learned
LONGEST_WORD = 30
MARKS = (
    ("<url>", r"(?:https?://|www\.)[^\s<>\"]+"),
    ("<address>", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    ("<money>", r"[$€£¥]\s?\d[\d.,]*|\d[\d.,]*\s?(?:[$€£¥]|(?:usd|eur|dollars?|euros?)\b)"),
    ("<number>", r"\d[\d.,:]*"),
    ("<shouting>", r"!{2,}"),
    ("<tag>", r"</?[a-z][^<>]*>"),
)
_PATTERN = re.compile(
    "|".join([*(f"({pattern})" for _, pattern in MARKS), r"[^\W\d_]+(?:['’][^\W\d_]+)*"]), re.IGNORECASE
)


def tokenise(text: str) -> list[str]:
    """Cut a text into lower-cased words; addresses, money, numbers, HTML tags and '!!!' become marks.

    >>> tokenise("WIN $1,000 now!!! http://x.example")
    ['win', '<money>', 'now', '<shouting>', '<url>']
    """
    return [_token(match) for match in _PATTERN.finditer(text)]


def _token(match: re.Match[str]) -> str:
    return MARKS[match.lastindex - 1][0] if match.lastindex else match.group().lower()[:LONGEST_WORD]


@dataclass(frozen=True)
class BagOfWordsPreprocessing:
    """Counts of known words, weighted.

    vocabulary: the words in the order of their features. frequencies: in how many training texts each occurs.
    text_count: how many training texts there were. column: the text column of a table given for prediction.
    """

    vocabulary: tuple[str, ...]
    frequencies: tuple[int, ...]
    text_count: int
    column: str = "text"
    kind: Kind = "bag_of_words"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (len(self.vocabulary),)

    @cached_property
    def weights(self) -> Tensor:
        """Inverse document frequency of each word, (words,) float32."""
        frequencies = torch.tensor(self.frequencies, dtype=torch.float64)
        return (torch.log((1 + self.text_count) / (1 + frequencies)) + 1).float()

    def count(self, texts: Sequence[str]) -> Tensor:
        """Count the known words of each text, (texts, words) uint8; more than 255 of a word count as 255."""
        numbers = {word: number for number, word in enumerate(self.vocabulary)}
        counts = np.zeros((len(texts), len(self.vocabulary)), np.uint8)
        for row, text in zip(counts, texts, strict=True):
            for word, times in Counter(tokenise(text)).items():
                if word in numbers:
                    row[numbers[word]] = min(times, 255)
        return torch.from_numpy(counts)

    def transform(self, inputs: Tensor) -> Tensor:
        """Turn counts into ln(1 + count) times the word's weight, each text scaled to length 1; float32."""
        weighted = torch.log1p(inputs.float()) * self.weights.to(inputs.device)
        return F.normalize(weighted, dim=-1)

    def read(self, source: Path) -> tuple[Tensor, list[str]]:
        """Read a text file, a folder of them, or a table with the text column, as counts with a name for
        each.

        Raises NotFoundError, or DataError for a file of another kind, an empty folder or a table without
        the column.
        """
        texts, ids = read_texts(source, self.column)
        return self.count(texts), ids

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "vocabulary": list(self.vocabulary),
            "frequencies": list(self.frequencies),
            "text_count": self.text_count,
            "column": self.column,
        }

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> BagOfWordsPreprocessing:
        """Rebuild what `to_json` gave."""
        return BagOfWordsPreprocessing(
            vocabulary=tuple(saved["vocabulary"]),
            frequencies=tuple(saved["frequencies"]),
            text_count=saved["text_count"],
            column=saved["column"],
        )


def fit_bag_of_words(
    texts: Iterable[str], size: int = VOCABULARY_SIZE, column: str = "text"
) -> BagOfWordsPreprocessing:
    """Learn the `size` words that the most training texts hold, leaving out those that nearly all or one
    hold.

    Raises UsageError for a size below 1, DataError where no word is left.
    """
    if size < 1:
        raise UsageError(f"The size of a vocabulary must be at least 1, received {size}.")
    frequencies: Counter[str] = Counter()
    text_count = 0
    for text in texts:
        frequencies.update(set(tokenise(text)))
        text_count += 1
    telling = {word: held for word, held in frequencies.items() if RAREST <= held < text_count}
    if not telling:
        raise DataError(f"No word occurs in some of the {text_count} training texts and not in all; add longer texts.")
    chosen = islice(sorted(telling, key=lambda word: (-telling[word], word)), size)
    vocabulary = tuple(sorted(chosen))
    return BagOfWordsPreprocessing(vocabulary, tuple(telling[word] for word in vocabulary), text_count, column)


def bag_of_words_dataset(
    texts: Sequence[str],
    labels: Sequence[str],
    ids: Sequence[str],
    name: str,
    config: DataConfig,
    seed: int,
    source: str = "",
) -> Dataset:
    """Split labelled texts, learn the vocabulary from the training split alone, and count its words in all."""
    classes = tuple(sorted(set(labels)))
    targets = torch.tensor([classes.index(label) for label in labels])
    indices = split_indices(len(texts), test=config.test, valid=config.valid, seed=seed, classes=targets, name=name)
    indices = indices._replace(train=limit_indices(indices.train, config.limit, seed, targets))
    preprocessing = fit_bag_of_words(texts[position] for position in indices.train.tolist())
    train, valid, test = (_split(texts, targets, ids, positions, preprocessing) for positions in indices)
    dataset = Dataset(name, "bag_of_words", "classification", train, valid, test, preprocessing, classes, source=source)
    return replace(dataset, notices=check_splits(dataset))


def _split(
    texts: Sequence[str],
    targets: Tensor,
    ids: Sequence[str],
    positions: Tensor,
    preprocessing: BagOfWordsPreprocessing,
) -> Split:
    chosen = positions.tolist()
    counts = preprocessing.count([texts[position] for position in chosen])
    return Split(counts, targets[positions], [ids[position] for position in chosen])


def read_texts(source: Path, column: str) -> tuple[list[str], list[str]]:
    """Read the texts of a file, folder or table, with an id for each: its path in the folder, or its line."""
    if not source.exists():
        names = [entry.name for entry in source.parent.iterdir()] if source.parent.is_dir() else []
        raise NotFoundError(f"{source} does not exist; name a text, a folder or a table.{nearest(source.name, names)}")
    if source.is_dir():
        files = sorted(path for path in source.rglob("*.txt") if path.is_file())
        if not files:
            raise DataError(f"{source} holds no .txt files; name a folder with texts in it.")
        return [read_text(path) for path in files], [path.relative_to(source).as_posix() for path in files]
    if source.name.lower().endswith(TABLE_SUFFIXES):
        return _read_column(source, column)
    if source.suffix.lower() != ".txt":
        raise DataError(
            f"{source} is no text; name a .txt file, a folder of them, or a table with a '{column}' column."
        )
    return [read_text(source)], [source.name]


def read_text(path: Path) -> str:
    """Read one text, UTF-8 or UTF-16 with a mark, else Latin-1, as old e-mails are.

    Raises DataError for a file that holds NUL bytes.
    """
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        raise DataError(f"{path} holds NUL bytes, so it is no text; take it out or save it as UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _read_column(source: Path, column: str) -> tuple[list[str], list[str]]:
    rows = open_rows(source)
    if column not in rows.names:
        raise DataError(f"{source} has no column '{column}' with the texts; name it so.{nearest(column, rows.names)}")
    unit = "line" if isinstance(rows, Delimited) else "row"
    texts: list[str] = []
    ids: list[str] = []
    for chunk in rows.chunks():
        texts.extend(chunk.frame[column].cast(pl.String).fill_null(""))
        ids.extend(f"{unit} {line}" for line in chunk.lines)
    return texts, ids
