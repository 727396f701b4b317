"""Folding a script: what is always the same goes to where it is used, and what that leaves without a use goes away.

    def stem(kind, width):                        def stem(width):
        if kind == "small":                           return nn.Conv2d(1, width, 3)
            return nn.Conv2d(1, width, 3)      ->
        return nn.Conv2d(1, width, 7)

    model = stem("small", 32)                     model = stem(32)

Each rule looks for one thing to do, and the rules are applied until none finds anything more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from layerwise.experiments.scripting.edits import Edit, Text
from layerwise.experiments.scripting.folding.calls import same_arguments, same_keywords
from layerwise.experiments.scripting.folding.idle import idle_definitions, idle_layers, idle_methods, idle_words
from layerwise.experiments.scripting.folding.names import known_attributes, known_names, plain_assignments, unread_names
from layerwise.experiments.scripting.folding.values import known_branches, known_expressions

RULES: tuple[Callable[[Text], Iterator[Edit]], ...] = (
    known_expressions,
    known_branches,
    idle_methods,
    idle_definitions,
    same_arguments,
    same_keywords,
    known_names,
    known_attributes,
    idle_layers,
    idle_words,
    plain_assignments,
    unread_names,
)


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
