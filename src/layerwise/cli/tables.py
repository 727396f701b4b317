"""What `layerwise activations` and `layerwise losses` share: a table of formulas, listed, told and drawn."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from layerwise.cli.arguments import Parser
from layerwise.errors import UsageError, nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]


@dataclass(frozen=True)
class Catalogue:
    """noun: activation or loss. columns: of the table, the last one left out where the terminal is narrow.

    cells(row): what stands in the columns. facts(row): (name, text) of everything else that is said of one.
    numbers: (heading, key of the samples' places), then (name, key) of each line of numbers.
    draw(names): the picture. next: the command to go on with, and what it is for.
    """

    noun: str
    columns: tuple[str, ...]
    cells: Callable[[Row], list[str]]
    facts: Callable[[Row], list[tuple[str, str]]]
    numbers: tuple[tuple[str, str], ...]
    draw: Callable[[Sequence[str]], Figure]
    next: tuple[str, str]

    @property
    def plural(self) -> str:
        return {"loss": "losses"}.get(self.noun, f"{self.noun}s")


def add_arguments(parser: Parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these [all]")
    parser.add_argument("--out", metavar="FOLDER", default="lessons", help="where the picture goes [lessons]")
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")


def show(args: argparse.Namespace, rows: Sequence[Row], names: Sequence[str], catalogue: Catalogue) -> None:
    """Print the rows that are named, or all, and draw them. Raises UsageError for a name that is none of them."""
    known = {row["name"]: row for row in rows}
    for name in names:
        if name not in known:
            raise UsageError(
                f"There is no {catalogue.noun} '{name}'; there are {', '.join(known)}.{nearest(name, known)}"
            )
    chosen = [known[name] for name in dict.fromkeys(names)] if names else list(rows)
    if args.json:
        print(json.dumps(chosen, ensure_ascii=False, indent=1))
        return
    from layerwise.cli.printing import print_table, say
    from layerwise.cli.showing import say_next, write_figure

    if names:
        for row in chosen:
            say_one(row, catalogue)
    else:
        print_table(catalogue.columns, [catalogue.cells(row) for row in chosen], spare=catalogue.columns[-1:])
        say(f"\n`layerwise {catalogue.plural} NAME` says more of one: numbers, where it is used, its source.")
    write_figure(catalogue.draw([row["name"] for row in chosen]), args.out, f"{catalogue.plural}.png")
    say_next([catalogue.next])


def say_one(row: Row, catalogue: Catalogue) -> None:
    """Print everything about one row."""
    from layerwise.cli.printing import print_table, say

    say(f"{row['name']}: {row['formula']},  {row['derivative']}")
    for name, text in catalogue.facts(row):
        say(f"  {name:<9}  {text}")
    if row["samples"]:
        samples, (heading, places) = row["samples"], catalogue.numbers[0]
        columns = [heading, *(f"{place:g}" for place in samples[places])]
        table = [[name, *(f"{value:.4f}" for value in samples[key])] for name, key in catalogue.numbers[1:]]
        print_table(columns, table, numbers=columns[1:])
    say("")
