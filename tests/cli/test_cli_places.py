"""Where commands write: whole files or none, and one sentence where a place refuses them."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from saying import Command

WRITING = [
    ("explain", "pictures", "{picture}", "--gradients", "--out", "{out}"),
    ("explain", "number", "--embeddings", "--limit", "20", "--out", "{out}"),
    ("evaluate", "pictures", "--out", "{out}"),
    ("data", "{things}", "--out", "{out}"),
    ("descend", "x**2", "--from", "9", "--learning-rate", "0.1", "--out", "{out}"),
]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as on a full disk."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def filled(words: tuple[str, ...], world: Path, out: Path) -> list[str]:
    picture = world / "things" / "dark" / "0.png"
    return [word.format(picture=picture, things=world / "things", out=out) for word in words]


@pytest.mark.parametrize("words", WRITING, ids=lambda words: " ".join(words[:2]))
def test_a_full_disk_gets_a_sentence_and_leaves_no_broken_picture(
    words: tuple[str, ...], command: Command, world: Path, tmp_path: Path
) -> None:
    with room_for(2000):
        said = command(*filled(words, world, tmp_path / "out"))
    assert said.code == 74
    assert "could not be written: the file would exceed the size limit" in said.err
    assert said.err.count("\n") == 1
    assert not [file for file in (tmp_path / "out").iterdir() if file.suffix in (".png", ".html")]


@pytest.mark.parametrize("words", WRITING[:4], ids=lambda words: " ".join(words[:2]))
def test_a_file_where_a_folder_was_named_gets_a_sentence_and_stays(
    words: tuple[str, ...], command: Command, world: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    said = command(*filled(words, world, tmp_path / "mine.txt"))
    assert said.code == 74
    assert "mine.txt could not be written: a file has this name where a folder was expected; name another" in said.err
    assert (tmp_path / "mine.txt").read_text() == "mine"
