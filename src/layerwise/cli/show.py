"""Show a network layer by layer: output shapes, parameters, multiply-adds, receptive field, and its options.

layerwise show lenet5
layerwise show resnet18 --input 3,64,64 --outputs 10
layerwise show mlp --hidden 64,64
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from layerwise.cli.arguments import Parser, add_value, flag_of, read_model_options, spelt
from layerwise.fields import fields_of, json_schema

if TYPE_CHECKING:
    from layerwise.models.summary import Summary


def add_arguments(parser: Parser) -> None:
    parser.takes_model_options = True
    parser.add_argument("model", metavar="MODEL", help="a name from `layerwise models`")
    shape_help = "shape of one sample, such as 1,28,28 or 30 [the model's usual shape]"
    add_value(parser, "input", tuple[int, ...], shape_help, default=None, metavar="SHAPE")
    add_value(parser, "outputs", int, "number of outputs [the model's usual number]", default=None)
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")


def run(args: argparse.Namespace) -> None:
    from layerwise.layers.options import require
    from layerwise.models import CATALOGUE, build, config_of
    from layerwise.models.summary import summarise

    options = read_model_options(args.model, args.model_options)
    entry = CATALOGUE[args.model]
    shape = entry.usual_input if args.input is None else args.input
    outputs = entry.usual_outputs if args.outputs is None else args.outputs
    require(min(shape) >= 1, "input", "whole numbers of at least 1", shape)
    require(outputs >= 1, "outputs", "a whole number of at least 1", outputs)
    model = build(args.model, shape, outputs, **options)
    summary = summarise(model, shape)
    if args.json:
        print(json.dumps({**summary.to_json(), "options": json_schema(config_of(args.model, **options))}, indent=1))
        return
    from layerwise.cli.printing import say

    say(f"{args.model}: {entry.summary}\n{entry.paper}\n")
    print_layers(summary, shape)
    say("")
    print_options(args.model)


def print_options(model: str) -> None:
    """Print the options of a network: default, what each may be, unit, and what it is for."""
    from layerwise.cli.printing import print_table
    from layerwise.models import config_of

    config = config_of(model)
    rows = [
        (flag_of(field.name), spelt(getattr(config, field.name)), field.expected, field.domain.unit, field.help)
        for field in fields_of(type(config))
    ]
    print_table(("option", "default", "values", "unit", "what it is"), rows, spare=("unit",))


def print_layers(summary: Summary, shape: tuple[int, ...]) -> None:
    """Print the layers as a table, and the totals."""
    from layerwise.cli.printing import print_table, say
    from layerwise.reports import wording

    columns = ["layer", "kind", "output", "parameters", "multiply-adds", "receptive field"]
    rows = [["input", "", " x ".join(map(str, shape)), "", "", ""]]
    for row in summary.rows:
        sees = f"{row.receptive_field} px" if row.receptive_field else "global"
        parameters = wording.count(row.parameters) if row.parameters else ""
        products = wording.count(row.multiply_adds) if row.multiply_adds else ""
        rows.append([row.name, row.kind, " x ".join(map(str, row.output_shape)), parameters, products, sees])
    print_table(columns, rows, numbers=columns[2:])
    say(
        f"\n{wording.count(summary.parameters)} parameters, "
        f"{wording.compact(summary.multiply_adds)} multiply-adds per sample"
    )
