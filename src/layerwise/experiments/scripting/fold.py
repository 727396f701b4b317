"""Folding a script: what is always the same goes to where it is used, and what that leaves without a use goes away.

    def stem(kind, width):                        def stem(width):
        if kind == "small":                           return nn.Conv2d(1, width, 3)
            return nn.Conv2d(1, width, 3)      ->
        return nn.Conv2d(1, width, 7)

    model = stem("small", 32)                     model = stem(32)

Each rule looks for one thing to do, and the rules are applied until none finds anything more.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from layerwise.experiments.scripting.edits import Edit, Text
from layerwise.experiments.scripting.specialise import literal

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
FOLDED = (ast.Compare, ast.BoolOp, ast.Subscript, ast.UnaryOp, ast.BinOp, ast.Call)
Function = ast.FunctionDef


class UnknownError(Exception):
    """A value that only the running script knows."""


def fold(code: str) -> str:
    """Return `code` with what can be known of it worked out."""
    changed = True
    while changed:
        changed = False
        for rule in RULES:
            text = Text(code)
            if edits := list(rule(text)):
                code, changed = text.edited(edits), True
    return code


# Values


def value_of(node: ast.AST) -> Any:
    """Return the value of an expression that holds no names. Raises UnknownError for any other."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=items):
            return tuple(value_of(item) for item in items)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not value_of(operand)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -value_of(operand)
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
            return value_of(left) // value_of(right)
        case ast.BinOp(left=left, op=ast.Add(), right=right) if isinstance(value_of(right), bool):
            return value_of(left) + value_of(right)
        case ast.Subscript(value=ast.Dict(keys=keys, values=values), slice=index):
            position = [value_of(key) for key in keys if key].index(value_of(index))
            return value_of(values[position])
        case ast.Subscript(value=items, slice=index) if not isinstance(index, ast.Slice):
            return value_of(items)[value_of(index)]
        case ast.Call(func=ast.Name(id="len"), args=[items]):
            return len(value_of(items))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="math"), attr="prod"), args=[items]):
            return math.prod(value_of(items))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return COMPARISONS[type(op)](value_of(left), value_of(right))
    raise UnknownError


def is_known(node: ast.AST) -> bool:
    """Whether the value of an expression is known."""
    try:
        value_of(node)
    except (UnknownError, ValueError, TypeError, IndexError):
        return False
    return True


# Rules


def known_expressions(text: Text) -> Iterator[Edit]:
    """Write values in the place of what can be worked out; sums and products stay, for they tell what they are."""
    for node in text.nodes:
        match node:
            case ast.UnaryOp(op=ast.USub()):
                pass
            case ast.IfExp(test=test) if is_known(test):
                yield *text.span(node), text.of(node.body if value_of(test) else node.orelse)
            case ast.BoolOp(op=op, values=values) if any(map(is_known, values)):
                yield *text.span(node), _shorter(text, op, values)
            case _ if isinstance(node, FOLDED) and is_known(node):
                yield *text.span(node), literal(value_of(node))


def _shorter(text: Text, op: ast.boolop, values: list[ast.expr]) -> str:
    """Return a chain of 'and' or 'or' without the values that do not matter."""
    idle = isinstance(op, ast.And)
    left = [value for value in values if not is_known(value) or bool(value_of(value)) is not idle]
    ends = [value for value in left if is_known(value)]
    if ends:
        return repr(not idle)
    return (" and " if idle else " or ").join(map(text.of, left)) if left else repr(idle)


def known_branches(text: Text) -> Iterator[Edit]:
    """Put the statements that a known `if` leads to in its place, and drop what comes behind a `return`."""
    for node in text.nodes:
        for body in (getattr(node, field, None) for field in ("body", "orelse")):
            if not isinstance(body, list):
                continue
            for statement, after in pairwise(body):
                if isinstance(statement, ast.Return | ast.Continue | ast.Break):
                    yield *text.whole_lines(after, body[-1]), ""
                    break
            for statement in body:
                if isinstance(statement, ast.If) and is_known(statement.test):
                    chosen = statement.body if value_of(statement.test) else statement.orelse
                    empty = f"{' ' * statement.col_offset}pass\n" if len(body) == 1 else ""
                    yield *text.whole_lines(statement), _unfolded(text, statement, chosen) or empty
                elif isinstance(statement, ast.For) and isinstance(statement.body[0], ast.Pass):
                    yield *text.whole_lines(statement), ""


def _unfolded(text: Text, node: ast.If, chosen: list[ast.stmt]) -> str:
    """Return statements at the depth of the `if` that leads to them."""
    is_elif = text.source[text.span(node)[0] :].startswith(b"elif")
    if not chosen:
        return ""
    start, end = text.whole_lines(chosen[0], chosen[-1])
    lines = text.source[start:end].decode().splitlines(keepends=True)
    if isinstance(chosen[0], ast.If) and lines[0].lstrip().startswith("elif"):
        return lines[0].replace("elif", "elif" if is_elif else "if", 1) + "".join(lines[1:])
    if is_elif:
        return f"{' ' * node.col_offset}else:\n{''.join(lines)}"
    deeper = chosen[0].col_offset - node.col_offset
    return "".join(line[deeper:] if line[:deeper].isspace() else line for line in lines)


def same_arguments(text: Text) -> Iterator[Edit]:
    """Take a parameter out that gets the same word or truth value in all calls; of the network itself, any value."""
    for function, calls, is_whole in _called(text):
        positions = function.args.args
        for position, parameter in enumerate(positions):
            if parameter.arg == "self":
                continue
            loads = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == parameter.arg]
            given = [node for call in calls if (node := _argument(function, call, position))]
            if len(given) < len(calls) or any(isinstance(n.ctx, ast.Store) for n in loads):
                continue
            if _is_in_text(function, parameter.arg):
                continue
            if loads and not _is_same(given, is_whole, len(loads)):
                continue
            if not loads and not all(isinstance(node, ast.Name | ast.Constant | ast.Tuple) for node in given):
                continue
            yield from ((*text.span(n), literal(value_of(given[0]))) for n in loads)
            yield _without_parameter(text, function, position)
            for call in calls:
                yield from _without_argument(text, function, call, position)
            return


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
            own = [call for call in calls if _is_own_method(call.func, function.name)]
            if own and all(id(call) in inside for call in own) and not function.decorator_list:
                yield function, own, False


def _is_own_method(node: ast.expr, name: str) -> bool:
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


def _argument(function: Function, call: ast.Call, position: int) -> ast.expr | None:
    """Return what a call gives for a parameter, or its default; None where that is not to be told."""
    if any(isinstance(arg, ast.Starred) for arg in call.args) or any(k.arg is None for k in call.keywords):
        return None
    parameters = function.args.args
    place = position - (parameters[0].arg == "self")
    if place < len(call.args):
        return call.args[place]
    for keyword in call.keywords:
        if keyword.arg == parameters[position].arg:
            return keyword.value
    default = position - (len(parameters) - len(function.args.defaults))
    return function.args.defaults[default] if default >= 0 else None


def _is_same(given: list[Any], is_whole: bool, uses: int) -> bool:
    if not all(map(is_known, given)):
        return False
    values = [value_of(node) for node in given]
    simple = values[0] is None or isinstance(values[0], bool | str)
    if isinstance(values[0], str | tuple) and uses > 1 and not is_whole:
        simple = isinstance(values[0], str) and len(values[0]) < 20
    return (simple or is_whole) and all(repr(value) == repr(values[0]) for value in values)


def _without_parameter(text: Text, function: Function, position: int) -> Edit:
    """Return the edit that takes a parameter with its default out of the header."""
    items = []
    first_default = len(function.args.args) - len(function.args.defaults)
    for number, parameter in enumerate(function.args.args):
        end = function.args.defaults[number - first_default] if number >= first_default else parameter
        items.append(_Stretch(parameter, end))
    return text.item(items, position)


class _Stretch:
    """From the beginning of one node to the end of another."""

    def __init__(self, first: Any, last: Any) -> None:
        self.lineno, self.col_offset = first.lineno, first.col_offset
        self.end_lineno, self.end_col_offset = last.end_lineno, last.end_col_offset


def _without_argument(text: Text, function: Function, call: ast.Call, position: int) -> Iterator[Edit]:
    place = position - (function.args.args[0].arg == "self")
    items: list[Any] = [*call.args, *call.keywords]
    if place < len(call.args):
        yield text.item(items, place)
    for number, keyword in enumerate(call.keywords):
        if keyword.arg == function.args.args[position].arg:
            yield text.item(items, len(call.args) + number)


def known_names(text: Text) -> Iterator[Edit]:
    """Within functions write numbers and layers in the place of the names that were given to them."""
    for function in text.nodes:
        if isinstance(function, ast.FunctionDef):
            for number, statement in enumerate(function.body):
                match statement:
                    case ast.Assign(targets=[ast.Name() as target], value=value):
                        pairs: list[tuple[ast.expr, ast.expr]] = [(target, value)]
                    case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                        pairs = list(zip(targets, values, strict=True))
                    case _:
                        continue
                for pair in pairs:
                    reach = _reach(function, number, pair[0])
                    if reach is not None and (_is_plain(pair[1]) or (not reach and is_known(pair[1]))):
                        yield from ((*text.span(use), text.of(pair[1])) for use in reach)
                        pairs.remove(pair)
                        yield _without_pair(text, statement, pairs)
                        return


def _is_plain(node: ast.expr) -> bool:
    """Whether an expression is a number, a truth value, or a class of torch's."""
    match node:
        case ast.Constant(value=value):
            return not isinstance(value, str)
        case ast.Attribute(value=ast.Name(id="nn")):
            return True
    return False


def _reach(function: Function, number: int, target: ast.expr) -> list[ast.Name] | None:
    """Return the uses of a name up to its next assignment, None where the value that it has there is not sure."""
    if not isinstance(target, ast.Name):
        return None
    uses = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == target.id]
    stores = [use for use in uses if isinstance(use.ctx, ast.Store)]
    simple = [t for s in function.body if isinstance(s, ast.Assign) for goal in s.targets for t in ast.walk(goal)]
    if _is_in_text(function, target.id) or not all(store in simple for store in stores):
        return None
    reached: list[ast.Name] = []
    for statement in function.body[number + 1 :]:
        inner = list(ast.walk(statement))
        reached += [use for use in uses if use in inner and isinstance(use.ctx, ast.Load)]
        if any(store in inner for store in stores):
            break
    return reached


def _is_in_text(function: Function, name: str) -> bool:
    """Whether a name stands in an f-string, where Python 3.11 does not tell its place."""
    texts = [node for node in ast.walk(function) if isinstance(node, ast.JoinedStr)]
    return any(isinstance(node, ast.Name) and node.id == name for text in texts for node in ast.walk(text))


def _without_pair(text: Text, statement: ast.stmt, pairs: list[tuple[ast.expr, ast.expr]]) -> Edit:
    if not pairs:
        return *text.whole_lines(statement), ""
    targets, values = (", ".join(text.of(pair[side]) for pair in pairs) for side in (0, 1))
    return *text.span(statement), f"{targets} = {values}"


def idle_definitions(text: Text) -> Iterator[Edit]:
    """Drop functions, classes and constants that nothing uses."""
    body = text.tree.body
    read = [{n.id for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)} for s in body]
    for position, node in enumerate(body):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                pass
            case ast.Assign(targets=[ast.Name(id=name)]) if name.isupper():
                pass
            case _:
                continue
        if not any(name in names for number, names in enumerate(read) if number != position):
            start, end = text.whole_lines(node)
            first = text.lines.index(start)
            while first and text.source[text.lines[first - 1] :].startswith(b"# ") and not isinstance(node, Function):
                first -= 1
            yield text.lines[first], end, ""


def idle_layers(text: Text) -> Iterator[Edit]:
    """Drop dropout that silences nothing, and arguments that say what PyTorch does anyway."""
    for node in text.nodes:
        match node:
            case ast.Call(args=args, keywords=keywords):
                yield from (text.item(args, n) for n, arg in enumerate(args) if len(args) > 1 and _is_no_dropout(arg))
                for number, keyword in enumerate(keywords):
                    if keyword.arg == "bias" and is_known(keyword.value) and value_of(keyword.value) is True:
                        yield text.item([*args, *keywords], len(args) + number)
            case ast.ClassDef():
                yield from _without_no_dropout(text, node)


def _is_no_dropout(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="nn"), attr="Dropout"), args=[ast.Constant(value=0.0)]):
            return True
    return False


def _without_no_dropout(text: Text, kind: ast.ClassDef) -> Iterator[Edit]:
    for statement in ast.walk(kind):
        match statement:
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=value) if _is_no_dropout(value):
                yield *text.whole_lines(statement), ""
                for call in ast.walk(kind):
                    if isinstance(call, ast.Call) and _is_own_method(call.func, name):
                        yield *text.span(call), text.of(call.args[0])


def plain_assignments(text: Text) -> Iterator[Edit]:
    """Drop the annotations of names within functions."""
    for function in text.nodes:
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                    yield text.span(node.target)[1], text.span(node.value)[0], " = "


def unread_names(text: Text) -> Iterator[Edit]:
    """Begin names with a dash that are unpacked with others and never read."""
    for function in text.nodes:
        if isinstance(function, ast.FunctionDef):
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
            for node in ast.walk(function):
                if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store):
                    for item in node.elts:
                        if isinstance(item, ast.Name) and item.id not in read and not item.id.startswith("_"):
                            yield *text.span(item), f"_{item.id}"


RULES: tuple[Callable[[Text], Iterator[Edit]], ...] = (
    known_expressions,
    known_branches,
    same_arguments,
    known_names,
    idle_definitions,
    idle_layers,
    plain_assignments,
    unread_names,
)
