"""Library sentences name fields in backticks; only the command line writes flags."""

import ast
import re
from pathlib import Path

import pytest

import layerwise

LIBRARY = Path(layerwise.__file__).parent
FLAG = re.compile(r"(?<![\w-])--([a-z]|$)")
# Files that write words with two dashes which are no part of an error, with what these are.
OTHER_DASHES = {
    "data/download/packages.py": "options of npm, pip and apt",
    "data/tables/types.py": "a mark for a missing value",
    "experiments/experiment.py": "the command that repeats a training",
    "experiments/explain.py": "commands that go on from an explanation",
    "recipes/__main__.py": "a command line of its own",
    "reports/drawing.py": "names of colours in CSS",
    "reports/figures.py": "names of colours in CSS",
    "reports/results/language_modeling.py": "names of colours in CSS",
    "reports/results/sequence_tagging.py": "names of colours in CSS",
    "reports/sections.py": "commands that go on from a report",
    "reports/wording.py": "commands that go on from a run",
}


def modules() -> list[str]:
    """Return all files of the library but those of the command line and those that scripts are made of."""
    files = (str(path.relative_to(LIBRARY)) for path in LIBRARY.rglob("*.py"))
    return sorted(file for file in files if not file.startswith(("cli/", "scripts/templates/", "scripts/pieces/")))


def strings(tree: ast.AST) -> list[tuple[int, str]]:
    """Return the line and the text of each part of each string below `tree`, docstrings left out."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


def errors(tree: ast.AST) -> list[ast.AST]:
    """Return all that is raised, and all errors that are made to be raised elsewhere."""
    made = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    calls = [call for call in made if getattr(call.func, "id", "").endswith("Error")]
    return [*(node for node in ast.walk(tree) if isinstance(node, ast.Raise)), *calls]


@pytest.mark.parametrize("module", modules())
def test_no_sentence_of_the_library_writes_a_flag(module: str) -> None:
    tree = _tree(module)
    sources = errors(tree) if module in OTHER_DASHES else [tree]
    written = [f"line {line}: {text}" for source in sources for line, text in strings(source) if FLAG.search(text)]
    assert not written


def test_the_walk_sees_flags_in_raised_strings_and_in_strings_of_helpers() -> None:
    text = (
        'def a(name):\n    """About --this."""\n    raise E(f"use --{name}")\nWHY = "give --that"\nEM = "well--known"\n'
    )
    assert [line for line, found in strings(ast.parse(text)) if FLAG.search(found)] == [4, 3]


def test_each_file_with_other_dashes_still_has_some() -> None:
    found = {name for name in OTHER_DASHES if any(FLAG.search(text) for _, text in strings(_tree(name)))}
    assert found == set(OTHER_DASHES)


def _tree(module: str) -> ast.AST:
    return ast.parse((LIBRARY / module).read_text())
