"""Train a convolutional network on 1,797 real pictures of digits, say what it learned and open its report."""

from __future__ import annotations

import argparse
import os
import sys

from layerwise.cli.arguments import Parser, add_runs_folder


def add_arguments(parser: Parser) -> None:
    parser.add_argument("--no-open", action="store_true", help="do not open the report in a browser")
    add_runs_folder(parser)


def run(args: argparse.Namespace) -> None:
    from layerwise.cli.printing import say, say_result
    from layerwise.experiments.training import train
    from layerwise.recipes import options_of

    say("Data: 1,797 images of handwritten digits, 8x8 pixels, from the UCI repository.")
    say("A convolutional network learns to classify them, starting from random weights.")
    say("Each line below is one epoch: one pass over the training images.\n")
    finished = train(**options_of("digits-lenet5"), runs=args.runs)
    has_screen = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    say_result(finished, open_report=has_screen and not args.no_open)
