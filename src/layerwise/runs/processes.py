"""Which process is meant, even after its number was given to another one or the machine was started anew."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Process:
    """A process of this or another machine.

    started: its start time in a form that is only compared. boot: eight hexadecimal digits of the machine's
    boot (of its host name where the system tells no boot).
    """

    pid: int
    started: str
    boot: str

    @staticmethod
    def current() -> Process:
        """Return the calling process."""
        return Process(os.getpid(), _start_time(os.getpid()), _boot())

    @staticmethod
    def from_tag(tag: str) -> Process:
        """Read what `tag` wrote."""
        boot, pid, started = tag.split("-")
        return Process(int(pid), started, boot)

    @property
    def tag(self) -> str:
        """The process as a part of a file's name."""
        return f"{self.boot}-{self.pid}-{self.started}"

    def is_alive(self) -> bool:
        """Whether this very process still runs on this machine."""
        return self.boot == _boot() and self.started == _start_time(self.pid) != ""


def _start_time(pid: int) -> str:
    """Return the start time of a living process, an empty string where there is none."""
    if not BOOT_ID.exists():
        words = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return re.sub(r"\W", "", words.stdout)
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    state, *rest = facts.rpartition(")")[2].split()  # the program's name in brackets may hold blanks and brackets
    return "" if state in "ZX" else rest[18]  # field 22 of proc(5), in clock ticks since the boot


def _boot() -> str:
    name = BOOT_ID.read_text(encoding="ascii") if BOOT_ID.exists() else platform.node()
    return hashlib.sha256(name.encode()).hexdigest()[:8]
