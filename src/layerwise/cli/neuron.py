"""Train one neuron by gradient descent and see its decision, its cost and the way of its weights.

  layerwise neuron --activation sigmoid --loss logistic --data breast-cancer
  layerwise neuron --classic perceptron --data spam
  layerwise neuron --classic svm --data breast-cancer
  layerwise neuron --classic linear-regression --data diabetes
  layerwise neuron --data table.csv --target price

A classic is the same neuron with its activation, loss and penalty filled in: perceptron, linear-regression, svm,
logistic-regression. `layerwise activations` and `layerwise losses` list what else can be put together.
"""

from __future__ import annotations

import argparse
import json
import shlex
from typing import TYPE_CHECKING, Any

from layerwise.cli.arguments import Parser, add_config, flag_of, in_flags, read_value
from layerwise.data.config import DataConfig
from layerwise.errors import UsageError, nearest

if TYPE_CHECKING:
    from layerwise.lessons.neuron import TrainedNeuron

DATA_FLAGS = ("data", "target", "valid", "test", "split_by", "split_column", "limit")
NOT_FOR_ONE = ("image_size", "augment", "mixup")
WORDS_SHOWN = 8

# name, what it is, how it is read, help
OPTIONS: tuple[tuple[str, Any, str], ...] = (
    ("activation", str, "identity, sigmoid, tanh, relu, ... [identity, or sigmoid for classes]"),
    ("loss", str, "squared, absolute, huber, perceptron, hinge, squared-hinge, logistic [by the data]"),
    ("penalty", str, "none, l1, l2 or elastic [none]"),
    ("penalty_strength", float, "of the penalty [0]"),
    ("mix", float, "of elastic: 0 all L1, 1 all L2 [0.5]"),
    ("positive", str, "the class that counts as 1, against all others [the second of two]"),
    ("batch_size", int, "samples a step, or full [32, or all where there are fewer]"),
    ("epochs", int, "passes over the training rows [50]"),
    ("optimizer", str, "sgd, momentum, nesterov, rmsprop, adam, adamw [sgd]"),
    ("momentum", float, "share of the velocity that is kept [0.9]"),
    ("seed", int, "decides splits and order [0]"),
)


def add_arguments(parser: Parser) -> None:
    parser.add_argument("--classic", metavar="NAME", help="perceptron, linear-regression, svm or logistic-regression")
    add_config(parser, DataConfig, leave_out=NOT_FOR_ONE)
    add_options(parser)
    parser.add_argument("--out", metavar="FOLDER", default="lessons", help="where the picture goes [lessons]")
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a neuron and its descent; only those that are used appear in the result."""
    for name, kind, text in OPTIONS:
        parser.add_argument(flag_of(name), dest=name, default=argparse.SUPPRESS, metavar=METAVARS[kind], help=text)
    parser.add_argument(
        "--learning-rate",
        default=argparse.SUPPRESS,
        metavar="NUMBER",
        help="the size of a step [1 / the largest curvature]",
    )


METAVARS = {str: "TEXT", int: "N", float: "NUMBER"}


def run(args: argparse.Namespace) -> None:
    from layerwise.lessons.neuron import train_neuron

    trained = train_neuron(data_config(args), **neuron_options(args))
    if args.json:
        print(json.dumps(trained.to_json(), ensure_ascii=False, indent=1))
        return
    show(trained, args)


def data_config(args: argparse.Namespace) -> DataConfig:
    """Return what the flags say about the data; breast-cancer where they name none."""
    given = {name: getattr(args, name) for name in DATA_FLAGS if hasattr(args, name)}
    return DataConfig(**{"data": "breast-cancer", **given})


def neuron_options(args: argparse.Namespace) -> dict[str, Any]:
    """Read the flags of the neuron, on top of those that a classic fills in.

    Raises UsageError where a flag contradicts the classic, or a value cannot be read.
    """
    from layerwise.lessons.neuron import CLASSICS

    options: dict[str, Any] = {}
    for name, kind, _ in (*OPTIONS, ("learning_rate", float, "")):
        if hasattr(args, name):
            text = getattr(args, name)
            is_full = name == "batch_size" and text == "full"
            options[name] = "full" if is_full else read_value(text, kind, name)
    classic = getattr(args, "classic", None)
    if classic is None:
        return options
    if classic not in CLASSICS:
        names = ", ".join(CLASSICS)
        raise UsageError(f"--classic must be one of {names}, received '{classic}'.{nearest(classic, CLASSICS)}")
    for name in ("activation", "loss"):
        if options.get(name, CLASSICS[classic][name]) != CLASSICS[classic][name]:
            fixed = CLASSICS[classic][name]
            raise UsageError(
                f"--classic {classic} has --{name} {fixed}, received --{name} {options[name]}; leave out one of them."
            )
    return {**CLASSICS[classic], **options}


def show(trained: TrainedNeuron, args: argparse.Namespace) -> None:
    """Print what was reached and what the weights say, and draw it."""
    import numpy as np

    from layerwise.cli.printing import say
    from layerwise.cli.showing import say_next, write_figure
    from layerwise.reports import wording
    from layerwise.reports.neurons import neuron_figure

    cost, descent, samples = trained.cost, trained.descent, trained.samples
    penalty = "" if cost.penalty == "none" else f", penalty {cost.penalty} of strength {cost.penalty_strength:g}"
    say(f"one neuron on {samples.name}: activation {cost.activation}, loss {cost.loss}{penalty}")
    rate = descent.settings.learning_rate
    if trained.mistakes is None:
        course = f"cost {wording.decimal(float(descent.costs[0]))} -> {wording.decimal(float(descent.costs[-1]))}"
    else:
        first, last = (round(share * len(samples.targets)) for share in trained.mistakes[0, [0, -1]])
        reach = float(np.abs(cost.sums(descent.end)).mean()) or 1.0
        course = (
            f"{wording.count(first)} -> {wording.plural(last, 'mistake')} in {wording.count(len(samples.targets))} "
            f"training {samples.noun}, cost {descent.costs[-1] / reach:.2g} of the mean |z|"
        )
    bound = descent.largest_stable_rate
    sure = f" (steps of all samples are sure to descend up to {bound:.3g})" if bound else ""
    say(
        f"{descent.optimizer}, rate {rate:.3g}{sure}, batches of {descent.batch_size}, "
        f"{wording.plural(round(float(descent.epochs[-1])), 'epoch')}: {course}"
    )
    tested = wording.count(len(samples.test_targets))
    if trained.share_right is not None and trained.baseline is not None:
        chance = wording.share(trained.baseline)
        say(
            f"It names {wording.share(trained.share_right)} of {tested} {samples.noun} right that it never saw "
            f"(always the commonest class: {chance})."
        )
    elif trained.r2 is not None:
        say(f"It explains R² = {wording.decimal(trained.r2)} of {tested} {samples.noun} that it never saw.")
    say_weights(trained)
    flags = {name: flag_of(name) for name, _, _ in OPTIONS} | {"learning_rate": "--learning-rate"}
    for notice in trained.notices:
        say(f"note: {in_flags(notice, flags)}")
    if len(samples.features) > 2 and samples.sides:
        say("The picture shows the decision plane edge-on: samples by their distance to it.")
    figure = neuron_figure(
        descent, trained.test_costs, samples.features, samples.sides, samples.target_name, trained.mistakes
    )
    write_figure(figure, args.out, "neuron.png")
    say_next(
        [
            (f"layerwise descend {data_flags(args)} --batch-size 1,16,full", "the noise of mini-batches"),
            ("layerwise losses", "what else a neuron can minimise"),
        ]
    )


def data_flags(args: argparse.Namespace) -> str:
    """Return the flags that name the data, to be typed again."""
    named = {"data": getattr(args, "data", "breast-cancer")}
    named |= {name: getattr(args, name) for name in ("target", "positive") if hasattr(args, name)}
    return " ".join(f"--{name} {shlex.quote(value)}" for name, value in named.items() if value)


def say_weights(trained: TrainedNeuron) -> None:
    """Print the features with the largest weights, for each side."""
    from layerwise.cli.printing import say

    telling = trained.telling()
    sides = trained.samples.sides
    for sign, label in ((1, sides[1] if sides else "more"), (-1, sides[0] if sides else "less")):
        chosen = [f"{name} {weight:+.3g}" for name, weight in telling if weight * sign > 0][:WORDS_SHOWN]
        if chosen:
            say(f"  speaks for {label}: {', '.join(chosen)}")
