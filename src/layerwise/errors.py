"""Errors that a user can act on. Each is one sentence: what, what was received, what was expected, what to do.

A sentence names a field or an argument as Python does, in backticks: "`learning_rate` must be a positive number".

The command line writes it as the flag that it is there, prints the sentence without a traceback, and leaves with the
exit code of the class.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LayerwiseError(Exception):
    """The base of every error that Layerwise raises on purpose."""

    exit_code = 1


class UsageError(LayerwiseError):
    """A field, an argument or a combination of them cannot work (unknown name, negative rate)."""

    exit_code = 2


class DivergedError(LayerwiseError):
    """The loss or a gradient stopped being a finite number; the last good weights are kept."""

    exit_code = 3


class DataError(LayerwiseError):
    """A file or a data set is there but cannot be used as it is."""

    exit_code = 65


class NotFoundError(LayerwiseError):
    """A file, folder or run that was named does not exist."""

    exit_code = 66


class UnavailableError(LayerwiseError):
    """A data set is not on this machine and could not be fetched."""

    exit_code = 69


class CheckpointError(LayerwiseError):
    """No whole checkpoint is left, or one does not belong to this run."""

    exit_code = 70


class MemoryLimitError(LayerwiseError):
    """The memory of the machine or of its accelerator does not hold what was asked for."""

    exit_code = 71


class StorageError(LayerwiseError):
    """The disk is full or refuses to be written; the run is paused and can be resumed."""

    exit_code = 74


class BusyError(LayerwiseError):
    """Another process owns the run."""

    exit_code = 75


class StoppedError(LayerwiseError):
    """A signal stopped the training after a step; its checkpoint is saved."""

    def __init__(self, sentence: str, signal_number: int) -> None:
        super().__init__(sentence)
        self.exit_code = 128 + signal_number


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ' Did you mean 'x'?' for the known name closest to `name`, or an empty string.

    The initials of a name of several words stand for it, too: lr for learning-rate.
    """
    spellings = {plain(other): other for other in known}
    wanted = plain(name)
    initials = {"".join(word[:1] for word in spelling.split("-")): spelling for spelling in spellings}
    found = difflib.get_close_matches(wanted, spellings, n=1, cutoff=0.5) or [initials.get(wanted, "")]
    return f" Did you mean '{spellings[found[0]]}'?" if wanted and found[0] else ""


def in_backticks(names: Iterable[str]) -> str:
    """Return the names of fields as sentences write them, `a`, `b`; 'none' where there is none."""
    return ", ".join(f"`{name}`" for name in names) or "none"


def plain(name: str) -> str:
    """Return a name without what is mistyped most: capitals, and '_' for '-'."""
    return name.casefold().replace("_", "-")
