"""What nothing uses goes away."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torch import nn

from layerwise.experiments.scripting.edits import Edit, Text
from layerwise.experiments.scripting.folding.calls import is_own_method
from layerwise.experiments.scripting.folding.values import is_known, value_of


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
            while (
                first
                and text.source[text.lines[first - 1] :].startswith(b"# ")
                and not isinstance(node, ast.FunctionDef)
            ):
                first -= 1
            yield text.lines[first], end, ""


def idle_methods(text: Text) -> Iterator[Edit]:
    """Drop methods that nothing calls; those that torch calls stay, and all of a class whose base is not known."""
    classes = {node.name: node for node in text.tree.body if isinstance(node, ast.ClassDef)}
    made = _made(text)
    uses = [node for node in text.nodes if isinstance(node, ast.Attribute) and not _is_torchs(node, made)]
    own_uses = {id(use): name for name, kind in classes.items() for use in ast.walk(kind) if _is_of_self(use)}
    related = {name for name, kind in classes.items() for base in kind.bases if ast.unparse(base) in classes}
    related |= {ast.unparse(base) for kind in classes.values() for base in kind.bases}
    for kind in classes.values():
        others = {id_ for id_, name in own_uses.items() if name != kind.name and kind.name not in related}
        for method in kind.body:
            if not isinstance(method, ast.FunctionDef) or method.name.startswith("__"):
                continue
            ignored = {id(node) for node in ast.walk(method)} | others
            is_used = any(use.attr == method.name and id(use) not in ignored for use in uses)
            if not is_used and not _may_be_inherited(kind, method.name, classes):
                start, end = text.whole_lines(method)
                is_gap = text.source[:start].endswith(b"\n\n")
                yield start - is_gap, end, ""


def _is_of_self(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="self")):
            return True
    return False


def _made(text: Text) -> dict[str, str]:
    """Return what makes the objects that stand under a name in the script itself."""
    made: dict[str, str] = {}
    for node in text.tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=maker)):
                made[name] = ast.unparse(maker)
    return made


def _is_torchs(node: ast.Attribute, made: dict[str, str]) -> bool:
    """Whether an attribute is that of an optimiser of the script."""
    maker = made.get(node.value.id, "") if isinstance(node.value, ast.Name) else ""
    return maker.startswith("torch.") or maker == "Muon"


def _may_be_inherited(kind: ast.ClassDef, name: str, classes: dict[str, ast.ClassDef]) -> bool:
    """Whether a base of a class may have a method of this name, and call it."""
    for base in kind.bases:
        match base:
            case ast.Name(id="NamedTuple"):
                continue
            case ast.Name(id=known) if known in classes:
                if _may_be_inherited(classes[known], name, classes):
                    return True
            case ast.Attribute(value=ast.Name(id="nn"), attr=layer):
                if name == "forward" or hasattr(getattr(nn, layer, None), name):
                    return True
            case _:
                return True
    return False


def idle_words(text: Text) -> Iterator[Edit]:
    """Drop the paragraphs of docstrings that tell of parameters which are not there any more."""
    for node in text.nodes:
        function = node if isinstance(node, ast.FunctionDef) else _begin(node)
        doc = node.body[0] if isinstance(node, ast.FunctionDef | ast.ClassDef) else None
        body_length = len(node.body) if isinstance(node, ast.FunctionDef | ast.ClassDef) else 0
        if function is None or not isinstance(doc, ast.Expr) or not isinstance(doc.value, ast.Constant):
            continue
        names = {parameter.arg for parameter in (*function.args.args, *function.args.kwonlyargs)}
        first, *paragraphs = text.of(doc).removeprefix('"""').removesuffix('"""').rstrip().split("\n\n")
        kept = [one for one in paragraphs if _told_of(one) in (None, *names)]
        if body_length > 1 and _told_of(first) not in (None, *names):
            yield *text.whole_lines(doc), ""
        elif len(kept) < len(paragraphs):
            end = f"\n{' ' * doc.col_offset}" if kept or "\n" in first else ""
            joined = "\n\n".join([first, *kept])
            yield *text.span(doc), f'"""{joined}{end}"""'


def _begin(node: ast.AST) -> ast.FunctionDef | None:
    body = node.body if isinstance(node, ast.ClassDef) else []
    return next((inner for inner in body if isinstance(inner, ast.FunctionDef) and inner.name == "__init__"), None)


def _told_of(paragraph: str) -> str | None:
    """Return the name that a paragraph such as 'mask: which steps may be seen' is about."""
    found = re.match(r"\s*([a-z_]+): ", paragraph)
    return found[1] if found else None


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
                    if isinstance(call, ast.Call) and is_own_method(call.func, name):
                        yield *text.span(call), text.of(call.args[0])
