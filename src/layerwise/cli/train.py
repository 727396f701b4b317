"""Train a network and save it as a run: weights, metrics, checkpoints and a report.

  layerwise train lenet5 --data mnist --epochs 3
  layerwise train --data folder-of-class-folders
  layerwise train mlp --data table.csv --target price --hidden 64,64
  layerwise train --recipe mnist-lenet5

Without a model's name the program picks one for the data and says why. A model's own options are flags, too:
`layerwise show MODEL` lists them.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields

from layerwise.cli.arguments import Parser, add_config, add_runs_folder, flag_of, nearest_flag, read_model_options
from layerwise.data.config import DataConfig
from layerwise.errors import UsageError
from layerwise.tasks.config import TaskConfig
from layerwise.training.config import MachineConfig, PenaltyConfig, StartConfig, TrainingConfig

CONFIGS = (DataConfig, TaskConfig, TrainingConfig, PenaltyConfig, MachineConfig, StartConfig)
OWN = {"model", "recipe", "name", "runs", "open", "quiet", "model_options"}


def add_arguments(parser: Parser) -> None:
    parser.takes_model_options = True
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help="a name from `layerwise models`; default: one that suits the data"
    )
    parser.add_argument("--recipe", help="start from a recipe of `layerwise recipes`")
    for kind in CONFIGS:
        add_config(parser, kind)
    parser.add_argument("--name", help="the run's name [MODEL-DATA]")
    add_runs_folder(parser)
    parser.add_argument("--open", action="store_true", help="open the report in the browser at the end")
    parser.add_argument("--quiet", action="store_true", help="print only the result")


def run(args: argparse.Namespace) -> None:
    from layerwise.cli.printing import say_result
    from layerwise.experiments.training import train
    from layerwise.recipes import options_of

    given = {name: value for name, value in vars(args).items() if name not in OWN}
    recipe = {} if args.recipe is None else options_of(args.recipe)
    given = {**recipe, **given}
    model = args.model or given.pop("model", None)
    given.pop("model", None)
    if args.model_options:
        if model is None:
            raise unknown_flag(args.model_options)
        given |= read_model_options(model, args.model_options)
    finished = train(model, name=args.name, runs=args.runs, quiet=args.quiet, **given)
    say_result(finished, open_report=args.open)


def unknown_flag(options: Mapping[str, str]) -> UsageError:
    """Say that a flag is nobody's, since without a model's name there is no model whose flag it could be."""
    flag = flag_of(next(iter(options)))
    known = [flag_of(field.name) for kind in CONFIGS for field in fields(kind)]
    return UsageError(
        f"{flag} is no flag of training; if it is a model's own option, name the model, "
        f"as in `layerwise train mlp --hidden 64`.{nearest_flag(flag, known)}"
    )
