"""Train and resume: a description becomes a run folder, and stays one whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

from torch import nn

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset
from layerwise.data.loading import load
from layerwise.errors import DivergedError, LayerwiseError, StoppedError, StorageError
from layerwise.experiments.choice import choose_model
from layerwise.experiments.experiment import Experiment
from layerwise.experiments.finish import begin, finish
from layerwise.experiments.recorder import Recorder
from layerwise.experiments.run import Run
from layerwise.experiments.setup import Setup, set_up
from layerwise.reports.progress import Progress
from layerwise.runs.checkpoints import CheckpointStore
from layerwise.runs.folder import RunFolder, default_parent
from layerwise.runs.signals import interrupts
from layerwise.training import loop
from layerwise.training.events import Event
from layerwise.training.parallel import Ranks

Watcher = Callable[[Event], object]


def train(
    model: str | nn.Module | None = None,
    data: str | Path | Dataset = "digits",
    *,
    name: str | None = None,
    runs: str | Path | None = None,
    quiet: bool = False,
    watchers: Sequence[Watcher] = (),
    **options: Any,
) -> Run:
    """Train a network and keep it as a run.

    Args:
        model: a name of the catalogue, a module of your own that gives raw outputs, or None to have one picked.
        data: the name of a data set, a folder of class folders, a table's path, or a Dataset of your own.
        name: of the run; made of model and data where it is left out.
        runs: the folder that keeps the runs; LAYERWISE_RUNS or ./runs where it is left out.
        quiet: show no progress.
        watchers: called with every event of the training, after it is recorded.
        options: fields of DataConfig, TaskConfig, TrainingConfig, PenaltyConfig, MachineConfig and of the
            model's own config, by name: epochs=3, learning_rate=0.01, hidden=(64, 64).

    Raises:
        UsageError: a name or a value cannot work; nothing was written.
        DataError, NotFoundError, UnavailableError: the data cannot be used, found or fetched.
        DivergedError: the loss stopped being finite; the run keeps the last good weights.
        StoppedError: a signal came; the run is paused and `resume` goes on from its checkpoint.
    """
    dataset = data if isinstance(data, Dataset) else None
    asked = {**options, "data": dataset.name if dataset else str(data)}
    reason = ""
    if model is None:
        dataset = dataset or load_asked(asked)
        model, reason = choose_model(dataset)
    if isinstance(model, nn.Module):
        experiment = Experiment.of_module(model, asked)
    else:
        experiment = Experiment.of(model, asked)
    with Ranks.joined() as ranks:
        setup = set_up(experiment, ranks, dataset=dataset, module=model if isinstance(model, nn.Module) else None)
        parent = Path(runs) if runs else default_parent()
        folder = begin(setup, parent, name, reason) if ranks.is_first else None
        return carry_on(setup, folder, quiet=quiet, watchers=watchers)


def resume(
    reference: str | Path = "latest",
    *,
    runs: str | Path | None = None,
    model: nn.Module | None = None,
    data: Dataset | None = None,
    quiet: bool = False,
    watchers: Sequence[Watcher] = (),
) -> Run:
    """Go on with a run exactly where its newest whole checkpoint stands.

    Args:
        reference: path, name, unique beginning of a name, or 'latest'.
        model, data: the module or Dataset of your own that the run was started with, if it was.

    Raises:
        BusyError: another process is training this run.
        DataError: the data is not what it was when the run started.
    """
    run = Run.open(reference, runs=runs)
    if run.status == "finished":
        return run
    with Ranks.joined() as ranks:
        setup = set_up(run.experiment, ranks, dataset=data, module=model)
        run.check_same_data(setup.dataset)
        return carry_on(setup, run.folder, quiet=quiet, watchers=watchers)


def load_asked(asked: dict[str, Any]) -> Dataset:
    """Load the data that the options ask for."""
    names = {field.name for field in fields(DataConfig)}
    return load(DataConfig(**{k: v for k, v in asked.items() if k in names}), asked.get("seed", 0))


def carry_on(setup: Setup, folder: RunFolder, *, quiet: bool, watchers: Sequence[Watcher]) -> Run:
    """Train from wherever the run's checkpoints stand to its end, as the run's one owner."""
    experiment, machine = setup.experiment, setup.experiment.machine
    with folder.own(), interrupts() as interruption, Progress(quiet=quiet) as progress:
        folder.set_status("running")
        events = loop.train(
            setup.model,
            setup.task,
            setup.train,
            experiment.training,
            penalty=experiment.penalty,
            valid=setup.valid,
            checkpoints=CheckpointStore(folder.checkpoints),
            checkpoint_every_s=machine.checkpoint_every_s,
            pace=setup.pace,
            ranks=setup.ranks,
        )
        try:
            with closing(events):
                for event in events:
                    for watcher in (Recorder(folder), progress, *watchers):
                        watcher(event)
                    if interruption.received:
                        break
        except StorageError:
            folder.set_status("paused", reason="disk full")
            raise
        except DivergedError as error:
            folder.set_status("diverged", reason=str(error))
            raise
        except LayerwiseError as error:
            folder.set_status("failed", reason=str(error))
            raise
        if interruption.received:
            folder.set_status("paused", reason=f"signal {interruption.received}")
            raise StoppedError(
                f"stopped after a whole step; go on with `layerwise resume {folder.name}`",
                interruption.received,
            )
        return finish(setup, folder)
