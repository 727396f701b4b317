"""Reads the documentation's pages and runs what they show.

Blocks of code that start with ```bash, ```console or ```python are run from the top of a page to its end, in one
folder and one namespace a page. A ```console block shows commands after `$ ` and, below each, what it prints;
a ```text block right after a ```python block shows what that prints. Shown lines must be printed in that
order, with other numbers where numbers are measured; `...` stands for anything.

An HTML comment on a line of its own above a block changes how it is run:

    <!-- run with: --epochs 1 --limit 200 -->    adds these words to each `layerwise train` of the block
    <!-- ends with: 66 -->                       the exit code of the block's last command, 0 without it
    <!-- interrupt after: epoch  2 -->           Ctrl-C reaches the last command when it has printed this
    <!-- not run: the reason -->                 only its flags and names are checked
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
PROSE = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "docs" / "architecture.md"]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (run with|ends with|interrupt after|not run): (.*?) -->")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass
class Command:
    """One line to run and the lines that it is shown to print."""

    text: str
    shown: list[str] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text, comments=True)


@dataclass(frozen=True)
class Block:
    """A block of code. marks: what the comments above it say. output: of a python block, the lines it prints."""

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, str]
    output: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def commands(self) -> list[Command]:
        """Return the commands of a bash or console block."""
        text = self.text.replace("\\\n", " ")
        if self.language == "bash":
            return [Command(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]
        found: list[Command] = []
        for line in text.splitlines():
            if line.startswith("$ "):
                found.append(Command(line[2:]))
            else:
                assert found, f"{self.place}: output before the first command"
                found[-1].shown.append(line)
        return found


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for match in _BLOCK.finditer(text):
        before, end = text[end : match.start()], match.end()
        language, code = match.group(1), match.group(2)
        if language == "text" and found and found[-1].language == "python" and not before.strip():
            found[-1] = Block(**{**vars(found[-1]), "output": tuple(code.splitlines())})
            continue
        marks = dict(_MARK.findall(before.rstrip().rpartition("\n\n")[2]))
        found.append(Block(page, text[: match.start()].count("\n") + 1, language, code, marks))
    return found


def all_commands(pages: list[Path]) -> Iterator[tuple[Block, Command]]:
    """Yield every command of every page, run or not."""
    for page in pages:
        for block in blocks_of(page):
            if block.language in ("bash", "console"):
                for command in block.commands():
                    yield block, command


def missing_lines(shown: list[str] | tuple[str, ...], printed: str) -> list[str]:
    """Return the shown lines that `printed` lacks, looked for in order; numbers may differ."""
    rest = iter([_loosely(line) for line in printed.splitlines()])
    missing = []
    for line in shown:
        if line.strip() and line.strip() != "...":
            pattern = re.escape(_loosely(line)).replace(r"\.\.\.", ".*")
            if not any(re.fullmatch(pattern, candidate) for candidate in rest):
                missing.append(line)
                break
    return missing


def _loosely(line: str) -> str:
    """Return a line with one kind of number and single spaces, without the mark of a best epoch; minutes as seconds."""
    line = re.sub(r"\d+ min (?=\d+ s\b)", "", line.replace(" · best *", ""))
    return " ".join(_NUMBER.sub("9", line).split())
