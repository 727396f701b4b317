"""Every input of the corpus gets its exit code and one clear sentence, or works as it should."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from case import Case
from make_corpus import CASES, make, places

from layerwise.cli.main import main
from layerwise.data.images.files import read_picture
from layerwise.data.tables.files import read_table

FIELD = re.compile("`[a-z][a-z0-9_]*`")
LONGEST_S = 10.0
NEAR = 3  # of 255, what a JPEG may differ by
IN_PROCESSES = ("short-row.csv", "huge-by-header.png", "case-clash", "weights-flipped", "trian mlp")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    make(folder)
    return folder


def words_of(case: Case, corpus: Path) -> list[str]:
    """Return the words of a case's command, with paths for the names in braces."""
    known = places(corpus, case)
    return [word.format(**known) for word in shlex.split(case.command)]


def check_refusal(case: Case, code: int, said: str) -> None:
    """One sentence on standard error that says what is wrong and what to do."""
    assert code == case.code, said
    assert said.startswith("layerwise: "), said
    assert said.endswith("\n"), said
    assert said.count("\n") == 1, said
    assert "Traceback" not in said
    assert ".json: " in said or not FIELD.search(said), "a field of no file and no flag of the command"
    assert len(said.rstrip()) < 700, "longer than anybody reads"
    for word in case.words:
        assert word in said


@pytest.mark.parametrize("case", [case for case in CASES if case.code], ids=lambda case: case.name)
def test_bad_input_gets_one_sentence_and_its_exit_code(
    case: Case, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    monkeypatch.setenv("LAYERWISE_RUNS", str(runs))
    monkeypatch.chdir(tmp_path)
    start = time.monotonic()
    code = main(words_of(case, corpus))
    assert time.monotonic() - start < LONGEST_S
    out, said = capfd.readouterr()
    check_refusal(case, code, said)
    assert out == "", "something was printed before the refusal"
    assert not runs.exists() or not any(runs.iterdir()), "a refused command left something in the runs folder"


@pytest.mark.parametrize("case", [case for case in CASES if not case.code], ids=lambda case: case.name)
def test_tricky_input_is_read_as_it_is_meant(
    case: Case, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAYERWISE_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    code = main(words_of(case, corpus))
    out, said = capfd.readouterr()
    assert code == 0, said
    for word in case.words:
        assert word in out + said
    for name, cells in case.cells.items():
        assert read_table(corpus / case.name).frame[name].head(len(cells)).to_list() == pytest.approx(list(cells)), name
    if case.pixel:
        picture = read_picture(corpus / case.name, 3)
        _, height, width = picture.shape
        assert picture[:, height // 4, width // 4].tolist() == pytest.approx(list(case.pixel), abs=NEAR)


@pytest.mark.parametrize("case", [case for case in CASES if case.name in IN_PROCESSES], ids=lambda case: case.name)
def test_a_process_of_its_own_says_the_same(case: Case, corpus: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "layerwise.cli.main", *words_of(case, corpus)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "LAYERWISE_RUNS": str(tmp_path / "runs")},
        timeout=60,
    )
    check_refusal(case, done.returncode, done.stderr)


def test_the_corpus_is_large_and_each_input_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert len(names) >= 300
    assert sum(case.make is not None for case in CASES) >= 150
