"""Follow the weights of a linear neuron as the strength of its penalty falls: lasso, ridge, elastic net.

layerwise path --penalty l1 --data diabetes
layerwise path --penalty l2 --data diabetes
layerwise path --penalty elastic --mix 0.5 --data table.csv --target price
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from layerwise.cli.arguments import Parser, add_config, read_value
from layerwise.cli.neuron import DATA_FLAGS, NOT_FOR_ONE
from layerwise.data.config import DataConfig

if TYPE_CHECKING:
    from layerwise.lessons.path import FollowedPath

ROWS_SHOWN = 30
NAMES = {"l1": "lasso", "l2": "ridge", "elastic": "elastic net"}


def add_arguments(parser: Parser) -> None:
    parser.add_argument("--penalty", metavar="NAME", default="l1", help="l1 (lasso), l2 (ridge) or elastic [l1]")
    parser.add_argument("--mix", metavar="NUMBER", default="0.5", help="of elastic: 0 all L1, 1 all L2 [0.5]")
    parser.add_argument("--count", metavar="N", default="100", help="strengths, in equal ratios [100]")
    parser.add_argument(
        "--smallest", metavar="NUMBER", default="0.001", help="the last strength as a share of the first [0.001]"
    )
    add_config(parser, DataConfig, leave_out=NOT_FOR_ONE)
    parser.add_argument(
        "--positive", metavar="CLASS", help="the class against all others, where there are more than two"
    )
    parser.add_argument("--seed", metavar="N", default="0", help="decides the splits [0]")
    parser.add_argument("--out", metavar="FOLDER", default="lessons", help="where the picture goes [lessons]")
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")


def run(args: argparse.Namespace) -> None:
    from layerwise.lessons.path import follow_path

    given = {name: getattr(args, name) for name in DATA_FLAGS if hasattr(args, name)}
    followed = follow_path(
        DataConfig(**{"data": "diabetes", **given}),
        args.penalty,
        mix=read_value(args.mix, float, "mix"),
        count=read_value(args.count, int, "count"),
        smallest=read_value(args.smallest, float, "smallest"),
        positive=args.positive,
        seed=read_value(args.seed, int, "seed"),
    )
    if args.json:
        print(json.dumps(followed.to_json(), ensure_ascii=False, indent=1))
        return
    show(followed, args)


def show(followed: FollowedPath, args: argparse.Namespace) -> None:
    """Print where the active set changes and what is best, and draw the path."""
    from layerwise.cli.neuron import data_flags
    from layerwise.cli.printing import print_table, say
    from layerwise.cli.showing import say_next, write_figure
    from layerwise.reports.paths import path_figure

    path, samples, best = followed.path, followed.samples, followed.best
    mix = f" with mix {path.mix:g}" if path.penalty == "elastic" else ""
    say(
        f"{NAMES[path.penalty]}{mix} on {samples.name}: {len(samples.targets)} rows, {len(samples.features)} features\n"
    )
    changes = followed.entries()
    if path.penalty == "l2":
        say("Ridge makes weights small and none of them zero, so every weight is active at every strength.")
        places = [round(share * (len(path.strengths) - 1) / 9) for share in range(10)]
        columns = ["penalty_strength", "sum of w²", "R² test"]
        rows = [
            [f"{path.strengths[p]:.4g}", f"{(path.weights[p] ** 2).sum():.4g}", f"{followed.test_scores[p]:.3f}"]
            for p in dict.fromkeys(places)
        ]
        print_table(columns, rows, numbers=columns)
    else:
        columns = ["penalty_strength", "active", "comes in", "goes out", "R² test"]
        table = [
            [
                f"{path.strengths[p]:.4g}",
                len(path.active(p)),
                ", ".join(came),
                ", ".join(went),
                f"{followed.test_scores[p]:.3f}",
            ]
            for p, came, went in changes[:ROWS_SHOWN]
        ]
        print_table(columns, table, numbers=["penalty_strength", "active", "R² test"])
        if len(changes) > ROWS_SHOWN:
            say(f"... and {len(changes) - ROWS_SHOWN} more changes (--json has all)")
    active = followed.active_names(best)
    say(
        f"\nBest on the validation rows: strength {path.strengths[best]:.4g} with {len(active)} of "
        f"{len(samples.features)} weights, R² {followed.test_scores[best]:.3f} on the test rows."
    )
    write_figure(path_figure(path, samples.features, followed.test_scores, best), args.out, f"path-{path.penalty}.png")
    again = data_flags(argparse.Namespace(**{"data": "diabetes", **vars(args)}))
    others = [name for name in NAMES if name != path.penalty]
    say_next([(f"layerwise path --penalty {name} {again}", NAMES[name]) for name in others])
