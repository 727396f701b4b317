"""Taking definitions out of source files: a function or class with all that it needs, and nothing else."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from layerwise.errors import UsageError

PACKAGE = __name__.partition(".")[0]

Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
Rewrite = Callable[["SourceFile", Definition], str]


@dataclass(frozen=True)
class Import:
    """Where a name comes from: `import module as name`, or `from module import original as name`."""

    module: str
    original: str | None = None


# What the glue between the excerpts may use, by the names that it uses.
USUAL_IMPORTS = {
    "F": Import("torch.nn", "functional"),
    "Image": Import("PIL", "Image"),
    "ImageOps": Import("PIL", "ImageOps"),
    "Path": Import("pathlib", "Path"),
    "Tensor": Import("torch", "Tensor"),
    "Counter": Import("collections", "Counter"),
    "SimpleNamespace": Import("types", "SimpleNamespace"),
    "nn": Import("torch", "nn"),
    "np": Import("numpy"),
    "pl": Import("polars"),
    "pad_sequence": Import("torch.nn.utils.rnn", "pad_sequence"),
    **{name: Import("sklearn.datasets", name) for name in ("load_breast_cancer", "load_diabetes", "load_digits")},
    **{name: Import("sklearn.datasets", name) for name in ("load_iris", "load_sample_images", "load_wine")},
    **{name: Import(name) for name in ("copy", "gzip", "hashlib", "math", "sys", "tarfile")},
    **{name: Import(name) for name in ("sacrebleu", "torch", "unicodedata", "zipfile")},
}


class SourceFile:
    """A module's text with its definitions and imports by name."""

    def __init__(self, module: str) -> None:
        try:
            self.text = text_of(module)
        except (OSError, TypeError):
            raise UsageError(
                f"the source of {module} is not to be had, so no script can be written of it; "
                "define the network in a file."
            ) from None
        self.lines = self.text.splitlines(keepends=True)
        tree = ast.parse(self.text)
        self.definitions: dict[str, Definition] = {}
        self.imports: dict[str, Import] = {}
        for node in tree.body:
            self._note(node)

    def segment(self, node: Definition) -> str:
        """Return a definition as it stands in the file, with its decorators and the comment right above it."""
        start = min([node.lineno, *(mark.lineno for mark in getattr(node, "decorator_list", []))]) - 1
        while start and self.lines[start - 1].startswith("#"):
            start -= 1
        return "".join(self.lines[start : node.end_lineno])

    def _note(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                self.definitions[node.name] = node
            case ast.Assign(targets=targets):
                for name in (inner for target in targets for inner in ast.walk(target)):
                    if isinstance(name, ast.Name):
                        self.definitions[name.id] = node
            case ast.AnnAssign(target=ast.Name(id=name)):
                self.definitions[name] = node
            case ast.Import(names=names):
                for alias in names:
                    self.imports[alias.asname or alias.name.partition(".")[0]] = Import(alias.name)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for alias in names:
                    self.imports[alias.asname or alias.name] = Import(module, alias.name)


def text_of(module: str) -> str:
    """Return the text of a module; it is not imported, since what it imports need not be there."""
    if module in sys.modules:
        return inspect.getsource(sys.modules[module])
    found = find_spec(module)
    if found is None or found.origin is None:
        raise OSError(module)
    return Path(found.origin).read_text(encoding="utf-8")


@lru_cache(maxsize=64)
def source_of(module: str) -> SourceFile:
    """Return the source file of a module."""
    return SourceFile(module)


def as_written(source: SourceFile, node: Definition) -> str:
    """Leave a definition as it is."""
    return source.segment(node)


@dataclass
class Excerpts:
    """Definitions with all that they need, each once, what is needed first before what needs it.

    taken: the text of each definition by (module, name). imports: names of other packages that they use.
    """

    taken: dict[tuple[str, str], str] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)

    def take(self, module: str, *names: str, rewrite: Rewrite = as_written) -> str:
        """Return the text of the definitions `names` of `module` and of what they need, as far as it is new."""
        before = len(self.taken)
        for name in names:
            self._add(module, name, rewrite)
        return "\n\n".join(text for text in list(self.taken.values())[before:] if text)

    def _add(self, module: str, name: str, rewrite: Rewrite) -> None:
        source = source_of(module)
        if (module, name) in self.taken:
            return
        if name not in source.definitions:
            found = source.imports.get(name)
            if found and found.module.partition(".")[0] == PACKAGE:
                self._add(found.module, found.original or "", rewrite)
            elif found:
                self.imports[name] = found
            return
        text = rewrite(source, source.definitions[name]).rstrip() + "\n"
        self.taken[module, name] = ""  # against going round in circles
        for needed in names_used(text):
            self._add(module, needed, rewrite)
        del self.taken[module, name]
        self.taken[module, name] = text


def names_used(code: str) -> list[str]:
    """Return the names that `code` uses, without its own and Python's, in order."""
    tree = ast.parse(code)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    used = dict.fromkeys(node.id for node in names if isinstance(node.ctx, ast.Load))
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    bound |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return [name for name in used if name not in bound and not hasattr(builtins, name)]


def names_itself(code: str) -> bool:
    """Whether a class is named in its own body, as annotations do."""
    classes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ClassDef)]
    return any(isinstance(n, ast.Name) and n.id == c.name for c in classes for n in ast.walk(c))


def import_lines(code: str, found: dict[str, Import]) -> str:
    """Return the import statements that `code` needs: the standard library first, sorted as isort does."""
    known = {**USUAL_IMPORTS, **found}
    needed = {name: known[name] for name in names_used(code) if name in known}
    plain: list[tuple[str, str]] = []
    members: dict[str, list[str]] = {}
    for name, where in needed.items():
        if where.original is None:
            alias = "" if name == where.module.partition(".")[0] else f" as {name}"
            plain.append((where.module, f"import {where.module}{alias}"))
        else:
            alias = "" if name == where.original else f" as {name}"
            members.setdefault(where.module, []).append(where.original + alias)
    wholes = [statement for _, statement in sorted(plain)]
    in_order = sorted(members.items(), key=lambda item: item[0].lower())
    parts = [f"from {module} import {', '.join(sorted(names))}" for module, names in in_order]
    groups = ([], [])  # type: tuple[list[str], list[str]]
    for statement in [*wholes, *parts]:
        top = statement.split()[1].partition(".")[0]
        groups[top not in sys.stdlib_module_names].append(statement)
    future = ["from __future__ import annotations"] if names_itself(code) else []
    return "\n\n".join("\n".join(group) for group in (future, *groups) if group)
