"""What was trained, read from its folder when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from layerwise.data.dataset import Dataset, Preprocessing
from layerwise.data.loading import PREPROCESSINGS, load, preprocessing_from_json
from layerwise.errors import CheckpointError, DataError, UsageError
from layerwise.experiments.experiment import Experiment
from layerwise.experiments.setup import fingerprint
from layerwise.models import CATALOGUE, build
from layerwise.reports.results import Result, result_from_json
from layerwise.runs.folder import RunFolder
from layerwise.tasks import Task, task_from_json
from layerwise.training.execution import ExecutionPlan

Value = TypeVar("Value")


class Trained:
    """The network of a run folder with its task, its preprocessing and its figures. Nothing here writes."""

    def __init__(self, folder: RunFolder, module: nn.Module | None = None, dataset: Dataset | None = None) -> None:
        self.folder = folder
        self._module = module
        self._dataset = dataset

    @property
    def name(self) -> str:
        """What commands call the run."""
        return self.folder.name

    @property
    def path(self) -> Path:
        """The folder of the run."""
        return self.folder.path

    @property
    def status(self) -> str:
        """created, running, paused, finished, diverged or failed."""
        return str(self.folder.status()["status"])

    @cached_property
    def experiment(self) -> Experiment:
        """What was asked: network, data and every setting."""
        return self._read("experiment.json", Experiment.from_json)

    @cached_property
    def execution(self) -> ExecutionPlan:
        """How this machine trained it fastest, with the reasons."""
        return self._read("execution.json", ExecutionPlan.from_json)

    @cached_property
    def data_info(self) -> dict[str, Any]:
        """What was learned of the data: name, task, shapes, classes, fingerprint, notices."""
        return self._read("data.json", checked_data_info)

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """From a raw file to the network's input, as it was in training.

        Raises:
            UsageError: it is of the user's own and has to be given with the Dataset.
        """
        if self._dataset is not None:
            return self._dataset.preprocessing
        kind = self._read("preprocessing.json", lambda values: str(values["kind"]))
        if kind not in PREPROCESSINGS:
            raise UsageError(
                f"{self.path / 'preprocessing.json'} tells of a preprocessing of your own, of the kind '{kind}'; "
                f"give the Dataset with it, as in Run.open('{self.name}', data=dataset)."
            )
        return self._read("preprocessing.json", preprocessing_from_json)

    @cached_property
    def task(self) -> Task:
        """What it learned: loss, figures and what its outputs mean."""
        return self._read("data.json", lambda data_info: task_from_json(data_info["task"]))

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The records of the training: reports with losses and evaluations with metrics, in order."""
        return self.folder.metrics()

    @property
    def result(self) -> dict[str, Any]:
        """The final figures: 'test' on data that nothing was chosen by, 'valid' of the best epoch, and costs."""
        return self._read("result.json", dict)

    @property
    def evaluation(self) -> Result:
        """All figures of the test split, as they were measured after the training."""
        return self._read("evaluation.json", result_from_json)

    def _read(self, name: str, parse: Callable[[Any], Value]) -> Value:
        """Return what `parse` makes of a JSON file. Raises CheckpointError where the file holds something else."""
        values = self.folder.read_json(name)
        try:
            return parse(values)
        except UsageError as error:
            raise CheckpointError(
                f"{self.path / name}: {error} Put back a copy of this file, or train again."
            ) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"{self.path / name} is damaged, or of another version ({type(error).__name__}: {error}); "
                "put back a copy of this file, or train again."
            ) from error

    @property
    def report(self) -> Path:
        """The page to open in a browser."""
        return self.path / "report.html"

    @cached_property
    def model(self) -> nn.Module:
        """The trained network, in evaluation mode on the CPU.

        Raises:
            CheckpointError: the run is not finished or its weights are damaged.
            UsageError: it was a module of your own, and `open` was not given it.
        """
        data_info = self.data_info
        if self._module is None and self.experiment.model not in CATALOGUE:
            raise UsageError(
                f"run {self.name} holds the network '{self.experiment.model}', which is not in the catalogue; if it is "
                f"a module of your own, use Run.open('{self.name}', model=...) in Python."
            )
        with torch.inference_mode(False):  # whoever asks first, one can differentiate by its weights
            model = self._module or build(
                self.experiment.model,
                tuple(data_info["input_shape"]),
                data_info["output_count"],
                **self.experiment.model_options,
            )
        weights = self.folder.load_weights()
        try:
            model.cpu().load_state_dict(weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"{self.path / 'model.safetensors'} holds the weights of another network than "
                f"{self.experiment.model} ({reason}); put back the run's own file, or train again."
            ) from error
        return model.eval()

    def dataset(self) -> Dataset:
        """Load the data of this run again, with the same splits."""
        dataset = self._dataset or load(self.experiment.data, self.experiment.training.seed)
        self.check_same_data(dataset)
        return dataset

    def check_same_data(self, dataset: Dataset) -> None:
        """Raises DataError if `dataset` is not what the run was started with."""
        if fingerprint(dataset) != self.data_info["fingerprint"]:
            raise DataError(
                f"the data '{self.experiment.data.data}' is not what run {self.name} was started with "
                f"({in_words(self.data_info['sizes'])} then, {in_words(dataset.sizes)} now; if they are equal, "
                "the values differ); "
                "put the old data back, or start a new run."
            )


def checked_data_info(data_info: Any) -> dict[str, Any]:
    """Return what was learned of the data. Raises KeyError, TypeError or ValueError where it cannot be that."""
    sizes = (*data_info["input_shape"], data_info["output_count"])
    if not all(type(size) is int and size >= 1 for size in sizes):
        raise ValueError(f"the sizes of samples and outputs are {sizes}")
    classes = data_info["task"].get("classes", [""] * data_info["output_count"])
    if len(classes) != data_info["output_count"]:
        raise ValueError(f"{len(classes)} classes for {data_info['output_count']} outputs")
    return {**data_info, "fingerprint": data_info["fingerprint"]}


def in_words(sizes: Mapping[str, int]) -> str:
    """Return {'train': 8, 'valid': 1} as '8 train and 1 valid samples'."""
    counts = [f"{count} {name}" for name, count in sizes.items()]
    return f"{', '.join(counts[:-1])} and {counts[-1]} samples"
