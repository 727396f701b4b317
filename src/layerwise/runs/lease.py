"""One owner for a run: a lock of the operating system, which a killed owner loses and a copy does not inherit.

The lock is flock(2) on `lease.json`. What the file says (process, start time, boot) names the owner to those who
are refused; it decides only on file systems that know no locks.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from layerwise.errors import BusyError, NotFoundError
from layerwise.runs.atomic import storage_errors, write_all
from layerwise.runs.processes import Process

NO_LOCKS_HERE = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


@dataclass(frozen=True)
class Holder:
    """Who owns a run. since: UTC, ISO 8601. inode: of the lease file, by which a copy of it is known as one."""

    process: Process
    since: str
    inode: int


@contextmanager
def hold(path: Path, name: str) -> Iterator[None]:
    """Own what `path` is the lease of, as long as the context lasts and the process lives.

    Raises:
        BusyError: somebody else owns it; says who and since when.
        NotFoundError: it was removed a moment ago.
    """
    with storage_errors(path, "runs"):
        lock = _Lock(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))
    try:
        if not _try_lock(lock.descriptor, path):
            raise _refusal(path, name)
        inode = os.fstat(lock.descriptor).st_ino
        if not path.exists() or path.stat().st_ino != inode:
            raise NotFoundError(
                f"run '{name}' was removed by another process; `layerwise runs` lists those that are left"
            )
        me = Holder(Process.current(), datetime.now(UTC).isoformat(timespec="seconds"), inode)
        with storage_errors(path, "runs"):
            os.ftruncate(lock.descriptor, 0)
            write_all(lock.descriptor, json.dumps(asdict(me)).encode())
        try:
            yield
        finally:
            if not lock.is_closed:  # in a forked child it is, and the lease stays its parent's
                os.ftruncate(lock.descriptor, 0)
    finally:
        lock.close()


def holder(path: Path) -> Holder | None:
    """Return the living owner that a lease names, None where there is none. Takes no lock, so it disturbs nobody."""
    try:
        values = json.loads(path.read_bytes())
        found = Holder(Process(**values["process"]), values["since"], values["inode"])
        is_a_copy = found.inode != path.stat().st_ino
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if not is_a_copy and found.process.is_alive() else None


def _try_lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS_HERE:
            raise
        return holder(path) is None
    return True


def _refusal(path: Path, name: str) -> BusyError:
    owner = holder(path)
    if owner is None:
        return BusyError(f"run '{name}' is being used by another process; try again when that has ended")
    pid = owner.process.pid
    if pid == os.getpid():
        return BusyError(
            f"run '{name}' is owned by this process ({pid}) since {owner.since}; leave that use of it first"
        )
    return BusyError(
        f"run '{name}' is owned by process {pid} since {owner.since}; "
        f"wait for it, or stop it with `kill {pid}` and try again"
    )


class _Lock:
    """An open file that a forked child does not keep open, or the child would keep its dead parent's lock."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        itself = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _close(itself()))

    @property
    def is_closed(self) -> bool:
        return self.descriptor < 0

    def close(self) -> None:
        if not self.is_closed:
            os.close(self.descriptor)
            self.descriptor = -1


def _close(lock: _Lock | None) -> None:
    if lock:
        lock.close()
