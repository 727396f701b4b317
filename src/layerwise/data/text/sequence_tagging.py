"""Texts with a class at each character, cut into pieces of one length at the ends of lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Notice, Split, TaskName
from layerwise.data.kind import DataKind
from layerwise.data.raw import Parts, RawTaggedText, Unlabelled, choose
from layerwise.data.text.characters import CharacterPreprocessing
from layerwise.errors import DataError

LENGTH = 128  # characters of a piece at most, unless the user says otherwise


@dataclass(frozen=True)
class Pieces(Unlabelled):
    """Pieces of texts with a class at each character, and the name of each."""

    texts: Sequence[str]
    tags: Sequence[Sequence[int]]
    ids: Sequence[str]
    classes: tuple[str, ...]
    source: str
    notices: tuple[Notice, ...] = ()
    task: TaskName = "sequence_tagging"

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Tensor) -> Pieces:
        texts, tags, ids = (choose(values, rows) for values in (self.texts, self.tags, self.ids))
        return replace(self, texts=texts, tags=tags, ids=ids)


class TaggedTextData(DataKind[RawTaggedText, Pieces, CharacterPreprocessing]):
    """Texts with a class at each character, cut into pieces after they are divided; data sets by name."""

    def prepare(self, raw: RawTaggedText, name: str, config: DataConfig) -> RawTaggedText:
        for title, (text, labels) in raw.texts.items():
            if len(text) != len(labels):
                raise DataError(f"{title} has {len(text)} characters and {len(labels)} classes; give one a character.")
        return raw

    def cut(self, part: RawTaggedText, config: DataConfig) -> Pieces:
        length = config.window or LENGTH
        cut = [piece for title, tagged in part.texts.items() for piece in cut_pieces(title, *tagged, length)]
        texts, tags, ids = zip(*cut, strict=True) if cut else ((), (), ())
        return Pieces(texts, tags, ids, part.classes, part.source)

    def fit(self, train: Pieces, config: DataConfig) -> tuple[CharacterPreprocessing, tuple[Notice, ...]]:
        if not len(train):
            raise DataError(f"{train.source} holds no text to learn from; give more.")
        characters = "".join(sorted(set().union(*train.texts)))
        return CharacterPreprocessing(characters, config.window or LENGTH), ()

    def encode(self, preprocessing: CharacterPreprocessing, samples: Pieces) -> Split:
        return preprocessing.encode_tagged(samples.texts, samples.tags, samples.ids)

    def look_over(self, dataset: Dataset, parts: Parts[Pieces], config: DataConfig) -> Iterable[Notice]:
        return ()


def cut_pieces(title: str, text: str, labels: Sequence[int], length: int) -> Iterator[tuple[str, Sequence[int], str]]:
    """Cut a text into pieces of whole lines, at most `length` characters each; longer lines are cut where they are."""
    start = 0
    while start < len(text):
        end = min(start + length, len(text))
        line_end = text.rfind("\n", start, end) + 1
        if end < len(text) and line_end > start:
            end = line_end
        yield text[start:end], labels[start:end], f"{title}, character {start + 1}"
        start = end
