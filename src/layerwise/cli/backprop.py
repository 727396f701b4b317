"""Show every factor of the chain rule for one sample: forward, then back, as formulas with their numbers.

  layerwise backprop --layers 2,3,1 --activation sigmoid --loss squared --input 0.5,-1 --target 1 --seed 0
  layerwise backprop --layers 2,2,3 --activation tanh --loss cross-entropy --input 0.5,-1 --target 2
  layerwise backprop latest --sample 0      a network of yours and a sample of its test split

In Python: `layerwise.backprop(model, x, y, loss)` for any model whose layers follow one another.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from layerwise.cli.arguments import Parser, add_runs_folder, in_flags, read_value
from layerwise.errors import UsageError

if TYPE_CHECKING:
    from layerwise.neuron.functions.chain import Chain


def add_arguments(parser: Parser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run whose network to look into, in place of --layers")
    parser.add_argument("--sample", metavar="N", help="which sample of the run's test split [0]")
    parser.add_argument("--layers", metavar="A,B,...", help="inputs, neurons of each layer [2,3,1]")
    parser.add_argument("--activation", metavar="NAME", help="of the hidden layers [sigmoid]")
    parser.add_argument(
        "--output", metavar="NAME", help="of the last layer [as the hidden ones; identity for other losses]"
    )
    parser.add_argument("--loss", metavar="NAME", help="a name of `layerwise losses` [squared]")
    parser.add_argument("--input", metavar="A,B,...", help="the sample [0.5,-1,0.5,-1,...]")
    parser.add_argument("--target", metavar="A,B,...", help="its target; a class number for cross-entropy [1,1,...]")
    parser.add_argument("--seed", metavar="N", help="decides the weights [0]")
    parser.add_argument("--out", metavar="FOLDER", default="lessons", help="where the picture goes [lessons]")
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")
    add_runs_folder(parser)


def run(args: argparse.Namespace) -> None:
    chain = of_run(args) if args.run is not None else of_layers(args)
    if args.json:
        print(json.dumps(chain.to_json(), ensure_ascii=False, indent=1))
        return
    from layerwise.cli.printing import say
    from layerwise.cli.showing import say_next, write_figure
    from layerwise.reports.chain_text import chain_text
    from layerwise.reports.chains import chain_figure

    say(in_flags(chain_text(chain), {"json": "--json"}))
    write_figure(chain_figure(chain), args.out, "backprop.png")
    say_next(
        [
            ("layerwise backprop --layers 2,4,4,4,1 --activation sigmoid", "gradients that shrink layer by layer"),
            ("layerwise activations", "the slopes that the chain rule multiplies"),
        ]
    )


def of_layers(args: argparse.Namespace) -> Chain:
    """Build the small network that the flags describe and walk the sample through it."""
    from layerwise.lessons.backprop import backprop, small_network

    if args.sample is not None:
        raise UsageError("--sample belongs to a run; name one, or give --input.")
    widths = read_value(args.layers or "2,3,1", tuple[int, ...], "layers")
    loss = args.loss or "squared"
    hidden = args.activation or "sigmoid"
    output = args.output or (hidden if loss == "squared" else "identity")
    seed = read_value(args.seed or "0", int, "seed")
    network = small_network(widths, hidden, output, seed)
    inputs = ",".join(["0.5", "-1"] * widths[0]).split(",")[: widths[0]]
    x = read_value(args.input or ",".join(inputs), tuple[float, ...], "input")
    if len(x) != widths[0]:
        raise UsageError(f"--input takes {widths[0]} numbers, one for each input of --layers, received {len(x)}.")
    one_class = loss == "cross-entropy"
    y = read_value(args.target or ",".join(["1"] * (1 if one_class else widths[-1])), tuple[float, ...], "target")
    return backprop(network, x, y, loss)


def of_run(args: argparse.Namespace) -> Chain:
    """Walk a sample of a run's test split through its network."""
    from layerwise.experiments.run import Run
    from layerwise.lessons.backprop import backprop

    for name in ("layers", "activation", "output", "input", "target", "seed", "loss"):
        if getattr(args, name) is not None:
            raise UsageError(
                f"--{name} describes a small network; with a run leave it out (--sample chooses the sample)."
            )
    trained = Run.open(args.run, runs=args.runs)
    dataset = trained.dataset()
    split, task = dataset.test, dataset.task
    place = read_value(args.sample or "0", int, "sample")
    if not 0 <= place < len(split):
        raise UsageError(
            f"--sample must be from 0 to {len(split) - 1}, the test split of {trained.name}, received {place}."
        )
    import torch

    raw, target = split.take(torch.tensor([place]))
    x = dataset.preprocessing.transform(raw)[0]
    return backprop(trained.model, x, target[0], "cross-entropy" if task == "classification" else "squared")
