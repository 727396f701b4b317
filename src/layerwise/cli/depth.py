"""Train the same network with the identity and with tanh on points that no line can part, and compare.

  layerwise depth
  layerwise depth --shapes xor --activations identity,relu,tanh --hidden 8,8,8

Layers with the identity between them multiply to one linear layer, however many they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerwise.cli.arguments import Parser, read_value

if TYPE_CHECKING:
    from layerwise.lessons.depth import Attempt

PANELS_AT_MOST = 5


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "--shapes", metavar="NAMES", default="circles,spirals", help="circles, spirals, xor [the first two]"
    )
    parser.add_argument("--activations", metavar="NAMES", default="identity,tanh", help="to compare [identity,tanh]")
    parser.add_argument("--hidden", metavar="A,B,...", default="16,16", help="neurons of each hidden layer [16,16]")
    parser.add_argument("--points", metavar="N", default="400", help="points to train on, and as many to test [400]")
    parser.add_argument("--noise", metavar="NUMBER", default="0.04", help="how far points are thrown off [0.04]")
    parser.add_argument("--steps", metavar="N", default="1500", help="steps of Adam over all points [1500]")
    parser.add_argument("--learning-rate", metavar="NUMBER", default="0.01", help="learning rate [0.01]")
    parser.add_argument("--seed", metavar="N", default="0", help="decides points and weights [0]")
    parser.add_argument("--out", metavar="FOLDER", default="lessons", help="where the picture goes [lessons]")
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")


def run(args: argparse.Namespace) -> None:
    from layerwise.errors import UsageError
    from layerwise.lessons.depth import attempt

    shapes, activations = args.shapes.split(","), args.activations.split(",")
    if max(len(shapes), len(activations)) > PANELS_AT_MOST:
        raise UsageError(f"At most {PANELS_AT_MOST} shapes and activations fit side by side; leave some out.")
    rate = read_value(args.learning_rate, float, "learning_rate")
    if not 0 < rate < float("inf"):
        raise UsageError(f"--learning-rate must be a positive number, received {args.learning_rate}.")
    rows = [
        [
            attempt(
                shape.strip(),
                activation.strip(),
                hidden=read_value(args.hidden, tuple[int, ...], "hidden"),
                points=read_value(args.points, int, "points"),
                noise=read_value(args.noise, float, "noise"),
                steps=read_value(args.steps, int, "steps"),
                learning_rate=rate,
                seed=read_value(args.seed, int, "seed"),
            )
            for activation in activations
        ]
        for shape in shapes
    ]
    if args.json:
        print(json.dumps([one.to_json() for row in rows for one in row], indent=1))
        return
    show(rows, args)


def show(rows: Sequence[Sequence[Attempt]], args: argparse.Namespace) -> None:
    """Print how often each is right and what the linear one amounts to, and draw all boundaries."""
    from layerwise.cli.printing import print_table, say
    from layerwise.cli.showing import say_next, write_figure
    from layerwise.reports import wording
    from layerwise.reports.boundaries import Boundary, boundary_figure

    say(f"network 2-{args.hidden.replace(',', '-')}-1, right on {args.points} points that it never saw\n")
    columns = ["points", *(one.activation for one in rows[0])]
    print_table(columns, [[row[0].shape, *(wording.share(one.accuracy) for one in row)] for row in rows], columns[1:])
    for one in (one for row in rows for one in row if one.line is not None):
        a, b, c = one.line or ()
        neuron = f"z = {a:.3g} x {_term(b)} y {_term(c)}"
        say(f"With the identity, its layers on {one.shape} multiply to one neuron: {neuron}.")
    drawn = [
        [
            Boundary(f"{one.shape}, {one.activation}", one.points, one.labels, one.grid, one.reach, one.accuracy)
            for one in row
        ]
        for row in rows
    ]
    write_figure(boundary_figure(drawn), args.out, "depth.png")
    say_next([("layerwise depth --shapes xor --activations identity,relu,tanh", "three activations on a chequerboard")])


def _term(value: float) -> str:
    """Return a number as it stands in a sum: + 0.5, - 2."""
    return f"{'-' if value < 0 else '+'} {abs(value):.3g}"
