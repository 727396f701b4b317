"""Printing for people: tables, results, and the next commands."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from layerwise.reports import wording

if TYPE_CHECKING:
    from layerwise.experiments.run import Run
    from layerwise.reports.evaluation import Evaluation

ROWS_SHOWN = 40
COLUMN_GAP = 2


def console() -> Console:
    """A console on standard output as it is now, so that redirection works."""
    return Console(highlight=False, soft_wrap=True)


def say(sentence: str) -> None:
    """Print a sentence as it is."""
    console().print(sentence, markup=False)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    numbers: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Print rows under their columns.

    numbers: columns that are aligned to the right. spare: columns that are left out, the first one first, as long as
    the table is wider than the terminal.
    """
    screen = Console(highlight=False)
    cells = {name: [str(cell) for cell in column] for name, *column in zip(columns, *rows, strict=True)}
    for name in spare:
        if sum(max(map(cell_len, [name, *column])) + COLUMN_GAP for name, column in cells.items()) > screen.width:
            del cells[name]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in cells:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in zip(*cells.values(), strict=True):
        table.add_row(*(escape(cell) for cell in row))
    screen.print(table)


def moment(time: str) -> str:
    """Return a time of ISO 8601 as the clock here shows it, 2026-11-22 23:21; an empty string where there is none."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M") if time else ""


def say_files(files: Iterable[Path]) -> None:
    """Print the files that were written, a line each."""
    for file in files:
        say(f"  wrote {shown(file)}")


def shown(path: Path) -> str:
    """Return a path as short as it can be typed here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def say_result(run: Run, *, open_report: bool) -> None:
    """Say in plain words what was reached, where it is, and what can be done next."""
    if int(os.environ.get("RANK", "0")):
        return  # of several processes, the first one speaks
    result, facts = run.result, run.facts
    test = result["test"]
    say("")
    if facts["goal"] == "classification":
        chance = wording.share(test["baseline"])
        console().print(
            f"[bold]{run.experiment.model} names {wording.share(test['accuracy'])} of {wording.count(test['count'])} "
            f"{NOUNS[facts['kind']]} right that it never saw[/bold] (always the commonest class: {chance})."
        )
    else:
        console().print(
            f"[bold]{run.experiment.model} explains R² = {wording.decimal(test['r2'])} of "
            f"{wording.count(test['count'])} rows that it never saw[/bold] "
            f"(mean error {wording.decimal(test['mae'])}, RMSE {wording.decimal(test['rmse'])})."
        )
    say(f"  {wording.count(result['parameters'])} parameters, trained in {wording.duration(result['elapsed_s'])}")
    say(f"  run     {shown(run.path)}")
    say(f"  report  {shown(run.report)}")
    say("next:")
    commands = next_commands(run)
    width = max(len(command) for command, _ in commands)
    for command, purpose in commands:
        say(f"  {command:<{width}}  {purpose}")
    if open_report and not webbrowser.open(run.report.resolve().as_uri()):
        say(f"no browser was found here; open {run.report.resolve()} in one.")


NOUNS = {"pictures": "pictures", "table": "rows", "text": "texts", "series": "series", "tokens": "texts"}


def next_commands(run: Run) -> list[tuple[str, str]]:
    """Return literal commands that go on from a finished run, with what each is for."""
    kinds = {
        "pictures": "picture.png",
        "table": "table.csv",
        "text": "letter.txt",
        "series": "series.ts",
        "tokens": "names.txt",
    }
    sample = kinds[run.facts["kind"]]
    return [
        (f"layerwise predict {run.name} {sample}", "let it answer for your own files"),
        (f"layerwise evaluate {run.name}", "see where it is wrong"),
        (f"layerwise code {run.name}", "the same training as a plain-PyTorch script"),
        ("layerwise runs", "all trainings so far"),
    ]


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the figures of an evaluation, and for classes a row each."""
    from layerwise.reports.evaluation import ClassEvaluation

    if isinstance(evaluation, ClassEvaluation):
        say(
            f"accuracy {wording.share(evaluation.accuracy)} of {wording.count(evaluation.count)} samples "
            f"(95 % interval {wording.share(evaluation.accuracy_low)} to {wording.share(evaluation.accuracy_high)}), "
            f"loss {wording.decimal(evaluation.loss)}, calibration error {wording.share(evaluation.calibration_error)}"
        )
        columns = ["class", "precision", "recall", "F1", "samples"]
        rows = [
            [
                one.name,
                wording.share(one.precision),
                wording.share(one.recall),
                wording.share(one.f1),
                one.support,
            ]
            for one in evaluation.classes[:ROWS_SHOWN]
        ]
        print_table(columns, rows, numbers=columns[1:])
        if evaluation.worst:
            say("\nthe mistakes it was surest of:")
        for mistake in evaluation.worst[:5]:
            say(f"  {mistake.id}: {mistake.given} ({wording.share(mistake.probability)}), in truth {mistake.truth}")
        return
    say(
        f"R² {wording.decimal(evaluation.r2)}, MAE {wording.decimal(evaluation.mae)}, "
        f"RMSE {wording.decimal(evaluation.rmse)} over {wording.count(evaluation.count)} samples"
    )
    columns = ["target", "R²", "MAE", "RMSE", "RMSE of the mean"]
    rows = [
        [one.name, *(wording.decimal(value) for value in (one.r2, one.mae, one.rmse, one.baseline_rmse))]
        for one in evaluation.targets
    ]
    print_table(columns, rows, numbers=columns[1:])
