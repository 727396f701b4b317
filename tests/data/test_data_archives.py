"""Archives: what is sound comes out bit by bit, what is not leaves nothing behind."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwise.data.download.archives import extract, inflate, read_files
from layerwise.errors import DataError, NotFoundError

NAMES = st.text("abcäß漢", min_size=1, max_size=3)
TREES = st.dictionaries(st.tuples(NAMES, NAMES).map("/".join), st.binary(max_size=300), max_size=6)


def write_zip(path: Path, files: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


WRITERS = {"a.zip": write_zip, "a.tar": write_tar, "a.tgz": write_tar}


def files_under(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(archive: Path, reason: str, **options: int) -> None:
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(DataError, match=reason) as caught:
        extract(archive, archive.parent / "out", **options)
    assert str(archive) in str(caught.value)
    assert sorted(archive.parent.rglob("*")) == before


@pytest.mark.parametrize("kind", WRITERS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_what_was_packed_comes_out(tree: dict[str, bytes], kind: str, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("archive")
    if len({name.casefold() for part in tree for name in (part, part.split("/")[0])}) != len(
        {name for part in tree for name in (part, part.split("/")[0])}
    ):
        return  # a clash of cases, which has its own test
    archive = WRITERS[kind](folder / kind, list(tree.items()))
    assert dict(read_files(archive)) == tree
    extract(archive, folder / "out")
    assert files_under(folder / "out") == tree


@pytest.mark.parametrize("kind", WRITERS)
def test_only_wanted_files_come_out(kind: str, tmp_path: Path):
    archive = WRITERS[kind](tmp_path / kind, [("a/x", b"1"), ("a/y", b"2")])
    assert extract(archive, tmp_path / "out", {"a/y"}.__contains__) == [tmp_path / "out" / "a" / "y"]
    assert files_under(tmp_path / "out") == {"a/y": b"2"}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    "name", ["/etc/evil", "../evil", "a/../../evil", "a\\..\\evil", "C:/evil", "C:evil", "a\nb", "x" * 300]
)
def test_names_that_lead_elsewhere_are_refused(kind: str, name: str, tmp_path: Path):
    archive = WRITERS[kind](tmp_path / kind, [("good", b"1"), (name, b"2")])
    assert_refused(archive, "is refused as a whole")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "a"),
        ("a/x", "./a//x"),
        ("a/x", "A/x"),
        ("a/x", "a/X"),
        ("a/x", "A/y"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("caf\u00e9", "cafe\u0301"),
        ("stra\u00dfe", "STRASSE"),
    ],
)
def test_names_that_are_one_on_some_machine_are_refused(kind: str, first: str, second: str, tmp_path: Path):
    assert_refused(WRITERS[kind](tmp_path / kind, [(first, b"1"), (second, b"2")]), "clashes with")


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE],
)
def test_links_and_devices_of_a_tar_are_refused(kind: bytes, tmp_path: Path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    assert_refused(tmp_path / "a.tar", "link|damaged")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_of_a_zip_are_refused(kind: int, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    assert_refused(tmp_path / "a.zip", "is a link or a device")


def test_an_entry_without_a_name_is_refused(tmp_path: Path):
    data = bytearray(write_zip(tmp_path / "a.zip", [("name", b"1")]).read_bytes())
    data[data.index(b"PK\x01\x02") + 46] = 0  # the name's first byte in the central directory
    (tmp_path / "a.zip").write_bytes(data)
    assert_refused(tmp_path / "a.zip", "characters that cannot be shown")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_compression_is_refused(method: int, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("a", bytes(1000))
    assert_refused(tmp_path / "a.zip", "compressed in an unusual way")


def test_an_encrypted_entry_is_refused(tmp_path: Path):
    data = bytearray(write_zip(tmp_path / "a.zip", [("secret", b"1")]).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag in the central directory
    (tmp_path / "a.zip").write_bytes(data)
    assert_refused(tmp_path / "a.zip", "is encrypted")


@pytest.mark.parametrize("kind", WRITERS)
def test_an_archive_that_inflates_beyond_its_limit_is_left_early(kind: str, tmp_path: Path):
    archive = WRITERS[kind](tmp_path / kind, [("small", b"1"), ("bomb", bytes(50_000_000))])
    assert_refused(archive, "unpacks to more than 1,000,000 bytes", size_limit=1_000_000)


def test_a_zip_that_lies_about_its_sizes_is_counted_as_it_inflates(tmp_path: Path):
    data = write_zip(tmp_path / "a.zip", [("bomb", bytes(5_000_000))]).read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace((5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    assert_refused(tmp_path / "a.zip", "damaged|more than", size_limit=1_000_000)


def test_a_gz_file_is_inflated_up_to_its_limit(tmp_path: Path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(1000)))
    inflate(tmp_path / "a.gz", tmp_path / "a", 1000)
    assert (tmp_path / "a").read_bytes() == bytes(1000)
    with pytest.raises(DataError, match="more than 999 bytes"):
        inflate(tmp_path / "a.gz", tmp_path / "b", 999)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_truncated_archive_leaves_nothing(kind: str, tmp_path: Path):
    archive = WRITERS[kind](tmp_path / kind, [("a", os.urandom(50_000)), ("b", os.urandom(50_000))])
    archive.write_bytes(archive.read_bytes()[:70_000])
    assert_refused(archive, "is damaged or no archive")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b" + bytes(50), b"PK\x03\x04" + bytes(50), bytes(2000)])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    if content == bytes(2000):  # to tar, two blocks of zeros are the end of an archive without entries
        assert list(read_files(path)) == []
    else:
        assert_refused(path, "is damaged or no archive")


def test_a_missing_archive_and_a_folder_that_exists_are_named(tmp_path: Path):
    with pytest.raises(NotFoundError, match="does not exist"):
        list(read_files(tmp_path / "none.zip"))
    archive = write_zip(tmp_path / "a.zip", [("a", b"1")])
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="exists already"):
        extract(archive, tmp_path / "out")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_bytes_give_the_files_or_a_typed_error(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory):
    kind = data.draw(st.sampled_from(sorted(WRITERS)))
    archive = WRITERS[kind](tmp_path_factory.mktemp("archive") / kind, [("a/x", b"one" * 99), ("a/y", b"two" * 99)])
    content = bytearray(archive.read_bytes())
    for position, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=4)
    ):
        content[position] = value
    archive.write_bytes(content)
    refusal = ""
    try:
        assert sum(len(inside) for _, inside in read_files(archive, size_limit=10_000_000)) <= 10_000_000
    except DataError as error:
        refusal = str(error)
    assert not refusal or str(archive) in refusal
