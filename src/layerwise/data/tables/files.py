"""Reading tables from CSV and Parquet, and writing predictions.

`open_table` looks at a whole file chunk by chunk and decides what each column is; `TableFile.chunks` then
yields typed rows, so that a table larger than memory can be read again and again. `read_table` keeps all
rows in one frame.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from layerwise.data.dataset import Notice
from layerwise.data.inputs import File, MemoryFile, check_exists
from layerwise.data.tables.csv import DELIMITERS, Chunk, Delimited, open_delimited
from layerwise.data.tables.types import ColumnSurvey, ColumnType, Place, convert
from layerwise.errors import DataError

CHUNK_ROWS = 2**16
TEXT_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
PARQUET_SUFFIXES = (".parquet", ".pq")
TABLE_SUFFIXES = TEXT_SUFFIXES + PARQUET_SUFFIXES
PARQUET_START = b"PAR1"
FORMULA_START = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file, read some rows at a time. Its rows are counted from 1."""

    path: File
    names: tuple[str, ...]
    row_count: int

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows as they are stored."""
        scan = _scan(self.path)
        for start in range(0, self.row_count, CHUNK_ROWS):
            with _parquet_errors(self.path):
                frame = scan.slice(start, CHUNK_ROWS).collect()
            yield Chunk(frame, range(start + 1, start + 1 + len(frame)))


@dataclass(frozen=True)
class FrameRows:
    """A frame that is in memory already. Its rows are counted from 1."""

    path: Path
    frame: pl.DataFrame

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.frame.columns)

    def chunks(self) -> Iterator[Chunk]:
        """Yield all rows at once."""
        yield Chunk(self.frame, range(1, 1 + len(self.frame)))


@dataclass(frozen=True)
class TableFile:
    """A table whose columns are known: name -> type, with what was noticed while looking at it."""

    rows: Delimited | ParquetFile | FrameRows
    types: Mapping[str, ColumnType]
    row_count: int
    notices: tuple[Notice, ...]

    @property
    def source(self) -> str:
        """The file or the name to show in messages."""
        return str(self.rows.path)

    @property
    def unit(self) -> str:
        """What the rows are counted in: 'line' of a text file, 'row' of anything else."""
        return "line" if isinstance(self.rows, Delimited) else "row"

    def chunks(self, names: Sequence[str] | None = None) -> Iterator[Chunk]:
        """Yield consecutive rows of the named columns as Float64, Boolean, Datetime or String."""
        for chunk in self.rows.chunks():
            place = _place(self.rows, chunk.lines)
            columns = [convert(chunk.frame[name], self.types[name], place) for name in names or self.rows.names]
            yield Chunk(pl.DataFrame(columns), chunk.lines)

    def read(self) -> Table:
        """Return all rows in one frame."""
        chunks = list(self.chunks())
        lines = [line for chunk in chunks for line in chunk.lines]
        rows = self.rows
        return Table(
            frame=pl.concat([chunk.frame for chunk in chunks]),
            lines=lines,
            notices=self.notices,
            encoding=rows.encoding.label if isinstance(rows, Delimited) else "",
            delimiter=rows.delimiter if isinstance(rows, Delimited) else "",
            source=self.source,
            unit=self.unit,
        )


@dataclass(frozen=True)
class Table:
    """A table in memory: Float64, Boolean, Datetime and String columns, null where a cell is missing.

    lines: where each row begins in its file (text: lines, Parquet: rows, both from 1); unit says which.
    """

    frame: pl.DataFrame
    lines: Sequence[int]
    notices: tuple[Notice, ...] = ()
    encoding: str = ""
    delimiter: str = ""
    source: str = ""
    unit: str = "row"

    @property
    def place(self) -> Place:
        """Names a row of this table in messages."""
        return Place(self.source, self.lines, self.unit)


def read_table(path: File) -> Table:
    """Read a whole CSV or Parquet file; see `open_table` for what is refused."""
    return open_table(path).read()


def survey_frame(frame: pl.DataFrame, source: str) -> TableFile:
    """Decide what each column of a frame in memory is, as if it had been read from a file."""
    return survey(FrameRows(Path(source), frame))


def open_table(path: File) -> TableFile:
    """Look at a CSV or Parquet file and decide what each column is.

    Raises NotFoundError for a missing file, DataError for one that is no table, naming the line, column
    and value.
    """
    return survey(open_rows(path))


def open_rows(path: File) -> Delimited | ParquetFile:
    """Open a CSV or Parquet file for reading its rows as they stand in it."""
    check_exists(path, "a CSV or Parquet file")
    if path.is_dir():
        raise DataError(f"{path} is a folder where a CSV or Parquet file was expected; name the file itself.")
    if path.name.lower().endswith(PARQUET_SUFFIXES) or is_parquet(path):
        return _open_parquet(path)
    if isinstance(path, MemoryFile) and not path.suffix:
        return open_delimited(path)
    if not path.name.lower().endswith(TEXT_SUFFIXES):
        raise DataError(
            f"{path} does not end in {', '.join(TABLE_SUFFIXES)}; save the table as CSV or Parquet under such a name."
        )
    return open_delimited(path)


def is_parquet(file: File) -> bool:
    """Tell whether bytes without a name that tells are a Parquet file."""
    return isinstance(file, MemoryFile) and not file.suffix and file.content.startswith(PARQUET_START)


def _scan(file: File) -> pl.LazyFrame:
    return pl.scan_parquet(file if isinstance(file, Path) else file.content)


def _open_parquet(path: File) -> ParquetFile:
    with _parquet_errors(path):
        scan = _scan(path)
        names = tuple(scan.collect_schema().names())
        row_count = int(scan.select(pl.len()).collect().item())
    if not row_count or not names:
        raise DataError(f"{path} has no rows; a table needs rows to learn from.")
    return ParquetFile(path, names, row_count)


@contextmanager
def _parquet_errors(path: File) -> Iterator[None]:
    """Turn what polars raises over a damaged file, panics of its Rust code included, into a DataError."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} is no readable Parquet file ({reason}); save it again.") from error


def _place(rows: Delimited | ParquetFile | FrameRows, lines: Sequence[int]) -> Place:
    return Place(str(rows.path), lines, "line" if isinstance(rows, Delimited) else "row")


def survey(rows: Delimited | ParquetFile | FrameRows) -> TableFile:
    """Look at all rows once and decide what each column is; `open_table` says what is refused."""
    surveys = {name: ColumnSurvey(name) for name in rows.names}
    row_count = 0
    for chunk in rows.chunks():
        row_count += len(chunk.lines)
        place = _place(rows, chunk.lines)
        for name, survey in surveys.items():
            survey.update(chunk.frame[name], place)
    if not row_count:
        raise DataError(f"{rows.path} has a header and no rows below it; a table needs rows to learn from.")
    notices: list[Notice] = []
    if isinstance(rows, Delimited):
        words = f"{rows.path.name}: {rows.encoding.label} text, cells divided by a {DELIMITERS[rows.delimiter]}."
        notices.append(Notice("info", words))
        if "" in rows.header:
            notices.append(Notice("info", "The first column has no name; it is taken for row numbers and left out."))
    types = {name: survey.decide(lambda text: notices.append(Notice("info", text))) for name, survey in surveys.items()}
    notices.extend(_missing_notices(surveys, types, row_count))
    return TableFile(rows, types, row_count, tuple(notices))


def _missing_notices(
    surveys: Mapping[str, ColumnSurvey], types: Mapping[str, ColumnType], row_count: int
) -> Iterator[Notice]:
    missing = {
        name: survey.missing + (survey.missing_among_numbers if types[name].kind != "text" else 0)
        for name, survey in surveys.items()
    }
    counts = [f"{name} {count}" for name, count in missing.items() if count]
    if counts:
        yield Notice("info", f"Missing cells of {row_count} rows: {', '.join(counts)}.")
    for name, survey in surveys.items():
        if survey.infinite and types[name].kind == "number":
            text = f"Column '{name}': {survey.infinite} cells are infinite and are counted as missing."
            yield Notice("warning", text)


def write_table(frame: pl.DataFrame, path: Path | None = None) -> str:
    """Write a frame as CSV, to `path` where one is given, and return the text.

    A text cell that a spreadsheet would run as a formula gets an apostrophe in front; numbers keep their
    sign.
    """
    guarded = frame.with_columns(
        pl.when(pl.col(name).str.contains(r"^[=+\-@\t\r]") & pl.col(name).cast(pl.Float64, strict=False).is_null())
        .then("'" + pl.col(name))
        .otherwise(pl.col(name))
        .alias(name)
        for name, dtype in frame.schema.items()
        if dtype == pl.String
    )
    names = {name: f"'{name}" for name in frame.columns if name.startswith(FORMULA_START)}
    buffer = io.BytesIO()
    guarded.rename(names).write_csv(buffer)
    text = buffer.getvalue().decode()
    if path is not None:
        path.write_text(text, encoding="utf-8", newline="")
    return text
