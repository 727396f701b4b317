"""Kill real processes at chosen instants: before each call that changes the disk, and at random."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

DISK_CALLS = ("open", "write", "fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "ftruncate")
SYSTEM_CALLS = ("openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "mkdir", "unlink", "unlinkat")
SYSTEM_CALLS += ("rmdir", "ftruncate", "fcntl", "flock", "close")
Work = Callable[[], object]


def fork(work: Work) -> int:
    """Run `work` in a child that exits with 0, or with 1 after an exception; return its process number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the library's idle threads do not matter here
        child = os.fork()
    if child:
        return child
    signal.alarm(60)  # a child that hangs is killed by it, and its test fails
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Wait for the end of a child: its exit code, negative the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_before_call(number: int, work: Work, log: int = -1) -> bool:
    """Run `work` and kill it right before its `number`-th call that changes the disk; return whether it finished.

    A write is killed after half of its bytes.
    """
    code = ended(fork(lambda: _watched(number, work, log)))
    assert code in (0, -signal.SIGKILL), f"the child ended with {code}"
    return code == 0


def crash_points(work_at: Callable[[int], bool], least: int) -> Iterator[int]:
    """Yield 1, 2, 3, ... after `work_at(n)` was killed there, and once more when it finished; at least `least`."""
    for number in range(1, 1000):
        finished = work_at(number)
        yield number
        if finished:
            assert number > least, f"only {number} crash points: the calls are not seen"
            return
    raise AssertionError("the work does not end")


def system_crash_points(work_at: Callable[[str, int], bool], least: int) -> None:
    """Kill `work_at(call, n)` at every n-th call of every kind, at `least` times in all."""
    points = [(call, number) for call in SYSTEM_CALLS for number in _until(lambda n, call=call: work_at(call, n))]
    assert len(points) >= least, f"only {len(points)} crash points: the calls are not seen"


def _until(finishes: Callable[[int], bool]) -> Iterator[int]:
    return itertools.takewhile(lambda number: not finishes(number), itertools.count(1))


def _watched(number: int, work: Work, log: int) -> None:
    count = 0
    write = os.write

    def watched(name: str, original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count == number:
                if name == "write":
                    write(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            creates = name == "open" and arguments[1] & os.O_CREAT and not os.path.exists(arguments[0])
            result = original(*arguments, **options)
            if log >= 0:
                write(log, _line("create" if creates else name, arguments, result).encode())
            return result

        return call

    for name in DISK_CALLS:
        setattr(os, name, watched(name, getattr(os, name)))
    work()


def _line(name: str, arguments: tuple[object, ...], result: object) -> str:
    """Say of a call what decides whether its effect survives a power failure."""
    if name in ("write", "fsync"):
        return f"{name}\t{os.fstat(arguments[0]).st_ino}\n"
    if name == "rename":
        return f"{name}\t{arguments[0]}\t{arguments[1]}\n"
    if name == "create":
        return f"create\t{os.fstat(result).st_ino}\t{os.stat(os.path.dirname(arguments[0])).st_ino}\n"
    return f"{name}\t{arguments[0]}\n"


def lose_power(folder: Path, log: str, *, keep_names: bool) -> None:
    """Take from `folder` what was not synchronised: the content of files and, unless `keep_names`, their names."""
    calls = [line.split("\t") for line in log.splitlines()]
    inodes = {path.stat().st_ino: path for path in folder.rglob("*")} | {folder.stat().st_ino: folder}
    for at, (name, *words) in enumerate(calls):
        later = calls[at + 1 :]
        if name == "write" and ["fsync", words[0]] not in later:
            path = inodes.get(int(words[0]))
            if path and path.is_file():
                os.truncate(path, 0)
    if keep_names:
        return
    for at, (name, *words) in reversed(list(enumerate(calls))):
        if name == "create" and ["fsync", words[1]] not in calls[at + 1 :] and int(words[0]) in inodes:
            inodes[int(words[0])].unlink()
        if name == "rename" and Path(words[1]).exists():
            parent = str(Path(words[1]).parent.stat().st_ino)
            if ["fsync", parent] not in calls[at + 1 :]:
                os.rename(words[1], words[0])


def copy_of(folder: Path, target: Path) -> Path:
    """Return a fresh copy of `folder` at `target`."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(folder, target))


def kill_at_system_call(name: str, number: int, work: Work) -> bool:
    """Run `work` and kill it at its `number`-th system call `name`, SQLite's included; return whether it finished."""

    def stopped() -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        work()

    child = fork(stopped)
    os.waitpid(child, os.WUNTRACED)
    inject = f"inject={name}:signal=KILL:when={number}"
    command = ["strace", "-p", str(child), "-o", "/dev/null", "-e", f"trace={name}", "-e", inject]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr
        assert "attached" in tracer.stderr.readline()
        os.kill(child, signal.SIGCONT)
        code = ended(child)
    assert code in (0, -signal.SIGKILL), f"the child ended with {code}"
    return code == 0


def can_trace() -> bool:
    """Whether strace is installed and may attach to processes here."""
    if not shutil.which("strace"):
        return False
    try:
        return kill_at_system_call("fsync", 1, lambda: None)
    except AssertionError:
        return False
