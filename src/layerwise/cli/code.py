"""Write a run as a short plain-PyTorch script, with its data, that trains the same network without this package.

layerwise code latest --out train/
python train/train.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

from layerwise.cli.arguments import Parser, add_run, add_runs_folder


def add_arguments(parser: Parser) -> None:
    add_run(parser)
    parser.add_argument(
        "--out", metavar="FOLDER", help="write to this folder; without it, to one with the name of the run"
    )
    add_runs_folder(parser)


def run(args: argparse.Namespace) -> None:
    from layerwise.cli.printing import say
    from layerwise.experiments.run import Run
    from layerwise.scripts.writer import script_of

    trained = Run.open(args.run, runs=args.runs)
    folder = Path(args.out or trained.name)
    for path in script_of(trained).write(folder):
        say(f"wrote {path}")
    say(f"next: python {folder / 'train.py'}")
