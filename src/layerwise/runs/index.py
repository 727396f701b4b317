"""The index of runs: one SQLite row a run, for listing. The folders are the truth; the index may be lost."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from layerwise.errors import BusyError, LayerwiseError, StorageError
from layerwise.runs.atomic import remove, remove_leftovers, storage_errors, sync_folder, temporary_sibling
from layerwise.runs.folder import LEASE, METRICS, STATUS, RunFolder, run_folders
from layerwise.runs.lease import hold

FILE, LOCK = "index.sqlite", ".index.lock"
COMPANIONS = ("-journal", "-wal", "-shm")
RESULT, EXPERIMENT, DATA = "result.json", "experiment.json", "data.json"
STAMPED = (STATUS, METRICS, RESULT, EXPERIMENT, DATA)
BUSY_TIMEOUT_S = 10.0
COLUMNS = ("name", "model", "data", "status", "reason", "created", "updated", "metrics", "stamp")
# An older or newer program's table counts as damaged, too: rebuilding is what helps.
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
SQLITE_REMEDIES = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_READONLY: "it is read-only; choose another folder with `runs` or LAYERWISE_RUNS",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; choose another folder with `runs` or LAYERWISE_RUNS",
}

Result = TypeVar("Result")


@dataclass(frozen=True)
class RunRow:
    """What a list of runs shows.

    status: as RunFolder.status() gives it, or 'damaged', with the reason. metrics: those of the test split where it
    was measured, else the last ones of the validation split.
    """

    name: str
    path: Path
    model: str
    data: str
    status: str
    reason: str
    created: str
    updated: str
    metrics: Mapping[str, float]


class Index:
    """The index of all runs in the folder `parent`. Any number of processes may use it at once.

    notices: what was wrong with the index file and was put right.
    """

    def __init__(self, parent: Path) -> None:
        self.parent = Path(parent)
        self.path = self.parent / FILE
        self.notices: list[str] = []

    def runs(self) -> list[RunRow]:
        """Return all runs as their folders are now, the one created last first."""

        def read(connection: sqlite3.Connection) -> list[RunRow]:
            _refresh(connection, self.parent)
            query = f"SELECT {', '.join(COLUMNS[:-1])} FROM runs ORDER BY created DESC, name"
            rows = connection.execute(query).fetchall()
            return [_row(self.parent, dict(zip(COLUMNS, values, strict=False))) for values in rows]

        return self._transact(read)

    def refresh(self) -> None:
        """Read again the folders that changed, and forget those that are gone."""
        self._transact(lambda connection: _refresh(connection, self.parent))

    def put(self, folder: RunFolder) -> None:
        """Write the row of one run."""
        self._transact(lambda connection: _put(connection, folder))

    def remove(self, folder: RunFolder) -> None:
        """Remove a run for good: it vanishes in one step, then its files are deleted.

        Raises:
            BusyError: a process owns the run.
        """
        with hold(folder.path / LEASE, folder.name), storage_errors(folder.path):
            temporary = temporary_sibling(folder.path)
            os.rename(folder.path, temporary)
            sync_folder(folder.path.parent)
            remove(temporary)
            remove_leftovers(folder.path.parent)
        self.refresh()

    def _transact(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do `work` in one transaction, in a new file where the old one turns out to be damaged."""
        try:
            return self._attempt(work)
        except sqlite3.DatabaseError as error:
            if _code(error) not in DAMAGED:
                raise self._typed(error) from error
            self._set_aside(str(error))
        try:
            return self._attempt(work)
        except sqlite3.DatabaseError as error:
            raise self._typed(error) from error

    def _attempt(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            with suppress(sqlite3.OperationalError):  # refused while others use the file; any mode is safe
                connection.execute(f"PRAGMA journal_mode={journal_mode(sqlite3.sqlite_version_info)}")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"CREATE TABLE IF NOT EXISTS runs ({COLUMNS[0]} PRIMARY KEY, {', '.join(COLUMNS[1:])})")
            result = work(connection)  # closing without a commit rolls back
            connection.execute("COMMIT")
            return result

    def _connect(self) -> sqlite3.Connection:
        """Open the file; where nothing can be written (a run folder on a CD) an index in memory does, too."""
        place = self.path if os.access(self.parent, os.W_OK) else ":memory:"
        return sqlite3.connect(place, timeout=BUSY_TIMEOUT_S, isolation_level=None)

    def _set_aside(self, reason: str) -> None:
        """Rename the damaged file and its companions, unless another process has done so already."""
        with storage_errors(self.path, "runs"), open(self.parent / LOCK, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_sound():
                return
            for companion in (*COMPANIONS, ""):  # an old journal must never meet the new file, so it goes first
                with suppress(FileNotFoundError):
                    os.replace(f"{self.path}{companion}", f"{self.parent / 'damaged'}-{FILE}{companion}")
            sync_folder(self.parent)
        self.notices.append(f"{self.path} is damaged ({reason}), set aside; rebuilt from the run folders")

    def _is_sound(self) -> bool:
        try:
            with closing(self._connect()) as connection:
                connection.execute(f"SELECT {', '.join(COLUMNS)} FROM runs LIMIT 1")
                return bool(connection.execute("PRAGMA quick_check").fetchone() == ("ok",))
        except sqlite3.DatabaseError:
            return False

    def _typed(self, error: sqlite3.DatabaseError) -> LayerwiseError:
        if _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return BusyError(f"{self.path} was locked by another process for {BUSY_TIMEOUT_S:g} s; try again")
        remedy = SQLITE_REMEDIES.get(_code(error), f"SQLite says: {error}; look after the disk")
        return StorageError(f"{self.path} could not be written: {remedy}")


def journal_mode(version: tuple[int, ...]) -> str:
    """Return 'WAL' where SQLite has the fix of 2025 for resetting a write-ahead log, else 'TRUNCATE'.

    Source: https://sqlite.org/wal.html, "The WAL-Reset Bug": fixed in 3.51.3, 3.50.7 and 3.44.6.
    """
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "WAL" if fixed else "TRUNCATE"


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code of SQLite, without its extension."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _row(parent: Path, values: dict[str, str]) -> RunRow:
    metrics = json.loads(values.pop("metrics"))
    return RunRow(path=parent / values["name"], metrics=metrics, **values)


def _refresh(connection: sqlite3.Connection, parent: Path) -> None:
    known: dict[str, tuple[str, str]] = {
        name: (stamp, status) for name, stamp, status in connection.execute("SELECT name, stamp, status FROM runs")
    }
    folders = {folder.name: folder for folder in run_folders(parent)}
    for name, folder in folders.items():
        stamp, status = known.get(name, ("", ""))
        if stamp != _stamp(folder) or status in ("running", "interrupted"):  # a kill changes no file
            _put(connection, folder)
    connection.executemany("DELETE FROM runs WHERE name = ?", [(name,) for name in known if name not in folders])


def _put(connection: sqlite3.Connection, folder: RunFolder) -> None:
    stamp = _stamp(folder)  # before reading: what changes meanwhile is read again next time
    values = (*_facts(folder), stamp)
    connection.execute(f"INSERT OR REPLACE INTO runs VALUES ({', '.join('?' * len(values))})", values)


def _stamp(folder: RunFolder) -> str:
    """Return what changes when a file does that the row is made of."""
    stamps = []
    for name in STAMPED:
        with suppress(FileNotFoundError):
            facts = (folder.path / name).stat()
            stamps.append(f"{name} {facts.st_mtime_ns} {facts.st_size}")
    return ", ".join(stamps)


def _facts(folder: RunFolder) -> tuple[str, ...]:
    """Return name, model, data, status, reason, created, updated and metrics as JSON."""
    try:
        status = folder.status()
        experiment, data = _optional(folder, EXPERIMENT), _optional(folder, DATA)
        model, source = str(experiment.get("model", "")), str(data.get("name", ""))
        times = (str(status.get("created", "")), str(status.get("updated", "")))
        for time in filter(None, times):
            datetime.fromisoformat(time)
        metrics = json.dumps(_headline(folder))
        return (folder.name, model, source, str(status["status"]), str(status.get("reason", "")), *times, metrics)
    except LayerwiseError as error:
        return (folder.name, "", "", "damaged", str(error), "", "", "{}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"a file of {folder.path} holds what no run writes ({error}); put back a copy"
        return (folder.name, "", "", "damaged", reason, "", "", "{}")


def _headline(folder: RunFolder) -> dict[str, float]:
    result = _optional(folder, RESULT)
    if measured := result.get("test") or result.get("valid"):
        return _figures(measured)
    evaluations = [record for record in folder.metrics() if record.get("kind") == "evaluation"]
    return _figures(evaluations[-1].get("metrics", {})) if evaluations else {}


def _figures(values: Any) -> dict[str, float]:
    """Return named numbers as they are. Raises ValueError or TypeError where one is something else."""
    return {str(name): float(value) if isinstance(value, float) else int(value) for name, value in dict(values).items()}


def _optional(folder: RunFolder, name: str) -> dict[str, Any]:
    value = folder.read_json(name) if (folder.path / name).is_file() else {}
    return value if isinstance(value, dict) else {}
