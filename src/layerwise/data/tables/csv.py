"""Delimited text, from bytes to frames of strings, block by block, so that a file of any size needs little
memory.

The encoding, the delimiter and the header are found first. Then every block is cut at the end of a record,
every record is checked to have as many cells as the header, and only then polars splits it into columns.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from layerwise.data.inputs import File, MemoryFile
from layerwise.errors import DataError

BLOCK_BYTES = 4 * 2**20
RECORD_BYTES_LIMIT = 32 * 2**20  # one record longer than this is an open quotation mark or no table
SAMPLE_BYTES = 2**16
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16 (little endian)"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16 (big endian)"),
)
OTHER_FORMATS = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"[{", "a JSON document"),
    (b'{"', "a JSON document"),
)


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a table. lines: where each row begins, counted from 1 as an editor does."""

    frame: pl.DataFrame
    lines: Sequence[int]


@dataclass(frozen=True)
class Encoding:
    """How the bytes of a file become text. label: in words, to be shown."""

    codec: str
    label: str
    mark_length: int = 0


@dataclass(frozen=True)
class Delimited:
    """A delimited text file whose shape is known. header: every column's name, an empty one where it has none."""

    path: File
    encoding: Encoding
    delimiter: str
    header: tuple[str, ...]
    block_bytes: int = BLOCK_BYTES

    @property
    def names(self) -> tuple[str, ...]:
        """The columns to read. A first column without a name is the row numbers that pandas and R write."""
        return tuple(name for name in self.header if name)

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows below the header, every cell a string or null.

        Raises DataError, naming the line, for a row with more or fewer cells than the header.
        """
        is_header = True
        for block, line in _record_blocks(self.path, self.encoding, self.block_bytes):
            chunk = self._split(block, line)
            if is_header:
                chunk = Chunk(chunk.frame[1:], chunk.lines[1:])
                is_header = False
            if len(chunk.lines):
                yield chunk

    def _split(self, block: bytes, line: int) -> Chunk:
        records = _find_records(block, ord(self.delimiter))
        lines = range(line, line + len(records.cells)) if records.breaks is None else line + records.breaks
        ragged = np.flatnonzero((records.cells != len(self.header)) & ~records.blank)
        if len(ragged):
            first = int(ragged[0])
            raise DataError(
                f"{self.path}, line {lines[first]}: the row has {_count(records.cells[first])} where the "
                "header has "
                f"{_count(len(self.header))}; correct the line, or quote cells that hold a "
                f"{DELIMITERS[self.delimiter]}."
            )
        try:
            frame = pl.read_csv(
                io.BytesIO(block),
                has_header=False,
                schema=dict.fromkeys(self.header, pl.String),
                separator=self.delimiter,
            ).select(self.names)
        except pl.exceptions.PolarsError:
            frame = pl.DataFrame()
        if len(frame) != len(records.cells):
            raise DataError(
                f"{self.path}, lines {lines[0]} to {lines[-1]}: the quotation marks do not pair up; "
                "quote a whole cell and double every mark inside it."
            )
        if records.blank.any():
            kept = ~records.blank
            return Chunk(frame.filter(pl.Series(kept)), np.asarray(lines)[kept].tolist())
        return Chunk(frame, lines if isinstance(lines, range) else lines.tolist())


def open_delimited(path: File, block_bytes: int = BLOCK_BYTES) -> Delimited:
    """Find encoding, delimiter and header of a delimited text file.

    Raises DataError for a file that is empty, no text, or whose header cannot name columns.
    """
    encoding = find_encoding(path)
    block, _ = next(_record_blocks(path, encoding, SAMPLE_BYTES), (b"", 1))
    text = block.decode()
    if not text.strip():
        raise DataError(f"{path} is empty; a table begins with a line of column names.")
    delimiter = find_delimiter(text)
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [" ".join(name.split()) for name in next(row for row in records if row)]
    _check_header(path, header)
    return Delimited(path, encoding, delimiter, tuple(header), block_bytes)


def find_encoding(path: File) -> Encoding:
    """Read the whole file once and say how it is encoded: UTF-8, UTF-16, or Latin-1 and its Windows variant.

    Raises DataError for other formats under a table's name, and for NUL bytes, naming the line.
    """
    start = next(read_blocks(path, SAMPLE_BYTES), b"")
    _refuse_other_formats(path, start)
    for mark, codec, label in BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return Encoding(codec, label, len(mark))
    unmarked = _unmarked_utf16(start)
    if unmarked:
        return unmarked
    if _is_utf8(path):
        return Encoding("utf-8", "UTF-8")
    return Encoding("cp1252", "Latin-1 (Windows-1252)")


def find_delimiter(text: str) -> str:
    """Return the delimiter that cuts the first lines into the most even rows; a comma for one column."""

    def evenness(delimiter: str) -> tuple[float, int]:
        records = csv.reader(io.StringIO(text[:SAMPLE_BYTES], newline=""), delimiter=delimiter)
        rows = [row for row in islice(records, 50) if row]
        width = len(rows[0])
        even = sum(len(row) == width for row in rows) / len(rows)
        return (even, width) if width > 1 else (0.0, 1)

    return max(DELIMITERS, key=evenness)


def open_bytes(path: File) -> IO[bytes]:
    """Open a file for reading, inflating it where its name ends in .gz."""
    if path.suffix.lower() != ".gz":
        return path.open("rb")
    return cast(IO[bytes], gzip.open(path.open() if isinstance(path, MemoryFile) else path))


def read_blocks(path: File, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield the bytes of a file, inflated, in blocks of `size`."""
    try:
        with open_bytes(path) as file:
            while block := file.read(size):
                yield block
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is a damaged gzip file ({error}); fetch or compress it again.") from error


def _count(cells: int) -> str:
    return f"{cells} cell" if cells == 1 else f"{cells} cells"


def _check_header(path: File, header: list[str]) -> None:
    for position, name in enumerate(header, 1):
        if not name and (position > 1 or len(header) == 1):
            raise DataError(
                f"{path}, line 1: column {position} of {len(header)} has no name; name every column, or "
                "save the "
                "table without its row numbers (index=False in pandas)."
            )
        if name in header[: position - 1]:
            raise DataError(f"{path}, line 1: the column name '{name}' appears twice; give each its own name.")
    if all(_is_fraction(name) for name in header):
        raise DataError(f"{path}, line 1 holds numbers, no column names; put a line of names at the top.")


def _is_fraction(text: str) -> bool:
    """Whether a header cell is surely data: a number that is not whole (whole numbers do serve as names)."""
    try:
        return not float(text).is_integer()
    except (ValueError, OverflowError):
        return False


def _refuse_other_formats(path: File, start: bytes) -> None:
    for magic, name in OTHER_FORMATS:
        if start.startswith(magic):
            raise DataError(f"{path} is {name} under a table's name; save the table as CSV or Parquet.")
    if start and sum(byte < 32 and byte not in b"\t\n\r\f\0" for byte in start) > len(start) / 20:
        raise DataError(f"{path} holds binary data, no text; save the table as CSV or Parquet.")


def _unmarked_utf16(start: bytes) -> Encoding | None:
    """Recognise UTF-16 without a mark: every other byte of mostly Latin text is zero."""
    half = len(start) // 2
    if half and start[1::2].count(0) > 0.7 * half and 0 not in start[0::2]:
        return Encoding("utf-16-le", "UTF-16 (little endian)")
    if half and start[0::2].count(0) > 0.7 * half and 0 not in start[1::2]:
        return Encoding("utf-16-be", "UTF-16 (big endian)")
    return None


def _is_utf8(path: File) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, line = True, 1
    for block in read_blocks(path):
        if b"\0" in block:
            line += block[: block.index(b"\0")].count(b"\n")
            raise DataError(f"{path}, line {line}: the line holds a NUL byte; the file is damaged, save it again.")
        line += block.count(b"\n")
        if is_utf8 and not (block.isascii() and decoder.getstate()[0] == b""):
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                is_utf8 = False
    return is_utf8 and decoder.getstate()[0] == b""


def _utf8_blocks(path: File, encoding: Encoding, size: int) -> Iterator[bytes]:
    """Yield the text of a file as UTF-8 with plain line ends, without its byte order mark."""
    decoder = codecs.getincrementaldecoder(encoding.codec)(errors="strict")
    skip, pending_return = encoding.mark_length, b""
    for raw in read_blocks(path, size):
        block, skip = raw[skip:], 0
        if encoding.codec != "utf-8":
            try:
                block = decoder.decode(block).encode()
            except UnicodeError as error:
                raise DataError(
                    f"{path} is neither UTF-8 nor {encoding.label} text ({error}); save it as UTF-8."
                ) from error
        block = pending_return + block
        pending_return = b"\r" if block.endswith(b"\r") else b""
        block = block.removesuffix(b"\r")
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield block
    if encoding.codec != "utf-8" and decoder.getstate()[0]:
        raise DataError(
            f"{path} ends in the middle of a character of {encoding.label} text; it was cut off, get it whole."
        )
    yield b"\n"


def _record_blocks(path: File, encoding: Encoding, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield (whole records, line of the first), cutting only at line ends that no quotation marks enclose."""
    rest, line = b"", 1
    for block in _utf8_blocks(path, encoding, size):
        rest += block
        end = _last_record_end(rest)
        if end:
            whole, rest = rest[:end], rest[end:]
            blank = len(whole) - len(whole.lstrip(b"\n"))  # polars would leave them out without a word
            if whole[blank:]:
                yield whole[blank:], line + blank
            line += whole.count(b"\n")
        elif len(rest) > RECORD_BYTES_LIMIT:
            break
    if rest.strip():
        quoted = rest.find(b'"')
        line += rest[: max(quoted, 0)].count(b"\n")
        raise DataError(
            f"{path}, line {line}: a quotation mark is opened and never closed; close it, or double it "
            "where it "
            "belongs to the text."
        )


def _last_record_end(block: bytes) -> int:
    if block.count(b'"') % 2 == 0 and block.endswith(b"\n"):
        return len(block)
    if b'"' not in block:
        return block.rfind(b"\n") + 1
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero((data == ord("\n")) & ~_inside_quotes(data))
    return int(ends[-1]) + 1 if len(ends) else 0


def _inside_quotes(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.logical_xor.accumulate(data == ord('"'))


@dataclass(frozen=True)
class _Records:
    """Of each record: cells, whether it is an empty line, and line breaks before it (None: one a record)."""

    cells: NDArray[np.int64]
    blank: NDArray[np.bool_]
    breaks: NDArray[np.int64] | None


def _find_records(block: bytes, delimiter: int) -> _Records:
    data = np.frombuffer(block, np.uint8)
    is_break, is_delimiter = data == ord("\n"), data == delimiter
    breaks = None
    ends = np.flatnonzero(is_break)
    if b'"' in block:
        outside = ~_inside_quotes(data)
        is_delimiter &= outside
        all_ends, ends = ends, np.flatnonzero(is_break & outside)
        if len(ends) != len(all_ends):
            breaks = np.searchsorted(all_ends, np.concatenate([[0], ends[:-1] + 1]))
    cells = np.diff(np.searchsorted(np.flatnonzero(is_delimiter), ends), prepend=0) + 1
    blank = np.diff(ends, prepend=-1) == 1
    return _Records(cells, blank, breaks)
