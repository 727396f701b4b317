"""Print a run as a short plain-PyTorch script that trains the same network without this package.

layerwise code latest
layerwise code latest --out train.py && python train.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

from layerwise.cli.arguments import Parser, add_run, add_runs_folder


def add_arguments(parser: Parser) -> None:
    add_run(parser)
    parser.add_argument("--out", metavar="FILE", help="write the script to this file")
    add_runs_folder(parser)


def run(args: argparse.Namespace) -> None:
    from layerwise.experiments.run import Run
    from layerwise.experiments.script import plain_script

    script = plain_script(Run.open(args.run, runs=args.runs))
    if args.out:
        from layerwise.cli.printing import say
        from layerwise.runs.atomic import write_bytes

        write_bytes(Path(args.out), script.encode())
        say(f"wrote {args.out}; run it with `python {args.out}`")
    else:
        print(script, end="")
