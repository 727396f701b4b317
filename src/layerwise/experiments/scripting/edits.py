"""Changing source text at the places that its syntax tree tells, so that comments and layout stay."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

Edit = tuple[int, int, str]  # first byte, byte after the last, what comes in their place


class Text:
    """Source text with its syntax tree."""

    def __init__(self, code: str) -> None:
        self.tree = ast.parse(code)
        self.nodes = list(ast.walk(self.tree))
        self.source = code.encode()
        self.lines = [0]
        for line in self.source.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def span(self, node: Any) -> tuple[int, int]:
        """Return where an expression or statement begins and ends."""
        return self.lines[node.lineno - 1] + node.col_offset, self.lines[node.end_lineno - 1] + node.end_col_offset

    def whole_lines(self, first: Any, last: Any = None) -> tuple[int, int]:
        """Return where the lines of a statement, or of a row of statements, begin and end."""
        marks = getattr(first, "decorator_list", [])
        return self.lines[min([first, *marks], key=lambda n: n.lineno).lineno - 1], self.lines[
            (last or first).end_lineno
        ]

    def of(self, node: ast.AST) -> str:
        """Return the text of a node."""
        start, end = self.span(node)
        return self.source[start:end].decode()

    def item(self, items: list[Any], position: int) -> Edit:
        """Return the edit that takes an item with its comma out of a row of items."""
        start, end = self.span(items[position])
        if position:
            return self.span(items[position - 1])[1], end, ""
        if len(items) > 1:
            return start, self.span(items[1])[0], ""
        return start, end + (1 if self.source[end : end + 1] == b"," else 0), ""

    def edited(self, edits: Iterable[Edit]) -> str:
        """Return the text with the edits made; an edit within another one is left out."""
        pieces: list[bytes] = []
        done = 0
        for start, end, replacement in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
            if start >= done:
                pieces += [self.source[done:start], replacement.encode()]
                done = end
        return b"".join([*pieces, self.source[done:]]).decode()
