"""Texts from files, folders, tables, bytes and lists."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

from layerwise.data.inputs import File, MemoryFile, Source, check_exists, describe, open_source, split_pairs
from layerwise.data.tables.csv import Delimited
from layerwise.data.tables.files import TABLE_SUFFIXES, is_parquet, open_rows
from layerwise.data.tables.values import is_table, read_values
from layerwise.errors import DataError, nearest


class Texts(NamedTuple):
    """Texts with the id of each and, for messages, the place where it stands."""

    texts: list[str]
    ids: list[str]
    places: list[str]


def read_texts(source: Source, column: str, name: str = "") -> Texts:
    """Read the texts of a file, folder or table; a text of a list is called by its number.

    Parameters
    ----------
    source : str, Path, bytes, list of str, or the rows of a table
        A .txt file is one text, a folder holds such files, a table has a text a row.
    column : str
        The column of a table with the texts.
    name : str
        What the bytes are called.

    Raises
    ------
    NotFoundError
        There is no such file.
    DataError
        It is a file of another kind, an empty folder, or a table without the column.
    """
    file = open_source(source, name)
    if file is None:
        return _read_values(source, column)
    check_exists(file, "a text, a folder or a table")
    if isinstance(file, Path) and file.is_dir():
        files = sorted(path for path in file.rglob("*.txt") if path.is_file())
        if not files:
            raise DataError(f"{file} holds no .txt files; name a folder with texts in it.")
        ids = [path.relative_to(file).as_posix() for path in files]
        return Texts([read_text(path) for path in files], ids, [f"{file}, {one}" for one in ids])
    if file.name.lower().endswith(TABLE_SUFFIXES) or (isinstance(file, MemoryFile) and is_parquet(file)):
        return Texts(*read_column(file, column))
    if file.suffix.lower() not in (".txt", "") or (isinstance(file, Path) and not file.suffix):
        raise DataError(f"{file} is no text; name a .txt file, a folder of them, or a table with a '{column}' column.")
    return Texts([read_text(file)], [file.name], [str(file)])


def read_lines(source: Source, column: str, name: str = "") -> Texts:
    """Read as `read_texts`, but for a .txt file, which holds a text a line; a text is called by itself."""
    found = read_texts(source, column, name)
    file = open_source(source, name)
    if file is None and not is_table(source):
        found = found._replace(ids=list(found.texts))
    elif file is not None and not file.is_dir() and file.suffix.lower() in (".txt", "") and len(found.texts) == 1:
        lines = [(line, number) for number, line in enumerate(found.texts[0].splitlines(), 1) if line.strip()]
        texts = [line for line, _ in lines]
        found = Texts(texts, list(texts), [f"{file}, line {number}" for _, number in lines])
    if not found.texts:
        raise DataError(f"{file or 'the list'} holds no text; write one a line.")
    return found


def read_text(file: File) -> str:
    """Read one text, UTF-8 or UTF-16 with a mark, else Latin-1, as old e-mails are.

    Raises DataError for a file that holds NUL bytes.
    """
    data = file.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        raise DataError(f"{file} holds NUL bytes, so it is no text; take it out or save it as UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_column(source: Source, column: str, name: str = "") -> tuple[list[str], list[str], list[str]]:
    """Read a column of a table as texts, with their lines and their places. Raises DataError."""
    file = open_source(source, name)
    rows = read_values(source) if file is None else open_rows(file)
    if column not in rows.names:
        raise DataError(
            f"{rows.path} has no column '{column}' with the texts; name it so.{nearest(column, rows.names)}"
        )
    unit = "line" if isinstance(rows, Delimited) else "row"
    texts: list[str] = []
    ids: list[str] = []
    for chunk in rows.chunks():
        texts.extend(chunk.frame[column].cast(pl.String).fill_null(""))
        ids.extend(f"{unit} {line}" for line in chunk.lines)
    return texts, ids, [f"{rows.path}, {one}" for one in ids]


def read_labelled_texts(source: Source, column: str, name: str = "") -> tuple[Texts, list[str]]:
    """Read texts and the label of each: a table with a column 'label', too, or a list of (text, label)."""
    file = open_source(source, name)
    if file is None and not is_table(source):
        texts, labels = split_pairs(source, "(text, label)")
        return read_texts(texts, column), [str(label) for label in labels]
    texts_of_table = Texts(*read_column(source, column, name))
    return texts_of_table, read_column(source, "label", name)[0]


def _read_values(source: Source, column: str) -> Texts:
    if is_table(source):
        return Texts(*read_column(source, column))
    if not isinstance(source, list | tuple) or not all(isinstance(text, str) for text in source) or not source:
        raise DataError(
            f"expected a list of texts, or the rows of a table with a '{column}' column, received {describe(source)}."
        )
    names = [f"text {number}" for number in range(1, len(source) + 1)]
    return Texts(list(source), names, names)
