"""List the losses: what an error costs, its slope, the targets it takes, and where it is used.

layerwise losses
layerwise losses hinge logistic
layerwise losses --json
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
    from layerwise.lessons.catalogue import loss_rows

    rows = {row["name"]: row for row in loss_rows()}
    for name in args.names:
        if name not in rows:
            raise UsageError(f"There is no loss '{name}'; there are {', '.join(rows)}.{nearest(name, rows)}")
    chosen = [rows[name] for name in dict.fromkeys(args.names)] if args.names else list(rows.values())
    if args.json:
        print(json.dumps(chosen, ensure_ascii=False, indent=1))
        return
    from layerwise.cli.printing import print_table, say
    from layerwise.cli.showing import say_next, write_figure
    from layerwise.reports.curves import loss_figure

    if args.names:
        for row in chosen:
            say_one(row)
    else:
        table = [[row["name"], row["formula"], row["derivative"], row["targets"], row["used"]] for row in chosen]
        print_table(["loss", "value", "derivative", "targets", "used"], table, spare=["used"])
        say("\n`layerwise losses NAME` says more of one: numbers, where it is used, its source.")
    write_figure(loss_figure([row["name"] for row in chosen]), args.out, "losses.png")
    say_next([("layerwise neuron --loss hinge --penalty l2 --strength 0.001", "a neuron that minimises one")])


def say_one(row: dict[str, Any]) -> None:
    """Print everything about one loss."""
    from layerwise.cli.printing import print_table, say

    say(f"{row['name']}: {row['formula']},  {row['derivative']}")
    say(f"  targets    {row['targets']}")
    say(f"  convex     {'yes' if row['convex'] else 'no'}")
    if row["link"] != "identity":
        say(f"  contains   {row['link']}: it is computed on the raw output")
    say(f"  used       {row['used']}")
    say(f"  source     {row['source']}")
    if row["samples"]:
        samples = row["samples"]
        columns = ["o, for y = 1", *(f"{o:g}" for o in samples["o"])]
        rows = [
            [name, *(f"{value:.4f}" for value in samples[key])] for name, key in (("J", "value"), ("dJ/do", "slope"))
        ]
        print_table(columns, rows, numbers=columns[1:])
    say("")
