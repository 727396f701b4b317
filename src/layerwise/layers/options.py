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


def require_sizes(option: str, received: Sequence[int], length: int | None = None) -> None:
    """Raise UsageError unless `received` holds whole numbers of at least 1, `length` of them if given."""
    whole = all(isinstance(size, int) and not isinstance(size, bool) and size >= 1 for size in received)
    expected = f"{length or ''} whole numbers of at least 1".strip()
    require(whole and (length is None or len(received) == length), option, expected, received)


def require_count(option: str, received: int) -> None:
    """Raise UsageError unless `received` is a whole number of at least 1."""
    is_count = isinstance(received, int) and not isinstance(received, bool) and received >= 1
    require(is_count, option, "a whole number of at least 1", received)


def require_dropout(received: float) -> None:
    """Raise UsageError unless `received` is a share of units from 0 to below 1."""
    require(0 <= received < 1, "dropout", "a number from 0 to below 1", received)
