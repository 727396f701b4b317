"""A run as its user sees it: a trained network with its figures, ready to predict, to be measured and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from layerwise.data.dataset import Dataset, Split
from layerwise.data.text.translation import PairPreprocessing
from layerwise.errors import UsageError
from layerwise.experiments.sampling import sample, walk
from layerwise.experiments.segments import Segments, segment, segment_files
from layerwise.experiments.setup import EVALUATION_BATCH
from layerwise.experiments.trained import Trained
from layerwise.experiments.translating import attention, translate
from layerwise.experiments.writing import stream
from layerwise.reports.alignments import Alignment
from layerwise.reports.results import EvaluationInput, Result, measure
from layerwise.runs.folder import RunFolder, runs_parent
from layerwise.tasks.segmentation import Segmentation


class Run(Trained):
    """A run folder, opened. Everything is read when it is first used; nothing but `evaluate` writes.

    Use `Run.open('latest')`, or what `layerwise.train` returns.
    """

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
            raise UsageError("nothing to predict; name a file or a folder, such as picture.png.")
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
        """Generate images by a VAE or GAN: (count, channels, height, width) uint8; the seed decides which.

        Raises:
            UsageError: the run's network generates no images, or a number cannot work.
        """
        return sample(self, count, seed)

    def walk(self, waypoints: int = 8, steps: int = 12, seed: int = 0) -> Tensor:
        """Interpolate over so many latents and back, `steps` images from each to the next, as `sample` does."""
        return walk(self, waypoints, steps, seed)

    def answers(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return what the network says of raw samples, one dict a sample."""
        with torch.inference_mode():
            parts = [self.preprocessing.transform(part) for part in raw.split(EVALUATION_BATCH)]
            answers = [answer for part in parts for answer in self.task.answer(self.model, part)]
        if isinstance(self.preprocessing, PairPreprocessing):
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

    def outputs(self, raw: Tensor) -> Tensor:
        """Return the network's raw outputs for raw samples, (samples, outputs) float32."""
        with torch.inference_mode():
            parts = [self.model(self.preprocessing.transform(part)).float() for part in raw.split(EVALUATION_BATCH)]
        return torch.cat(parts)

    def evaluation_input(self, split: Split, beam: int = 1) -> EvaluationInput:
        """Return the network with a split that it can be measured on. beam: for translators, see `translate`."""
        return EvaluationInput(self.model, self.task, self.preprocessing, split, self.dataset, beam)

    def evaluate_split(self, split: Split, beam: int = 1) -> Result:
        """Measure the network on a split."""
        with torch.inference_mode():
            return measure(self.evaluation_input(split, beam))


def id_of(source: Path, name: str) -> str:
    """Return the name of a sample with its source, 'more/cats/1.png' or 'table.csv, line 2'."""
    if source.is_dir():
        return (source / name).as_posix()
    return str(source) if name == source.name else f"{source}, {name}"
