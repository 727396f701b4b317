"""Files that are there as a whole or not at all, whatever moment the process dies or the power fails.

Everything is written under a temporary name beside its place, synchronised, and then renamed: rename(2)
replaces a name in one step. The temporary name tells which process writes, so that what a dead one left behind
can be removed.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from layerwise.errors import CheckpointError, NotFoundError, StorageError, UsageError
from layerwise.runs.processes import Process

REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "the file would exceed the size limit of this process; raise it with `ulimit -f`",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOENT: "there is no such folder; make it, or choose another folder",
    errno.ENOTDIR: "a part of this path is a file; choose another folder",
    errno.EACCES: "this user may not write there; choose another folder",
    errno.EEXIST: "a file has this name where a folder was expected; name another",
}
TEMPORARY = re.compile(r"\..+\.([0-9a-f]{8}-\d+-\w+)-[0-9a-f]{8}\.tmp")


@contextmanager
def storage_errors(path: Path, field: str = "") -> Iterator[None]:
    """Turn what the operating system refuses within it into a StorageError that names `path` and a remedy.

    field: the name of the argument by which another folder can be chosen.
    """
    try:
        yield
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, f"the system says: {error.strerror}; look after the disk")
        how = f" (`{field}`)" if field and "choose" in remedy else ""
        raise StorageError(f"{path} could not be written: {remedy}{how}.") from error


def check_output_file(path: Path, field: str, suffixes: Sequence[str], example: str) -> None:
    """Refuse a file that a result cannot be written to, before the result is computed.

    field: the argument that names the file. suffixes: how it may end. example: a name for where a folder was named.

    Raises:
        UsageError: it ends otherwise, or is a folder.
        StorageError: the folder that it would be in is not there.
    """
    if path.suffix.lower() not in suffixes:
        expected = " or ".join(suffixes) if len(suffixes) < 3 else f"one of {', '.join(suffixes)}"
        raise UsageError(f"`{field}` {path}: the file must end in {expected}, received '{path.suffix}'.")
    if path.is_dir():
        raise UsageError(f"`{field}` {path} is a folder; name a file in it, such as {path / example}.")
    if not path.parent.is_dir():
        raise StorageError(f"`{field}` {path}: there is no folder {path.parent}; make it, or name another file.")


def write_bytes(path: Path, data: bytes) -> None:
    """Replace the content of `path` in one step; it is on the disk when this returns.

    Raises:
        StorageError: the disk is full or refuses to be written; the old content is untouched.
    """
    temporary = temporary_sibling(path)
    with storage_errors(path):
        try:
            write_new(temporary, data)
            os.rename(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        sync_folder(path.parent)


def make_folder(path: Path) -> Path:
    """Make a folder, and those above it, where it is missing; return it.

    Raises:
        StorageError: it cannot be made, or a file has its name.
    """
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def write_json(path: Path, value: Any) -> None:
    """Replace the content of `path` by a JSON value in one step."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return a JSON value as UTF-8 text that people can read."""
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def read_json(path: Path) -> Any:
    """Return the JSON value in `path`.

    Raises:
        NotFoundError: there is no such file.
        CheckpointError: the file is damaged.
    """
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"{path} does not exist; the run did not come so far, or its folder is not whole") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged ({error}); put back a copy of this file") from error


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, and bring it to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, in as many calls as the system takes for it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk."""
    sync_file(path)


def sync_file(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_sibling(path: Path) -> Path:
    """Return a hidden name beside `path` that nobody has and that tells which process uses it."""
    return path.with_name(f".{path.name}.{Process.current().tag}-{secrets.token_hex(4)}.tmp")


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files and folders of processes that are no more."""
    for name in os.listdir(folder):
        found = TEMPORARY.fullmatch(name)
        if found and not Process.from_tag(found[1]).is_alive():
            remove(folder / name)


def remove(path: Path) -> None:
    """Remove a file or a whole folder; it may be gone already."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            os.unlink(path)
