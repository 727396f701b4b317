"""Go on with a training that was stopped or killed, exactly where its newest whole checkpoint stands.

  layerwise resume latest
  layerwise resume lenet5-mnist

The finished run has the same bits as one that was never stopped (same machine and versions).
"""

from __future__ import annotations

import argparse

from layerwise.cli.arguments import Parser, add_run, add_runs_folder


def add_arguments(parser: Parser) -> None:
    add_run(parser)
    add_runs_folder(parser)
    parser.add_argument("--open", action="store_true", help="open the report in the browser at the end")
    parser.add_argument("--quiet", action="store_true", help="print the result only")


def run(args: argparse.Namespace) -> None:
    from layerwise.cli.printing import say, say_result
    from layerwise.experiments.run import Run
    from layerwise.experiments.training import resume

    if Run.open(args.run, runs=args.runs).status == "finished":
        say(f"run {args.run} is already finished; there is nothing to resume.")
    say_result(resume(args.run, runs=args.runs, quiet=args.quiet), open_report=args.open)
