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
    from layerwise.reports.results import Result

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
    result, evaluation = run.result, run.evaluation
    samples = wording.samples_in_words(evaluation.count, run.data_info["kind"])
    say("")
    console().print(evaluation.sentence(samples, run.experiment.model), style="bold", markup=False)
    say(f"  {wording.count(result['parameters'])} parameters, trained in {wording.duration(result['elapsed_s'])}")
    say(f"  run     {shown(run.path)}")
    say(f"  report  {shown(run.report)}")
    say("next:")
    commands = next_commands(run)
    width = max(len(command) for command, _ in commands)
    for command, purpose in commands:
        say(f"  {command:<{width}}  {purpose}")
    if open_report and not webbrowser.open(run.report.resolve().as_uri()):
        say(f"no browser was found on this machine; the report is {run.report.resolve()}.")


def next_commands(run: Run) -> list[tuple[str, str]]:
    """Return literal commands that go on from a finished run, with what each is for."""
    task = run.evaluation.task
    data, kind = run.experiment.data.data, run.data_info["kind"]
    use = wording.use_of(task, wording.example_of(task, kind, data, run.evaluation))
    commands = [
        (f"layerwise {use.command.format(run=run.name)}", use.purpose),
        (f"layerwise evaluate {run.name}", "metrics and plots of its errors"),
        (f"layerwise code {run.name}", "this training as a plain-PyTorch script"),
    ]
    if task == "reconstruction" and getattr(run.model, "variational", False):
        commands.append((f"layerwise sample {run.name}", "sample new images"))
    return [*commands, ("layerwise runs", "list all runs")]


def print_result(result: Result) -> None:
    """Print the figures of a result, a row each class or target, and samples worth a look."""
    for line in result.lines():
        say(line)
    table = result.table()
    if table:
        columns, rows = table
        print_table(columns, rows[:ROWS_SHOWN], numbers=columns[1:])
    heading, examples = result.examples()
    if examples:
        say(f"\n{heading}:")
    for example in examples:
        say(f"  {example}")
