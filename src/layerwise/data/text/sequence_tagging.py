"""Texts with a class at each character, cut into pieces of one length at the ends of lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Split
from layerwise.data.raw import RawTaggedText
from layerwise.data.splits import hold_out, limit_indices
from layerwise.data.text.characters import UNKNOWN, CharacterPreprocessing
from layerwise.errors import DataError

LENGTH = 128  # characters of a piece at most, unless the user says otherwise
NOT_TOLD = -1  # the target of padding

Piece = tuple[str, Sequence[int], str]  # its characters, their classes, and its name


def sequence_tagging_dataset(raw: RawTaggedText, name: str, config: DataConfig, seed: int) -> Dataset:
    """Divide whole texts, and learn the characters of the training texts.

    Raises DataError where a text has not a class for each of its characters, or no text is left to learn from.
    """
    for title, (text, labels) in raw.texts.items():
        if len(text) != len(labels):
            raise DataError(f"{title} has {len(text)} characters and {len(labels)} classes; give one a character.")
    rest = [title for title in raw.texts if title not in raw.test]
    kept, held_out = hold_out(len(rest), valid=config.valid, seed=seed)
    length = config.window or LENGTH
    train, valid, test = (
        [piece for title in titles for piece in pieces_of(title, *raw.texts[title], length)]
        for titles in (
            [rest[place] for place in kept.tolist()],
            [rest[place] for place in held_out.tolist()],
            sorted(raw.test),
        )
    )
    chosen = limit_indices(torch.arange(len(train)), config.limit, seed)
    train = [train[place] for place in chosen.tolist()]
    if not train:
        raise DataError(f"{name} holds no text to learn from; give more.")
    characters = "".join(sorted(set().union(*(text for text, _, _ in train))))
    preprocessing = CharacterPreprocessing(characters, length)
    return Dataset(
        name=name,
        kind="characters",
        task="sequence_tagging",
        train=split_of(train, preprocessing.numbers),
        valid=split_of(valid, preprocessing.numbers),
        test=split_of(test, preprocessing.numbers),
        preprocessing=preprocessing,
        classes=raw.classes,
        source=raw.source,
    )


def pieces_of(title: str, text: str, labels: Sequence[int], length: int) -> Iterator[Piece]:
    """Cut a text into pieces of whole lines, at most `length` characters each; longer lines are cut where they are."""
    start = 0
    while start < len(text):
        end = min(start + length, len(text))
        line_end = text.rfind("\n", start, end) + 1
        if end < len(text) and line_end > start:
            end = line_end
        yield text[start:end], labels[start:end], f"{title}, character {start + 1}"
        start = end


def split_of(pieces: Sequence[Piece], numbers: Mapping[str, int]) -> Split:
    """Return pieces as padded rows: inputs (n, time) int64, 0 behind the end; targets with -1 there."""
    if not pieces:
        return Split(torch.empty(0, 1, dtype=torch.int64), torch.empty(0, 1, dtype=torch.int64), [])
    rows = [torch.tensor([numbers.get(character, UNKNOWN) for character in text]) for text, _, _ in pieces]
    targets = [torch.tensor(list(labels)) for _, labels, _ in pieces]
    return Split(
        pad_sequence(rows, batch_first=True),
        pad_sequence(targets, batch_first=True, padding_value=NOT_TOLD),
        [name for *_, name in pieces],
    )
