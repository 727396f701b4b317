"""Reading what packages hold."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from layerwise.data.sources.python import MANUAL_FOLDER


def files_of(package: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files of a Debian package, an `ar` archive with a `tar` within."""
    data, start = package.read_bytes(), 8
    while start < len(data):
        name, size = data[start : start + 16].decode().strip(), int(data[start + 48 : start + 58])
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(data[start + 60 : start + 60 + size])) as tar:
                for entry in tar:
                    content = tar.extractfile(entry) if entry.isreg() else None
                    if content:
                        yield entry.name.removeprefix("./"), content.read()
        start += 60 + size + size % 2


def read_manual(package: Path) -> dict[str, str]:
    """Return the pages of Python's manual in its Debian package, by their names."""
    pages = {}
    for name, content in files_of(package):
        if name.startswith(f"{MANUAL_FOLDER}/") and name.endswith(".rst.txt"):
            title = name.removeprefix(f"{MANUAL_FOLDER}/").removesuffix(".txt")
            pages[f"docs/{title}"] = content.decode("utf-8", "replace")
    return dict(sorted(pages.items()))
