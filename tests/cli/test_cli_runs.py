"""Runs on the command line: listed, compared, resumed, removed; and never taken from a process that owns one."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from saying import Command

from layerwise.experiments.listing import figure
from layerwise.runs.folder import RunFolder

ROW = {"name", "path", "model", "data", "status", "reason", "created", "updated", "metrics", "figure"}


@pytest.fixture
def copy(world: Path) -> Path:
    """A copy of the run of pictures, called copy, beside the others."""
    path = world / "runs" / "copy"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(world / "runs" / "pictures", path)
    return path


def test_runs_lists_the_newest_first_with_its_figure(command: Command) -> None:
    rows = json.loads(command("runs", "--json").out)
    assert [row["name"] for row in rows if row["name"] != "copy"] == ["number", "table", "pictures"]
    assert all(set(row) == ROW for row in rows)
    assert all(row["status"] == "finished" for row in rows)
    said = command("runs").out
    assert said == command("runs", "list").out
    for row in rows:
        assert row["figure"] in said


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"loss": 1.0, "accuracy": 0.4, "bits_per_byte": 2.1}, "bits per byte 2.1"),
        ({"count": 9, "accuracy": 0.4, "bleu": 30.25}, "BLEU 30.25"),
        ({"pixel_accuracy": 0.9, "mean_iou": 0.5}, "mean IoU 50 %"),
        ({"loss": 1.0, "accuracy": 0.4}, "accuracy 40 %"),
        ({"loss": 1.0, "mae": 2.0}, "loss 1"),
    ],
)
def test_a_run_is_listed_by_the_figure_of_its_kind(metrics: dict[str, float], words: str) -> None:
    assert figure(metrics, is_test=True) == words
    assert figure(metrics, is_test=False) == f"valid {words}"


def test_a_folder_without_runs_says_how_to_make_one(command: Command, tmp_path: Path) -> None:
    said = command("runs", "--runs", tmp_path / "nothing")
    assert said.code == 0
    assert str(tmp_path / "nothing") in said.out.replace("\n", "")
    assert "layerwise demo" in said.out
    assert json.loads(command("runs", "--runs", tmp_path / "nothing", "--json").out) == []


def test_runs_beside_each_other_show_what_differs_and_nothing_else(command: Command) -> None:
    rows = json.loads(command("runs", "compare", "pictures", "table", "--json").out)
    assert rows["data target"] == {"pictures": None, "table": "size"}
    assert all(values["pictures"] != values["table"] for values in rows.values())
    assert "epochs" not in " ".join(rows), "both took two epochs"
    said = command("runs", "compare", "pictures", "table", "number")
    assert said.code == 0
    assert "linear" in said.out


def test_a_run_has_many_names(command: Command, world: Path) -> None:
    answer = command("evaluate", "pictures", "--json").out
    assert command("evaluate", "pict", "--json").out == answer
    assert command("evaluate", world / "runs" / "pictures", "--json").out == answer
    assert command("runs", "compare", "latest", "number", "--json").out == "{}\n"


def test_removal_wants_a_yes(command: Command, copy: Path) -> None:
    said = command("runs", "remove", "copy")
    assert (said.code, copy.is_dir()) == (2, True)
    assert "--yes" in said.err
    said = command("runs", "remove", "copy", "--yes")
    assert (said.code, copy.exists()) == (0, False)
    assert said.out == "removed copy\n"
    assert command("runs", "remove", "copy", "--yes").code == 66


@pytest.mark.parametrize(("answer", "is_kept"), [("n", True), ("", True), ("y", False)])
def test_at_a_terminal_it_asks_first(answer: str, is_kept: bool, copy: Path) -> None:
    keyboard, terminal = pty.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    words = [sys.executable, "-m", "layerwise.cli.main", "runs", "remove", "copy", "--runs", str(copy.parent)]
    done = subprocess.run(words, stdin=terminal, capture_output=True, text=True, timeout=60)
    os.close(keyboard)
    os.close(terminal)
    assert done.returncode == 0, done.stderr
    assert f"Remove {copy} permanently? [y/N]" in done.stdout
    assert copy.is_dir() == is_kept


def test_a_run_that_a_process_trains_is_neither_removed_nor_resumed(command: Command, copy: Path) -> None:
    folder = RunFolder(copy)
    with folder.own():
        folder.set_status("running")
        for words in (("runs", "remove", "copy", "--yes"), ("resume", "copy", "--quiet")):
            said = command(*words)
            assert said.code == 75
            assert f"({os.getpid()})" in said.err
            assert "copy" in said.err
            assert copy.is_dir()


def test_a_finished_run_is_left_as_it_is(command: Command, copy: Path) -> None:
    before = {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    said = command("resume", "copy")
    assert said.code == 0
    assert "is already finished" in said.out
    assert {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()} == before


def test_a_run_on_data_that_is_gone_still_answers(command: Command, world: Path, copy: Path) -> None:
    description = json.loads((copy / "experiment.json").read_text())
    description["data"]["data"] = description["options"]["data"] = "/nothing/here"
    (copy / "experiment.json").write_text(json.dumps(description))
    assert command("predict", "copy", world / "things", "--json").code == 0
    assert command("evaluate", "copy").code == 66


def test_a_model_picked_by_the_program_is_explained_and_kept(command: Command, world: Path, tmp_path: Path) -> None:
    said = command(
        "train", "--data", world / "sizes.csv", "--target", "size", "--epochs", "1", "--quiet", "--runs", tmp_path
    )
    assert said.code == 0, said.err
    facts = json.loads((tmp_path / "mlp-sizes" / "data.json").read_text())
    assert facts["why_this_model"].startswith("mlp, because a table of 1 prepared column")
    for next_step in ("layerwise predict mlp-sizes", "layerwise evaluate mlp-sizes", "layerwise runs"):
        assert next_step in said.out


def test_what_a_model_takes_can_stand_anywhere_among_the_flags(command: Command, world: Path, tmp_path: Path) -> None:
    pieces = (
        ("--hidden", "4,4", "--epochs=1", "mlp", "--data", world / "sizes.csv", "--target", "size", "--dropout", "0.1"),
        ("mlp", "--data", world / "sizes.csv", "--dropout=0.1", "--target", "size", "--epochs", "1", "--hidden=4,4"),
    )
    for number, words in enumerate(pieces):
        said = command("train", *words, "--quiet", "--name", f"run{number}", "--runs", tmp_path)
        assert said.code == 0, said.err
    first, second = (json.loads((tmp_path / f"run{n}" / "experiment.json").read_text()) for n in (0, 1))
    assert first["model_options"] == {"hidden": [4, 4], "dropout": 0.1}
    assert {**first, "asked": 0} == {**second, "asked": 0}
    weights = [(tmp_path / f"run{n}" / "model.safetensors").read_bytes() for n in (0, 1)]
    assert weights[0] == weights[1]
