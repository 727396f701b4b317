"""List complete trainings with the figure that each reaches.

layerwise recipes
layerwise train --recipe mnist-lenet5
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from layerwise.cli.arguments import Parser


def add_arguments(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")


def run(args: argparse.Namespace) -> None:
    from layerwise.recipes import RECIPES

    if args.json:
        print(json.dumps({name: asdict(recipe) for name, recipe in RECIPES.items()}, ensure_ascii=False, indent=1))
        return
    from layerwise.cli.printing import print_table, say

    print_table(["recipe", "what it is", "reaches"], [[n, r.summary, r.reaches] for n, r in RECIPES.items()])
    say("\n`layerwise train --recipe NAME` runs one; other flags override its options.")
