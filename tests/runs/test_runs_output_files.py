"""A file that a result cannot be written to is refused before the result is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerwise.errors import StorageError, UsageError
from layerwise.runs.atomic import check_output_file

PICTURES = (".png", ".jpg", ".webp")


@pytest.mark.parametrize("name", ["a.png", "A.PNG", "photo.webp"])
def test_a_new_file_in_a_folder_that_is_there_may_be_written(name: str, tmp_path: Path) -> None:
    check_output_file(tmp_path / name, "out", PICTURES, "a.png")


def test_so_may_be_one_that_is_there_already(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    check_output_file(tmp_path / "a.png", "out", PICTURES, "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "suffixes", "error", "sentence"),
    [
        ("a.gif", (".png",), UsageError, "`out` .*a.gif: the file must end in .png, received '.gif'"),
        ("a", (".png", ".gif"), UsageError, "the file must end in .png or .gif, received ''"),
        ("a.csv", PICTURES, UsageError, "the file must end in one of .png, .jpg, .webp, received '.csv'"),
        ("folder.png", PICTURES, UsageError, "folder.png is a folder; name a file in it, such as .*folder.png/b.png"),
        ("no/a.png", PICTURES, StorageError, "there is no folder .*no; make it, or name another file"),
        ("file/a.png", PICTURES, StorageError, "there is no folder .*file; make it"),
    ],
)
def test_what_cannot_be_written_is_refused_with_what_to_do(
    name: str, suffixes: tuple[str, ...], error: type[Exception], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(error, match=sentence):
        check_output_file(tmp_path / name, "out", suffixes, "b.png")
