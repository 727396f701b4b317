"""The run folder: all that is known of one training, in files that can be read without this program.

Paths in it are relative, so a run can be copied to another machine and used there.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from layerwise.errors import CheckpointError, LayerwiseError, NotFoundError, StorageError, UsageError, nearest
from layerwise.runs.atomic import (
    json_bytes,
    read_json,
    remove_leftovers,
    storage_errors,
    sync_folder,
    write_all,
    write_bytes,
    write_json,
)
from layerwise.runs.lease import Holder, hold, holder
from layerwise.runs.metrics import Record, append_records, read_records, replace_records

if TYPE_CHECKING:  # listing runs needs no torch
    from torch import Tensor

    from layerwise.runs.checkpoints import CheckpointStore

Status = Literal["created", "running", "paused", "finished", "diverged", "failed"]
STATUS, METRICS, LEASE = "status.json", "metrics.jsonl", "lease.json"
WEIGHTS, SUMS = "model.safetensors", "model.sha256.json"
LATEST = "latest"
NAME_BYTES = 120  # half of what file systems take, so that temporary names fit, too


def default_parent() -> Path:
    """Return where runs are kept: the folder in LAYERWISE_RUNS, else ./runs."""
    return Path(os.environ.get("LAYERWISE_RUNS") or "runs")


def runs_parent(asked: str | Path | None) -> Path:
    """Return where runs are kept, the folder that was asked for if any.

    Raises:
        UsageError: it is a file.
    """
    parent = Path(asked) if asked else default_parent()
    if parent.exists() and not parent.is_dir():
        source = "`runs`" if asked else "LAYERWISE_RUNS"
        raise UsageError(f"{source} {parent} is a file where a folder of runs was expected; name a folder.")
    return parent


@dataclass(frozen=True)
class RunFolder:
    """A run at `path`. Reading is free to all; write within `own()`."""

    path: Path

    @staticmethod
    def create(parent: Path, name: str) -> RunFolder:
        """Make a new run called `name`, or `name`-2, `name`-3, ... where that is taken, even by another process.

        Raises:
            StorageError: the disk is full or refuses to be written.
        """
        name = _safe_name(name)
        with storage_errors(parent, "runs"):
            parent.mkdir(parents=True, exist_ok=True)
            for number in itertools.count(1):
                path = parent / (name if number == 1 else f"{name}-{number}")
                try:
                    os.mkdir(path)
                    break
                except FileExistsError:
                    continue
            os.mkdir(path / "checkpoints")
            sync_folder(parent)
        folder = RunFolder(path)
        folder.replace_metrics([])  # its name is on the disk before the first record is
        folder.set_status("created")
        return folder

    @staticmethod
    def open(reference: str, parent: Path) -> RunFolder:
        """Find a run by its path, its name, the unique beginning of its name, or 'latest', the one created last.

        Raises:
            NotFoundError: there is none; the nearest name is suggested.
            UsageError: several names begin like this.
        """
        if os.sep in reference and Path(reference).exists() and not is_run(Path(reference)):
            raise NotFoundError(f"{reference} is no run: there is no {STATUS} in it; `layerwise runs` lists the runs.")
        if is_run(Path(reference)) and (os.sep in reference or not is_run(parent / reference)):
            return RunFolder(Path(reference))
        runs = {folder.name: folder for folder in run_folders(parent)}
        if reference == LATEST and runs:
            return max(runs.values(), key=lambda folder: (folder.created, folder.name))
        if reference in runs:
            return runs[reference]
        matches = sorted(name for name in runs if reference and name.startswith(reference))
        if len(matches) > 1:
            raise UsageError(f"run '{reference}' can be {', '.join(matches[:5])}; give more of the name")
        if not matches:
            raise NotFoundError(
                f"there is no run '{reference}' in {parent}.{nearest(reference, runs)} `layerwise runs` lists them."
            )
        return runs[matches[0]]

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints are."""
        return self.path / "checkpoints"

    @property
    def report(self) -> Path:
        """Where the report is, once it is written."""
        return self.path / "report.html"

    def checkpoint_store(self, keep: int = 2) -> CheckpointStore:
        """Return the checkpoints, each of which brings the metrics before it to the disk."""
        from layerwise.runs.checkpoints import CheckpointStore

        return CheckpointStore(self.checkpoints, keep, records=self.path / METRICS)

    # --- one owner

    @contextmanager
    def own(self) -> Iterator[None]:
        """Be the one process that writes here.

        Raises:
            BusyError: another process is; says which and since when.
        """
        with hold(self.path / LEASE, self.name):
            with storage_errors(self.path):
                remove_leftovers(self.path)
            yield

    @property
    def owner(self) -> Holder | None:
        """The living process that owns the run, None where there is none."""
        return holder(self.path / LEASE)

    # --- status

    @property
    def created(self) -> str:
        """When the run was created (UTC, ISO 8601); an empty string where its status is damaged."""
        return str(self._stored_status().get("created", ""))

    def status(self) -> dict[str, Any]:
        """Return status, reason, created, updated and what else was set with them.

        'interrupted' stands for a run that says 'running' and whose process is gone.
        """
        status = read_json(self.path / STATUS)
        if not isinstance(status, dict) or "status" not in status:
            raise CheckpointError(f"{self.path / STATUS} is damaged (it tells no status); put back a copy of this file")
        if status["status"] == "running" and self.owner is None:
            status |= {"status": "interrupted", "reason": "its process ended without a word"}
        return status

    def set_status(self, status: Status, *, reason: str = "", **facts: Any) -> None:
        """Say where the run stands; facts (step=...) stay until they are set anew. Works on a full disk, too."""
        if status not in get_args(Status):
            raise ValueError(f"status is {status!r}; expected one of {get_args(Status)}")
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        old = self._stored_status()
        values = {"created": now, **old, **facts, "status": status, "reason": reason, "updated": now}
        try:
            write_json(self.path / STATUS, values)
        except StorageError as error:
            if not isinstance(error.__cause__, OSError) or error.__cause__.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            _overwrite(self.path / STATUS, json_bytes(values))

    def _stored_status(self) -> dict[str, Any]:
        try:
            return dict(read_json(self.path / STATUS))
        except (LayerwiseError, ValueError, TypeError):
            return {}

    # --- files

    def write_json(self, name: str, value: Any) -> None:
        """Replace the JSON file `name` in one step."""
        write_json(self.path / name, value)

    def read_json(self, name: str) -> Any:
        """Return the value of the JSON file `name`.

        Raises:
            NotFoundError: there is no such file.
            CheckpointError: it is damaged.
        """
        return read_json(self.path / name)

    def write_text(self, name: str, text: str) -> Path:
        """Replace the text file `name` (the report) in one step; return its path."""
        write_bytes(self.path / name, text.encode())
        return self.path / name

    # --- metrics

    def append_metrics(self, records: Sequence[Record]) -> None:
        """Add records in one write; a kill in its midst leaves whole ones, a full disk none."""
        append_records(self.path / METRICS, records)

    def metrics(self) -> list[Record]:
        """Return all records, oldest first."""
        return read_records(self.path / METRICS)

    def replace_metrics(self, records: Sequence[Record]) -> None:
        """Put `records` in place of all."""
        replace_records(self.path / METRICS, records)

    def truncate_metrics(self, after_step: int) -> None:
        """Drop the records of later steps, which come again when the run goes on from `after_step`."""
        self.replace_metrics([record for record in self.metrics() if record["step"] <= after_step])

    # --- the chosen weights

    def save_weights(self, tensors: Mapping[str, Tensor]) -> Path:
        """Write the chosen weights and their SHA-256, so that either the old or the new pair is there.

        The sums come first and name the old weights, too: a kill between the two files leaves a valid pair.
        """
        from layerwise.runs.tensors import tensors_to_bytes

        data = tensors_to_bytes(tensors)
        sums = [hashlib.sha256(data).hexdigest()]
        if (self.path / WEIGHTS).exists():
            sums.append(hashlib.sha256((self.path / WEIGHTS).read_bytes()).hexdigest())
        write_json(self.path / SUMS, {"sha256": sums})
        write_bytes(self.path / WEIGHTS, data)
        return self.path / WEIGHTS

    def load_weights(self) -> dict[str, Tensor]:
        """Return the chosen weights.

        Raises:
            NotFoundError: the run did not come so far.
            CheckpointError: they are not what was saved.
        """
        from layerwise.runs.tensors import tensors_from_bytes

        path = self.path / WEIGHTS
        if not path.is_file():
            raise NotFoundError(f"{path} does not exist; the run has no weights yet, go on with `layerwise resume`")
        sums, data = read_json(self.path / SUMS), path.read_bytes()
        try:
            if hashlib.sha256(data).hexdigest() not in sums["sha256"]:
                raise ValueError("SHA-256 differs")
            return tensors_from_bytes(data)
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path} is damaged ({error}); put back a copy, or train again") from error


def is_run(path: Path) -> bool:
    """Whether there is a run at `path`."""
    return (path / STATUS).is_file()


def run_folders(parent: Path) -> list[RunFolder]:
    """Return all runs in `parent` by name."""
    names = sorted(os.listdir(parent)) if parent.is_dir() else []
    return [RunFolder(parent / name) for name in names if not name.startswith(".") and is_run(parent / name)]


def _safe_name(name: str) -> str:
    """Return a name that every file system takes: letters of any script, digits, '.', '_' and '-'."""
    plain = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", name)).strip(".-")
    plain = plain.encode()[:NAME_BYTES].decode(errors="ignore")
    return plain if plain and plain != LATEST else f"run-{plain}".rstrip("-")


def _overwrite(path: Path, data: bytes) -> None:
    """Write within the block that a small file has already: the one way to write on a full disk."""
    with storage_errors(path):
        descriptor = os.open(path, os.O_WRONLY)
        try:
            write_all(descriptor, data.ljust(os.fstat(descriptor).st_size))  # blanks after JSON do no harm
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
