"""Measure a trained network on held-out data: metrics, and plots of its errors.

layerwise evaluate latest                      the run's own test split
layerwise evaluate latest --data other-folder  other data with the same classes
layerwise evaluate latest --beam 4             a translator that keeps four beginnings of each text
"""

from __future__ import annotations

import argparse
import json

from layerwise.cli.arguments import Parser, add_run, add_runs_folder


def add_arguments(parser: Parser) -> None:
    add_run(parser)
    parser.add_argument("--data", metavar="DATA", help="a data set, folder or table [the run's own test split]")
    parser.add_argument(
        "--beam",
        type=int,
        default=1,
        metavar="N",
        help="hypotheses of beam search, for translation; 1 is greedy decoding [1]",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")
    parser.add_argument("--out", metavar="FOLDER", help="folder for the plots [the run's evaluation folder]")
    add_runs_folder(parser)


def run(args: argparse.Namespace) -> None:
    from layerwise.cli.printing import print_result, say_files
    from layerwise.experiments.evaluation import evaluate
    from layerwise.experiments.run import Run

    trained = Run.open(args.run, runs=args.runs)
    evaluation, files = evaluate(trained, data=args.data, out=args.out, beam=args.beam)
    if args.json:
        print(json.dumps(evaluation.to_json(), ensure_ascii=False, indent=1))
        return
    print_result(evaluation)
    say_files(files)
