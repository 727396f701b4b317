"""A hash of a file and of all files of the neuron that it imports: compiled code is kept on disk under it."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

IMPORT = re.compile(r"^\s*from layerwise\.neuron([\w.]*) import (\([^)]*\)|.+)$", re.MULTILINE)


def source_hash(path: str) -> str:
    """Return the hash for the file `path` of the neuron."""
    digest = sha256()
    for behind in sorted(files_behind(Path(path).resolve(), set())):
        digest.update(behind.read_bytes())
    return digest.hexdigest()


def files_behind(path: Path, found: set[Path]) -> set[Path]:
    """Return `found` with the file and all of the neuron that it imports, directly or not."""
    if path in found or not path.is_file():
        return found
    found.add(path)
    for module, names in IMPORT.findall(path.read_text(encoding="utf-8")):
        home = Path(__file__).resolve().parents[1].joinpath(*module.split(".")[1:])
        for file in (home, *(home / name for name in re.findall(r"\w+", names))):
            files_behind(file.with_suffix(".py"), found)
    return found
