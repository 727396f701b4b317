"""Rewriting a network's source for one config: its values in place of its names, checks and their words gone."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import nn

from layerwise import errors
from layerwise.experiments.scripting.edits import Edit, Text
from layerwise.experiments.scripting.excerpts import Definition, SourceFile
from layerwise.layers.activations import ACTIVATIONS
from layerwise.layers.sizes import map_shape

CHECKS = (
    "require", "require_choice", "require_count", "require_sizes", "require_dropout", "require_one_vocabulary",
    "require_pictures_of", "map_shape", "check_picture",
)  # fmt: skip
MARKS = re.compile(r"  # (noqa|type: ignore)[^\n]*")


class Specialiser:
    """Rewrites definitions of a model file for one network.

    config: its frozen config. model: the network that was built with it. picture: (height, width) of its input, if any.
    reads_tokens: whether sequences are tokens, not numbers; None where both are to stay possible.
    """

    def __init__(
        self, config: Any, model: nn.Module, picture: tuple[int, ...], reads_tokens: bool | None = None
    ) -> None:
        self.config, self.model, self.picture, self.reads_tokens = config, model, picture, reads_tokens

    def __call__(self, source: SourceFile, node: Definition) -> str:
        text = Text(MARKS.sub("", source.segment(node)))
        return text.edited(self.edits(text, self.instance_of(node)))

    def instance_of(self, node: Definition) -> nn.Module | None:
        """Return a part of the network that is of the class that `node` defines."""
        name = node.name if isinstance(node, ast.ClassDef) else ""
        return next((part for part in self.model.modules() if type(part).__name__ == name), None)

    def edits(self, text: Text, instance: nn.Module | None) -> Iterator[Edit]:
        """Yield all edits of a definition; `instance` is a module of its class."""
        for node in ast.walk(text.tree):
            replacement = self.replacement(text, node, instance)
            if replacement is not None:
                yield *text.span(node), replacement
            elif isinstance(node, ast.FunctionDef):
                yield from _without_config(text, node)
                yield from _returned_at_once(text, node.body)
            elif isinstance(node, ast.Call):
                for position, argument in enumerate(node.args):
                    if isinstance(argument, ast.Name) and argument.id == "config":
                        yield text.item([*node.args, *node.keywords], position)
            elif isinstance(node, ast.Tuple):
                for before, item in pairwise(node.elts):
                    if isinstance(item, ast.Starred) and self.replacement(text, item, instance) == "":
                        yield text.span(before)[1], text.span(item)[1], ","
            else:
                yield from unchecked(text, node)

    def replacement(self, text: Text, node: ast.AST, instance: nn.Module | None) -> str | None:
        """Return what an expression is to be replaced by, None where it stays."""
        match node:
            case ast.Name(id="UsageError"):
                return "ValueError"
            case ast.Name(id="Blocks"):
                return "nn.ModuleList"
            case ast.Subscript(value=ast.Name(id="CELLS"), slice=ast.Attribute(value=ast.Name(id="config"))):
                return f"nn.{self.config.cell.upper()}"
            case ast.Call(func=ast.Attribute(attr="is_floating_point")) if self.reads_tokens is not None:
                return repr(not self.reads_tokens)
            case ast.Starred(value=ast.Attribute(value=ast.Name(id="config"), attr=attr)):
                return ", ".join(map(literal, getattr(self.config, attr)))
            case ast.Attribute(value=ast.Name(id="config"), attr=attr):
                return literal(getattr(self.config, attr))
            case ast.Call(func=ast.Name(id="picture_shape" | "sequence_shape"), args=[_, shape]):
                return text.of(shape)
            case ast.Call(func=ast.Name(id="feature_count"), args=[_, shape]):
                return f"math.prod({text.of(shape)})"
            case ast.Call(func=ast.Name(id="map_shape"), args=[_, _, layers, *_]):
                path = named_layers(layers, instance)
                if path and self.picture:
                    return literal(map_shape("", (self.picture[0], self.picture[1]), path, ""))[1:-1]
            case ast.Call(func=ast.Name(id="activation"), args=[ast.Attribute(value=ast.Name(id="config"), attr=attr)]):
                kind = ACTIVATIONS[getattr(self.config, attr)]
                return f"nn.{kind.__name__}()" if kind.__module__.startswith("torch.") else f"{kind.__name__}()"
        return None


def named_layers(node: ast.AST, instance: nn.Module | None) -> tuple[nn.Module, ...]:
    """Return the layers of the built network that an expression such as `(self.c1, self.s2)` names."""
    found = []
    for item in node.elts if isinstance(node, ast.Tuple) else [node]:
        own, *path = ast.unparse(item).split(".")
        layer: Any = instance if own == "self" else None
        for name in path:
            layer = getattr(layer, name, None)
        if not isinstance(layer, nn.Module):
            return ()
        found.append(layer)
    return tuple(found)


def plain(source: SourceFile, node: Definition) -> str:
    """Return a definition without its checks, their words, and the marks for our own tools."""
    text = Text(MARKS.sub("", source.segment(node)))
    return text.edited(edit for inner in ast.walk(text.tree) for edit in unchecked(text, inner))


def unchecked(text: Text, node: ast.AST) -> Iterator[Edit]:
    """Yield the edit that takes a check, or its words in a docstring, away."""
    if isinstance(node, ast.stmt) and is_check(node):
        yield *text.whole_lines(node), ""
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and '"""' in text.of(node):
        yield *text.span(node), without_errors(text.of(node))


def is_check(node: ast.stmt) -> bool:
    """Whether a statement only refuses bad input, reassures a type checker or measures receptive fields."""
    match node:
        case ast.If(body=[*_, ast.Raise() as last], orelse=[]):
            return is_check(last)
        case ast.If(body=body, orelse=[]):
            return all(map(is_check, body))
        case ast.Raise(exc=ast.Call(func=ast.Name(id=name))):
            return name in vars(errors)
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
            return name in CHECKS
        case ast.Assign(targets=[ast.Attribute(attr="window")], value=ast.Call(func=ast.Name(id="Window"))):
            return True
    return isinstance(node, ast.Assert)


def without_errors(docstring: str) -> str:
    """Drop the lines about errors."""
    kept = re.sub(r"\n +Raises[^\n]*(?:\n +(?:[a-z]|UsageError)[^\n]*)*(?=\n)", "", docstring)
    kept = re.sub(r" Raises \w+ for [^\n]*?\.(?=\s|\"\"\")", "", kept)
    kept = re.sub(r"\n\s*\n(?=\s*\"\"\"$)", "\n", kept)
    first, *rest = kept.splitlines()
    return f'{first}"""' if rest and rest[-1].strip() == '"""' and not "".join(rest[:-1]).strip() else kept


def _without_config(text: Text, function: ast.FunctionDef) -> Iterator[Edit]:
    """Take `config` out of the parameters, where it is the last one."""
    parameters = function.args.args
    if parameters and parameters[-1].arg == "config":
        start = text.span(parameters[-2])[1] if len(parameters) > 1 else text.span(parameters[-1])[0]
        yield start, text.span((function.args.defaults or parameters)[-1])[1], ""
    else:
        yield from (text.item(parameters, n) for n, p in enumerate(parameters) if p.arg == "config")


def _returned_at_once(text: Text, body: list[ast.stmt]) -> Iterator[Edit]:
    """Return the value of `name: Type = value` before `return name`, which a type checker asked for."""
    for node, after in pairwise(body):
        match node, after:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value), ast.Return(
                value=ast.Name(id=same)
            ):
                if name == same:
                    yield text.span(node)[0], text.span(value)[0], "return "
                    yield *text.whole_lines(after), ""


@dataclass(frozen=True)
class Raw:
    """An expression that stands as it is, perhaps with a comment behind it."""

    text: str


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
