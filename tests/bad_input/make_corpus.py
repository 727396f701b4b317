"""Write the corpus of bad and tricky input: `python tests/bad_input/make_corpus.py FOLDER`.

Beside the files stands corpus.json: for each input the command that meets it, the exit code and what must be said.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from bad_flags import FLAGS
from bad_folders import CATS_AND_DOGS, FOLDERS, picture, tree
from bad_pictures import PICTURES
from bad_runs import GOOD_RUNS, RUNS
from bad_tables import GOOD, TABLES
from case import Case

CASES: tuple[Case, ...] = (*TABLES, *PICTURES, *FOLDERS, *RUNS, *FLAGS)


def make(folder: Path) -> None:
    """Write every input of the corpus into `folder`, which must be new or empty."""
    folder.mkdir(parents=True, exist_ok=True)
    make_good(folder)
    for case in CASES:
        if case.make:
            case.make(folder / case.name)
    described = [{name: value for name, value in asdict(case).items() if name != "make"} for case in CASES]
    (folder / "corpus.json").write_text(json.dumps(described, ensure_ascii=False, indent=1), encoding="utf-8")


def make_good(folder: Path) -> None:
    """Write good data, and train the two runs that bad input is given to."""
    from layerwise import train

    tree(CATS_AND_DOGS)(folder / "good")
    (folder / "good.csv").write_text(GOOD, encoding="utf-8")
    (folder / "good.png").write_bytes(picture(7))
    small = {"model": "mlp", "hidden": (8,), "epochs": 2, "checkpoint_every_s": 0.0, "quiet": True}
    train(**small, data=folder / "good", runs=folder / GOOD_RUNS, name="pictures")
    train(**small, data=folder / "good.csv", target="y", runs=folder / GOOD_RUNS, name="table")


def places(folder: Path, case: Case) -> dict[str, str]:
    """Return what the names in braces in a command stand for."""
    return {
        "it": str(folder / case.name),
        "folder": str(folder),
        "pictures": str(folder / GOOD_RUNS / "pictures"),
        "table": str(folder / GOOD_RUNS / "table"),
        "picture": str(folder / "good.png"),
        "rows": str(folder / "good.csv"),
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_corpus.py FOLDER")
    make(Path(sys.argv[1]))
    print(f"{len(CASES)} inputs are in {sys.argv[1]}; corpus.json says what must come of each.")
