"""E-mails as weighted counts of words."""

import tarfile
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.sources.spam import mail_text
from layerwise.data.text import tokenise


def read_mails(archive: Path) -> tuple[list[str], Tensor]:
    """Return subject and text of each e-mail, and its label: 0 for ham, 1 for spam."""
    with tarfile.open(archive) as tar:
        raw = {entry.name: tar.extractfile(entry) for entry in tar if entry.name.endswith(".txt")}
        mails = {name: file.read() for name, file in sorted(raw.items()) if file and "/data/" in name}
    mails = {name: mail for name, mail in mails.items() if name.split("/")[2].split("-")[0] in ("easy", "hard", "spam")}
    labels = [int(name.split("/")[2].startswith("spam")) for name in mails]
    return [mail_text(mail) for mail in mails.values()], torch.tensor(labels)


def learn_words(mails: list[Counter[str]], size: int) -> dict[str, int]:
    """Return the words that the most e-mails hold, and how many do; not those that only one or all hold."""
    frequencies = Counter(word for mail in mails for word in mail)
    telling = {word: count for word, count in frequencies.items() if 2 <= count < len(mails)}
    chosen = sorted(telling, key=lambda word: (-telling[word], word))[:size]
    return {word: telling[word] for word in sorted(chosen)}


def count_words(mails: list[Counter[str]], words: dict[str, int], text_count: int) -> Tensor:
    """Return ln(1 + count) of each word, weighted by how few texts hold it, each row of length 1."""
    numbers = {word: number for number, word in enumerate(words)}
    counts = torch.zeros(len(mails), len(words))
    for row, mail in enumerate(mails):
        for word in mail.keys() & numbers.keys():
            counts[row, numbers[word]] = min(mail[word], 255)
    frequencies = torch.tensor(list(words.values()), dtype=torch.float64)
    weights = (torch.log((1 + text_count) / (1 + frequencies)) + 1).float()
    return F.normalize(torch.log1p(counts) * weights, dim=-1)


def count_tokens(texts: list[str]) -> list[Counter[str]]:
    """Count the words of each text."""
    return [Counter(tokenise(text)) for text in texts]
