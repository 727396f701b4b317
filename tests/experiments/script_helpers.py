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


def perform(script: str) -> tuple[dict[str, Any], str]:
    """Run a script in this process; return its names and what it printed."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()
    assert "layerwise" not in script.replace(".cache/layerwise", "").lower().partition('"""\n')[2]
    with contextlib.redirect_stdout(printed):
        exec(compile(script, "script.py", "exec"), names)
    return names, printed.getvalue()


def perform_alone(script: Path) -> str:
    """Run a script in a process of its own where importing this package fails; return the last line that it printed."""
    trap = script.parent / "trap"
    trap.mkdir()
    (trap / "layerwise.py").write_text("raise SystemExit('the script imports layerwise')")
    environment = {**os.environ, "PYTHONPATH": str(trap)}
    done = subprocess.run(
        [sys.executable, script], cwd=trap, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def figures(line: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.\d+", line)]


def assert_same_bits(names: dict[str, Any], run: Run) -> None:
    """The script's network ends with the very weights of the run."""
    own = names.get("average", names["model"])
    for (name, theirs), ours in zip(run.model.named_parameters(), own.parameters(), strict=True):
        assert torch.equal(theirs, ours), name


def assert_same_data(names: dict[str, Any], run: Run) -> None:
    dataset = run.dataset()
    for part in ("train", "valid", "test"):
        split = getattr(dataset, part)
        assert torch.equal(names[f"{part}_x"], split.inputs)
        assert torch.equal(names[f"{part}_y"], split.targets)


def assert_laid_out(script: str) -> None:
    """A script is formatted, and names nothing that it does not import or define."""
    for arguments in (["check", "-"], ["format", "--diff", "--line-length", "120", "-"]):
        ruff = [sys.executable, "-m", "ruff", arguments[0], "--isolated", "--no-cache", *arguments[1:]]
        done = subprocess.run(ruff, input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
