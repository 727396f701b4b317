"""Texts as rows of characters, each with the number that training gave it."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

UNKNOWN = 1  # the number of what training did not see; 0 is padding


def learn_characters(texts: list[str]) -> dict[str, int]:
    """Return a number for each character of the training texts, from 2 on."""
    return {character: 2 + place for place, character in enumerate(sorted(set().union(*texts)))}


def rows_of(texts: list[str], numbers: dict[str, int]) -> Tensor:
    """Return texts as rows of numbers, (n, longest), padded by 0."""
    rows = [torch.tensor([numbers.get(character, UNKNOWN) for character in text]) for text in texts]
    return pad_sequence(rows, batch_first=True)


def labels_of(pieces: list[tuple[str, list[int], str]]) -> Tensor:
    """Return the class of each character, (n, longest), padded by -1."""
    return pad_sequence([torch.tensor(list(labels)) for _, labels, _ in pieces], batch_first=True, padding_value=-1)
