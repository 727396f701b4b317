"""Performing a script of a run, and comparing it with the run."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from layerwise.experiments.run import Run
from layerwise.scripts.writer import script_of


def perform(run: Run, folder: Path) -> tuple[dict[str, Any], str]:
    """Write the script of a run and run it in this process; return its names and what it printed."""
    script_of(run).write(folder)
    source = (folder / "train.py").read_text()
    assert len(source.splitlines()) <= 200
    assert "layerwise" not in "".join(path.read_text() for path in folder.glob("*.py"))
    assert "  # [" not in source
    assert {path.stem for path in folder.glob("*.py")} == {
        "train",
        *re.findall(r"^from (network|augmentation) ", source, re.M),
    }
    names: dict[str, Any] = {"__name__": "__main__", "__file__": str(folder / "train.py")}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.chdir(folder), beside(folder):
        exec(compile(source, "train.py", "exec"), names)
    return names, printed.getvalue()


@contextlib.contextmanager
def beside(folder: Path) -> Any:
    """Let modules be imported out of a folder, and forget them afterwards."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in ("network", "augmentation"):
            sys.modules.pop(name, None)


def perform_alone(folder: Path) -> str:
    """Run a script in a process of its own where importing this package fails; return the last line that it printed."""
    trap = folder / "trap"
    trap.mkdir()
    (trap / "layerwise.py").write_text("raise SystemExit('the script imports layerwise')")
    environment = {**os.environ, "PYTHONPATH": str(trap)}
    done = subprocess.run(
        [sys.executable, folder / "train.py"], cwd=trap, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def figures(line: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.\d+", line)]


def assert_same_bits(names: dict[str, Any], run: Run) -> None:
    """The script's network ends with the very weights of the run."""
    own = names.get("kept", names["model"])
    for (name, theirs), ours in zip(run.model.named_parameters(), own.parameters(), strict=True):
        assert torch.equal(theirs, ours), name


def assert_laid_out(folder: Path) -> None:
    """Scripts are formatted, sort their imports, and name nothing that they do not import or define."""
    for arguments in (["check", "--select", "E,F,W,I"], ["format", "--diff"]):
        ruff = [sys.executable, "-m", "ruff", *arguments, "--line-length", "120", "--isolated", "--no-cache", "."]
        done = subprocess.run(ruff, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
