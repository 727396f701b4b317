"""Runs one page of the documentation in a folder."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from doc_pages import ROOT, Block, Command, missing_lines
from PIL import Image
from sklearn.datasets import load_digits

from layerwise.cli.main import main

LIMIT_S = 120
PIPED: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}


def supply(folder: Path) -> None:
    """Put there what a reader has of their own: a picture of a digit, as the demo takes it."""
    digit = load_digits().images[0]
    Image.fromarray((digit * 15).astype("uint8")).resize((28, 28), Image.Resampling.BICUBIC).save(
        folder / "picture.png"
    )


def run_block(block: Block, names: dict[str, Any]) -> None:
    """Run a block in the working folder; fail with its place where it does not do what it shows."""
    if block.language == "python":
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block.text, block.place, "exec"), names)
        check(block, block.output, printed.getvalue())
    elif block.language in ("bash", "console"):
        commands = block.commands()
        for command in commands:
            run_command(block, command, is_last=command is commands[-1])


def run_command(block: Block, command: Command, *, is_last: bool) -> None:
    """Run one command, the command `layerwise` in this process, and compare what it prints and how it ends."""
    words = command.words
    expected = int(block.marks.get("ends with", "0")) if is_last else 0
    if words[:2] == ["layerwise", "train"]:
        words += block.marks.get("run with", "").split()
    if words[0] == "make":
        words = target_words(words[1]) if command.shown else []
    if not words or words[0] == "source":
        return  # this process is in its environment already
    target = None
    if ">" in words:
        target = Path(words[words.index(">") + 1])
        words = words[: words.index(">")]
    if is_last and "interrupt after" in block.marks:
        code, printed = interrupt(words, block.marks["interrupt after"])
    elif words[0] == "layerwise":
        code, printed = in_process(words[1:])
    elif words[0] in ("python", "torchrun"):
        code, printed = in_subprocess(words)
    else:
        pytest.fail(f"{block.place}: `{command.text}` is of no kind that the tests can run")
    if target:
        target.write_text(printed, encoding="utf-8")
    assert code == expected, f"{block.place}: `{command.text}` ended with {code}, not {expected}:\n{printed}"
    check(block, command.shown, printed)


def check(block: Block, shown: list[str] | tuple[str, ...], printed: str) -> None:
    """Fail where a line that the page shows was not printed."""
    missing = missing_lines(shown, printed)
    assert not missing, f"{block.place} shows a line that was not printed:\n{missing[0]}\nprinted was:\n{printed}"


def in_process(words: list[str]) -> tuple[int, str]:
    """Run `layerwise` here; return its exit code and what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main(words)
    return code, printed.getvalue()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "COLUMNS": "80"}


def as_program(words: list[str]) -> list[str]:
    """Return words that start the programs of this environment, whatever the PATH is."""
    start = {
        "layerwise": [sys.executable, "-m", "layerwise"],
        "python": [sys.executable],
        "torchrun": [sys.executable, "-m", "torch.distributed.run"],
    }
    return [*start[words[0]], *words[1:]]


def in_subprocess(words: list[str]) -> tuple[int, str]:
    """Run a program; return its exit code and what it printed."""
    done = subprocess.run(as_program(words), **PIPED, timeout=LIMIT_S, env=environment())
    return done.returncode, done.stdout


def interrupt(words: list[str], sign: str) -> tuple[int, str]:
    """Start a program, press Ctrl-C when it has printed `sign`, and wait for its end."""
    program = subprocess.Popen(as_program(words), **PIPED, env=environment())
    assert program.stdout
    printed = ""
    for line in program.stdout:
        printed += line
        if sign in line:
            program.send_signal(signal.SIGINT)
            break
    else:
        pytest.fail(f"`{' '.join(words)}` did not print '{sign}':\n{printed}")
    rest, _ = program.communicate(timeout=LIMIT_S)
    return program.returncode, printed + rest


def target_words(target: str) -> list[str]:
    """Return what a make target runs, as words; it may open no browser here."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe, f"the Makefile has no target {target}"
    words = recipe.group(1).strip().lstrip("@").replace("$(BIN)/", "").split()
    return [*words, "--no-open"] if target == "demo" else words
