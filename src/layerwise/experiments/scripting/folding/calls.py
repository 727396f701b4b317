"""Arguments that are the same in all calls go into the function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from layerwise.experiments.scripting.edits import Edit, Text
from layerwise.experiments.scripting.folding.names import is_in_text, is_plain
from layerwise.experiments.scripting.folding.values import is_known, value_of
from layerwise.experiments.scripting.specialise import literal

Function = ast.FunctionDef


def same_arguments(text: Text) -> Iterator[Edit]:
    """Take a parameter out that gets the same word or truth value in all calls; of the network itself, any value."""
    for function, calls, is_whole in _called(text):
        for parameter in parameters(function):
            if parameter.arg == "self" or is_in_text(function, parameter.arg):
                continue
            loads = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == parameter.arg]
            given = [node for call in calls if (node := _argument(function, call, parameter))]
            if len(given) < len(calls) or any(isinstance(n.ctx, ast.Store) for n in loads):
                continue
            is_left_to_default = all(node is _default(function, parameter) for node in given)
            if loads and not _is_same(text, given, is_whole or is_left_to_default, len(loads)):
                continue
            if not loads and not all(isinstance(node, ast.Name | ast.Constant | ast.Tuple) for node in given):
                continue
            yield from ((*text.span(n), value_text(text, given[0])) for n in loads)
            yield _without_parameter(text, function, parameter)
            for call in calls:
                yield from _without_argument(text, function, call, parameter)
            return


def same_keywords(text: Text) -> Iterator[Edit]:
    """Write its default in the place of a keyword of methods that no call gives anything else, but handed on."""
    functions = [node for node in text.nodes if isinstance(node, ast.FunctionDef) and node.name != "__init__"]
    for name in dict.fromkeys(arg.arg for function in functions for arg in function.args.kwonlyargs):
        own = [function for function in functions if any(arg.arg == name for arg in function.args.kwonlyargs)]
        inside = {id(node) for function in own for node in ast.walk(function)}
        defaults = [default for function in own if (default := _default(function, _named(function, name)))]
        if len(defaults) < len(own) or len({ast.unparse(node) for node in defaults}) > 1 or not is_known(defaults[0]):
            continue
        calls = [node for node in text.nodes if isinstance(node, ast.Call) and not _is_of_torch(node)]
        given = [(call, one) for call in calls for one in call.keywords if one.arg == name]
        if all(_is_handed_on(one.value, name, inside) or _is_equal(one.value, defaults[0]) for _, one in given):
            uses = [n for f in own for n in ast.walk(f) if isinstance(n, ast.Name) and n.id == name]
            if any(isinstance(use.ctx, ast.Store) for use in uses) or any(is_in_text(f, name) for f in own):
                continue
            handed_on = {id(one.value) for _, one in given}
            yield from ((*text.span(use), text.of(defaults[0])) for use in uses if id(use) not in handed_on)
            yield from (_without_parameter(text, function, _named(function, name)) for function in own)
            yield from (_without_keyword(text, call, one) for call, one in given)
            return


def _named(function: Function, name: str) -> ast.arg:
    return next(parameter for parameter in parameters(function) if parameter.arg == name)


def _is_of_torch(call: ast.Call) -> bool:
    return ast.unparse(call.func).startswith(("nn.", "F.", "torch."))


def _is_handed_on(node: ast.expr, name: str, inside: set[int]) -> bool:
    return isinstance(node, ast.Name) and node.id == name and id(node) in inside


def _is_equal(node: ast.expr, other: ast.expr) -> bool:
    return is_known(node) and repr(value_of(node)) == repr(value_of(other))


def parameters(function: Function) -> list[ast.arg]:
    """Return the parameters that have a name, those that are given by it alone last."""
    return [*function.args.args, *function.args.kwonlyargs]


def _default(function: Function, parameter: ast.arg) -> ast.expr | None:
    """Return what a parameter is where a call does not say."""
    for names, defaults in (
        (function.args.args[::-1], function.args.defaults[::-1]),
        (function.args.kwonlyargs, function.args.kw_defaults),
    ):
        for name, default in zip(names, defaults, strict=False):
            if name is parameter:
                return default
    return None


def _called(text: Text) -> Iterator[tuple[Function, list[ast.Call], bool]]:
    """Yield functions, methods and constructors that are only called, their calls, and whether all stand outside."""
    body = text.tree.body
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    functions = [node for node in body if isinstance(node, ast.FunctionDef)]
    calls = [node for node in text.nodes if isinstance(node, ast.Call)]
    outer = {id(n) for s in body if not isinstance(s, ast.ClassDef | ast.FunctionDef) for n in ast.walk(s)}
    handed_on = _handed_on(text)
    for name, function in [*((f.name, f) for f in functions), *((c.name, _method(c, "__init__")) for c in classes)]:
        own = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == name]
        if function and own and not function.decorator_list and name not in handed_on:
            yield function, own, function.name == "__init__" and all(id(call) in outer for call in own)
    for kind in classes:
        inside = {id(node) for node in ast.walk(kind)}
        for function in (node for node in kind.body if isinstance(node, ast.FunctionDef)):
            own = [call for call in calls if is_own_method(call.func, function.name)]
            uses = [node for node in text.nodes if isinstance(node, ast.Attribute) and node.attr == function.name]
            if (
                own
                and len(own) == len(uses)
                and all(id(call) in inside for call in own)
                and not function.decorator_list
            ):
                yield function, own, False


def is_own_method(node: ast.expr, name: str) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=attr):
            return attr == name
    return False


def _method(kind: ast.ClassDef, name: str) -> Function | None:
    return next((node for node in kind.body if isinstance(node, ast.FunctionDef) and node.name == name), None)


def _handed_on(text: Text) -> set[str]:
    """Return the names that stand elsewhere than in calls, annotations and checks of a class."""
    harmless: set[int] = set()
    for node in text.nodes:
        parts: list[ast.AST | None] = []
        match node:
            case ast.Call(func=ast.Name(id="isinstance")):
                parts = [node.func, *node.args]
            case ast.Call():
                harmless.add(id(node.func))
            case ast.arg() | ast.AnnAssign():
                parts = [node.annotation]
            case ast.FunctionDef():
                parts = [node.returns]
        harmless |= {id(inner) for part in parts if part for inner in ast.walk(part)}
    return {node.id for node in text.nodes if isinstance(node, ast.Name) and id(node) not in harmless}


def _argument(function: Function, call: ast.Call, parameter: ast.arg) -> ast.expr | None:
    """Return what a call gives for a parameter, or its default; None where that is not to be told."""
    if any(isinstance(arg, ast.Starred) for arg in call.args) or any(k.arg is None for k in call.keywords):
        return None
    place = _place(function, parameter)
    if place is not None and place < len(call.args):
        return call.args[place]
    for keyword in call.keywords:
        if keyword.arg == parameter.arg:
            return keyword.value
    return _default(function, parameter)


def _place(function: Function, parameter: ast.arg) -> int | None:
    """Return the number of the argument of a call that is for a parameter, None where it is given by its name."""
    positions = function.args.args
    if parameter not in positions:
        return None
    return positions.index(parameter) - (positions[0].arg == "self")


def _is_same(text: Text, given: list[ast.expr], is_whole: bool, uses: int) -> bool:
    """Whether all calls give the same, and it is short enough to stand in the place of the name."""
    if all(is_plain(node) and not is_known(node) for node in given):  # layers of torch
        return len({text.of(node) for node in given}) == 1
    if not all(map(is_known, given)):
        return False
    values = [value_of(node) for node in given]
    simple = values[0] is None or isinstance(values[0], bool | str) or repr(values[0]) == "0.0"
    if isinstance(values[0], str | tuple) and uses > 1 and not is_whole:
        simple = isinstance(values[0], str) and len(values[0]) < 20
    return (simple or is_whole) and all(repr(value) == repr(values[0]) for value in values)


def value_text(text: Text, node: ast.expr) -> str:
    """Return how a value is written."""
    return literal(value_of(node)) if is_known(node) else text.of(node)


def _without_parameter(text: Text, function: Function, parameter: ast.arg) -> Edit:
    """Return the edit that takes a parameter with its default, and a star that is left alone, out of the header."""
    positions, named = (
        [_Stretch(one, _default(function, one) or one) for one in row]
        for row in (function.args.args, function.args.kwonlyargs)
    )
    if parameter in function.args.args:
        return text.item(positions, function.args.args.index(parameter))
    if len(named) == 1 and positions:
        return text.span(positions[-1])[1], text.span(named[0])[1], ""
    return text.item(named, function.args.kwonlyargs.index(parameter))


class _Stretch:
    """From the beginning of one node to the end of another."""

    def __init__(self, first: Any, last: Any) -> None:
        self.lineno, self.col_offset = first.lineno, first.col_offset
        self.end_lineno, self.end_col_offset = last.end_lineno, last.end_col_offset


def _without_argument(text: Text, function: Function, call: ast.Call, parameter: ast.arg) -> Iterator[Edit]:
    place = _place(function, parameter)
    if place is not None and place < len(call.args):
        yield text.item([*call.args, *call.keywords], place)
    for keyword in call.keywords:
        if keyword.arg == parameter.arg:
            yield _without_keyword(text, call, keyword)


def _without_keyword(text: Text, call: ast.Call, keyword: ast.keyword) -> Edit:
    return text.item([*call.args, *call.keywords], len(call.args) + call.keywords.index(keyword))
