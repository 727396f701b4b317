"""List the activations: what a neuron does to its weighted sum, its slope, where it saturates, and where it is used.

layerwise activations
layerwise activations sigmoid tanh relu
layerwise activations --json
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from layerwise.cli.arguments import Parser
from layerwise.errors import UsageError, nearest


def add_arguments(parser: Parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these [all]")
    parser.add_argument("--out", metavar="FOLDER", default="lessons", help="where the picture goes [lessons]")
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")


def run(args: argparse.Namespace) -> None:
    from layerwise.lessons.catalogue import activation_rows
    from layerwise.neuron.cost import activation_name

    rows = {row["name"]: row for row in activation_rows()}
    names = [activation_name(name) for name in args.names]
    for name in names:
        if name not in rows:
            raise UsageError(f"There is no activation '{name}'; there are {', '.join(rows)}.{nearest(name, rows)}")
    chosen = [rows[name] for name in dict.fromkeys(names)] if names else list(rows.values())
    if args.json:
        print(json.dumps(chosen, ensure_ascii=False, indent=1))
        return
    from layerwise.cli.printing import print_table, say
    from layerwise.cli.showing import say_next, write_figure
    from layerwise.lessons.catalogue import range_text
    from layerwise.reports.curves import activation_figure

    if args.names:
        for row in chosen:
            say_one(row)
    else:
        table = [
            [row["name"], row["formula"], row["derivative"], range_text(*row["range"]), row["saturates"]]
            for row in chosen
        ]
        print_table(["activation", "value", "derivative", "range", "saturates"], table, spare=["saturates"])
        say("\n`layerwise activations NAME` says more of one: numbers, where it is used, its source.")
    write_figure(activation_figure([row["name"] for row in chosen]), args.out, "activations.png")
    say_next([("layerwise depth", "what a network without a bent activation cannot do")])


def say_one(row: dict[str, Any]) -> None:
    """Print everything about one activation."""
    from layerwise.cli.printing import print_table, say
    from layerwise.lessons.catalogue import range_text

    say(f"{row['name']}: {row['formula']},  {row['derivative']}")
    say(f"  range      {range_text(*row['range'])}")
    say(f"  saturates  {row['saturates']}")
    say(f"  used       {row['used']}")
    say(f"  source     {row['source']}")
    if row["samples"]:
        samples = row["samples"]
        columns = ["z", *(f"{z:g}" for z in samples["z"])]
        rows = [
            [name, *(f"{value:.4f}" for value in samples[key])] for name, key in (("a", "value"), ("da/dz", "slope"))
        ]
        print_table(columns, rows, numbers=columns[1:])
    say("")
