"""What a part of a script is made of, and how parts are laid out."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerwise.experiments.scripting.excerpts import Definition, Excerpts, SourceFile
from layerwise.experiments.scripting.specialise import Raw, literal

__all__ = ["Raw", "Section", "part", "place", "settings_text", "take", "tidy", "wrapped"]

PARTS = "layerwise.experiments.scripting.parts"
WIDTH = 120


@dataclass(frozen=True)
class Section:
    """A part of a script.

    settings: constants for the top, by name. functions: definitions. steps: what is done with them.
    needs: packages beside torch. note: a sentence for the docstring.
    """

    steps: str
    functions: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    note: str = ""


def take(excerpts: Excerpts, module: str, *names: str) -> str:
    """Take functions out of this package, without the marks for our own tools."""
    return excerpts.take(module, *names, rewrite=_without_marks)


def part(excerpts: Excerpts, file: str, *names: str) -> str:
    """Take functions out of a file of `parts`."""
    return take(excerpts, f"{PARTS}.{file}", *names)


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return a line for each constant, more where its value is long."""
    return "".join(wrapped(f"{name} = ", value) for name, value in settings.items())


def wrapped(start: str, value: Any, end: str = "\n", depth: int = 0) -> str:
    """Write a value behind `start`; a list or tuple too long for its line has an item a line."""
    line = f"{' ' * depth}{start}{literal(value)}{end}"
    if len(line.rstrip("\n")) <= WIDTH or not isinstance(value, list | tuple):
        return line
    opening, closing = "()" if isinstance(value, tuple) else "[]"
    items = "".join(wrapped("", item, ",\n", depth + 4) for item in value)
    return f"{' ' * depth}{start}{opening}\n{items}{' ' * depth}{closing}{end}"


def place(path: Path) -> Raw:
    """Return the expression of a path that an argument of the script wins over; the home folder is not spelt out."""
    path = path.absolute()
    default = f"Path({literal(path.as_posix())})"
    if path.is_relative_to(Path.home()):
        default = f"Path.home() / {literal(path.relative_to(Path.home()).as_posix())}"
    return Raw(f"Path(sys.argv[1]) if len(sys.argv) > 1 else {default}")


def tidy(code: str) -> str:
    """Put two blank lines around functions and classes, and at most one between other statements."""
    lines = code.splitlines()
    result: list[str] = []
    last_end, was_definition = 0, False
    for node in ast.parse(code).body:
        begin = min([node.lineno, *(mark.lineno for mark in getattr(node, "decorator_list", []))]) - 1
        while begin > last_end and lines[begin - 1].startswith("#"):
            begin -= 1
        between = "\n".join(lines[last_end:begin]).strip("\n")  # comments that stand alone
        is_definition = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if result:
            has_gap = begin > last_end
            result += [""] * (2 if was_definition or is_definition else int(has_gap))
        if between:
            result += [between, ""]
        assert node.end_lineno
        result += lines[begin : node.end_lineno]
        last_end, was_definition = node.end_lineno, is_definition
    return "\n".join(result) + "\n"


def _without_marks(source: SourceFile, node: Definition) -> str:
    return re.sub(r"  # (noqa|type: ignore)[^\n]*", "", source.segment(node))
