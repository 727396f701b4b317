"""Values that can be worked out, and what follows from them."""

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


class UnknownError(Exception):
    """A value that only the running script knows."""


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


def known_expressions(text: Text) -> Iterator[Edit]:
    """Write values in the place of what can be worked out; sums and products stay, for they tell what they are."""
    for node in text.nodes:
        match node:
            case ast.UnaryOp(op=ast.USub()):
                pass
            case ast.IfExp(test=test) if is_known(test):
                yield *text.span(node), text.of(node.body if value_of(test) else node.orelse)
            case ast.IfExp(body=body, orelse=orelse) if text.of(body) == text.of(orelse):
                yield *text.span(node), text.of(body)
            case ast.Call(func=ast.BoolOp(op=op, values=values) as func) if any(map(is_known, values)):
                start, end = text.span(func)
                yield start - 1, end + 1, _shorter(text, op, values)
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
                elif _does_nothing(statement):
                    yield *text.whole_lines(statement), ""


def _does_nothing(statement: ast.stmt) -> bool:
    """Whether a statement adds nothing to a list, or goes through something and does nothing."""
    match statement:
        case ast.AugAssign(op=ast.Add(), value=ast.List(elts=[])) | ast.For(body=[ast.Pass(), *_]):
            return True
    return False


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
