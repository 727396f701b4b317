"""Walk downhill on a function of yours, or on the cost of a neuron on real data, and see every step.

layerwise descend "x**2" --from 9 --learning-rate 0.1 --steps 3
layerwise descend "x**2" --from 9 --learning-rate 0.1,0.9,1.1          several rates side by side
layerwise descend "(1-x)**2 + 100*(y-x**2)**2" --from -1,1 --learning-rate 0.001 --optimizer sgd,adam --steps 300
layerwise descend --data breast-cancer --batch-size 1,16,full the noise of mini-batches
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from layerwise.cli.arguments import Parser, read_value
from layerwise.errors import UsageError

if TYPE_CHECKING:
    from layerwise.lessons.batches import BatchComparison
    from layerwise.neuron.functions.descent import Descent

ON_DATA = (
    ("data", "DATA", "a data set's name, a folder of class folders, or a CSV or Parquet file"),
    ("target", "COLUMN", "the column to predict (tables only)"),
    ("positive", "CLASS", "the class against all others, where there are more than two"),
    ("activation", "NAME", "of the neuron [sigmoid for classes, identity for numbers]"),
    ("loss", "NAME", "of the neuron [logistic for classes, squared for numbers]"),
    ("batch-size", "A,B,...", "samples a step, to compare; full for all [1,16,full]"),
    ("epochs", "N", "passes over the data [20]"),
    ("limit", "N", "use only this many training samples"),
    ("seed", "N", "decides splits and order [0]"),
)
ROWS_AT_ENDS = 12  # of a longer path, so many first and last steps are printed
SIDE_BY_SIDE_AT_MOST = 12


def add_arguments(parser: Parser) -> None:
    parser.add_argument("function", nargs="?", metavar="FUNCTION", help='such as "x**2" or "sin(x) + y**2/10"')
    parser.add_argument("--from", dest="start", metavar="A,B,...", help="the start: a number a variable, or x=1,y=2")
    parser.add_argument("--learning-rate", metavar="A,B,...", help="learning rates to compare [0.1]")
    parser.add_argument("--steps", metavar="N", help="steps to walk [20]")
    parser.add_argument(
        "--optimizer", default="sgd", metavar="NAMES", help="sgd, momentum, nesterov, rmsprop, adam, adamw, muon [sgd]"
    )
    parser.add_argument("--momentum", metavar="NUMBER", help="share of the velocity that is kept [0.9]")
    parser.add_argument("--weight-decay", metavar="NUMBER", help="pull towards zero [0.01 for adamw, else 0]")
    group = parser.add_argument_group("on data, in place of a function")
    for name, metavar, text in ON_DATA:
        group.add_argument(f"--{name}", metavar=metavar, help=text)
    parser.add_argument("--out", metavar="FOLDER", default="lessons", help="where the picture goes [lessons]")
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs, with every step")


def run(args: argparse.Namespace) -> None:
    from layerwise.neuron.functions.descent import compare

    if args.data is not None:
        run_on_data(args)
        return
    for name, _, _ in ON_DATA:
        if getattr(args, name.replace("-", "_")) is not None:
            raise UsageError(f"--{name} belongs to a descent on data; name them by --data, or leave it out.")
    if args.function is None:
        raise UsageError('layerwise descend needs a function, such as "x**2" --from 9, or --data.')
    if args.start is None:
        raise UsageError("layerwise descend needs --from, a number for each variable to start at.")
    rates = read_value(args.learning_rate or "0.1", tuple[float, ...], "learning_rate")
    optimizers = [name.strip() for name in args.optimizer.split(",")]
    if len(rates) * len(optimizers) > SIDE_BY_SIDE_AT_MOST:
        raise UsageError(f"At most {SIDE_BY_SIDE_AT_MOST} descents fit side by side; leave out rates or optimisers.")
    options: dict[str, Any] = {"steps": read_value(args.steps or "20", int, "steps")}
    for name in ("momentum", "weight_decay"):
        if getattr(args, name) is not None:
            options[name] = read_value(getattr(args, name), float, name)
    descents = compare(args.function, read_start(args.start), rates, optimizers, **options)
    if args.json:
        print(json.dumps([descent.to_json() for descent in descents], ensure_ascii=False, indent=1))
        return
    show(descents, args)


def read_start(text: str) -> list[float] | dict[str, float]:
    """Read '9', '-1,1' or 'x=-1,y=1'. Raises UsageError, quoting the part that is no number."""
    parts = [part.partition("=") for part in text.split(",")]
    named = [bool(separator) for _, separator, _ in parts]
    if any(named) and not all(named):
        raise UsageError(f"--from names all variables or none, received '{text}'; such as x=1,y=2 or 1,2.")
    if all(named):
        return {name.strip(): read_value(value, float, "from") for name, _, value in parts}
    return list(read_value(text, tuple[float, ...], "from"))


def show(descents: Sequence[Descent], args: argparse.Namespace) -> None:
    """Print the steps of one descent, or the ends of several, and draw them."""
    from layerwise.cli.printing import say
    from layerwise.cli.showing import say_next, write_figure
    from layerwise.reports.descents import descent_figure

    if len(descents) == 1:
        print_steps(descents[0])
        say(f"\n{descents[0].verdict.sentence}.")
    else:
        print_ends(descents)
    for sentence in about_rates(descents):
        say(sentence)
    write_figure(descent_figure(descents), args.out, "descend.png")
    rate = descents[0].largest_stable_rate
    first_rate = args.learning_rate or 0.1
    again = f'layerwise descend "{args.function}" --from {args.start}'
    commands = [(f"{again} --learning-rate {first_rate} --optimizer sgd,momentum,adam", "the optimisers side by side")]
    if rate:
        rates = ",".join(f"{share * rate:.3g}" for share in (0.1, 0.5, 0.95, 1.05))
        chosen = "" if descents[0].optimizer == "sgd" else f" --optimizer {descents[0].optimizer}"
        commands.insert(0, (f"{again}{chosen} --learning-rate {rates}", "rates around the largest stable one"))
    say_next(commands)


def print_steps(descent: Descent) -> None:
    """Print step, point, value and gradient of one descent."""
    from layerwise.cli.printing import print_table, say

    names = descent.objective.names
    say(f"{descent.objective.text}, {descent.label} (gradient by {descent.objective.gradient_by})\n")
    columns = ["step", *names, "f", *(f"df/d{name}" for name in names)]
    points = descent.points.reshape(len(descent.points), -1)
    gradients = descent.gradients.reshape(len(descent.points), -1)
    rows: list[list[object]] = [
        [step, *(_number(entry) for entry in (*points[step], descent.values[step], *gradients[step]))]
        for step in range(len(points))
    ]
    if len(rows) > 2 * ROWS_AT_ENDS + 1:
        rows = [*rows[: ROWS_AT_ENDS + 1], ["..."] * len(columns), *rows[-ROWS_AT_ENDS:]]
    print_table(columns, rows, numbers=columns)


def print_ends(descents: Sequence[Descent]) -> None:
    """Print a row for each descent: where it ended and how it went."""
    from layerwise.cli.printing import print_table, say

    say(f"{descents[0].objective.text}, {len(descents)} descents\n")
    columns = ["optimizer", "rate", "steps", "f at the end", "how it went"]
    rows = [
        [
            descent.optimizer,
            f"{descent.settings.learning_rate:g}",
            len(descent.values) - 1,
            _number(descent.values[-1]),
            descent.verdict.sentence,
        ]
        for descent in descents
    ]
    print_table(columns, rows, numbers=columns[1:4])


def about_rates(descents: Sequence[Descent]) -> list[str]:
    """Say where the minimum is and which rate is the largest stable one, for every optimiser that has one."""
    curvature = descents[0].curvature
    if curvature is None:
        return ["There is no largest stable rate to state: no minimum with curvature was found near the path."]
    at_minimum = f"Minimum at {curvature.where}, largest curvature {curvature.largest:.6g} there"
    if curvature.smallest > 0 and curvature.largest > 1.001 * curvature.smallest:
        at_minimum += f", smallest {curvature.smallest:.6g}"
    sentences = [f"{at_minimum}."]
    for optimizer in dict.fromkeys(descent.optimizer for descent in descents):
        momentum = descents[0].settings.momentum
        rate = curvature.largest_stable_rate(optimizer, momentum)
        formula = {
            "sgd": "2 / curvature",
            "momentum": f"2 (1 + {momentum:g}) / curvature",
            "nesterov": f"2 (1 + {momentum:g}) / ((1 + 2 * {momentum:g}) curvature)",
        }.get(optimizer)
        if rate is None:
            sentences.append(f"{optimizer} has no largest stable rate: its steps are about as long as the rate itself.")
        else:
            sentences.append(f"Largest stable rate of {optimizer}: {formula} = {rate:.6g}.")
    if "muon" in (descent.optimizer for descent in descents):
        sentences.append("muon makes the steps of matrices orthogonal; these variables are none, and go by adam.")
    return sentences


def _number(value: float) -> str:
    return f"{value:.6g}"


# -- on data ------------------------------------------------------------------------------------------------


def run_on_data(args: argparse.Namespace) -> None:
    """Compare batch sizes on the cost of a neuron."""
    from layerwise.data.config import DataConfig
    from layerwise.lessons.batches import compare_batches

    for name, value in (("FUNCTION", args.function), ("--from", args.start), ("--steps", args.steps)):
        if value is not None:
            raise UsageError(
                f"{name} belongs to a descent on a function; on data leave it out (--epochs says how long)."
            )
    options: dict[str, Any] = {}
    for name, kind in (("epochs", int), ("seed", int), ("momentum", float), ("learning_rate", float)):
        if getattr(args, name) is not None:
            options[name] = read_value(getattr(args, name), kind, name)
    for name in ("positive", "activation", "loss"):
        if getattr(args, name) is not None:
            options[name] = getattr(args, name)
    limit = None if args.limit is None else read_value(args.limit, int, "limit")
    data = DataConfig(data=args.data, target=args.target, limit=limit)
    compared = compare_batches(data, read_sizes(args.batch_size or "1,16,full"), optimizer=args.optimizer, **options)
    if args.json:
        print(json.dumps(compared.to_json(), ensure_ascii=False, indent=1))
        return
    show_batches(compared, args)


def read_sizes(text: str) -> list[int | str]:
    """Read '1,16,full'. Raises UsageError, quoting it, where a part is neither a number nor 'full'."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part == "full" or part.isdecimal() for part in parts):
        raise UsageError(f"--batch-size takes whole numbers or full with commas between them, received '{text}'.")
    return [part if part == "full" else int(part) for part in parts]


def show_batches(compared: BatchComparison, args: argparse.Namespace) -> None:
    """Print how each batch size went and how noisy its gradients are, and draw both."""
    from layerwise.cli.printing import print_table, say
    from layerwise.cli.showing import say_next, write_figure
    from layerwise.reports import wording
    from layerwise.reports.neurons import batch_figure

    cost, first = compared.cost, compared.descents[0]
    say(
        f"one neuron on {compared.samples.name}: activation {cost.activation}, loss {cost.loss}, "
        f"{wording.count(len(cost.targets))} samples, {first.optimizer}, rate {first.settings.learning_rate:.3g}\n"
    )
    columns = ["batch size", "steps", "cost at the end", "how it went"]
    rows = []
    for descent in compared.descents:
        went = "falls" if descent.diverged is None else f"diverges from step {descent.diverged}"
        rows.append([descent.batch_size, int(descent.steps[-1]), wording.decimal(float(descent.costs[-1])), went])
    print_table(columns, rows, numbers=columns[:3])
    bound = first.largest_stable_rate
    if bound:
        say(f"Steps of all samples are sure to descend up to a rate of {bound:.3g}.")
    say("\nThe gradient of a batch against that of all samples, at the start:\n")
    columns = ["batch size", "distance / length", "in theory", "mean angle"]
    table = [
        [row.batch_size, f"{row.deviation:.4f}", f"{row.predicted:.4f}", f"{row.angle_deg:.1f}°"]
        for row in compared.noise
    ]
    print_table(columns, table, numbers=columns)
    say(f"It falls as the batch size to the power of {compared.exponent:.2f} (theory: -0.5).")
    write_figure(batch_figure(compared.descents, compared.noise), args.out, "batches.png")
    say_next([(f"layerwise neuron --data {args.data}", "train the neuron and see its decision")])
