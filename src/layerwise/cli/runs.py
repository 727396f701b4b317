"""List, compare and remove trainings.

layerwise runs
layerwise runs compare lenet5-mnist resnet-small-mnist
layerwise runs remove lenet5-mnist
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from layerwise.cli.arguments import Parser, add_runs_folder

ACTIONS = ("list", "compare", "remove")


def add_arguments(parser: Parser) -> None:
    parser.add_argument("action", nargs="?", default="list", help="list [the default], compare or remove")
    parser.add_argument("names", nargs="*", metavar="RUN", help="the runs to compare or remove")
    parser.add_argument("--yes", action="store_true", help="remove without asking")
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")
    add_runs_folder(parser)


def run(args: argparse.Namespace) -> None:
    from layerwise.errors import UsageError, nearest

    if args.action not in ACTIONS:
        hint = nearest(args.action, ACTIONS)
        raise UsageError(f"layerwise runs knows list, compare and remove, received '{args.action}'.{hint}")
    if args.action == "list":
        if args.names:
            raise UsageError(
                f"layerwise runs list takes no names, received '{args.names[0]}'; "
                f"`layerwise runs compare {' '.join(args.names)}` shows some runs beside each other."
            )
        list_runs(args)
    elif not args.names:
        raise UsageError(f"layerwise runs {args.action} needs the name of a run; `layerwise runs` lists them.")
    elif args.action == "compare":
        compare_runs(args)
    else:
        remove_runs(args)


def list_runs(args: argparse.Namespace) -> None:
    """Print a row a run, the newest first."""
    from layerwise.cli.printing import moment, print_table, say
    from layerwise.experiments.listing import list_runs as rows_of
    from layerwise.runs.folder import default_parent

    rows = rows_of(args.runs)
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    elif not rows:
        say(f"there are no runs in {args.runs or default_parent()} yet; start with `layerwise demo`.")
    else:
        keys = ("name", "model", "data", "status", "figure")
        cells = [[*(row[key] for key in keys), moment(row["created"])] for row in rows]
        print_table(["run", "model", "data", "status", "test", "started"], cells, spare=["data", "model"])


def compare_runs(args: argparse.Namespace) -> None:
    """Print what differs between runs, settings and figures, a column a run."""
    from layerwise.cli.printing import print_table
    from layerwise.experiments.listing import differences
    from layerwise.experiments.run import Run

    runs = [Run.open(name, runs=args.runs) for name in args.names]
    rows = differences(runs)
    if args.json:
        print(json.dumps({key: dict(zip(args.names, values, strict=True)) for key, values in rows.items()}, indent=1))
        return
    print_table(["", *(run.name for run in runs)], [[key, *map(show, values)] for key, values in rows.items()])


def remove_runs(args: argparse.Namespace) -> None:
    """Remove runs for good, after asking."""
    from layerwise.cli.printing import say
    from layerwise.errors import UsageError
    from layerwise.experiments.listing import remove
    from layerwise.experiments.run import Run

    for name in args.names:
        found = Run.open(name, runs=args.runs)
        if not args.yes:
            if not sys.stdin.isatty():
                raise UsageError(f"removing {found.name} needs a yes; add --yes where nobody can be asked.")
            if input(f"Remove {found.path} permanently? [y/N] ").strip().lower() not in ("y", "yes"):
                say(f"kept {found.name}")
                continue
        remove(found)
        say(f"removed {found.name}")


def show(value: Any) -> str:
    """Return a setting or figure as a cell."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
