"""Measure a finished run on its own test split or on other data, and draw where it is wrong."""

from __future__ import annotations

from pathlib import Path

from layerwise.data.dataset import Labels, Split
from layerwise.data.labelled import load_labelled
from layerwise.errors import UsageError
from layerwise.experiments.run import Run
from layerwise.generation.config import BeamConfig
from layerwise.reports.figures import save
from layerwise.reports.results import Result
from layerwise.runs.atomic import make_folder, write_json
from layerwise.tasks import Classification
from layerwise.tasks.segmentation import Segmentation
from layerwise.tasks.translation import Translation


def evaluate(
    run: Run, data: str | None = None, out: str | Path | None = None, beam: int = 1
) -> tuple[Result, list[Path]]:
    """Measure `run`; return the figures and the files that were written.

    Args:
        data: the name of a data set (its test part), a folder of class folders, or a table with the target column;
            the run's own test split where it is left out.
        out: a folder for the figures and pictures; 'evaluation' in the run's folder where it is left out.
        beam: beginnings that a translator keeps while it writes.

    Raises:
        DataError: the data has other classes, columns or no samples.
        UsageError: a beam was asked for that this run has no use for.
    """
    check_beam(run, beam)
    split = read_evaluation_split(run, data)
    result = run.evaluate_split(split, beam)
    folder = make_folder(Path(out) if out else run.path / "evaluation")
    files = [folder / "evaluation.json"]
    write_json(files[0], result.to_json())
    for name, figure in result.drawings(run.evaluation_input(split, beam)):
        files.append(folder / f"{name}.png")
        save(figure, files[-1])
    return result, files


def check_beam(run: Run, beam: int) -> None:
    """Raise UsageError for a beam that is no number of beginnings, or of a run that writes no text."""
    if BeamConfig(beam).beam > 1 and not isinstance(run.task, Translation):
        raise UsageError(f"`beam` is for runs that translate, and run {run.name} does not; leave it out.")


def read_evaluation_split(run: Run, data: str | None) -> Split:
    """Return the samples to measure on, prepared by the run's own preprocessing."""
    if data is None or data == run.experiment.data.data:
        return run.dataset().test
    return load_labelled(data, run.preprocessing, labels_of(run), run.experiment.data)


def labels_of(run: Run) -> Labels:
    """Return what the run answers, for whoever reads labelled data for it."""
    task, data_info = run.task, run.data_info
    classes = task.classes if isinstance(task, Classification | Segmentation) else ()
    return Labels(data_info["data_task"], classes, data_info["output_count"], f"run {run.name}")
