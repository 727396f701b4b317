"""List the networks there are, each with its paper.

layerwise models
layerwise models --json
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from layerwise.cli.arguments import Parser


def add_arguments(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")


def run(args: argparse.Namespace) -> None:
    from layerwise.models import CATALOGUE

    if args.json:
        print(json.dumps({name: asdict(entry) for name, entry in CATALOGUE.items()}, ensure_ascii=False, indent=1))
        return
    from layerwise.cli.printing import print_table, say

    rows = [[name, entry.summary, entry.paper.partition(",")[0]] for name, entry in CATALOGUE.items()]
    print_table(["model", "what it is", "source"], rows, spare=["source"])
    say("\n`layerwise show MODEL` lists its layers and options,\n`layerwise train MODEL --data DATA` trains it.")
