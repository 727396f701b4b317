"""List the data sets there are, or look into one: samples, class balance, statistics, warnings.

layerwise data
layerwise data mnist
layerwise data mnist --augment shift:2,rotate:10
layerwise data table.csv --target price
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from layerwise.cli.arguments import Parser, add_config, add_value, flag_of
from layerwise.data.config import DataConfig
from layerwise.errors import UsageError
from layerwise.training.config import TrainingConfig

OWN = {"out", "json", "model_options", "seed"}


def add_arguments(parser: Parser) -> None:
    parser.add_argument("data", nargs="?", help="a data set's name, a folder of class folders, or a table")
    add_config(parser, DataConfig, leave_out=("data",))
    add_value(parser, "seed", int, "decides the splits and the augmentation [0]", default=0)
    parser.add_argument("--out", metavar="FOLDER", default="data-pages", help="where the pages go [data-pages]")
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")


def run(args: argparse.Namespace) -> None:
    options = {name: value for name, value in vars(args).items() if name not in OWN}
    if args.data is None:
        if len(options) > 1:
            flag = flag_of(next(name for name in options if name != "data"))
            raise UsageError(
                f"{flag} needs data to look into; name a data set, as in `layerwise data digits {flag} ...`."
            )
        list_sources(as_json=args.json)
        return
    seed = TrainingConfig(seed=args.seed).seed  # which refuses what a training would
    from layerwise.cli.printing import console, say, say_files
    from layerwise.experiments.inspection import inspect

    facts, files = inspect(DataConfig(**options), seed, args.out)
    if args.json:
        print(json.dumps({**facts, "files": [str(file) for file in files]}, ensure_ascii=False, indent=1))
        return
    say(f"{facts['name']}: {facts['source']}")
    say(f"  {facts['kind']}, {facts['task']}, input shape of one sample: {facts['input_shape']}")
    sizes = facts["sizes"]
    say(f"  {sizes['train']:,} training, {sizes['valid']:,} validation and {sizes['test']:,} test samples")
    print_classes(facts["class_counts"])
    print_statistics(facts["statistics"])
    for sentence in facts["augmentation"]:
        say(f"  augmentation: {sentence}")
    for notice in facts["notices"]:
        mark = "[yellow]warning[/yellow]" if notice["severity"] == "warning" else "note"
        console().print(f"  {mark} ", end="")
        say(notice["text"])
    say_files(files)


def print_classes(counts: dict[str, list[int]]) -> None:
    """Print how many samples of each class every split has."""
    if counts:
        from layerwise.cli.printing import print_table

        columns = ["class", "training", "validation", "test"]
        print_table(columns, [[name, *numbers] for name, numbers in counts.items()], numbers=columns[1:])


def print_statistics(rows: list[dict[str, Any]]) -> None:
    """Print what the training samples look like in figures, a row a column of a table or a channel of pictures."""
    from layerwise.cli.printing import ROWS_SHOWN, print_table, say
    from layerwise.reports import wording

    figures = ["mean", "deviation", "lowest", "median", "highest"]
    cells = [
        [row["name"], *(wording.decimal(row[name]) for name in figures), wording.share(row["missing"])]
        for row in rows[:ROWS_SHOWN]
        if row["mean"] is not None
    ]
    say("\nstatistics of the training samples")
    if cells:
        columns = ["", *figures, "missing"]
        print_table(columns, cells, numbers=columns[1:], spare=["median", "missing"])
    for row in rows[:ROWS_SHOWN]:
        if row["common"]:
            missing = f", missing {wording.share(row['missing'])}" if row["missing"] else ""
            say(f"  {row['name']}: {row['common']}{missing}")
    if len(rows) > ROWS_SHOWN:
        say(f"  and {len(rows) - ROWS_SHOWN} more columns; --json gives all")
    say("")


def list_sources(*, as_json: bool) -> None:
    """Print a row a data set that can be had by its name."""
    from layerwise.cli.printing import print_table, say
    from layerwise.data.catalogue import source_rows

    rows = source_rows()
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    cells = [[row["name"], row["kind"], row["summary"], row["licence"], row["fetched"]] for row in rows]
    print_table(["data", "kind", "what it is", "licence", "fetched"], cells)
    say("\nAlso: a folder with one subfolder of images per class,")
    say("or a CSV or Parquet table with --target COLUMN.")
