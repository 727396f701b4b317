"""Rewriting a network's source for one config: its values in place of its names, dead branches and checks gone.

Edits are made in the text, at the places that the syntax tree tells, so that comments and layout stay.
"""

from __future__ import annotations

import ast
import copy
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from layerwise.experiments.scripting.excerpts import Definition, SourceFile
from layerwise.layers.activations import ACTIVATIONS
from layerwise.layers.sizes import map_shape

CHECKS = ("require", "require_choice", "require_sizes", "require_dropout", "map_shape", "check_picture")
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
ACTIVATION_HOME = "layerwise.layers.activations"
Edit = tuple[int, int, bytes]


class UnknownError(Exception):
    """A value that only the running network knows."""


class Specialiser:
    """Rewrites definitions of a model file for one network.

    config: its frozen config. model: the network that was built with it. picture: (height, width) of its input, if any.
    keep_config: leave the config in as a parameter, for sources that hand it about in ways that cannot be seen through.
    """

    def __init__(self, config: Any, model: nn.Module, picture: tuple[int, ...], *, keep_config: bool = False) -> None:
        self.config, self.model, self.picture, self.keep_config = config, model, picture, keep_config

    def __call__(self, source: SourceFile, node: Definition) -> str:
        text = _Rewriting(self, source.segment(node), self.instance_of(node)).result()
        return without_idle_names(re.sub(r"  # (noqa|type: ignore|fmt: skip)[^\n]*", "", text))

    def instance_of(self, node: Definition) -> nn.Module | None:
        """Return a part of the network that is of the class that `node` defines."""
        name = node.name if isinstance(node, ast.ClassDef) else ""
        return next((part for part in self.model.modules() if type(part).__name__ == name), None)


class _Rewriting:
    """The rewriting of one definition."""

    def __init__(self, rules: Specialiser, text: str, instance: nn.Module | None) -> None:
        self.rules, self.instance = rules, instance
        self.source = text.encode()
        self.lines = [0]
        for line in self.source.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def result(self) -> str:
        (definition,) = ast.parse(self.source).body
        return self.render(0, len(self.source), list(self.edits(definition))).decode()

    def render(self, start: int, end: int, edits: Sequence[Edit]) -> bytes:
        """Return the text from `start` to `end` with the edits made."""
        pieces: list[bytes] = []
        for begin, stop, replacement in sorted(edits):
            pieces += [self.source[start:begin], replacement]
            start = stop
        return b"".join([*pieces, self.source[start:end]])

    def text(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.render(start, end, list(self.edits(node))).decode()

    def span(self, node: Any) -> tuple[int, int]:
        return self.lines[node.lineno - 1] + node.col_offset, self.lines[node.end_lineno - 1] + node.end_col_offset

    def whole_lines(self, node: ast.stmt) -> tuple[int, int]:
        assert node.end_lineno
        return self.lines[node.lineno - 1], self.lines[node.end_lineno]

    def edits(self, node: ast.AST) -> Iterator[Edit]:
        """Yield the edits within a node."""
        if isinstance(node, ast.FunctionDef):
            yield from self.header_edits(node)
        body = getattr(node, "body", None)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.arguments) and isinstance(node, ast.FunctionDef) and self.has_config(node):
                continue
            if isinstance(child, ast.stmt):
                yield from self.statement_edits(child, body if isinstance(body, list) else [])
            else:
                yield from self.expression_edits(child)

    def statement_edits(self, node: ast.stmt, body: list[ast.stmt]) -> Iterator[Edit]:
        if self.is_check(node):
            yield *self.whole_lines(node), b""
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from self.docstring_edits(node)
        elif isinstance(node, ast.If) and (branch := self.branch(node)) is not None:
            yield *self.whole_lines(node), self.unfolded(node, branch)
        elif returned := self.returned_by_next(node, body):
            start, _ = self.span(node)
            yield start, self.span(node)[1], f"return {self.text(returned)}".encode()
            yield *self.whole_lines(body[body.index(node) + 1]), b""
        elif not self.is_returned_before(node, body):
            yield from self.edits(node)

    def expression_edits(self, node: ast.AST) -> Iterator[Edit]:
        replacement = self.replacement(node)
        if replacement is not None:
            yield *self.span(node), replacement.encode()
            return
        if isinstance(node, ast.Call) and not self.rules.keep_config:
            yield from self.argument_edits(node)
        yield from self.edits(node)

    def replacement(self, node: ast.AST) -> str | None:
        """Return what an expression is to be replaced by, None where it stays."""
        match node:
            case ast.Name(id="UsageError"):
                return "ValueError"
            case ast.Starred(value=value) if self.known(value):
                return ", ".join(map(literal, self.value(value)))
            case ast.Attribute() | ast.Subscript() if self.known(node):
                return literal(self.value(node))
            case ast.IfExp(test=test) if self.known(test):
                return self.text_of(node.body if self.value(test) else node.orelse)
            case ast.Call(func=ast.Name(id="picture_shape"), args=[_, shape]):
                return self.text_of(shape)
            case ast.Call(func=ast.Name(id="feature_count"), args=[_, shape]):
                return f"math.prod({self.text_of(shape)})"
            case ast.Call(func=ast.Name(id="map_shape"), args=[_, _, layers, *_]) if self.layers(layers):
                height, width = map_shape("", (self.rules.picture[0], self.rules.picture[1]), self.layers(layers), "")
                return f"{height}, {width}"
            case ast.Call(func=ast.Name(id="activation"), args=[name]) if self.known(name):
                kind = ACTIVATIONS[self.value(name)]
                return f"nn.{kind.__name__}()" if kind.__module__.startswith("torch.") else f"{kind.__name__}()"
        return None

    def text_of(self, node: ast.AST) -> str:
        replaced = self.replacement(node)
        return self.text(node) if replaced is None else replaced

    def known(self, node: ast.AST) -> bool:
        try:
            return _is_literal(self.value(node))
        except UnknownError:
            return False

    def value(self, node: ast.AST) -> Any:
        """Return the value of an expression that the config decides. Raises UnknownError for any other."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Attribute(value=ast.Name(id="config"), attr=name) if not self.rules.keep_config:
                return getattr(self.rules.config, name)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self.value(operand)
            case ast.Tuple(elts=items):
                return tuple(self.value(item) for item in items)
            case ast.Subscript(value=items, slice=index):
                return self.value(items)[self.value(index)]
            case ast.Call(func=ast.Name(id="len"), args=[items]):
                return len(self.value(items))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.value(body if self.value(test) else orelse)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return COMPARISONS[type(op)](self.value(left), self.value(right))
        raise UnknownError

    def layers(self, node: ast.AST) -> tuple[nn.Module, ...]:
        """Return the layers of the built network that an expression such as `(self.c1, self.s2)` names."""
        items = node.elts if isinstance(node, ast.Tuple) else [node]
        found = []
        for item in items:
            path = ast.unparse(item).split(".")
            if path[0] != "self" or not self.rules.picture:
                return ()
            layer: Any = self.instance
            for name in path[1:]:
                layer = getattr(layer, name, None)
            if not isinstance(layer, nn.Module):
                return ()
            found.append(layer)
        return tuple(found)

    def is_check(self, node: ast.stmt) -> bool:
        """Whether a statement only refuses bad input, reassures a type checker or measures receptive fields."""
        match node:
            case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
                return name in CHECKS
            case ast.Assign(targets=[ast.Attribute(attr="window")], value=ast.Call(func=ast.Name(id="Window"))):
                return True
        return isinstance(node, ast.Assert)

    def branch(self, node: ast.If) -> list[ast.stmt] | None:
        """Return the statements that an `if` leads to, None where that is not known yet."""
        try:
            return node.body if self.value(node.test) else node.orelse
        except UnknownError:
            return None

    def unfolded(self, node: ast.If, branch: list[ast.stmt]) -> bytes:
        """Return the statements of a branch at the depth of their `if`."""
        if not branch:
            return b""
        start, end = self.whole_lines(branch[0])[0], self.whole_lines(branch[-1])[1]
        edits = [edit for statement in branch for edit in self.statement_edits(statement, branch)]
        deeper = branch[0].col_offset - node.col_offset
        lines = self.render(start, end, edits).splitlines(keepends=True)
        return b"".join(line[deeper:] if line[:deeper].isspace() else line for line in lines)

    def returned_by_next(self, node: ast.stmt, body: list[ast.stmt]) -> ast.expr | None:
        """Return the value of `name: Type = value` before `return name`, which a type checker asked for."""
        position = body.index(node) if node in body else len(body)
        if isinstance(node, ast.AnnAssign) and node.value and position + 1 < len(body):
            after = body[position + 1]
            if isinstance(after, ast.Return) and after.value and ast.dump(after.value) == _as_load(node.target):
                return node.value
        return None

    def is_returned_before(self, node: ast.stmt, body: list[ast.stmt]) -> bool:
        position = body.index(node) if node in body else 0
        return position > 0 and self.returned_by_next(body[position - 1], body) is not None

    def docstring_edits(self, node: ast.Expr) -> Iterator[Edit]:
        """Drop the lines about errors."""
        start, end = self.span(node)
        text = self.source[start:end].decode()
        kept = re.sub(r"\n +Raises[^\n]*(?:\n +(?:[a-z]|UsageError)[^\n]*)*(?=\n)", "", text)
        kept = re.sub(r" Raises \w+ for [^\n]*?\.(?=\s|\"\"\")", "", kept)
        kept = re.sub(r"\n\s*\n(?=\s*\"\"\"$)", "\n", kept)
        first, *rest = kept.splitlines()
        kept = f'{first}"""' if rest and rest[-1].strip() == '"""' and not "".join(rest[:-1]).strip() else kept
        yield start, end, kept.encode()

    def has_config(self, node: ast.FunctionDef) -> bool:
        return any(arg.arg == "config" for arg in node.args.args)

    def header_edits(self, node: ast.FunctionDef) -> Iterator[Edit]:
        """Write the header of a function again, without its config."""
        if not self.has_config(node):
            return
        arguments = copy.deepcopy(node.args)
        position = next(number for number, arg in enumerate(arguments.args) if arg.arg == "config")
        if position >= (first_default := len(arguments.args) - len(arguments.defaults)):
            del arguments.defaults[position - first_default]
        if self.rules.keep_config:
            arguments.args[position].annotation = ast.Name("SimpleNamespace")
        else:
            del arguments.args[position]
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        start, end = self.span(node)[0], self.lines[node.body[0].lineno - 1]
        yield start, end, f"def {node.name}({ast.unparse(arguments)}){returns}:\n".encode()

    def argument_edits(self, node: ast.Call) -> Iterator[Edit]:
        """Take `config` out of a call."""
        for position, argument in enumerate(node.args):
            if isinstance(argument, ast.Name) and argument.id == "config":
                start, end = self.span(argument)
                if position:
                    start = self.span(node.args[position - 1])[1]
                yield start, end, b""


@dataclass(frozen=True)
class Raw:
    """An expression that stands as it is, perhaps with a comment behind it."""

    text: str


def config_literal(config: Any) -> str:
    """Return a config as an expression of plain values."""
    fields = ", ".join(f"{name}={literal(value)}" for name, value in vars(config).items())
    return f"SimpleNamespace({fields})"


def literal(value: Any) -> str:
    """Write a value as people do, with double quotation marks."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, tuple):
        items = ", ".join(map(literal, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def without_idle_names(text: str) -> str:
    """Take out what the rewriting left without a use: names that are given a value and never read."""
    lines = text.splitlines(keepends=True)
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        read = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        for node in function.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)]) if name not in read and node.lineno == node.end_lineno:
                    lines[node.lineno - 1] = ""
                case ast.Assign(targets=[ast.Tuple(elts=[ast.Name(id=first), *others])], value=value):
                    indent = " " * node.col_offset
                    names = [ast.unparse(other) for other in others]
                    if isinstance(value, ast.Name) and not read & set(names):
                        lines[node.lineno - 1] = f"{indent}{first} = {value.id}[0]\n"
                    elif node.lineno == node.end_lineno and not read.issuperset((first, *names)):
                        shown = [name if name in read else f"_{name}" for name in (first, *names)]
                        lines[node.lineno - 1] = f"{indent}{', '.join(shown)} = {ast.unparse(value)}\n"
    return "".join(lines)


def _as_load(target: ast.expr) -> str:
    return ast.dump(ast.Name(target.id, ast.Load())) if isinstance(target, ast.Name) else ""


def _is_literal(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_literal, value))
    return value is None or isinstance(value, bool | int | float | str)
