"""Tables are read as their author meant them, or refused in one sentence that says where and what to do."""

import gzip
import io
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.data.tables.csv import open_delimited
from layerwise.data.tables.files import read_table, survey, survey_frame, write_table
from layerwise.errors import DataError, NotFoundError


@pytest.fixture
def read(tmp_path):
    def write_and_read(content: bytes | str, name: str = "table.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(path)

    return write_and_read


def column(table, name="a"):
    return table.frame[name].to_list()


def test_columns_become_numbers_truth_values_dates_and_text(read):
    table = read("n,b,d,t\n1.5,true,2020-02-29,x\n-2,False,2020-03-01,\n,,,y\n")
    assert column(table, "n") == [1.5, -2.0, None]
    assert column(table, "b") == [True, False, None]
    assert column(table, "d") == [datetime(2020, 2, 29), datetime(2020, 3, 1), None]
    assert column(table, "t") == ["x", None, "y"]


def test_na_is_missing_among_numbers_and_a_word_among_words(read):
    table = read("country,age\nNA,1\nDE,NA\nFR,3\n")
    assert column(table, "country") == ["NA", "DE", "FR"]
    assert column(table, "age") == [1.0, None, 3.0]


def test_a_chunk_with_na_alone_does_not_change_what_a_later_chunk_makes_of_the_column(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "NA,NA\n" * 100 + "1,DE\n2,FR\n")
    table = survey(open_delimited(path, block_bytes=64))
    assert max(len(chunk.lines) for chunk in table.chunks()) < 20
    assert {name: kind.kind for name, kind in table.types.items()} == {"a": "number", "b": "text"}
    assert table.read().frame["b"].to_list() == ["NA"] * 100 + ["DE", "FR"]


def test_leading_zeros_stay_text(read):
    table = read("zip,share\n00501,0.5\n10001,0\n")
    assert column(table, "zip") == ["00501", "10001"]
    assert column(table, "share") == [0.5, 0.0]
    assert any("leading zeros" in notice.text for notice in table.notices)


@pytest.mark.parametrize(
    ("codec", "label"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8 with a byte order mark"),
        ("utf-16", "UTF-16 (little endian)"),
        ("utf-16-be", "UTF-16 (big endian)"),
        ("utf-16-le", "UTF-16 (little endian)"),
        ("latin-1", "Latin-1 (Windows-1252)"),
    ],
)
def test_the_encoding_is_found_and_shown(read, codec, label):
    table = read("name,größe\nJosé,1\nŒuvre,2\n".replace("Œ", "Ö").encode(codec))
    assert table.frame.columns == ["name", "größe"]
    assert column(table, "name") == ["José", "Öuvre"]
    assert table.encoding == label
    assert label in table.notices[0].text


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(read, delimiter):
    table = read(f'a{delimiter}b\n1{delimiter}"x{delimiter}y"\n2{delimiter}z, w; v\n'.replace("z, w; v", "z"))
    assert table.delimiter == delimiter
    assert column(table, "b") == [f"x{delimiter}y", "z"]


def test_gzip_and_old_line_ends_and_blank_lines_are_read(read):
    assert column(read(gzip.compress(b"a,b\n1,2\n"), "table.csv.gz")) == [1.0]
    assert column(read(b"a,b\r1,2\r3,4\r")) == [1.0, 3.0]
    table = read(b"a,b\r\n1,2\r\n\r\n3,4")
    assert column(table) == [1.0, 3.0]
    assert list(table.lines) == [2, 4]
    table = read(b"\n\r\na,b\n1,2\n\n3,4\n")
    assert (column(table), list(table.lines)) == ([1.0, 3.0], [4, 6])


def test_a_first_column_without_a_name_is_row_numbers_and_left_out(read):
    table = read('"",a\n1,x\n2,y\n')
    assert table.frame.columns == ["a"]
    assert column(table) == ["x", "y"]
    assert any("taken for row numbers" in notice.text for notice in table.notices)
    with pytest.raises(DataError, match="line 3: the row has 1 cell"):
        read(",a\n1,x\n2\n")


def test_one_column_alone_is_a_table(read):
    assert column(read("a\n1\n2\n")) == [1.0, 2.0]


def test_formula_cells_are_unchanged(read):
    cells = ["=1+1", "+cmd", "-x", "@sum(a)"]
    assert column(read("a,b\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells)))) == cells


def test_infinite_cells_are_missing_and_counted(read):
    table = read("a,b\ninf,1\n-Infinity,2\n3,NaN\n")
    assert column(table) == [None, None, 3.0]
    assert column(table, "b") == [1.0, 2.0, None]
    assert any("'a': 2 cells are infinite" in notice.text for notice in table.notices)
    assert any("b 1" in notice.text for notice in table.notices)


def test_dates_written_by_people_are_read(read):
    table = read('a,b,c\n31/12/2020,31.12.2020,"Dec 31, 2020"\n01/02/2021,01.02.2021,"Feb 1, 2021"\n')
    for name in "abc":
        assert column(table, name) == [datetime(2020, 12, 31), datetime(2021, 2, 1)]


def test_ambiguous_dates_are_said_to_be(read):
    table = read("a\n03/04/2020\n05/06/2020\n")
    assert column(table) == [datetime(2020, 3, 4), datetime(2020, 5, 6)]
    assert any("month/day" in notice.text for notice in table.notices)


def test_decimal_commas_are_read_and_lone_thousands_are_refused(read):
    table = read("a;b\n1,5;x\n-2;y\n1,234;z\nNA;z\n")
    assert column(table) == [1.5, -2.0, 1.234, None]
    assert any("decimal commas" in notice.text for notice in table.notices)
    with pytest.raises(DataError, match=r"line 3: column 'a' holds '1,234', which could be thousands"):
        read('a,b\n12,x\n"1,234",y\n')


def test_repeated_words_among_numbers_are_categories(read):
    rows = ["0", "1", "2", "3+"] * 30
    assert column(read("a\n" + "\n".join(rows))) == rows


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n3\n", ["line 3", "1 cell ", "2 cells"]),
        ("a,b\n1,2\n3,4,5\n", ["line 3", "3 cells"]),
        ('a,b\n1,"2\nx"\n3,4,5\n', ["line 4", "3 cells"]),
        ('a,b\n1,"2\n3,4\n', ["line 2", "quotation mark", "never closed"]),
        ("a,b\n1,2\n1e400,2\n", ["line 3", "'a'", "1e400"]),
        ("a,b\n1,2\n-1e39,2\n", ["line 3", "'a'", "-1e39"]),
        ("a,b\n1,2\n3,\x004\n", ["line 3", "NUL"]),
        ("a,b\n1,2\n2,2\n3,2\n4,2\nfive,2\n", ["line 6", "'a'", "'five'", "a number was expected", "leave it empty"]),
        ('a\n1\n2\n3\n4\n"two\nlines"\n', ["line 6", "'two lines'"]),
        ('a,b\n1,2\n3," x"y" z,",4\n', ["table.csv, line"]),
        ("a\n2020-01-01\n2020-01-02\n2020-01-03\n2020-01-04\nsoon\n", ["line 6", "'soon'", "a date"]),
        ("a,b,a\n1,2,3\n", ["line 1", "'a' appears twice"]),
        ("a,,c\n1,2,3\n", ["line 1", "column 2 of 3 has no name"]),
        ("1.5,2.5\n3,4\n", ["line 1", "numbers, no column names"]),
        ("", ["is empty"]),
        ("\n\n", ["is empty"]),
        ("a,b\n", ["header and no rows"]),
        (b"\x89PNG\r\n\x1a\n\x00\x00", ["a PNG picture"]),
        (b"PK\x03\x04\x00", ["an Excel workbook"]),
        (bytes(range(1, 32)) * 9, ["binary data"]),
        (b"a,b\n\x81\x8d,1\n", ["neither UTF-8 nor", "save it as UTF-8"]),
    ],
)
def test_a_damaged_table_is_refused_with_the_place_and_the_remedy(read, content, words):
    with pytest.raises(DataError) as caught:
        read(content)
    message = str(caught.value)
    assert "table.csv" in message
    assert [word for word in words if word not in message] == []
    assert "\n" not in message


def test_what_is_no_table_is_refused_by_name(read, tmp_path):
    with pytest.raises(DataError, match="folder where a CSV"):
        read_table(tmp_path)
    with pytest.raises(DataError, match=r"does not end in \.csv"):
        read("a,b\n1,2\n", "table.txt")
    with pytest.raises(DataError, match="no readable Parquet"):
        read("a,b\n1,2\n", "table.parquet")
    with pytest.raises(DataError, match="damaged gzip"):
        read("a,b\n1,2\n", "table.csv.gz")
    with pytest.raises(DataError, match="damaged gzip"):
        read(gzip.compress(b"a,b\n" + b"1,2\n" * 999)[:-9], "short.csv.gz")
    with pytest.raises(NotFoundError, match=r"tabel\.csv does not exist.*Did you mean 'table\."):
        read_table(tmp_path / "tabel.csv")


def test_parquet_keeps_its_types_and_its_rows_are_numbered(tmp_path):
    frame = pl.DataFrame(
        {
            "i": [1, 2, None],
            "f": [0.5, float("nan"), float("inf")],
            "d": [datetime(2020, 1, 1)] * 3,
            "s": ["x", "NA", ""],
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert table.frame.to_dict(as_series=False) == {
        "i": [1.0, 2.0, None],
        "f": [0.5, None, None],
        "d": [datetime(2020, 1, 1)] * 3,
        "s": ["x", "NA", None],
    }
    assert (table.unit, list(table.lines)) == ("row", [1, 2, 3])


def test_a_list_column_is_refused_by_name():
    with pytest.raises(DataError, match="column 'tags' holds List"):
        survey_frame(pl.DataFrame({"tags": [[1, 2], [3]]}), "posts")


printable = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
cells = st.text(printable | st.sampled_from('\n",;'), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=30), st.integers(16, 200))
def test_any_quoted_text_comes_back_whatever_the_block_size(tmp_path_factory, rows, block_bytes):
    rows = [(f"w{a}", f"w{b}") for a, b in rows]
    buffer = io.StringIO()
    pl.DataFrame(rows, schema=["a", "b"], orient="row").write_csv(buffer, quote_style="always")
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    path.write_text(buffer.getvalue(), encoding="utf-8", newline="")
    table = survey(open_delimited(path, block_bytes)).read()
    assert table.frame.rows() == [(a.strip(), b.strip()) for a, b in rows]
    breaks = [0]
    for a, b in rows[:-1]:
        breaks.append(breaks[-1] + 1 + a.count("\n") + b.count("\n"))
    assert list(table.lines) == [2 + count for count in breaks]


def test_exported_text_is_no_formula_and_negative_numbers_stay(tmp_path):
    frame = pl.DataFrame({"label": ["=1+1", "+49 30", "-x", "@a", "-5", "fine"], "value": [-1.5, 2, 3, 4, 5, 6]})
    text = write_table(frame, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == text
    assert text.splitlines() == ["label,value", "'=1+1,-1.5", "'+49 30,2.0", "'-x,3.0", "'@a,4.0", "-5,5.0", "fine,6.0"]
