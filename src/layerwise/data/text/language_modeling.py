"""Long texts as windows of tokens, each with the tokens that come next.

Texts are put one behind the other with END before each and behind the last, as one long row of tokens. The windows of
the training split are a view of it, without copies: inputs and targets are the same row, one token apart. Those of the
other splits overlap by half, and a token that the window before has told already is 0 among the targets, so that every
token is told once, with half a window before it.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Kind, Labels, Notice, Split
from layerwise.data.images.files import is_picture_name
from layerwise.data.inputs import MemoryFile, Source, check_exists, label_source, open_source
from layerwise.data.json_checks import from_plain, to_plain
from layerwise.data.kind import DataKind
from layerwise.data.raw import Parts, RawText, choose
from layerwise.data.splits import check_shares, limit_indices, split_samples
from layerwise.data.text.files import read_text, read_texts
from layerwise.data.text.tokenizer import END, Tokenizer
from layerwise.errors import DataError, UsageError

SUFFIXES = (".txt", ".md", ".rst", ".py")
VOCABULARY, WINDOW = 4096, 128  # where the user does not say
FEWEST_TEXTS = 10  # fewer are joined and divided by their order
TELLING_LINE = 40  # characters from which a line says something of where it is from

Texts = Mapping[str, str]


@dataclass(frozen=True)
class TextPreprocessing:
    """Long texts as windows of byte pairs.

    Parameters
    ----------
    tokenizer : Tokenizer
        Learned from the training texts.
    window : int
        Tokens that a network sees at once.
    """

    tokenizer: Tokenizer
    window: int
    kind: Kind = "text"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.window, len(self.tokenizer))

    @property
    def output_count(self) -> int:
        return len(self.tokenizer)

    @property
    def token_bytes(self) -> tuple[int, ...]:
        """Bytes of text that each token stands for; 0 for marks."""
        return self.tokenizer.token_bytes

    def transform(self, inputs: Tensor) -> Tensor:
        """Return the tokens as they are; networks embed them."""
        return inputs

    def read(self, source: Source, name: str = "") -> tuple[Tensor, list[str]]:
        """Refuse, since a text has no answer but its continuation. Raises UsageError."""
        where = label_source(source, name)
        raise UsageError(
            f"this network goes on with texts and has no answer for {where}; let it write on "
            "from a beginning, or evaluate the run on the file to measure how well it predicts it."
        )

    def read_labelled(self, source: Source, labels: Labels, name: str = "") -> Split:
        """Read texts, each token of which is the target of those before it; see `Preprocessing.read_labelled`.

        A file that ends in .txt, .md, .rst or .py, a folder of such files, the bytes of one, or a list of texts.
        """
        file = open_source(source, name)
        if file is None:
            texts, names, _ = read_texts(source, "text")
            return self.evaluation_split(drop_copies(dict(zip(names, texts, strict=True))))
        if isinstance(file, MemoryFile):
            return self.evaluation_split(drop_copies({file.name: read_text(file)}))
        if not is_long_text(file):
            check_exists(file, f"a text that ends in {', '.join(SUFFIXES)}")
            raise DataError(f"{file} is no text; name a file that ends in {', '.join(SUFFIXES)}, or a folder of them.")
        return self.evaluation_split(drop_copies(read_long_texts(file).texts))

    def join_tokens(self, texts: Iterable[str]) -> Tensor:
        """Return the tokens of texts in one row, END before each and behind the last, (tokens,) int64."""
        tokens = [END]
        for encoded in self.tokenizer.encode(list(texts)):
            tokens += [*encoded, END]
        return torch.tensor(tokens)

    def training_split(self, texts: Texts) -> Split:
        """Return windows beside each other; what is left behind the last is not used.

        Raises DataError for texts that do not fill one window.
        """
        row = self.join_tokens(texts.values())
        if len(row) <= self.window:
            what = next(iter(texts)) if len(texts) == 1 else f"{len(texts)} texts"
            raise DataError(
                f"{what}: the training text has {len(row)} tokens and does not fill one window of {self.window}; give "
                "a longer text, or lower `window`."
            )
        windows = row.unfold(0, self.window + 1, self.window)  # (windows, window + 1), a view
        return Split(windows[:, :-1], windows[:, 1:], self._name_windows(texts, len(windows), self.window))

    def evaluation_split(self, texts: Texts) -> Split:
        """Return windows that overlap by half, whose targets that are no 0 are all tokens of the texts, once each."""
        if not texts:
            nothing = torch.empty(0, self.window, dtype=torch.int64)
            return Split(nothing, nothing, [])
        row, step = self.join_tokens(texts.values()), self.window // 2
        count = 1 + max(0, -(-(len(row) - 1 - self.window) // step))
        padded = F.pad(row, (0, (count - 1) * step + self.window + 1 - len(row)))
        windows = padded.unfold(0, self.window + 1, step)  # (windows, window + 1)
        inputs, targets = windows[:, :-1].clone(), windows[:, 1:].clone()
        targets[1:, : self.window - step] = 0
        return Split(inputs, targets, self._name_windows(texts, count, step))

    def _name_windows(self, texts: Texts, count: int, step: int) -> list[str]:
        """Return for each window the text that it begins in, and its first token there."""
        starts = list(accumulate((len(one) + 1 for one in self.tokenizer.encode(list(texts.values()))), initial=0))
        titles, names = list(texts), []
        for first in range(0, count * step, step):
            number = min(bisect_right(starts, first), len(titles)) - 1
            names.append(f"{titles[number]}, token {first - starts[number]}")
        return names

    def to_json(self) -> dict[str, Any]:
        return to_plain(self)

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> TextPreprocessing:
        """Rebuild what `to_json` gave."""
        return from_plain(TextPreprocessing, saved)


def is_long_text(path: Path) -> bool:
    """Tell whether a file is a long text by its name, or a folder holds such files and no pictures."""
    if not path.is_dir():
        return path.is_file() and path.suffix.lower() in SUFFIXES
    holds_text = False
    for entry in path.rglob("*"):
        if is_picture_name(entry):
            return False
        holds_text = holds_text or (entry.suffix.lower() in SUFFIXES and entry.is_file())
    return holds_text


def read_long_texts(path: Path) -> RawText:
    """Read a text, or all texts of a folder. Raises DataError for files that hold no text."""
    files = (
        sorted(entry for entry in path.rglob("*") if is_long_text(entry) and entry.is_file()) if path.is_dir() else []
    )
    named = {entry.relative_to(path).as_posix(): entry for entry in files} or {path.name: path}
    return RawText({name: read_text(entry) for name, entry in named.items()}, str(path))


class TextData(DataKind[RawText, RawText, TextPreprocessing]):
    """Long texts that are gone on with: files, folders, and data sets by name."""

    def accepts(self, path: Path, config: DataConfig) -> bool:
        return not config.target and is_long_text(path)

    def read(self, path: Path, config: DataConfig) -> RawText:
        return read_long_texts(path)

    def prepare(self, raw: RawText, name: str, config: DataConfig) -> RawText:
        """Leave out copies. Raises DataError where no text is left."""
        if config.window == 1:
            raise UsageError("`window` must be at least 2 tokens for a text, received 1.")
        if config.horizon:
            raise UsageError("`horizon` is for forecasts of numbers; a text is told token by token, so leave it out.")
        texts = drop_copies(raw.texts)
        if not texts:
            raise DataError(f"{raw.source} is empty; there is nothing to read in it.")
        copies = len(raw.texts) - len(texts)
        text = f"{copies} texts were left out, since they are empty or copies of others."
        return replace(raw, texts=texts, notices=(*raw.notices, Notice("info", text)) if copies else raw.notices)

    def split(self, raw: RawText, config: DataConfig, seed: int) -> Parts[RawText]:
        """Divide whole texts where there are enough.

        A few are taken in their order as one, of which the last part is for testing.
        """
        if raw.test or len(raw) >= FEWEST_TEXTS:
            return split_samples(raw, config, seed)
        check_shares(test=config.test, valid=config.valid, by="random")
        lines = "\n".join(raw.texts.values()).splitlines(keepends=True)
        test_from = round((1 - config.test) * len(lines))
        valid_from = round((1 - config.valid) * test_from)
        ranges = (lines[:valid_from], lines[valid_from:test_from], lines[test_from:])
        title = ", ".join(raw.texts)
        return Parts(*(replace(raw, texts={title: "".join(part)} if part else {}) for part in ranges))

    def limit(self, train: RawText, config: DataConfig, seed: int) -> RawText:
        """Leave all texts to be learned from; the windows are limited once they are cut."""
        return train

    def fit(self, train: RawText, config: DataConfig) -> tuple[TextPreprocessing, tuple[Notice, ...]]:
        tokenizer = Tokenizer.train(train.texts.values(), config.vocabulary or VOCABULARY)
        return TextPreprocessing(tokenizer, config.window or WINDOW), ()

    def encode(self, preprocessing: TextPreprocessing, samples: RawText) -> Split:
        return preprocessing.evaluation_split(samples.texts)

    def encode_parts(
        self, preprocessing: TextPreprocessing, parts: Parts[RawText], config: DataConfig, seed: int
    ) -> Parts[Split]:
        train = preprocessing.training_split(parts.train.texts)
        if config.limit and config.limit < len(train):
            chosen = limit_indices(torch.arange(len(train)), config.limit, seed)
            train = Split(*train.take(chosen), choose(train.ids, chosen))
        return Parts(train, self.encode(preprocessing, parts.valid), self.encode(preprocessing, parts.test))

    def look_over(self, dataset: Dataset, parts: Parts[RawText], config: DataConfig) -> Iterable[Notice]:
        return compare_lines(parts.train.texts, parts.test.texts)


def drop_copies(texts: Texts) -> dict[str, str]:
    """Leave out empty texts, and those that differ from an earlier one in their spaces at most."""
    kept: dict[bytes, str] = {}
    for name, text in texts.items():
        words = " ".join(text.split())
        if words:
            kept.setdefault(hashlib.sha256(words.encode()).digest(), name)
    return {name: texts[name] for name in kept.values()}


def compare_lines(train: Texts, test: Texts) -> Iterable[Notice]:
    """Yield how much text is held out, and how much of it stands in the training texts, too."""
    known = {line.strip() for text in train.values() for line in text.splitlines()}
    lines = [line.strip() for text in test.values() for line in text.splitlines() if len(line.strip()) >= TELLING_LINE]
    if not lines:
        return
    share = sum(line in known for line in lines) / len(lines)
    size = sum(len(text.encode()) for text in test.values())
    text = (
        f"{len(test)} held-out {'text has' if len(test) == 1 else 'texts have'} {size:,} bytes; of {len(lines):,} "
        f"lines of {TELLING_LINE} characters or more in them, {share:.1%} stand in the training texts, too."
    )
    yield Notice("warning" if share > 0.5 else "info", text)
