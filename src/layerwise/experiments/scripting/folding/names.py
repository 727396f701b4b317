"""Names of values that are known, in functions and in the objects of a class."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from layerwise.experiments.scripting.edits import Edit, Text
from layerwise.experiments.scripting.folding.values import is_known, value_of

Function = ast.FunctionDef


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
                    if ast.unparse(pair[0]) == "_" and is_known(pair[1]):
                        yield _without_pair(text, statement, [one for one in pairs if one is not pair])
                        return
                    reach = _reach(function, number, pair[0])
                    if reach is not None and (is_plain(pair[1]) or (not reach and is_known(pair[1]))):
                        yield from ((*text.span(use), text.of(pair[1])) for use in reach)
                        pairs.remove(pair)
                        yield _without_pair(text, statement, pairs)
                        return


def is_plain(node: ast.expr) -> bool:
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
    if is_in_text(function, target.id) or not all(store in simple for store in stores):
        return None
    reached: list[ast.Name] = []
    for statement in function.body[number + 1 :]:
        inner = list(ast.walk(statement))
        reached += [use for use in uses if use in inner and isinstance(use.ctx, ast.Load)]
        if any(store in inner for store in stores):
            break
    return reached


def is_in_text(function: Function, name: str) -> bool:
    """Whether a name stands in an f-string, where Python 3.11 does not tell its place."""
    texts = [node for node in ast.walk(function) if isinstance(node, ast.JoinedStr)]
    return any(isinstance(node, ast.Name) and node.id == name for text in texts for node in ast.walk(text))


def _without_pair(text: Text, statement: ast.stmt, pairs: list[tuple[ast.expr, ast.expr]]) -> Edit:
    if not pairs:
        return *text.whole_lines(statement), ""
    targets, values = (", ".join(text.of(pair[side]) for pair in pairs) for side in (0, 1))
    return *text.span(statement), f"{targets} = {values}"


def known_attributes(text: Text) -> Iterator[Edit]:
    """Within a class write truth values, and numbers and words of one use, in the place of what the object keeps."""
    classes = [node for node in text.tree.body if isinstance(node, ast.ClassDef)]
    for kind in classes:
        begins = [node for node in kind.body if isinstance(node, Function) and node.name == "__init__"]
        if not begins or any(isinstance(base, ast.Name) and base.id == kind.name for k in classes for base in k.bases):
            continue
        for statement in begins[0].body:
            pairs = _pairs(statement)
            for pair in pairs:
                uses = _uses(text, kind, pair[0])
                if uses is None or not is_known(pair[1]):
                    continue
                value = value_of(pair[1])
                if value is None or isinstance(value, bool) or (isinstance(value, str | float | int) and len(uses) < 2):
                    yield from ((*text.span(use), text.of(pair[1])) for use in uses)
                    yield _without_pair(text, statement, [one for one in pairs if one is not pair])
                    return


def _pairs(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr]]:
    """Return targets with their values."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
            return list(zip(targets, values, strict=True))
        case ast.Assign(targets=[target], value=value):
            return [(target, value)]
    return []


def _uses(text: Text, kind: ast.ClassDef, target: ast.expr) -> list[ast.Attribute] | None:
    """Return where an object's attribute is read, None where it is written twice or read from outside."""
    match target:
        case ast.Attribute(value=ast.Name(id="self"), attr=name) if name != "training":
            found = [node for node in text.nodes if isinstance(node, ast.Attribute) and node.attr == name]
        case _:
            return None
    inside = {id(node) for node in ast.walk(kind)}
    if any(not (isinstance(node.value, ast.Name) and node.value.id == "self") for node in found):
        return None
    own = [node for node in found if id(node) in inside]
    reads = [node for node in own if isinstance(node.ctx, ast.Load)]
    return reads if len(reads) == len(own) - 1 else None


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
