"""Whole definitions out of modules, with all that they need, and without what nothing needs."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import inspect
import re
import symtable
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from layerwise.errors import UsageError
from layerwise.scripts.marks import apply_marks, unwritten

PIECES = tuple(
    f"layerwise.scripts.pieces.{name}"
    for name in ("augmentation", "batches", "muon", "penalties", "pictures", "schedules")
)
Defined = ast.FunctionDef | ast.ClassDef


class Definitions:
    """Gathers definitions of this package, or of the module of a user's network, by their names.

    options, parts: what marks in this package's templates and pieces say.
    found: the text of each definition, what it needs before it. imports: the line that imports each name.
    """

    def __init__(self, options: Mapping[str, bool] = {}, parts: Mapping[str, str] = {}) -> None:
        self.options, self.parts = options, parts
        self.used_parts: list[str] = []
        self.apart: set[str] = set()  # names that are defined in another way
        self.found: dict[str, str] = {}
        self.imports: dict[str, str] = {}
        self._homes: dict[str, str] = {}
        self._modules: dict[str, tuple[str, ast.Module]] = {}

    def module(self, name: str) -> tuple[str, ast.Module]:
        """Return the source of a module with its marks carried out, and its tree."""
        if name not in self._modules:
            try:
                source = read_source(name)
            except (OSError, TypeError, ImportError, ValueError):
                raise UsageError(
                    f"no script can be written of the network: the source of {name} is not there."
                ) from None
            if name.startswith("layerwise.scripts."):
                source = apply_marks(source, self.options, self.parts, self.used_parts, name)
            self._modules[name] = source, ast.parse(source)
        return self._modules[name]

    def take_names(self, module: str, node: ast.AST) -> None:
        """Take all that a piece of code of a module names."""
        for name in dict.fromkeys(one.id for one in ast.walk(node) if isinstance(one, ast.Name)):
            self.take(module, name)

    def take(self, module: str, name: str) -> None:
        """Take what a name means in a module; names that are defined nowhere are left to the last check."""
        if name in self.apart:
            return
        source, tree = self.module(module)
        if module.startswith("layerwise.scripts."):
            for piece in PIECES:  # what a part of a script names need not be imported where it is put in
                if any(name in bound_names(node) for node in self.module(piece)[1].body):
                    source, tree = self.module(module := piece)
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._take_import(node, name)
            elif name in bound_names(node) and self._homes.setdefault(name, module) != module and not name.isupper():
                raise unwritten(f"{module} and {self._homes[name]} both define {name}")
            elif name in bound_names(node) and name not in self.found:
                self.found[name] = ""  # it may name itself
                self.take_names(module, node)
                del self.found[name]
                self.found[name] = text_of(source, node)

    def _take_import(self, node: ast.Import | ast.ImportFrom, name: str) -> None:
        for alias in node.names:
            if (alias.asname or alias.name) != name:
                continue
            home = getattr(node, "module", None) or ""
            if home.startswith("layerwise."):
                if alias.asname:
                    raise unwritten(f"{home}.{alias.name} is imported by another name")
                self.take(home, name)
            else:
                renamed = f" as {alias.asname}" if alias.asname else ""
                self.imports[name] = f"{f'from {home} ' if home else ''}import {alias.name}{renamed}"


def read_source(module: str) -> str:
    """Return the source of a module, which is not run: a template would train."""
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).read_text() if spec and spec.origin else inspect.getsource(sys.modules[module])


def bound_names(node: ast.stmt) -> set[str]:
    """Return the names that a statement defines."""
    if isinstance(node, Defined):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    return set()


def text_of(source: str, node: ast.stmt) -> str:
    """Return the lines of a statement, its decorators with it."""
    lines = lines_of(node)
    return "\n".join(source.splitlines()[lines.start - 1 : lines.stop - 1])


def lines_of(node: ast.stmt) -> range:
    """Return the numbers of a statement's lines."""
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
    return range(first, (node.end_lineno or first) + 1)


def tidy(source: str) -> str:
    """Leave out marks for type checkers, and lay out empty lines as a formatter would."""
    source = re.sub(r"  # (type: ignore|noqa).*", "", source)
    source = re.sub(r"\n{3,}(?= )", "\n\n", source)
    rows, last = "", None
    for node in ast.parse(source).body:
        is_apart = isinstance(node, Defined) or isinstance(last, Defined)
        is_next = last is not None and lines_of(node).start == lines_of(last).stop
        rows += ("" if last is None else "\n\n\n" if is_apart else "\n" if is_next else "\n\n") + text_of(source, node)
        last = node
    return f"{rows}\n"


def names_in(node: ast.AST) -> Iterator[str]:
    """Yield the names that a piece of code reads; of attributes 'self.name', or '.name' of another object."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
            yield one.id
        elif isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Load):
            yield f"self.{one.attr}" if isinstance(one.value, ast.Name) and one.value.id == "self" else f".{one.attr}"


def without_unused(source: str, wanted: set[str], *, methods: bool = False) -> str:
    """Leave out definitions, constants and, where asked for, methods that neither other code nor `wanted` names."""
    while True:
        tree = ast.parse(source)
        everywhere = Counter(names_in(tree))
        unused: list[ast.stmt] = []
        for node in tree.body:
            own = Counter(names_in(node))
            if is_droppable(node) and not any(everywhere[n] > own[n] or n in wanted for n in bound_names(node)):
                unused.append(node)
            if isinstance(node, ast.ClassDef) and methods:
                unused += [one for one in node.body if is_unused_method(one, own, everywhere, wanted)]
        if not unused:
            return source
        dropped = {number for node in unused for number in lines_of(node)}
        source = "\n".join(line for number, line in enumerate(source.splitlines(), 1) if number not in dropped) + "\n"


def is_unused_method(node: ast.stmt, of_class: Counter[str], everywhere: Counter[str], wanted: set[str]) -> bool:
    """Tell whether a statement of a class is a method that neither the class, nor other code, nor `wanted` names."""
    if not isinstance(node, ast.FunctionDef) or node.name.startswith("__"):
        return False
    own, inside, outside = Counter(names_in(node)), f"self.{node.name}", f".{node.name}"
    return of_class[inside] == own[inside] and everywhere[outside] == own[outside] and outside not in wanted


def is_droppable(node: ast.stmt) -> bool:
    """Tell whether a statement only defines something: a function, a class, a constant, another name of a type."""
    is_constant = isinstance(node, ast.Assign | ast.AnnAssign) and all(not n.islower() for n in bound_names(node))
    return isinstance(node, Defined) or is_constant


def unknown_names(source: str) -> set[str]:
    """Return the names that a script reads where nothing binds them."""
    top = symtable.symtable(source, "script", "exec")
    known = {*dir(builtins), "__file__", *(one.get_name() for one in top.get_symbols() if one.is_assigned())}
    tables, read = [top], set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        symbols = [one for one in table.get_symbols() if one.is_referenced()]
        read |= {one.get_name() for one in symbols if one.is_global() or table is top}
    return (read | annotations_in(source)) - known | read_too_early(source, known)


def read_too_early(source: str, known: set[str]) -> set[str]:
    """Return the names that statements outside functions read before they are bound."""
    late: set[str] = set()
    bound: set[str] = {*dir(builtins), "__file__"}
    for node in ast.parse(source).body:
        names = [one for one in ast.walk(node) if isinstance(one, ast.Name)]
        inner = {one.id for one in names if isinstance(one.ctx, ast.Store)} - bound_names(node)
        if not isinstance(node, Defined):
            late |= {one.id for one in names if isinstance(one.ctx, ast.Load)} - bound - inner
        bound |= inner | bound_names(node)
    return late & known


def annotations_in(source: str) -> set[str]:
    """Return the names that annotations read, which no table of symbols lists."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg | ast.AnnAssign):
            found.append(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            found.append(node.returns)
    return {one.id for tree in found if tree for one in ast.walk(tree) if isinstance(one, ast.Name)}
