"""Where the sources that scripts are made of change, a script is right or is not written; none silently does less."""

from __future__ import annotations

import ast
import contextlib
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from script_helpers import assert_same_bits, perform

import layerwise
from layerwise.errors import UsageError
from layerwise.experiments.run import Run
from layerwise.scripts import definitions

OPTIONS: dict[str, Any] = {"limit": 60, "epochs": 2, "batch_size": 16, "learning_rate": 0.01, "quiet": True}
FULL: dict[str, Any] = {
    "schedule": "cosine",
    "ema_decay": 0.9,
    "clip_norm": 1.0,
    "accumulation_steps": 2,
    "patience": 3,
}
TEMPLATE, LOOP = "layerwise.scripts.templates.classification", "layerwise.scripts.pieces.training"
MARK = re.compile(r"  # (.* )?\[[a-z0-9_ ]+\]$", re.MULTILINE)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run with few options and one with many."""
    folder = tmp_path_factory.mktemp("runs")
    few = layerwise.train("mlp", "digits", runs=folder, **OPTIONS)
    return few, layerwise.train("mlp", "digits", runs=folder, hidden=(8,), dropout=0.2, **OPTIONS, **FULL)


@pytest.fixture
def outcome(monkeypatch, tmp_path):
    """Write the script of a run with a changed source; return whether it was written, and then it was right."""

    def attempt(run: Run, module: str, change: Callable[[str], str]) -> bool:
        changed: list[str] = []

        def read(name: str) -> str:
            source = original(name)
            if name == module:
                changed.append(name)
                source = change(source)
            return source

        monkeypatch.setattr(definitions, "read_source", read)
        try:
            names, _ = perform(run, tmp_path / "script")
        except UsageError:
            return False
        finally:
            assert changed
        assert_same_bits(names, run)
        return True

    original = definitions.read_source
    return attempt


def marks_of(module: str) -> list[int]:
    lines = definitions.read_source(module).splitlines()
    return [number for number, line in enumerate(lines) if MARK.search(line)]


@pytest.mark.parametrize("module", [TEMPLATE, LOOP])
def test_a_lost_or_doubled_mark_is_a_failing_command(runs, outcome, module):
    for number in marks_of(module):

        def without(source: str, number: int = number) -> str:
            lines = source.splitlines()
            lines[number] = MARK.sub("", lines[number])
            return "\n".join(lines) + "\n"

        def twice(source: str, number: int = number) -> str:
            lines = source.splitlines()
            return "\n".join([*lines[: number + 1], *lines[number:]]) + "\n"

        def unknown(source: str, number: int = number) -> str:
            lines = source.splitlines()
            lines[number] = lines[number].replace("[", "[un").replace("[unnot ", "[not un")
            return "\n".join(lines) + "\n"

        for change in (without, unknown) if number % 3 else (without, twice, unknown):
            line = definitions.read_source(module).splitlines()[number]
            with contextlib.suppress(SyntaxError):  # the changed source is none
                assert not outcome(runs[number % 2], module, change), line


@pytest.mark.parametrize("module", [TEMPLATE, LOOP, "layerwise.scripts.pieces.seeds", "layerwise.models.mlp"])
def test_a_name_that_changes_leaves_a_script_right_or_unwritten(runs, outcome, module):
    tree = ast.parse(definitions.read_source(module))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names -= {"MARKS", "__init__", "__post_init__", "forward"}
    written = 0
    for number, name in enumerate(sorted(names)):
        other = f"{name}_RENAMED" if name.isupper() else f"{name}_renamed"

        def renamed(source: str, name: str = name, other: str = other) -> str:
            return re.sub(rf"\b{name}\b(?!\])", other, source)

        written += outcome(runs[number % 2], module, renamed)
    assert written


@pytest.mark.parametrize("module", [TEMPLATE, LOOP, "layerwise.scripts.pieces.average", "layerwise.models.mlp"])
@pytest.mark.parametrize("way", ["unparsed", "narrow", "reversed"])
def test_another_format_or_order_leaves_a_script_right_or_unwritten(runs, outcome, module, way):
    def changed(source: str) -> str:
        if way == "unparsed":  # comments are lost, and marks with them
            return ast.unparse(ast.parse(source)) + "\n"
        if way == "narrow":
            ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "60", "-"]
            return subprocess.run(ruff, input=source, capture_output=True, text=True, check=True).stdout
        tree = ast.parse(source)
        fixed = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
        moved = [node for node in tree.body if isinstance(node, ast.FunctionDef)][::-1]
        lines = source.splitlines()
        spans = (
            (min([n.lineno, *(d.lineno for d in getattr(n, "decorator_list", []))]), n.end_lineno)
            for n in (*moved, *fixed)
        )
        return "\n\n\n".join("\n".join(lines[first - 1 : last]) for first, last in spans) + "\n"

    has_marks = bool(marks_of(module))
    is_written = outcome(runs[1], module, changed)
    if not has_marks:
        assert is_written
    elif way == "unparsed":
        assert not is_written
