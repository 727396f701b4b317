"""What a part of a script is made of, and how parts are laid out."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Definition, Excerpts, SourceFile
from layerwise.experiments.scripting.specialise import Raw, literal, plain

__all__ = ["Raw", "Section", "device_of", "part", "place", "settings_text", "take", "tidy", "wrapped", "wrapped_call"]

PARTS = "layerwise.experiments.scripting.parts"
WIDTH = 120


@dataclass(frozen=True)
class Section:
    """A part of a script.

    settings: constants for the top, by name. functions: definitions. steps: what is done with them.
    needs: packages beside torch. note: a sentence for the docstring.
    prepare: the expression that makes network inputs of samples, {samples}. batch: what is done to the samples of a
    batch, {samples}. order: the order of an epoch, of a drawn {order} and `generator`; empty for the drawn one.
    """

    steps: str
    functions: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    note: str = ""
    prepare: str = "{samples}"
    batch: str = "{samples}"
    order: str = ""

    def prepared(self, samples: str) -> str:
        """Return the expression of network inputs."""
        return self.prepare.replace("{samples}", samples)

    def cut(self, samples: str) -> str:
        """Return the expression of a batch."""
        return self.batch.replace("{samples}", samples)


def device_of(run: Run) -> str:
    """Return the kind of device that the run was trained on: cpu, or one that goes by another name."""
    asked = run.experiment.machine.device.partition(":")[0]
    if asked != "auto":
        return asked
    return "cpu" if run.folder.read_json("environment.json")["device"] == "cpu" else "cuda"


def take(excerpts: Excerpts, module: str, *names: str) -> str:
    """Take functions out of this package, without its checks and the marks for our own tools."""
    return excerpts.take(module, *names, rewrite=rewritten)


def part(excerpts: Excerpts, file: str, *names: str) -> str:
    """Take functions out of a file of `parts`."""
    return take(excerpts, f"{PARTS}.{file}", *names)


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return a line for each constant, more where its value is long."""
    return "".join(wrapped(f"{name} = ", value) for name, value in settings.items())


def wrapped(start: str, value: Any, end: str = "\n", depth: int = 0) -> str:
    """Write a value behind `start`; a list or tuple too long for its line has an item a line."""
    line = f"{' ' * depth}{start}{literal(value)}{end}"
    if len(line.rstrip("\n")) <= WIDTH:
        return line
    if isinstance(value, Raw) and value.text.startswith("Path("):
        return f"{start}Path(\n    {value.text[5:-1]}\n)\n"
    if not isinstance(value, list | tuple):
        return line
    opening, closing = "()" if isinstance(value, tuple) else "[]"
    items = "".join(wrapped("", item, ",\n", depth + 4) for item in value)
    return f"{' ' * depth}{start}{opening}\n{items}{' ' * depth}{closing}{end}"


def wrapped_call(name: str, arguments: tuple[Any, ...], depth: int) -> str:
    """Write a call as an item of a list; one too long for its line has an argument a line."""
    line = f"{' ' * depth}{name}({', '.join(map(literal, arguments))}),\n"
    if len(line) <= WIDTH + 1:
        return line
    return (
        f"{' ' * depth}{name}(\n{''.join(wrapped('', a, f',{chr(10)}', depth + 4) for a in arguments)}{' ' * depth}),\n"
    )


def place(path: Path) -> Raw:
    """Return the expression of a path; the home folder is not spelt out."""
    path = path.absolute()
    if path.is_relative_to(Path.home()):
        return Raw(f"Path.home() / {literal(path.relative_to(Path.home()).as_posix())}")
    return Raw(f"Path({literal(path.as_posix())})")


def tidy(code: str) -> str:
    """Put two blank lines around functions, classes and headings, and at most one between other statements."""
    lines = code.splitlines()
    result: list[str] = []
    last_end, was_definition = 0, True
    for node in ast.parse(code).body:
        begin = min([node.lineno, *(mark.lineno for mark in getattr(node, "decorator_list", []))]) - 1
        while begin > last_end and lines[begin - 1].startswith("#"):
            begin -= 1
        heading = "\n".join(lines[last_end:begin]).strip("\n")  # a comment that stands alone
        is_definition = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if heading:
            result += ["", "", heading]
            was_definition = False
        if result:
            result += [""] * (2 if was_definition or is_definition else int(begin > last_end))
        assert node.end_lineno
        result += joined(lines[begin : node.end_lineno])
        last_end, was_definition = node.end_lineno, is_definition
    return "\n".join(result) + "\n"


def joined(lines: list[str]) -> list[str]:
    """Put statements and headers on one line that have become short enough for it; rows with an item a line stay."""
    for node in ast.walk(ast.parse("\n".join(lines))):
        match node:
            case ast.Assign() | ast.Expr() | ast.Return():
                first, last, is_header = node.lineno, node.end_lineno or 0, False
            case ast.FunctionDef():
                first, last, is_header = node.lineno, node.body[0].lineno - 1, True
            case _:
                continue
        *inner, end = (line.strip() for line in lines[first - 1 : last])
        if len(inner) < 2 or not inner[0].endswith(("(", "[")) or any("#" in line or '"""' in line for line in inner):
            continue
        if inner[-1].endswith(",") and not is_header:
            continue
        depth = len(lines[first - 1]) - len(lines[first - 1].lstrip())
        row = f"{' ' * depth}{inner[0]}{' '.join(inner[1:]).removesuffix(',')}{end}"
        if len(row) <= WIDTH:
            return joined([*lines[: first - 1], row, *lines[last:]])
    return lines


def rewritten(source: SourceFile, node: Definition) -> str:
    """Return a definition without its checks; what writes is a module to torch."""
    return plain(source, node).replace("model: Translator", "model: nn.Module")
