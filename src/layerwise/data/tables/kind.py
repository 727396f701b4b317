"""Tables as a kind of data: the target, encoders fitted on the training rows, and the encoded rows.

The table is read in passes, each chunk by chunk: what the columns are, the target, the fit, the encoding.
Encoded rows that would need more than MEMORY_LIMIT are kept in a file, so that a table of any length can
be trained on.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from layerwise.data.checks import check_splits, check_table
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Labels, Notice, Rows, Split, TaskName
from layerwise.data.kind import DataKind, Values
from layerwise.data.raw import Parts, RawTable, Unlabelled
from layerwise.data.splits import check_shares
from layerwise.data.tables.files import TABLE_SUFFIXES, TableFile, open_table, survey_frame
from layerwise.data.tables.preprocessing import TablePreprocessing, fit_columns
from layerwise.data.tables.targets import TargetColumn, decide_target, missing_target_notice
from layerwise.data.tables.types import ColumnType, Place
from layerwise.errors import DataError, UsageError, nearest

MEMORY_LIMIT = 256 * 2**20  # bytes of encoded rows that are kept in memory
NUMBERING_STARTS = (0.0, 1.0)


@dataclass(frozen=True)
class RowNames(Sequence[str]):
    """'line 17' for each row, made when it is asked for: ten million names would be a gigabyte."""

    lines: NDArray[np.uint32]
    unit: str

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return RowNames(self.lines[index], self.unit)
        return f"{self.unit} {self.lines[index]}"


class _RowFile:
    """An unnamed temporary file, closed when nothing reads it any more."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(prefix="layerwise-")  # noqa: SIM115 - lives as long as this object
        weakref.finalize(self, self.file.close)


class FileRows(Rows):
    """Encoded rows in a temporary file, for as long as anything reads them.

    The rows are read, not mapped: the pages of a mapped file count as memory, and each touched row brings in sixteen.

    file: (all rows, width) float32, row after row; rows: (n,) int64, which of them these are.
    """

    def __init__(self, file: _RowFile, width: int, rows: Tensor) -> None:
        self._file, self._width, self._rows = file, width, rows
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, indices: Tensor) -> Tensor:
        size = 4 * self._width
        data = b"".join(self._read(row * size, size) for row in self._rows[indices].tolist())
        return torch.frombuffer(bytearray(data), dtype=torch.float32).view(len(indices), self._width)

    def _read(self, offset: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file.file.fileno(), size, offset)
        with self._lock:  # systems without pread share the position in the file
            self._file.file.seek(offset)
            return self._file.file.read(size)


@dataclass(frozen=True)
class KeyColumns:
    """What is known of every row before anything is fitted.

    kept: (all rows,) whether the row has a target; the others are of the kept rows alone.
    numbering: columns that only number the rows.
    """

    kept: NDArray[np.bool_]
    target: pl.Series
    split_values: Tensor | None
    place: Place
    numbering: tuple[str, ...]
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class TableSamples(Unlabelled):
    """Rows of a table that have a target. The table itself is read in passes, each chunk by chunk.

    rows: (n,) int64, which of the rows that have a target. target: what it is; values are not yet scaled.
    labels: (all rows with a target,) int64 classes, None where values are predicted. types: the columns to learn from.
    source: one sentence for people; messages name the table's file.
    """

    table: TableFile
    keys: KeyColumns
    rows: Tensor
    target: TargetColumn
    labels: Tensor | None
    types: Mapping[str, ColumnType]
    source: str
    notices: tuple[Notice, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def task(self) -> TaskName:
        return self.target.task

    @property
    def classes(self) -> tuple[str, ...]:
        return self.target.classes

    @property
    def strata(self) -> Tensor | None:
        return None if self.labels is None else self.labels[self.rows]

    @property
    def groups(self) -> Tensor | None:
        return None if self.keys.split_values is None else self.keys.split_values[self.rows]

    def take(self, rows: Tensor) -> TableSamples:
        return replace(self, rows=self.rows[rows])


class TableData(DataKind[TableSamples, TableSamples, TablePreprocessing]):
    """Tables with a column to predict: CSV and Parquet files, frames, and data sets by name."""

    def accepts(self, path: Path, config: DataConfig) -> bool:
        return path.name.lower().endswith(TABLE_SUFFIXES)

    def read(self, path: Path, config: DataConfig) -> TableFile:
        return open_table(path)

    def prepare(self, raw: RawTable | TableFile, name: str, config: DataConfig) -> TableSamples:
        """Read the target of every row. `config.target`, where given, wins over that of a named table."""
        if isinstance(raw, TableFile):
            return read_samples(raw, config, None, raw.source)
        target, task = raw.target, raw.task
        if config.target:
            target, task = config.target, task if config.target == target else None
        return read_samples(survey_frame(raw.frame, name), replace(config, target=target), task, raw.source)

    def naming_errors(self, raw: TableSamples) -> AbstractContextManager[None]:
        return _about(raw.table.source)

    def fit(self, train: TableSamples, config: DataConfig) -> tuple[TablePreprocessing, tuple[Notice, ...]]:
        target = train.target.fit(train.keys.target[train.rows.numpy()])
        chunks = _training_rows(train.table, list(train.types), train.keys.kept, train.rows)
        columns, notices = fit_columns(chunks, train.types)
        return TablePreprocessing(columns, target), notices

    def encode(self, preprocessing: TablePreprocessing, samples: TableSamples) -> Split:
        """Encode rows by a preprocessing that may be of another table; all of them in memory."""
        table, kept = samples.table, samples.keys.kept
        frame = pl.concat([part for part, _ in _kept_chunks(table, list(table.types), kept)])
        split = preprocessing.read_labelled(frame[samples.rows.numpy()], Labels(samples.task))
        lines = np.asarray(samples.keys.place.lines)[samples.rows.numpy()]
        return Split(split.inputs, split.targets, RowNames(lines, table.unit))

    def encode_parts(
        self, preprocessing: TablePreprocessing, parts: Parts[TableSamples], config: DataConfig, seed: int
    ) -> Parts[Split]:
        """Encode all rows in one pass, and divide them."""
        samples = (parts.train, parts.valid, parts.test)
        table, keys, labels = parts.train.table, parts.train.keys, parts.train.labels
        inputs = _encode(table, preprocessing, keys.kept, [part.rows for part in samples])
        targets = preprocessing.target.encode(keys.target, keys.place) if labels is None else labels
        lines = np.asarray(keys.place.lines)
        splits = [
            Split(part, targets[one.rows], RowNames(lines[one.rows.numpy()], table.unit))
            for part, one in zip(inputs, samples, strict=True)
        ]
        return Parts(*splits)

    def values(self, preprocessing: TablePreprocessing, raw: TableSamples) -> Values:
        target = preprocessing.target
        return Values() if target.classes else Values((target.name,), (target.mean,), (target.deviation,))

    def look_over(self, dataset: Dataset, parts: Parts[TableSamples], config: DataConfig) -> Iterable[Notice]:
        return *check_splits(dataset), *check_table(dataset, config.split_column)


@contextmanager
def _about(source: str) -> Iterator[None]:
    """Begin sentences of errors that do not name the file with its name."""
    try:
        yield
    except DataError as error:
        if str(error).startswith(source):
            raise
        raise DataError(f"{source}: {error}") from error


def read_samples(table: TableFile, config: DataConfig, task: TaskName | None, source: str) -> TableSamples:
    """Read what has to be known of every row before anything is fitted. Raises DataError or UsageError."""
    _check_columns(table, config)
    with _about(table.source):
        keys = _read_key_columns(table, config)
        target, target_notices = decide_target(keys.target, table.types[keys.target.name], table.source, task)
        labels = target.encode(keys.target, keys.place) if target.classes else None
        types, left_out = _used_types(table, config, keys.numbering)
    notices = (*table.notices, *keys.notices, *target_notices, *left_out)
    return TableSamples(table, keys, torch.arange(len(keys.target)), target, labels, types, source, notices)


def _check_columns(table: TableFile, config: DataConfig) -> None:
    """Refuse a target or a split column that the table does not have."""
    check_shares(test=config.test, valid=config.valid, by=config.split_by)
    names = tuple(table.types)
    if not config.target:
        shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        pairs = "; texts with their translations belong in a file that ends in .pairs.tsv" if len(names) == 2 else ""
        raise UsageError(f"{table.source} is a table: say which column to predict with `target` ({shown}){pairs}.")
    for field, name in (("`target`", config.target), ("`split_column`", config.split_column)):
        if name is not None and name not in table.types:
            raise DataError(
                f"{table.source} has no column '{name}', which {field} names; its columns are "
                f"{', '.join(names[:20])}.{nearest(name, names)}"
            )
    if config.split_by != "random" and config.split_column is None:
        raise UsageError(
            f"`split_by` {config.split_by} needs `split_column`, the column with the {config.split_by} of a row."
        )
    if config.split_by == "random" and config.split_column is not None:
        raise UsageError(
            f"`split_column` {config.split_column} says nothing without `split_by` group or `split_by` time; add one."
        )


def _read_key_columns(table: TableFile, config: DataConfig) -> KeyColumns:
    """Read the target, the split column and the line of each row, and find columns that number the rows."""
    name = config.target or ""
    numbering = {column for column, kind in table.types.items() if kind.kind == "number"} - {name}
    split_name = config.split_column if config.split_by != "random" else None
    wanted = list(dict.fromkeys([name, *([split_name] if split_name else []), *sorted(numbering)]))
    targets, keys, lines, kept, offset = [], [], [], [], 0
    for chunk in table.chunks(wanted):
        has_target = chunk.frame[name].is_not_null()
        kept.append(has_target.to_numpy())
        lines.append(np.asarray(chunk.lines, np.uint32)[kept[-1]])
        targets.append(chunk.frame[name].drop_nulls())
        if split_name:
            keys.append(chunk.frame[split_name].filter(has_target))
        numbering = {column for column in numbering if _numbers_rows(chunk.frame[column], offset)}
        offset += len(chunk.lines)
    target = pl.concat(targets)
    place = Place(table.source, np.concatenate(lines), table.unit)
    return KeyColumns(
        kept=np.concatenate(kept),
        target=target,
        split_values=_split_values(pl.concat(keys), config.split_by, place) if keys else None,
        place=place,
        numbering=tuple(sorted(numbering)),
        notices=tuple(missing_target_notice(name, offset - len(target), offset, table.source)),
    )


def _numbers_rows(cells: pl.Series, offset: int) -> bool:
    """Whether the cells count the rows of the table, from 0 or from 1."""
    if cells.null_count():
        return False
    values = cells.to_numpy() - np.arange(offset, offset + len(cells))
    return values[0] in NUMBERING_STARTS and bool((values == values[0]).all())


def _split_values(cells: pl.Series, by: str, place: Place) -> Tensor:
    """Return the group number or the time of each row."""
    if cells.null_count():
        row = int(cells.is_null().arg_true()[0])
        raise DataError(f"{place(row)}: column '{cells.name}' is empty, so the row has no {by} to split by; fill it.")
    if by == "group":
        return torch.from_numpy(cells.rank("dense").cast(pl.Int64).to_numpy(writable=True))
    if cells.dtype in (pl.String, pl.Boolean):
        raise DataError(
            f"{place.source}: column '{cells.name}' holds no dates or numbers, so rows cannot be ordered "
            "by it; name "
            "another `split_column`."
        )
    times = cells.dt.epoch("us") if cells.dtype.is_temporal() else cells
    return torch.from_numpy(times.to_numpy(writable=True))


def _used_types(
    table: TableFile, config: DataConfig, numbering: Sequence[str]
) -> tuple[dict[str, ColumnType], tuple[Notice, ...]]:
    """Choose the columns to learn from, and say which are left out before anything is fitted."""
    types = {name: kind for name, kind in table.types.items() if name != config.target}
    notices = []
    for name in numbering:
        if name != config.split_column:
            del types[name]
            text = f"Column '{name}' is left out: it numbers the rows, which could leak the order of the table."
            notices.append(Notice("warning", text))
    if config.split_by == "group" and config.split_column in types:
        del types[config.split_column]
        text = f"Column '{config.split_column}' is left out: its groups are kept apart, so none is met again."
        notices.append(Notice("info", text))
    return types, tuple(notices)


def _kept_chunks(
    table: TableFile, names: Sequence[str], kept: NDArray[np.bool_]
) -> Iterator[tuple[pl.DataFrame, slice]]:
    """Yield the rows that have a target, with their positions among all that have."""
    position = offset = 0
    for chunk in table.chunks(names):
        mask = kept[offset : offset + len(chunk.lines)]
        frame = chunk.frame.filter(pl.Series(mask))
        yield frame, slice(position, position + len(frame))
        position += len(frame)
        offset += len(chunk.lines)


def _training_rows(
    table: TableFile, names: Sequence[str], kept: NDArray[np.bool_], train: Tensor
) -> Iterator[pl.DataFrame]:
    in_train = np.zeros(int(kept.sum()), bool)
    in_train[train.numpy()] = True
    for frame, positions in _kept_chunks(table, names, kept):
        yield frame.filter(pl.Series(in_train[positions]))


def _encode(
    table: TableFile, preprocessing: TablePreprocessing, kept: NDArray[np.bool_], parts: Sequence[Tensor]
) -> Sequence[Tensor | FileRows]:
    """Encode all rows, in memory where they fit, else into a file."""
    names = [column.name for column in preprocessing.columns]
    shape = (int(kept.sum()), *preprocessing.input_shape)
    chunks = _kept_chunks(table, names, kept)
    encoded = ((preprocessing.encode(frame), positions) for frame, positions in chunks)
    if 4 * shape[0] * shape[1] <= MEMORY_LIMIT:
        matrix = torch.empty(shape)
        for part, positions in encoded:
            matrix[positions] = part
        return [matrix[positions] for positions in parts]
    rows = _RowFile()
    for part, _ in encoded:
        rows.file.write(part.numpy().tobytes())
    rows.file.flush()
    return [FileRows(rows, shape[1], positions) for positions in parts]
