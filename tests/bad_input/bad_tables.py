"""Tables that are wrong or that tempt a reader to read them wrongly."""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from case import LOOK, TRAIN_TABLE, Case, Maker, raw, refused, text, works

ROWS = 60
PREDICT_TABLE = "predict {table} {it} --json"
EVALUATE_TABLE = "evaluate {table} --data {it} --json"
ISO = tuple(f"2024-{1 + i % 12:02d}-{1 + (5 * i) % 28:02d}" for i in range(ROWS))


def rows(**columns: object) -> list[str]:
    """Return the lines of a good table: x and z are numbers, y is 'ham' or 'spam'; `columns` add to it or replace.

    A column is a sequence of cells that is repeated as often as needed.
    """
    good: dict[str, object] = {
        "x": [f"{5 * math.sin(i):.3f}" for i in range(ROWS)],
        "z": [str((7 * i) % 11) for i in range(ROWS)],
        "y": [("ham", "spam")[(i * i) % 3 % 2] for i in range(ROWS)],
    }
    good |= columns
    names = [name for name, cells in good.items() if cells is not None]
    lines = [",".join(names)]
    for i in range(ROWS):
        lines.append(",".join(str(good[name][i % len(good[name])]) for name in names))  # type: ignore[index]
    return lines


def table(lines: Mapping[int, str] | None = None, **columns: object) -> str:
    """Return a good table as text, with other columns, and with other lines by their numbers from 1."""
    written = rows(**columns)
    for number, line in (lines or {}).items():
        written[number - 1] = line
    return "\n".join(written) + "\n"


def csv(lines: Mapping[int, str] | None = None, **columns: object) -> Maker:
    """Write a good table but for some lines and columns."""
    return text(table(lines, **columns))


def parquet(frame: pl.DataFrame) -> Maker:
    """Write a frame as Parquet."""
    return lambda path: frame.write_parquet(path)


def parquet_bytes() -> bytes:
    """Return a good Parquet file."""
    buffer = io.BytesIO()
    pl.read_csv(io.StringIO(table())).write_parquet(buffer)
    return buffer.getvalue()


def flipped_parquet(path: Path) -> None:
    """Write a Parquet file with its data, not its footer, overwritten."""
    data = bytearray(parquet_bytes())
    data[8:400] = b"\xff" * 392
    path.write_bytes(bytes(data))


def nested_frame() -> pl.DataFrame:
    """A frame with a list in each cell of a column."""
    return pl.DataFrame({"x": [[i, i] for i in range(ROWS)], "y": ["ham", "spam"] * (ROWS // 2)})


GOOD = table()
WORDS = ("alpha", "beta", "gamma", "delta", "omega")

TABLES: tuple[Case, ...] = (
    # --- files that hold no table
    refused("empty.csv", raw(b""), 65, "empty.csv", "is empty", "column names"),
    refused("blank-lines.csv", text("\n\n\n"), 65, "blank-lines.csv", "is empty"),
    refused("only-a-mark.csv", raw(b"\xef\xbb\xbf"), 65, "only-a-mark.csv", "is empty"),
    refused("header-only.csv", text("x,y\n"), 65, "header-only.csv", "no rows"),
    refused("header-without-newline.csv", text("x,y"), 65, "header-without-newline.csv", "no rows"),
    refused("one-row.csv", text("x,y\n1,a\n"), 65, "one-row.csv", "1 row", "at least 10"),
    refused("nine-rows.csv", text("x,y\n" + "1,a\n2,b\n3,a\n" * 3), 65, "nine-rows.csv", "9 rows", "at least 10"),
    refused("picture.csv", raw(b"\x89PNG\r\n\x1a\n" + bytes(200)), 65, "picture.csv", "PNG picture", "CSV or Parquet"),
    refused("photo.csv", raw(b"\xff\xd8\xff\xe0" + bytes(200)), 65, "photo.csv", "JPEG picture"),
    refused("document.csv", raw(b"%PDF-1.7\n" + bytes(200)), 65, "document.csv", "PDF document"),
    refused("excel.csv", raw(b"PK\x03\x04" + bytes(200)), 65, "excel.csv", "Excel workbook", "save the table as CSV"),
    refused("old-excel.csv", raw(b"\xd0\xcf\x11\xe0" + bytes(200)), 65, "old-excel.csv", "old Excel workbook"),
    refused("page.csv", text("<!DOCTYPE html><html><body>404</body></html>"), 65, "page.csv", "web page"),
    refused("database.csv", raw(b"SQLite format 3\0" + bytes(200)), 65, "database.csv", "SQLite database"),
    refused("program.csv", raw(b"\x7fELF\2\1\1" + bytes(200)), 65, "program.csv", "a program"),
    refused("noise.csv", raw(bytes((37 * i * i + 11 * i) % 256 for i in range(4096))), 65, "noise.csv"),
    refused("gzip-by-content.csv", raw(gzip.compress(GOOD.encode())), 65, "gzip-by-content.csv", "gzip"),
    refused("parquet-by-content.csv", raw(parquet_bytes()), 65, "parquet-by-content.csv", "Parquet file"),
    refused("json.csv", text('[{"x": 1, "y": "ham"}]\n'), 65, "json.csv", "JSON", "save the table"),
    refused("table.xlsx", raw(b"PK\x03\x04" + bytes(200)), 65, "table.xlsx", ".csv", "save"),
    refused("table.txt", text(GOOD), 65, "table.txt", ".csv"),
    refused("table-without-suffix", text(GOOD), 65, "table-without-suffix", ".csv"),
    refused("archive.zip", raw(b"PK\x03\x04" + bytes(200)), 65, "archive.zip", "unpack"),
    refused("damaged.csv.gz", raw(gzip.compress(GOOD.encode())[:60]), 65, "damaged.csv.gz", "damaged gzip"),
    refused("plain.csv.gz", text(GOOD), 65, "plain.csv.gz", "gzip"),
    works("folded.csv.gz", raw(gzip.compress(GOOD.encode())), '"ham"', '"spam"'),
    # --- rows, quotation marks and headers
    refused("short-row.csv", csv({17: "1.5,2"}), 65, "short-row.csv, line 17", "2 cells", "3 cells"),
    refused("long-row.csv", csv({23: "1.5,2,ham,9"}), 65, "long-row.csv, line 23", "4 cells", "3 cells"),
    refused("comma-in-cell.csv", csv({5: "1,5,2,ham"}), 65, "comma-in-cell.csv, line 5", "quote"),
    refused("cut-off.csv", text(GOOD.rstrip("\n")[:-7]), 65, f"cut-off.csv, line {ROWS + 1}"),
    refused("total-row.csv", text(GOOD + "total\n"), 65, f"total-row.csv, line {ROWS + 2}", "1 cell"),
    refused("open-quote.csv", csv({9: '"1.5,2,ham'}), 65, "open-quote.csv, line 9", "never closed"),
    refused("stray-quote.csv", csv({9: '1"5,2,h"am'}), 65, "stray-quote.csv"),
    refused("same-name.csv", csv({1: "x,x,y"}), 65, "same-name.csv, line 1", "'x'", "twice"),
    refused("empty-name.csv", csv({1: "x,,y"}), 65, "empty-name.csv, line 1", "column 2", "no name"),
    refused("no-header.csv", text("\n".join(f"{i / 7:.3f},{i / 3:.3f}" for i in range(1, 60))), 65, "line 1", "names"),
    works("quoted.csv", csv({9: '"1.5","2","ham"'}), '"ham"', cells={"x": [0.0, 4.207]}),
    works("newline-in-cell.csv", csv(note=['"two\nlines"', "one"]), "ham", cells={"note": ["two\nlines", "one"]}),
    works("doubled-quotes.csv", csv(note=['"she said ""no"""', "-"]), cells={"note": ['she said "no"', "-"]}),
    works("blank-rows.csv", text(GOOD.replace("\n", "\n\n")), '"train": 43'),
    works("windows-lines.csv", text(GOOD.replace("\n", "\r\n")), '"train": 43', cells={"z": [0, 7, 3]}),
    works("old-mac-lines.csv", text(GOOD.replace("\n", "\r")), '"train": 43', cells={"z": [0, 7, 3]}),
    works("no-last-newline.csv", text(GOOD.rstrip("\n")), '"train": 43'),
    works("spaces-in-names.csv", csv({1: " x , z ,y"}), cells={"x": [0.0, 4.207]}),
    works("row-numbers.csv", text(table({1: ",x,y"}, x=range(ROWS), z=["1", "3", "2"])), "ham"),
    works("huge-field.csv", csv(note=['"' + "long " * 20_000 + '"', "short"]), "ham"),
    # --- encodings
    works("byte-order-mark.csv", raw(b"\xef\xbb\xbf" + GOOD.encode()), '"ham"', cells={"x": [0.0, 4.207]}),
    works("utf-16.csv", text(table(city=["Köln", "Łódź"]), "utf-16"), cells={"city": ["Köln", "Łódź"]}),
    works("utf-16-big.csv", raw(b"\xfe\xff" + table(city=["Köln"]).encode("utf-16-be")), cells={"city": ["Köln"]}),
    works("utf-16-unmarked.csv", text(GOOD, "utf-16-le"), cells={"z": [0, 7, 3]}),
    works("latin-1.csv", text(table(city=["Köln", "Genève"]), "latin-1"), cells={"city": ["Köln", "Genève"]}),
    works("windows-1252.csv", text(table(price=["5 €", "7 €"]), "cp1252"), cells={"price": ["5 €", "7 €"]}),
    works("any-script.csv", csv(город=["Київ", "東京", "القاهرة"]), cells={"город": ["Київ", "東京", "القاهرة"]}),
    refused("nul-byte.csv", text(GOOD.replace("4.207", "4.2\x0007")), 65, "nul-byte.csv, line 3", "NUL"),
    refused("nul-tail.csv", raw(GOOD.encode() + bytes(50)), 65, "nul-tail.csv", "NUL"),
    refused("half-utf-16.csv", raw(GOOD.encode("utf-16")[:-1]), 65, "half-utf-16.csv", "cut off"),
    refused("undefined-byte.csv", raw(GOOD.encode() + b"\x81,1,ham\n"), 65, "undefined-byte.csv", "UTF-8"),
    # --- delimiters and numbers
    works("semicolons.csv", text(GOOD.replace(",", ";")), '"ham"', cells={"z": [0, 7, 3]}),
    works("tabs.tsv", text(GOOD.replace(",", "\t")), '"ham"', cells={"z": [0, 7, 3]}),
    works("bars.csv", text(GOOD.replace(",", "|")), '"ham"', cells={"z": [0, 7, 3]}),
    works(
        "decimal-commas.csv",
        text("x;y\n" + "1,5;ham\n2,25;spam\n" * 20),
        "decimal commas",
        cells={"x": [1.5, 2.25]},
    ),
    refused("thousands.csv", csv(price=['"1,234"', '"5,678"']), 65, "line 2", "'price'", "1,234", "thousands"),
    refused("overflow.csv", csv({12: "1e400,1,ham"}), 65, "overflow.csv, line 12", "'x'", "1e400"),
    refused("too-large.csv", csv({12: "-1e39,1,ham"}), 65, "too-large.csv, line 12", "'x'", "1e+38"),
    refused("word-among-numbers.csv", csv({31: "n.a. yet,1,ham"}), 65, "line 31", "'x'", "n.a. yet", "a number"),
    refused("unit-in-cell.csv", csv({8: "5 kg,1,ham"}), 65, "unit-in-cell.csv, line 8", "'x'", "5 kg"),
    works("infinite.csv", csv({12: "inf,1,ham", 13: "-Infinity,1,ham"}), "2 cells are infinite"),
    works("not-a-number.csv", csv({12: "NaN,1,ham", 13: "nan,1,ham"}), "x 2"),
    works("missing-words.csv", csv({12: "NA,1,ham", 13: "-,?,ham", 14: ",N/A,ham"}), "x 3, z 2"),
    works("exponents.csv", csv(w=["1e3", "-2.5E-2", "+7"]), cells={"w": [1000.0, -0.025, 7.0]}),
    works("negative.csv", csv(w=["-1", "-2", "3"]), cells={"w": [-1, -2, 3]}),
    # --- words that look like something else
    works("na-the-country.csv", csv(country=["NA", "DE", "FR"]), cells={"country": ["NA", "DE", "FR"]}),
    works(
        "leading-zeros.csv", csv(zip=["00501", "10115", "75001"]), "leading zeros", cells={"zip": ["00501", "10115"]}
    ),
    works("formula.csv", csv(note=["=1+1", "@SUM(A1)", "-x"]), cells={"note": ["=1+1", "@SUM(A1)", "-x"]}),
    works("mixed-types.csv", csv(w=["1", "two", "3", "four"]), "mixes", cells={"w": ["1", "two", "3"]}),
    works("truth-values.csv", csv(w=["true", "False", "TRUE"]), cells={"w": [True, False, True]}),
    works("true-and-yes.csv", csv(w=["true", "yes", "false"]), cells={"w": ["true", "yes", "false"]}),
    works("class-named-none.csv", csv(y=["none", "some", "none", "all"]), '"none"', '"all"'),
    works("class-named-na.csv", csv(y=["NA", "EU", "AS", "EU"]), '"NA"', '"EU"'),
    works("classes-in-any-script.csv", csv(y=["猫", "犬", "猫"]), '"猫"', '"犬"'),
    works("very-long-class.csv", csv(y=["a" * 300, "b", "b"]), "a" * 300),
    works("whole-floats.csv", csv(y=["1.0", "2.0", "2.0"]), '"1"', '"2"'),
    # --- dates
    works("dates.csv", csv(day=ISO), "ham"),
    works("german-dates.csv", csv(day=["31.12.2024", "01.02.2023"]), "ham"),
    works("either-dates.csv", csv(day=["03/04/2024", "05/06/2023"]), "month/day or day/month"),
    works("day-first-dates.csv", csv(day=["13/04/2024", "25/06/2023"]), "ham"),
    refused(
        "impossible-date.csv",
        csv(day=(*ISO[:11], "2024-02-31")),
        65,
        "line 13",
        "'day'",
        "2024-02-31",
        "like 2026-01-31",
    ),
    refused("two-ways-of-dates.csv", csv(day=(*ISO[:9], "31.12.2024")), 65, "line 11", "'day'", "31.12.2024"),
    # --- the target
    refused("target-missing.csv", csv(), 65, "'yy'", "--target", "'y'", command=TRAIN_TABLE.replace("y ", "yy ")),
    refused("target-not-said.csv", csv(), 2, "--target", "x, z, y", command="train mlp --data {it}"),
    refused("target-in-capitals.csv", csv(), 65, "'Y'", "Did you mean 'y'", command=TRAIN_TABLE.replace("y ", "Y ")),
    refused("one-class.csv", csv(y=["ham"]), 65, "one-class.csv", "'y'", "one class alone", "'ham'"),
    refused("rare-class.csv", csv({4: "1,2,rare"}), 65, "'y'", "'rare'", "1 row", "at least 3"),
    refused("empty-target.csv", csv(y=[""]), 65, "empty-target.csv", "'y'", "60 of 60"),
    refused("mostly-empty-target.csv", csv(y=["ham", "", "", "spam", ""]), 65, "'y'", "36 of 60", "at least half"),
    works("some-empty-targets.csv", csv({5: "1,2,", 9: "3,4,"}), "2 of 60 rows have no 'y'"),
    refused(
        "names-as-target.csv", csv(y=[f"name {i}" for i in range(ROWS)]), 65, "'y'", "names rows", "another target"
    ),
    refused("dates-as-target.csv", csv(y=ISO), 65, "'y'", "dates", "another column"),
    refused("constant-number-target.csv", csv(y=["3.5"]), 65, "'y'", "3.5 alone", "another target"),
    works("number-target.csv", csv(y=[f"{i / 7:.3f}" for i in range(ROWS)]), '"task": "regression"'),
    refused(
        "text-target-for-regression.csv",
        csv({7: "1,2,about nine"}, y=[f"{i / 7:.3f}" for i in range(ROWS)]),
        65,
        "line 7",
        "'y'",
        "about nine",
        "a number",
    ),
    refused("target-alone.csv", csv(x=None, z=None), 65, "target-alone.csv", "add columns"),
    # --- columns that say nothing, or too much
    works("constant-column.csv", csv(w=["5"]), "Column 'w' is left out: it has one value alone"),
    works("empty-column.csv", csv(w=[""]), "Column 'w' is left out: it is empty"),
    works("identifier.csv", csv(id=range(ROWS)), "Column 'id' is left out: it numbers the rows"),
    works("names.csv", csv(who=[f"person {i}" for i in range(ROWS)]), "Column 'who' is left out", "value of its own"),
    works("target-copy.csv", csv(w=[("0", "1")[(i * i) % 3 % 2] for i in range(ROWS)]), "'w' alone gives the target"),
    works("clock.csv", csv(when=[1_700_000_000 + 997 * i * i for i in range(ROWS)]), "'when' rises with every"),
    works("repeated-rows.csv", text(GOOD + "\n".join(rows()[1:15]) + "\n"), "are in the training split too"),
    works("unbalanced.csv", csv(y=["ham"] * 12 + ["spam"]), "unbalanced"),
    refused("nothing-to-learn-from.csv", csv(x=["1"], z=[""]), 65, "No column is left", "'x'", "'z'"),
    # --- Parquet
    works("good.parquet", raw(parquet_bytes()), '"ham"', cells={"z": [0, 7, 3]}),
    refused("damaged.parquet", raw(parquet_bytes()[:-20]), 65, "damaged.parquet", "Parquet"),
    refused("flipped.parquet", flipped_parquet, 65, "flipped.parquet", "Parquet"),
    refused("empty.parquet", raw(b""), 65, "empty.parquet", "Parquet"),
    refused("csv-inside.parquet", text(GOOD), 65, "csv-inside.parquet", "Parquet"),
    refused("no-rows.parquet", parquet(pl.DataFrame({"x": [], "y": []})), 65, "no-rows.parquet", "no rows"),
    refused("nested.parquet", parquet(nested_frame()), 65, "nested.parquet", "'x'", "List", "take the column out"),
    # --- tables for a run that is trained already
    works("answers.csv", csv(), '"label"', command=PREDICT_TABLE),
    works("without-target.csv", csv(y=None), '"label"', command=PREDICT_TABLE),
    works("more-columns.csv", csv(extra=["9"]), '"label"', command=PREDICT_TABLE),
    works("missing-cells.csv", csv({9: ",,"}), '"label"', command=PREDICT_TABLE),
    refused("column-missing.csv", csv(z=None), 65, "no column 'z'", "add it", command=PREDICT_TABLE),
    refused("column-renamed.csv", csv({1: "x,zz,y"}), 65, "no column 'z'", "Did you mean 'zz'", command=PREDICT_TABLE),
    refused("other-type.csv", csv({6: "blue,1,ham"}), 65, "line 6", "'x'", "blue", "a number", command=PREDICT_TABLE),
    refused("no-rows-to-predict.csv", text("x,z,y\n"), 65, "no rows", command=PREDICT_TABLE),
    refused("unknown-class.csv", csv({6: "1,1,eggs"}), 65, "line 6", "'eggs'", "ham", command=EVALUATE_TABLE),
    refused("truth-missing.csv", csv({6: "1,1,"}), 65, "line 6", "'y' is empty", command=EVALUATE_TABLE),
    refused("no-truth.csv", csv(y=None), 65, "no column 'y'", "add it", command=EVALUATE_TABLE),
    refused("table-for-pictures.csv", csv(), 65, "table-for-pictures.csv", command="predict {pictures} {it}"),
    refused("not-for-this-run.csv", csv(), 65, "is a table", "pictures", command="evaluate {pictures} --data {it}"),
    # --- splits
    refused(
        "groups-missing.csv",
        csv({7: "1,2,ham,"}, who=["a", "b", "c"]),
        65,
        "line 7",
        "'who'",
        command="train mlp --data {it} --target y --split-by group --split-column who",
    ),
    refused(
        "one-group.csv",
        csv(who=["a"]),
        65,
        "one-group.csv",
        "1 groups",
        command="train mlp --data {it} --target y --split-by group --split-column who",
    ),
    refused(
        "words-as-time.csv",
        csv(who=WORDS),
        65,
        "'who'",
        "no dates or numbers",
        command="train mlp --data {it} --target y --split-by time --split-column who",
    ),
    refused(
        "small.csv",
        csv(),
        2,
        "--batch-size 64",
        "at most 43",
        command="train mlp --data {it} --target y --batch-size 64",
    ),
    works("listed-as-it-is.csv", csv(), '"kind": "table"', command=LOOK + " --target y"),
)
