"""Metrics as lines of JSON. A line counts when it ends; what a kill left of the last one is cut off."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from layerwise.errors import CheckpointError
from layerwise.runs.atomic import storage_errors, write_all, write_bytes

Record = dict[str, Any]


def append_records(path: Path, records: Sequence[Record]) -> None:
    """Add records in one write. They survive a kill at once, a power failure from the next checkpoint on.

    Raises:
        StorageError: the disk is full or refuses to be written; none of `records` was added.
    """
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            end = _end_of_last_line(descriptor)
            if os.lseek(descriptor, 0, os.SEEK_END) > end:
                os.ftruncate(descriptor, os.lseek(descriptor, end, os.SEEK_SET))
            try:
                write_all(descriptor, _lines(records))
            except OSError:
                os.ftruncate(descriptor, end)
                raise
        finally:
            os.close(descriptor)


def replace_records(path: Path, records: Sequence[Record]) -> None:
    """Put `records` in place of all that are there, in one step."""
    write_bytes(path, _lines(records))


def read_records(path: Path) -> list[Record]:
    """Return all records; a damaged end, as a kill or a power failure leaves it, does not count.

    Raises:
        CheckpointError: a line in the middle is damaged.
    """
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    records = [_parse(line) for line in lines]
    while records and records[-1] is None:
        records.pop()
    if None in records:
        row = records.index(None) + 1
        raise CheckpointError(f"{path}: line {row} is damaged; remove this line, or put back a copy of the file")
    return [record for record in records if record is not None]


def _parse(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _lines(records: Sequence[Record]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def _end_of_last_line(descriptor: int, block: int = 65536) -> int:
    """Return the offset behind the last line feed, which is the end unless a kill or a power failure came between."""
    stop = os.fstat(descriptor).st_size
    if stop and os.pread(descriptor, 1, stop - 1) == b"\n":
        return stop
    while stop:
        start = max(0, stop - block)
        found = os.pread(descriptor, stop - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        stop = start
    return 0
