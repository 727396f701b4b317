"""A run as its user sees it: a trained network with its figures, ready to predict, to be measured and explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from layerwise.data.dataset import Dataset, Preprocessing, Split
from layerwise.data.loading import PREPROCESSINGS, load, preprocessing_from_json
from layerwise.data.pairs import PairsPreprocessing
from layerwise.errors import CheckpointError, DataError, UsageError
from layerwise.experiments.experiment import Experiment
from layerwise.experiments.segments import Segments, segment, segment_files
from layerwise.experiments.setup import EVALUATION_BATCH, fingerprint
from layerwise.experiments.translating import attention, translate
from layerwise.experiments.writing import stream
from layerwise.models import CATALOGUE, build
from layerwise.reports.alignments import Alignment
from layerwise.reports.results import Result, Subject, measure, result_from_json
from layerwise.runs.folder import RunFolder, runs_parent
from layerwise.tasks import Task, task_from_json
from layerwise.tasks.segmentation import Segmentation
from layerwise.training.machine import Pace

Value = TypeVar("Value")


class Run:
    """A run folder, opened. Everything is read when it is first used; nothing but `evaluate` writes.

    Use `Run.open('latest')`, or what `layerwise.train` returns.
    """

    def __init__(self, folder: RunFolder, module: nn.Module | None = None, dataset: Dataset | None = None) -> None:
        self.folder = folder
        self._module = module
        self._dataset = dataset

    @staticmethod
    def open(
        reference: str | Path = "latest",
        *,
        runs: str | Path | None = None,
        model: nn.Module | None = None,
        data: Dataset | None = None,
    ) -> Run:
        """Open a run by its path, name, the unique beginning of its name, or 'latest'.

        Args:
            model: the module of your own that was trained, if it was; catalogue models are built anew.
            data: the Dataset of your own that it was trained on, if it was; other data is loaded anew.

        Raises:
            NotFoundError: there is no such run; the nearest name is suggested.
        """
        return Run(RunFolder.open(str(reference), runs_parent(runs)), model, data)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def status(self) -> str:
        """created, running, paused, finished, diverged or failed."""
        return str(self.folder.status()["status"])

    @cached_property
    def experiment(self) -> Experiment:
        return self._read("experiment.json", Experiment.from_json)

    @cached_property
    def pace(self) -> Pace:
        return self._read("pace.json", Pace.from_json)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What was learned of the data: name, goal, shapes, classes, fingerprint, notices."""
        return self._read("data.json", checked_facts)

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
        return self._read("data.json", lambda facts: task_from_json(facts["task"]))

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
        facts = self.facts
        if self._module is None and self.experiment.model not in CATALOGUE:
            raise UsageError(
                f"run {self.name} holds the network '{self.experiment.model}', which is not in the catalogue; if it is "
                f"a module of your own, use Run.open('{self.name}', model=...) in Python."
            )
        model = self._module or build(
            self.experiment.model,
            tuple(facts["input_shape"]),
            facts["output_count"],
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

    def predict(self, *sources: str | Path) -> list[dict[str, Any]]:
        """Answer for raw files: pictures, folders of pictures, tables, texts, prepared exactly as in training.

        Returns:
            One dict a sample: 'id', and 'label', 'probability', 'probabilities', the predicted values, or the 'shares'
            of the classes among the pixels. The id is the picture's name, its path in the folder, or the row of the
            table; among several sources, with the source.

        Raises:
            NotFoundError, DataError: a file is missing or is not what the network was trained on.
        """
        if not sources:
            raise UsageError("nothing to predict; name a file or folder, as in `layerwise predict latest picture.png`.")
        answers: list[dict[str, Any]] = []
        for source in sources:
            if isinstance(self.task, Segmentation):  # pictures keep their size, whatever it is
                decoded = segment_files(self, Path(source))
                ids = [answer.pop("id") for answer in decoded]
            else:
                inputs, ids = self.preprocessing.read(Path(source))
                decoded = self.answers(inputs)
            if len(sources) > 1:
                ids = [id_of(Path(source), name) for name in ids]
            answers += [{"id": name, **answer} for name, answer in zip(ids, decoded, strict=True)]
        return answers

    def write(self, prompt: str, **how: Any) -> str:
        """Return what the network writes behind `prompt`; `experiments.writing.stream` gives it piece by piece.

        Args:
            how: tokens (at most so many), temperature, top_k, top_p and seed.

        Raises:
            UsageError: the run was not trained to write, the prompt is empty or too long, or a value cannot work.
        """
        return "".join(stream(self, prompt, **how))

    def segment(self, picture: str | Path | NDArray[np.uint8]) -> Segments:
        """Say of each pixel of a picture of any size what it is: `.mask`, `.shares`, `.save_overlay(path)`.

        picture: a file, or (height, width, 3) or (height, width) uint8 values.

        Raises:
            UsageError: the run learned something else than masks.
            NotFoundError, DataError: the file is missing or no picture.
        """
        return segment(self, picture)

    def sample(self, count: int = 64, seed: int = 0) -> Tensor:
        """Paint new pictures by a VAE or GAN: (count, channels, height, width) uint8; the seed decides which.

        Raises:
            UsageError: the run's network does not paint, or a number cannot work.
        """
        from layerwise.experiments.sampling import sample

        return sample(self, count, seed)

    def walk(self, stations: int = 8, steps: int = 12, seed: int = 0) -> Tensor:
        """Paint on a walk over so many codes and back, `steps` pictures from each to the next, as `sample` does."""
        from layerwise.experiments.sampling import walk

        return walk(self, stations, steps, seed)

    def answers(self, compact: Tensor) -> list[dict[str, Any]]:
        """Return what the network says of compact samples, one dict a sample."""
        with torch.inference_mode():
            parts = [self.preprocessing.prepare(part) for part in compact.split(EVALUATION_BATCH)]
            answers = [answer for part in parts for answer in self.task.answer(self.model, part)]
        if isinstance(self.preprocessing, PairsPreprocessing):
            return [{"translation": self.preprocessing.decode(answer["tokens"])} for answer in answers]
        return answers

    def translate(self, *texts: str, beam: int = 1) -> list[str]:
        """Return the translation of each text.

        Args:
            beam: beginnings that are kept while a text is written; 1 takes the likeliest token at each step.

        Raises:
            UsageError: the network was not trained to translate, there is no text, or the beam is below 1.
            DataError: a text is empty, or longer than all that the network learned from.
        """
        return translate(self, texts, beam)

    def attention(self, text: str, translation: str | None = None) -> Alignment:
        """Return which tokens of a text the network looked at while it wrote its own or a given translation of it."""
        return attention(self, text, translation)

    def outputs(self, compact: Tensor) -> Tensor:
        """Return the network's raw outputs for compact samples, (samples, outputs) float32."""
        with torch.inference_mode():
            parts = [self.model(self.preprocessing.prepare(part)).float() for part in compact.split(EVALUATION_BATCH)]
        return torch.cat(parts)

    def dataset(self) -> Dataset:
        """Load the data of this run again, with the same splits."""
        dataset = self._dataset or load(self.experiment.data, self.experiment.training.seed)
        self.check_same_data(dataset)
        return dataset

    def subject(self, split: Split, beam: int = 1) -> Subject:
        """Return the network with a split that it can be measured on. beam: for translators, see `translate`."""
        return Subject(self.model, self.task, self.preprocessing, split, self.dataset, beam)

    def evaluate_split(self, split: Split, beam: int = 1) -> Result:
        """Measure the network on a split."""
        with torch.inference_mode():
            return measure(self.subject(split, beam))

    def check_same_data(self, dataset: Dataset) -> None:
        """Raises DataError if `dataset` is not what the run was started with."""
        if fingerprint(dataset) != self.facts["fingerprint"]:
            raise DataError(
                f"the data '{self.experiment.data.data}' is not what run {self.name} was started with "
                f"({in_words(self.facts['sizes'])} then, {in_words(sizes_of(dataset))} now; if they are equal, "
                "the values differ); "
                "put the old data back, or start a new run."
            )


def checked_facts(facts: Any) -> dict[str, Any]:
    """Return what was learned of the data. Raises KeyError, TypeError or ValueError where it cannot be that."""
    sizes = (*facts["input_shape"], facts["output_count"])
    if not all(type(size) is int and size >= 1 for size in sizes):
        raise ValueError(f"the sizes of samples and outputs are {sizes}")
    classes = facts["task"].get("classes", [""] * facts["output_count"])
    if len(classes) != facts["output_count"]:
        raise ValueError(f"{len(classes)} classes for {facts['output_count']} outputs")
    return {**facts, "fingerprint": facts["fingerprint"]}


def id_of(source: Path, name: str) -> str:
    """Return the name of a sample with its source, 'more/cats/1.png' or 'table.csv, line 2'."""
    if source.is_dir():
        return (source / name).as_posix()
    return str(source) if name == source.name else f"{source}, {name}"


def sizes_of(dataset: Dataset) -> dict[str, int]:
    """Return the number of samples of each split."""
    return {"train": len(dataset.train), "valid": len(dataset.valid), "test": len(dataset.test)}


def in_words(sizes: Mapping[str, int]) -> str:
    """Return {'train': 8, 'valid': 1} as '8 train and 1 valid samples'."""
    counts = [f"{count} {name}" for name, count in sizes.items()]
    return f"{', '.join(counts[:-1])} and {counts[-1]} samples"
