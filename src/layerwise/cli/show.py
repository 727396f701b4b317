"""Show a network layer by layer: output shapes, parameters, multiply-adds, receptive field, and its options.

layerwise show lenet5
layerwise show resnet18 --input 3,64,64 --outputs 10
layerwise show mlp --hidden 64,64
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from layerwise.cli.arguments import Parser, read_value


def add_arguments(parser: Parser) -> None:
    parser.takes_model_options = True
    parser.add_argument("model", help="a name from `layerwise models`")
    parser.add_argument("--input", metavar="SHAPE", help="shape of a sample, such as 1,28,28 or 30 [the model's usual]")
    parser.add_argument("--outputs", type=int, help="number of outputs [the model's usual]")
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")


def run(args: argparse.Namespace) -> None:
    from layerwise.experiments.experiment import catalogue_entry, read_model_options
    from layerwise.models import build
    from layerwise.models.summary import summarise

    entry = catalogue_entry(args.model)
    shape = tuple(read_value(args.input, tuple[int, ...], "input")) if args.input else entry.usual_input
    outputs = args.outputs or entry.usual_outputs
    model = build(args.model, shape, outputs, **read_model_options(args.model, args.model_options))
    summary = summarise(model, shape)
    if args.json:
        print(json.dumps(summary.to_json(), indent=1))
    else:
        print_summary(args.model, entry.summary, entry.paper, shape, summary)


def print_summary(name: str, sentence: str, paper: str, shape: tuple[int, ...], summary: Any) -> None:
    """Print the layers as a table with totals."""
