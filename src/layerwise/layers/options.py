"""Checks of the options of networks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from layerwise.errors import UsageError, nearest


def require(holds: bool, option: str, expected: str, received: object) -> None:
    """Raise UsageError, naming the field `option`, unless `holds`."""
    if not holds:
        raise UsageError(f"`{option}` must be {expected}, received {received!r}.")


def require_choice(option: str, received: str, known: Iterable[str]) -> None:
    """Raise UsageError, with the nearest known name, unless `received` is a known one."""
    names = list(known)
    if received not in names:
        hint = nearest(str(received), names)
        raise UsageError(f"`{option}` must be one of {', '.join(names)}, received {received!r}.{hint}")


def require_as_many(option: str, received: Sequence[int], other: str, count: Sequence[int]) -> None:
    """Raise UsageError unless a field has as many numbers as another one."""
    require(len(received) == len(count), option, f"{len(count)} whole numbers, as many as `{other}`", received)
