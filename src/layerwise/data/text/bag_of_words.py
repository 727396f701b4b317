"""The preprocessing of texts: words, counted, weighted by how few texts hold them.

tf-idf with the logarithm of counts (Manning, Raghavan and Schütze, "Introduction to Information
Retrieval", 2008, section 6.4), with the smoothed inverse document frequency of scikit-learn, ln((1 + n) /
(1 + df)) + 1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Kind, Labels, Notice, Split
from layerwise.data.inputs import Source, label_source
from layerwise.data.json_checks import from_plain, to_plain
from layerwise.data.kind import DataKind
from layerwise.data.raw import RawDocuments
from layerwise.data.text.files import read_labelled_texts, read_texts
from layerwise.errors import DataError, UsageError

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

    Parameters
    ----------
    vocabulary : tuple of str
        The words in the order of their features.
    frequencies : tuple of int
        In how many training texts each occurs.
    text_count : int
        How many training texts there were.
    column : str
        The column with the texts, where a table is read.

    References
    ----------
    Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 2008, section 6.4.

    Examples
    --------
    >>> fitted = fit_bag_of_words(["red car", "red boat", "old boat"])
    >>> fitted.vocabulary
    ('boat', 'red')
    >>> fitted.read(["a red, red car"])[0]
    tensor([[0, 2]], dtype=torch.uint8)
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

    def read(self, source: Source, name: str = "") -> tuple[Tensor, list[str]]:
        """Count the words of texts.

        Parameters
        ----------
        source : str, Path, bytes, list of str, or the rows of a table
            A text file, a folder of them, or a table with the text column; a list of texts.
        name : str
            What the bytes are called, such as 'mail.csv'.

        Returns
        -------
        counts : Tensor, (texts, words) uint8
        ids : list of str
            The path in the folder, the line of the table, or the number in the list.

        Raises
        ------
        NotFoundError, DataError
            There is no such file, or it holds no such texts.
        """
        texts, ids, _ = read_texts(source, self.column, name)
        return self.count(texts), ids

    def read_labelled(self, source: Source, labels: Labels, name: str = "") -> Split:
        """Read texts with their classes; see `Preprocessing.read_labelled`.

        A table with a column of texts and a column 'label', or a list of (text, label).
        """
        (texts, ids, _), names = read_labelled_texts(source, self.column, name)
        return Split(self.count(texts), labels.encode(names, label_source(source, name)), ids)

    def to_json(self) -> dict[str, Any]:
        return to_plain(self)

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> BagOfWordsPreprocessing:
        """Rebuild what `to_json` gave."""
        return from_plain(BagOfWordsPreprocessing, saved)


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


class BagOfWordsData(DataKind[RawDocuments, RawDocuments, BagOfWordsPreprocessing]):
    """Labelled texts as counts of their words; data sets by name."""

    def fit(self, train: RawDocuments, config: DataConfig) -> tuple[BagOfWordsPreprocessing, tuple[Notice, ...]]:
        return fit_bag_of_words(train.texts), ()

    def encode(self, preprocessing: BagOfWordsPreprocessing, samples: RawDocuments) -> Split:
        return Split(preprocessing.count(samples.texts), samples.targets, samples.ids)
