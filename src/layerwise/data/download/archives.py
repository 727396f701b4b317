"""Reading zip and tar archives that nobody vouches for.

Bytes are counted while they inflate, so an archive that unpacks to more than it may is left early. Refused as a
whole: links, devices, encrypted entries, absolute names and names with '..', and names that are equal or
differ only in case or in the Unicode form of their letters.
"""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from layerwise.errors import DataError, NotFoundError

SIZE_LIMIT = 4 * 2**30
ENTRY_LIMIT = 100_000
CHUNK = 2**20
LONGEST_PART = 255
DAMAGES = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
)

Wanted = Callable[[str], bool]


def everything(name: str) -> bool:
    """Want every file of an archive."""
    return True


def read_files(archive: Path, wanted: Wanted = everything, size_limit: int = SIZE_LIMIT) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the wanted files of a .zip, .tar or .tar.gz, in the archive's order.

    size_limit: bytes that may be inflated, all in all.
    Raises NotFoundError, or DataError for an archive that is damaged or not to be trusted.
    """
    with _typed_errors(archive):
        for name, stream in _open_files(archive, wanted, size_limit):
            yield name, stream.read()


def extract(archive: Path, folder: Path, wanted: Wanted = everything, size_limit: int = SIZE_LIMIT) -> list[Path]:
    """Unpack the wanted files into a new folder, which appears when all is well; else nothing is left.

    Returns the files' paths. Raises as `read_files`, and DataError where the folder exists already.
    """
    if folder.exists():
        raise DataError(f"{folder} exists already, so {archive} is not unpacked into it; name a new folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    workplace = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        inside = workplace / "inside"
        inside.mkdir()
        names = []
        with _typed_errors(archive):
            for name, stream in _open_files(archive, wanted, size_limit):
                _write(inside / name, stream)
                names.append(name)
        os.rename(inside, folder)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    return [folder / name for name in names]


def inflate(compressed: Path, target: Path, size_limit: int) -> None:
    """Unpack one .gz file. Raises DataError where it is damaged or holds more than `size_limit` bytes."""
    with _typed_errors(compressed), gzip.open(compressed) as stream:
        _write(target, _Counted(stream, _Budget(compressed, size_limit)))


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Budget:
    """How many bytes an archive may still give."""

    def __init__(self, archive: Path, limit: int) -> None:
        self.archive, self.limit, self.left = archive, limit, limit

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise DataError(
                f"{self.archive} unpacks to more than {self.limit:,} bytes, so it is not unpacked; get it anew."
            )


class _Counted:
    """A stream whose bytes are counted as they are read, at most one more than may be."""

    def __init__(self, stream: _Readable, budget: _Budget) -> None:
        self._stream, self._budget = stream, budget

    def read(self, size: int = -1, /) -> bytes:
        most = self._budget.left + 1
        data = self._stream.read(most if size < 0 else min(size, most))
        self._budget.spend(len(data))
        return data


class _Names:
    """The names met so far in an archive; no two of them may be one on any file system."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._met: dict[str, tuple[str, bool]] = {}  # by its key: a name and whether it is a folder's

    def add(self, name: str, is_folder: bool) -> str:
        """Check a name and return it without needless parts; raises DataError."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\\" in name or ":" in name.partition("/")[0]:
            raise refusal(self._archive, name, "leads out of the folder that it is unpacked into")
        if any(len(part.encode("utf-8", "surrogateescape")) > LONGEST_PART for part in parts):
            raise refusal(self._archive, f"{name[:40]}...", f"has a part longer than {LONGEST_PART} bytes")
        if not name.isprintable() or not (parts or is_folder):
            raise refusal(self._archive, name, "is empty or has characters that cannot be shown")
        if len(self._met) > ENTRY_LIMIT:
            raise DataError(f"{self._archive} has more than {ENTRY_LIMIT:,} entries, so it is not unpacked.")
        for depth in range(1, len(parts) + is_folder):
            folder = "/".join(parts[:depth])
            met = self._met.setdefault(_key(folder), (folder, True))
            if met != (folder, True):
                raise refusal(self._archive, name, f"clashes with {met[0]!r}")
        clean = "/".join(parts)
        if not is_folder:
            if _key(clean) in self._met:
                raise refusal(self._archive, name, f"clashes with {self._met[_key(clean)][0]!r}")
            self._met[_key(clean)] = (clean, False)
        return clean


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def refusal(archive: Path, name: str, reason: str) -> DataError:
    return DataError(f"{archive} is refused as a whole: its entry {name!r} {reason}; get it from a source you trust.")


@contextmanager
def _typed_errors(archive: Path) -> Iterator[None]:
    """Turn whatever zipfile, tarfile and gzip raise over an archive into errors with its name."""
    try:
        yield
    except FileNotFoundError as error:
        if error.filename == str(archive):
            raise NotFoundError(f"{archive} does not exist; name an archive.") from None
        raise
    except DAMAGES as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk's trouble, not that of an archive with impossible offsets
        raise DataError(f"{archive} is damaged or no archive ({error}); get it anew.") from error


def _open_files(archive: Path, wanted: Wanted, size_limit: int) -> Iterator[tuple[str, _Readable]]:
    budget, names = _Budget(archive, size_limit), _Names(archive)
    reader = _open_zip_files if zipfile.is_zipfile(archive) else _open_tar_files
    yield from reader(archive, wanted, budget, names)


def _open_zip_files(archive: Path, wanted: Wanted, budget: _Budget, names: _Names) -> Iterator[tuple[str, _Readable]]:
    with zipfile.ZipFile(archive) as file:
        chosen = []
        for entry in file.infolist():
            written, is_folder = entry.orig_filename, entry.orig_filename.endswith("/")
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise refusal(archive, written, "is a link or a device")
            if entry.flag_bits & 0x1:
                raise refusal(archive, written, "is encrypted")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise refusal(archive, written, "is compressed in an unusual way")
            name = names.add(written, is_folder)
            if not is_folder and wanted(name):
                chosen.append((name, entry))
        for name, entry in chosen:
            with file.open(entry) as stream:
                yield name, _Counted(stream, budget)


def _open_tar_files(archive: Path, wanted: Wanted, budget: _Budget, names: _Names) -> Iterator[tuple[str, _Readable]]:
    with archive.open("rb") as raw:
        is_compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw) if is_compressed else raw
        with tarfile.open(fileobj=_Counted(stream, budget), mode="r|") as file:  # type: ignore[call-overload]
            for entry in file:
                if not (entry.isdir() or entry.isreg()) or entry.issparse():
                    raise refusal(archive, entry.name, "is a link, a device or of an unknown kind")
                name = names.add(entry.name, entry.isdir())
                content = None if entry.isdir() or not wanted(name) else file.extractfile(entry)
                if content:
                    yield name, content


def _write(path: Path, stream: _Readable) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        while chunk := stream.read(CHUNK):
            file.write(chunk)
