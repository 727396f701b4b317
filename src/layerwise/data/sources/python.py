"""What Python is made of, to be read as text: the library of the Python that runs this, and the language's manual.

Both are under the licence of the Python Software Foundation. Nothing of the library is run; it is read as text.
"""

from __future__ import annotations

import hashlib
import io
import keyword
import platform
import sysconfig
import tarfile
import tempfile
import tokenize
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path, PurePosixPath

from layerwise.data.download.fetch import Package, Pin, fetch
from layerwise.data.download.packages import open_package
from layerwise.data.raw import Progress, RawTaggedText, RawText
from layerwise.data.text.files import read_text
from layerwise.errors import DataError

DEB = Pin(
    "python3.11-doc_3.11.2-6+deb12u9_all.deb",
    12_644_000,
    "5b3594189d6ef9a6963ce0347fd307a1cc67620ad697e144db366070e2e146be",
)
MANUAL = Package("python-docs", (DEB,), client="apt", package="python3.11-doc")
MANUAL_FOLDER = "usr/share/doc/python3.11/html/_sources"
LEFT_OUT = {  # the packages of others, tests, and tables or copies of the manual that programs have written
    "site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test", "encodings", "pydoc_data",
}  # fmt: skip
TEST_SHARE = 0.05
LABELLED = 4000  # characters of the beginning of each module that are labelled
SYNTAX = ("blank", "keyword", "name", "number", "string", "comment", "operator")
TOKEN_CLASSES = {
    tokenize.NAME: SYNTAX.index("name"),
    tokenize.NUMBER: SYNTAX.index("number"),
    tokenize.STRING: SYNTAX.index("string"),
    tokenize.COMMENT: SYNTAX.index("comment"),
    tokenize.OP: SYNTAX.index("operator"),
}


def python_library(progress: Progress | None = None) -> RawText:
    """The modules of the standard library of the running Python."""
    texts = dict(library_texts())
    return RawText(texts, f"The standard library of Python {platform.python_version()}", held_out(texts))


def python_docs(progress: Progress | None = None) -> RawText:
    """The manual of Python 3.11 as its authors write it, and the standard library of the running Python."""
    folder = fetch(MANUAL, progress)
    texts = {**dict(library_texts()), **dict(manual_texts(folder / DEB.name))}
    source = f"The manual of Python 3.11 and the standard library of Python {platform.python_version()}"
    return RawText(texts, source, held_out(texts))


def python_syntax(progress: Progress | None = None) -> RawTaggedText:
    """The modules of the standard library, and what each of their characters belongs to by Python's own tokeniser."""
    texts = {}
    for name, text in library_texts():
        labels = tag_characters(text)
        if labels:
            texts[name] = (text[:LABELLED], labels[:LABELLED])
    source = f"The standard library of Python {platform.python_version()}"
    return RawTaggedText(texts, SYNTAX, source, held_out(texts))


def tag_characters(text: str) -> list[int] | None:
    """Return the number of the class of each character; None where Python cannot read the text."""
    starts = list(accumulate((len(line) + 1 for line in text.split("\n")), initial=0))
    labels = [0] * len(text)
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="\n").readline):
            is_keyword = token.type == tokenize.NAME and keyword.iskeyword(token.string)
            number = SYNTAX.index("keyword") if is_keyword else TOKEN_CLASSES.get(token.type, 0)
            (row, column), (last_row, last_column) = token.start, token.end
            if number:
                first, last = starts[row - 1] + column, starts[last_row - 1] + last_column
                labels[first:last] = [number] * (last - first)
    except (tokenize.TokenError, SyntaxError, IndexError):
        return None
    return labels if len(labels) == len(text) else None


def held_out(texts: Iterable[str]) -> frozenset[str]:
    """Return the names of the texts that are for testing, a twentieth, chosen by a hash of the name alone."""
    return frozenset(
        name for name in texts if int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") < TEST_SHARE * 2**32
    )


def library_texts(folder: Path | None = None) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each module that people wrote, in the order of the names."""
    root = folder or Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        is_made = name.parts[0].startswith(("config-", "_sysconfigdata"))
        if not is_made and not LEFT_OUT & set(name.parts):
            yield f"library/{name.as_posix()}", read_text(path)


def manual_texts(archive: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page of the manual in its Debian package.

    Its links are passed over; it is pinned, so that it holds nothing worse. Raises DataError where it holds no page.
    """
    pages: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as work, tarfile.open(open_package(archive, Path(work))) as package:
        for entry in package:
            name = PurePosixPath(entry.name)
            content = package.extractfile(entry) if entry.isreg() and name.name.endswith(".rst.txt") else None
            if content and name.is_relative_to(MANUAL_FOLDER):
                title = name.relative_to(MANUAL_FOLDER).as_posix().removesuffix(".txt")
                pages[f"docs/{title}"] = content.read().decode("utf-8", "replace")
    if not pages:
        raise DataError(f"{archive} holds no pages under {MANUAL_FOLDER}; get it anew.")
    yield from sorted(pages.items())
