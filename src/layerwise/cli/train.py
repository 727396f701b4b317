"""Train a network and keep it as a run: weights, figures, checkpoints and a report.

  layerwise train lenet5 --data mnist --epochs 3
  layerwise train --data folder-of-class-folders
  layerwise train mlp --data table.csv --target price --hidden 64,64
  layerwise train --recipe mnist-lenet5

Without a model's name the program picks one for the data and says why. A model's own options are flags, too:
`layerwise show MODEL` lists them.
"""

from __future__ import annotations

import argparse

from layerwise.cli.arguments import Parser, add_config
from layerwise.data.config import DataConfig
from layerwise.tasks.config import TaskConfig
from layerwise.training.config import MachineConfig, PenaltyConfig, TrainingConfig

CONFIGS = (DataConfig, TaskConfig, TrainingConfig, PenaltyConfig, MachineConfig)


def add_arguments(parser: Parser) -> None:
    parser.takes_model_options = True
    parser.add_argument("model", nargs="?", help="a name from `layerwise models`; left out, one is picked")
    parser.add_argument("--recipe", help="start from a complete training, see `layerwise recipes`")
    for kind in CONFIGS:
        add_config(parser, kind)
    parser.add_argument("--name", help="the run's name [MODEL-DATA]")
    parser.add_argument("--runs", metavar="FOLDER", help="where runs are kept [./runs, or LAYERWISE_RUNS]")
    parser.add_argument("--open", action="store_true", help="open the report in the browser at the end")
    parser.add_argument("--quiet", action="store_true", help="print the result only")


def run(args: argparse.Namespace) -> None:
    from layerwise.cli.printing import say_result
    from layerwise.experiments.training import train
    from layerwise.recipes import options_of

    own = {"model", "recipe", "name", "runs", "open", "quiet", "model_options"}
    asked = {name: value for name, value in vars(args).items() if name not in own}
    recipe = options_of(args.recipe) if args.recipe else {}
    asked = {**recipe, **asked, **args.model_options}
    model = args.model or asked.pop("model", None)
    finished = train(model, name=args.name, runs=args.runs, quiet=args.quiet, **asked)
    say_result(finished, open_report=args.open)
