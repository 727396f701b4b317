"""The preprocessing of tables: an encoder a column, fitted on the training rows alone, saved with the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from layerwise.data.dataset import Kind, Labels, Notice, Split
from layerwise.data.inputs import File, Source, open_source
from layerwise.data.tables.csv import Chunk, Delimited
from layerwise.data.tables.encoders import Column, Dropped, column_from_json, column_to_json, start_fit
from layerwise.data.tables.files import FrameRows, ParquetFile, open_rows
from layerwise.data.tables.targets import TargetColumn
from layerwise.data.tables.types import ColumnType, Place, convert
from layerwise.data.tables.values import read_values
from layerwise.errors import DataError, nearest


@dataclass(frozen=True)
class TableRows:
    """Rows of a file as a network takes them.

    inputs: (rows, features) float32. cells: the typed target column, None where the file has none.
    """

    inputs: Tensor
    ids: list[str]
    notices: tuple[Notice, ...]
    targets: pl.Series | None
    place: Place


@dataclass(frozen=True)
class TablePreprocessing:
    """An encoder a column, and the target that they were chosen for.

    Parameters
    ----------
    columns : tuple of Column
        In the order of their features.
    target : TargetColumn
        The column to predict: its classes, or the mean and deviation of its values.
    """

    columns: tuple[Column, ...]
    target: TargetColumn
    kind: Kind = "table"

    @property
    def features(self) -> tuple[str, ...]:
        """The name of each feature, such as 'age', 'age missing' or 'embarked = Cherbourg'."""
        return tuple(feature for column in self.columns for feature in column.features)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (len(self.features),)

    def spans(self) -> dict[str, slice]:
        """Return which features each column became."""
        ends = np.cumsum([len(column.features) for column in self.columns]).tolist()
        starts = [0, *ends[:-1]]
        return {column.name: slice(*span) for column, *span in zip(self.columns, starts, ends, strict=True)}

    def encode(self, frame: pl.DataFrame) -> Tensor:
        """Turn typed rows (see `tables`) into (rows, features) float32."""
        encoded = np.empty((len(frame), *self.input_shape), np.float32)
        for column, span in zip(self.columns, self.spans().values(), strict=True):
            encoded[:, span] = column.encode(frame[column.name])
        return torch.from_numpy(encoded)

    def read(self, source: Source, name: str = "") -> tuple[Tensor, list[str]]:
        """Read and encode the rows of a table.

        Parameters
        ----------
        source : str, Path, bytes, mapping, list of mappings, frame of polars or pandas, or array
            A CSV or Parquet file, or rows in memory; an array is (rows, columns), in the order of `columns`.
        name : str
            What the bytes are called, such as 'sales.csv'.

        Returns
        -------
        rows : Tensor, (rows, features) float32
        ids : list of str
            The line of each row in a CSV file, the number of the row elsewhere.

        Raises
        ------
        NotFoundError, DataError
            There is no such file, a column is missing, or a cell does not suit its column.
        """
        rows = self.read_rows(source, name)
        return rows.inputs, rows.ids

    def read_rows(self, source: Source, name: str = "") -> TableRows:
        """Read rows exactly as the training data was read, with the target where there is one; see `read`."""
        file = open_source(source, name)
        names = [column.name for column in self.columns]
        rows = read_values(source, names) if file is None else open_rows(file)
        self._check_columns(rows.path, rows.names)
        unit = "line" if isinstance(rows, Delimited) else "row"
        types = {column.name: column.type for column in self.columns}
        if self.target.name in rows.names:
            types[self.target.name] = self.target.type
        inputs, targets, lines = [], [], list[int]()
        for chunk in rows.chunks():
            frame = _typed(chunk, types, Place(str(rows.path), chunk.lines, unit))
            inputs.append(self.encode(frame))
            lines.extend(chunk.lines)
            if self.target.name in types:
                targets.append(frame[self.target.name])
        if not lines:
            raise DataError(f"{rows.path} has a header and no rows below it; there is nothing to predict.")
        return TableRows(
            inputs=torch.cat(inputs),
            ids=[f"{unit} {line}" for line in lines],
            notices=self._ignored_notice(rows),
            targets=pl.concat(targets) if targets else None,
            place=Place(str(rows.path), lines, unit),
        )

    def read_labelled(self, source: Source, labels: Labels, name: str = "") -> Split:
        """Read rows that have the target column, too; see `Preprocessing.read_labelled`."""
        rows = self.read_rows(source, name)
        if rows.targets is None:
            where = rows.place.source
            raise DataError(f"{where} has no column '{self.target.name}' to compare the predictions with; add it.")
        return Split(rows.inputs, self.target.encode(rows.targets, rows.place), rows.ids)

    def transform(self, inputs: Tensor) -> Tensor:
        """Return the rows as they are; `read` has encoded them."""
        return inputs

    def to_json(self) -> dict[str, Any]:
        columns = [column_to_json(column) for column in self.columns]
        return {"kind": self.kind, "columns": columns, "target": self.target.to_json()}

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> TablePreprocessing:
        """Rebuild what `to_json` gave."""
        columns = tuple(column_from_json(column) for column in saved["columns"])
        return TablePreprocessing(columns, TargetColumn.from_json(saved["target"]))

    def _check_columns(self, source: File, names: Sequence[str]) -> None:
        for column in self.columns:
            if column.name not in names:
                unused = [name for name in names if name not in {column.name for column in self.columns}]
                raise DataError(
                    f"{source} has no column '{column.name}', which the model was trained with; add it, "
                    "with empty "
                    f"cells where it is not known.{nearest(column.name, unused)}"
                )

    def _ignored_notice(self, rows: Delimited | ParquetFile | FrameRows) -> tuple[Notice, ...]:
        used = {self.target.name, *(column.name for column in self.columns)}
        ignored = [name for name in rows.names if name not in used]
        if not ignored:
            return ()
        return (Notice("info", f"{rows.path.name}: columns the model does not use are ignored: {', '.join(ignored)}."),)


def fit_columns(
    chunks: Iterable[pl.DataFrame], types: Mapping[str, ColumnType]
) -> tuple[tuple[Column, ...], tuple[Notice, ...]]:
    """Fit an encoder to every column by one pass over the typed training rows.

    types: the columns to use, in the order of their features. Columns that say nothing are dropped with a
    notice.
    Raises DataError where none is left.
    """
    fits = {name: start_fit(name, column_type) for name, column_type in types.items()}
    for frame in chunks:
        for name, fit in fits.items():
            fit.update(frame[name])
    finished = [fit.finish() for fit in fits.values()]
    dropped = [column for column in finished if isinstance(column, Dropped)]
    columns = tuple(column for column in finished if not isinstance(column, Dropped))
    if not columns:
        reasons = "; ".join(f"'{column.name}': {column.reason}" for column in dropped) or "there is no other"
        raise DataError(f"No column is left to predict from ({reasons}); add columns that tell rows apart.")
    notices = [Notice("info", f"Column '{column.name}' is left out: {column.reason}.") for column in dropped]
    return columns, tuple(notices)


def _typed(chunk: Chunk, types: Mapping[str, ColumnType], place: Place) -> pl.DataFrame:
    return pl.DataFrame([convert(chunk.frame[name], column_type, place) for name, column_type in types.items()])
