"""Train and resume: a description becomes a run folder, and stays one whatever happens on the way."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset
from layerwise.data.loading import load
from layerwise.errors import DivergedError, LayerwiseError, StoppedError, StorageError
from layerwise.experiments.default_model import choose_model
from layerwise.experiments.experiment import Experiment
from layerwise.experiments.recorder import Recorder
from layerwise.experiments.run import Run
from layerwise.experiments.run_files import begin, finish
from layerwise.experiments.sample_logger import sample_loggers
from layerwise.experiments.setup import Setup, set_up
from layerwise.reports.progress import Progress
from layerwise.runs.folder import RunFolder, Status, runs_parent
from layerwise.runs.signals import interrupts
from layerwise.training import loop
from layerwise.training.events import Event, Stepped
from layerwise.training.parallel import Ranks

Watcher = Callable[[Event], object]

ENDED_AS: dict[type[LayerwiseError], Status] = {StorageError: "paused", DivergedError: "diverged"}


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
    parent = runs_parent(runs)
    own_data = data if isinstance(data, Dataset) else None
    own_model = model if isinstance(model, nn.Module) else None
    given = {**options, "data": own_data.name if own_data else str(data)}
    reason = ""
    if model is None:
        own_data = own_data or load_given(given)
        model, reason = choose_model(own_data, given.get("pretrained", "no"))
    if isinstance(model, nn.Module):
        experiment = Experiment.of_module(model, given)
    else:
        experiment = Experiment.of(model, given)
    setup = set_up(experiment, dataset=own_data, module=own_model)
    try:
        path = ""
        if setup.ranks.is_first:
            path = str(begin(setup, parent, name, reason).path)
        folder = RunFolder(Path(setup.ranks.from_first(path)))
        return run_to_completion(
            setup, folder, quiet=quiet, watchers=watchers, startup_messages=startup_messages(setup, reason)
        )
    finally:
        setup.ranks.leave()


def startup_messages(setup: Setup, reason: str) -> list[str]:
    """Return what a user should know before the first step: which model was picked and why, warnings of the data."""
    warnings = [f"warning: {notice.text}" for notice in setup.dataset.notices if notice.severity == "warning"]
    return ([f"picked {reason}"] if reason else []) + warnings


def resume(
    reference: str | Path = "latest",
    *,
    runs: str | Path | None = None,
    model: nn.Module | None = None,
    data: Dataset | None = None,
    quiet: bool = False,
    watchers: Sequence[Watcher] = (),
) -> Run:
    """Go on with a run exactly where its newest whole checkpoint stands; a finished run is left as it is.

    Args:
        reference: path, name, unique beginning of a name, or 'latest'.
        model, data: the module or Dataset of your own that the run was started with, if it was.

    Raises:
        BusyError: another process is training this run.
        DataError: the data is not what it was when the run started.
    """
    run = Run.open(reference, runs=runs, model=model, data=data)
    if run.status == "finished":
        return run
    setup = set_up(run.experiment, dataset=data, module=model, execution=run.execution)
    try:
        run.check_same_data(setup.dataset)
        return run_to_completion(setup, run.folder, quiet=quiet, watchers=watchers)
    finally:
        setup.ranks.leave()


def load_given(given: dict[str, Any]) -> Dataset:
    """Load the data that the options ask for."""
    names = {field.name for field in fields(DataConfig)}
    return load(DataConfig(**{k: v for k, v in given.items() if k in names}), given.get("seed", 0))


def run_to_completion(
    setup: Setup, folder: RunFolder, *, quiet: bool, watchers: Sequence[Watcher], startup_messages: Sequence[str] = ()
) -> Run:
    """Train from wherever the run's checkpoints stand to its end.

    Among several processes the first one owns the run, writes and speaks; the others only take their steps.
    """
    if not setup.ranks.is_first:
        dispatch_events(event_stream(setup, folder), (), setup.ranks)
        setup.ranks.barrier()
        return Run(folder, setup.network, setup.dataset)
    with folder.own(), Progress(quiet=quiet) as progress:
        folder.set_status("running")
        for sentence in startup_messages:
            progress.say(sentence)
        recorder = Recorder(folder)
        loggers = sample_loggers(setup.task, setup.model, folder.path)
        consumers: tuple[Watcher, ...] = (recorder, progress, *loggers, *watchers)
        try:
            signal_number = dispatch_events(event_stream(setup, folder), consumers, setup.ranks)
        except LayerwiseError as error:
            if isinstance(error, DivergedError):
                keep_last_weights(setup, folder)
            folder.set_status(ENDED_AS.get(type(error), "failed"), reason=str(error))
            if isinstance(error, StorageError):
                raise StorageError(f"{error} Then go on with `layerwise resume {folder.name}`.") from error
            raise
        if signal_number:
            folder.set_status("paused", reason=f"signal {signal_number}")
            sentence = f"stopped after a whole step; go on with `layerwise resume {folder.name}`"
            raise StoppedError(sentence, signal_number)
        run = finish(setup, folder, recorder.elapsed_s)
    setup.ranks.barrier()
    return run


def keep_last_weights(setup: Setup, folder: RunFolder) -> None:
    """Keep the weights from before a step that was not finite, so that the run can be measured and used."""
    weights = setup.network.state_dict()
    if all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        folder.save_weights(weights)


def dispatch_events(events: Generator[Event], watchers: Sequence[Watcher], ranks: Ranks) -> int | None:
    """Give every event to every watcher; return the signal that ended it early on any rank, None at the end."""
    with closing(events), interrupts() as interruption:
        for event in events:
            for watcher in watchers:
                watcher(event)
            if isinstance(event, Stepped) and ranks.any(interruption.received is not None):
                return interruption.received or signal.SIGTERM
    return None


def event_stream(setup: Setup, folder: RunFolder) -> Generator[Event]:
    """The events of this training, from the newest checkpoint of `folder` on."""
    experiment = setup.experiment
    return loop.train(
        setup.model,
        setup.task,
        setup.train,
        experiment.training,
        penalty=experiment.penalty,
        valid=setup.valid,
        checkpoints=folder.checkpoint_store(),
        checkpoint_every_s=experiment.machine.checkpoint_every_s,
        execution=setup.execution,
        ranks=setup.ranks,
    )
