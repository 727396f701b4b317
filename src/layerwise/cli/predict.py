"""Predict for files with a trained network; they are preprocessed exactly as its training data was.

layerwise predict latest picture.png more-pictures/
layerwise predict latest table.csv --json
layerwise predict latest table.csv --out answers.csv
layerwise predict latest picture.png --overlay classes.png
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerwise.cli.arguments import Parser, add_run, add_runs_folder

if TYPE_CHECKING:
    from layerwise.experiments.run import Run

CLASSES_SHOWN = 3


def add_arguments(parser: Parser) -> None:
    add_run(parser)
    parser.add_argument("sources", nargs="+", metavar="FILE", help="pictures, folders of pictures, tables or texts")
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")
    parser.add_argument("--out", metavar="FILE", help="write the predictions to this .csv or .json file")
    parser.add_argument(
        "--overlay", metavar="FILE", help="segment one image and write it with its classes overlaid to this file"
    )
    add_runs_folder(parser)


def run(args: argparse.Namespace) -> None:
    from layerwise.cli.printing import say
    from layerwise.experiments.run import Run

    for flag, path in (("--out", args.out), ("--overlay", args.overlay)):
        if path is not None:
            check_spared(flag, Path(path), args.sources)
    if args.out is not None:
        from layerwise.runs.atomic import check_output_file

        check_output_file(Path(args.out), "out", (".csv", ".json"), "answers.csv")
    trained = Run.open(args.run, runs=args.runs)
    answers = lay_over(trained, args.sources, Path(args.overlay)) if args.overlay else trained.predict(*args.sources)
    if args.out is not None:
        write_answers(Path(args.out), answers)
        say(f"wrote {len(answers)} prediction{'s' if len(answers) > 1 else ''} to {args.out}")
    elif args.json:
        print(json.dumps({"run": trained.name, "predictions": answers}, ensure_ascii=False, indent=1))
    else:
        print_answers(answers)


def lay_over(trained: Run, sources: list[str], path: Path) -> list[dict[str, Any]]:
    """Write the one picture under the colours of its classes, and return its answer."""
    from layerwise.cli.printing import say
    from layerwise.errors import UsageError
    from layerwise.experiments.segments import check_overlay, segmentation_of

    segmentation_of(trained)
    check_overlay(path)
    if len(sources) > 1 or Path(sources[0]).is_dir():
        received = f"{len(sources)} of them" if len(sources) > 1 else f"the folder {sources[0]}"
        raise UsageError(f"--overlay {path} is one file for one picture, received {received}; name one picture.")
    segments = trained.segment(sources[0])
    segments.save_overlay(path)
    say(f"wrote {Path(sources[0]).name} with its classes overlaid to {path}")
    return [{"id": Path(sources[0]).name, "shares": segments.shares}]


def print_answers(answers: list[dict[str, Any]]) -> None:
    """Print a table: what, the label with its probability, and the next likeliest classes."""
    from layerwise.cli.printing import print_table
    from layerwise.reports import wording

    def in_words(value: Any) -> str:
        if isinstance(value, list):
            return ", ".join(map(wording.decimal, value))
        return value if isinstance(value, str) else wording.decimal(value)

    if "shares" in answers[0]:
        classes = list(answers[0]["shares"])
        rows = [[answer["id"], *(wording.share(answer["shares"][name]) for name in classes)] for answer in answers]
        print_table(["", *classes], rows, numbers=classes)
        return
    if "label" not in answers[0]:
        names = [name for name in answers[0] if name != "id"]
        rows = [[answer["id"], *(in_words(answer[name]) for name in names)] for answer in answers]
        print_table(["", *names], rows, numbers=[name for name in names if not isinstance(answers[0][name], str)])
        return
    rows = []
    for answer in answers:
        ranked = sorted(answer["probabilities"].items(), key=lambda item: -item[1])[1 : 1 + CLASSES_SHOWN]
        others = ", ".join(f"{label} {wording.share(probability)}" for label, probability in ranked)
        rows.append([answer["id"], answer["label"], wording.share(answer["probability"]), others])
    print_table(["", "label", "probability", "next"], rows, numbers=["probability"])


def check_spared(flag: str, path: Path, sources: list[str]) -> None:
    """Refuse to write over a file that is read."""
    from layerwise.errors import UsageError

    if path.is_file() and any(Path(source).exists() and path.samefile(source) for source in sources):
        raise UsageError(f"{flag} {path} is an input file and would be overwritten; name another.")


def write_answers(path: Path, answers: list[dict[str, Any]]) -> None:
    """Write the answers; text cells that a spreadsheet would run as formulas are quoted."""
    from layerwise.runs.atomic import write_bytes

    if path.suffix.lower() == ".json":
        write_bytes(path, json.dumps(answers, ensure_ascii=False, indent=1).encode())
        return
    import polars as pl

    from layerwise.data.tables.files import write_table

    table = write_table(pl.DataFrame([as_row(answer) for answer in answers]))
    write_bytes(path, table.encode())


def as_row(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as a row of a table, with a column for the probability, or the share, of each class."""
    values = {
        name: " ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in answer.items()
        if name not in ("probabilities", "shares")
    }
    shares = {f"share of {name}": value for name, value in answer.get("shares", {}).items()}
    return values | shares | {f"probability of {name}": p for name, p in answer.get("probabilities", {}).items()}
