"""A data set: three splits of raw samples, the preprocessing that made them, and what was noticed on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from layerwise.data.inputs import Source
from layerwise.errors import DataError

Kind = Literal["images", "table", "bag_of_words", "series", "characters", "pairs", "text"]
TaskName = Literal[
    "classification", "regression", "segmentation", "translation", "language_modeling", "sequence_tagging"
]

WITH_ARTICLE: dict[Kind, str] = {
    "images": "a set of pictures",
    "table": "a table",
    "bag_of_words": "a set of texts",
    "series": "a set of series",
    "characters": "a set of short texts",
    "pairs": "a table of pairs of texts (.pairs.tsv)",
    "text": "a long text",
}

UNLABELLED = 255  # the value of pixels in a mask that nobody has judged


@runtime_checkable
class Rows(Protocol):
    """Samples that are read when they are asked for, because together they do not fit in memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Tensor) -> Tensor:
        """Return the samples at `indices` (int64, one dimension) as one raw tensor, in that order."""
        ...


@dataclass(frozen=True)
class Split:
    """Samples with their targets, in a fixed order.

    Parameters
    ----------
    inputs : Tensor or Rows
        Raw samples, which a preprocessing turns into the input of a network: (n, channels, height, width) uint8 for
        pictures, (n, features) for tables and counted words, (n, time, channels) float32 for series, padded by NaN,
        (n, time) int64 for characters and tokens, padded by 0.
    targets : Tensor
        (n,) int64 class numbers, (n, outputs) float32 values, standardised, (n, height, width) uint8 masks in which
        255 is of no class, or (n, time) int64 tokens or classes of each step.
    ids : sequence of str
        A stable name of each sample (path, row, text), for messages and for the worst errors.

    Examples
    --------
    >>> import torch
    >>> split = Split(torch.eye(3), torch.tensor([0, 1, 1]), ["a", "b", "c"])
    >>> inputs, targets = split.take(torch.tensor([2, 0]))
    >>> targets
    tensor([1, 0])
    """

    inputs: Tensor | Rows
    targets: Tensor
    ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the raw inputs and the targets of some samples.

        Parameters
        ----------
        indices : Tensor, (k,) int64
            Which samples, in the order in which they come.

        Returns
        -------
        inputs, targets : Tensor
            The first dimension of both is k.
        """
        return self.inputs[indices], self.targets[indices]


@dataclass(frozen=True)
class Labels:
    """What a trained network answers, which decides how labelled samples are read for it.

    Parameters
    ----------
    task : str
        What it learned of its data.
    classes : tuple of str
        Names in the order of its outputs; empty where any will do, as for a network that reconstructs pictures.
    output_count : int
        Outputs of the network; of a forecast, its steps.
    owner : str
        What messages call the network.
    """

    task: TaskName
    classes: tuple[str, ...] = ()
    output_count: int = 1
    owner: str = "the network"

    def encode(self, names: Sequence[str], source: str) -> Tensor:
        """Return the number of each sample's class, (n,) int64. Raises as `number` does."""
        classes = self.classes or tuple(sorted(set(names)))
        self._check(names, source)
        numbers = {name: number for number, name in enumerate(classes)}
        return torch.tensor([numbers[name] for name in names], dtype=torch.int64)

    def number(self, split: Split, classes: Sequence[str], source: str) -> Split:
        """Return a split whose targets are numbers of `classes` with those of `self.classes` in their place.

        Raises DataError for a class that the network was not trained on.
        """
        if not self.classes:
            return split
        self._check(classes, source)
        numbers = torch.arange(UNLABELLED + 1 if self.task == "segmentation" else len(classes))  # 255 stays so
        numbers[: len(classes)] = torch.tensor([self.classes.index(name) for name in classes])
        return replace(split, targets=numbers[split.targets.long()].to(split.targets.dtype))

    def _check(self, classes: Sequence[str], source: str) -> None:
        unknown = sorted(set(classes) - set(self.classes))
        if unknown and self.classes:
            raise DataError(
                f"{source} has the class '{unknown[0]}', which {self.owner} was not trained on; "
                f"its classes are {', '.join(self.classes[:10])}{', ...' if len(self.classes) > 10 else ''}."
            )


class Transform(Protocol):
    """From raw samples to the numbers that a network takes: all that a training needs of a Preprocessing."""

    @property
    def kind(self) -> Kind:
        """Which kind of data this prepares; saved, to find the class again."""
        ...

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one prepared sample, without the batch: (channels, height, width), (features,) or (time, channels).

        Tokens count as steps of as many channels as there are tokens, of which one is 1.
        """
        ...

    def transform(self, inputs: Tensor) -> Tensor:
        """Turn raw samples into network inputs, float32 or token numbers, on whatever device they are."""
        ...


class Preprocessing(Transform, Protocol):
    """From a raw file to the numbers that a network takes; fitted on the training split alone, saved with the run."""

    def read(self, source: Source, name: str = "") -> tuple[Tensor, list[str]]:
        """Read raw samples.

        Parameters
        ----------
        source : str, Path, bytes or values
            A file or a folder, the bytes of a file, or values in memory: pictures, rows, series, a list of texts.
        name : str
            What the bytes are called, such as 'cat.png'; messages use it, and its ending tells the format.

        Returns
        -------
        inputs : Tensor
            Raw samples for `transform`.
        ids : list of str

        Raises
        ------
        NotFoundError, DataError
            There is no such file, or it holds no such samples.
        """
        ...

    def read_labelled(self, source: Source, labels: Labels, name: str = "") -> Split:
        """Read raw samples with their true targets, to measure a network on.

        Parameters
        ----------
        source : str, Path, bytes or values
            As for `read`, with labels: a folder of class folders, a table with the target, pairs of a value and its
            label in a list.
        labels : Labels
            What the network answers; the targets are numbers of its classes, or values on its scale.
        name : str
            What the bytes are called.

        Raises
        ------
        NotFoundError, DataError
            There is no such file, it has no labels, or a class that the network was not trained on.
        """
        ...

    def to_json(self) -> dict[str, Any]:
        """Everything that is needed to rebuild this object, as plain JSON values; 'kind' says which class."""
        ...


@dataclass(frozen=True)
class Notice:
    """Something about the data that its user should know.

    Parameters
    ----------
    severity : {'info', 'warning'}
        A warning asks for a decision; an info says what was done.
    text : str
        One sentence with its evidence.
    """

    severity: Literal["info", "warning"]
    text: str


@dataclass(frozen=True)
class Dataset:
    """Named splits with their meaning. The test split is for the final evaluation and touches nothing else.

    `layerwise.load` makes one by a name or a path. For data and a preprocessing of your own, give the parts.

    Parameters
    ----------
    name : str
        What messages and reports call it.
    kind : {'images', 'table', 'bag_of_words', 'series', 'characters', 'pairs', 'text'}
        What a sample is.
    task : {'classification', 'regression', 'segmentation', 'translation', 'language_modeling', 'sequence_tagging'}
        What is to be learned of it.
    train, valid, test : Split
        To learn from, to choose the best epoch by, and for the final figures.
    preprocessing : Preprocessing
        From raw samples to the input of a network; fitted to the training split alone.
    classes : tuple of str
        Names of the classes, in the order of their numbers; empty where values or tokens are predicted.
    target_names : tuple of str
        Names of the values that are predicted.
    target_means, target_deviations : tuple of float
        Of each such value over the training split, in its own unit; targets are (value - mean) / deviation.
    source : str
        Where the data is from, in a sentence.
    notices : tuple of Notice
        What was noticed while it was read, divided and looked over.

    Examples
    --------
    >>> from layerwise import DataConfig, load
    >>> digits = load(DataConfig(data="digits"))
    >>> digits.sizes
    {'train': 1294, 'valid': 144, 'test': 359}
    >>> digits.input_shape, digits.output_count
    ((1, 8, 8), 10)
    """

    name: str
    kind: Kind
    task: TaskName
    train: Split
    valid: Split
    test: Split
    preprocessing: Preprocessing
    classes: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    target_means: tuple[float, ...] = ()
    target_deviations: tuple[float, ...] = ()
    source: str = ""
    notices: tuple[Notice, ...] = ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one prepared sample, without the batch."""
        return self.preprocessing.input_shape

    @property
    def sizes(self) -> dict[str, int]:
        """Number of samples of each split."""
        return {"train": len(self.train), "valid": len(self.valid), "test": len(self.test)}

    @property
    def output_count(self) -> int:
        """Number of raw outputs a model needs: one a class, a predicted value, or a token that may be written."""
        if self.task in ("translation", "language_modeling"):
            return int(self.preprocessing.output_count)  # type: ignore[attr-defined]
        return len(self.target_names) if self.task == "regression" else len(self.classes)

    def class_counts(self, split: Split) -> list[int]:
        """Return the number of samples of each class.

        Parameters
        ----------
        split : Split
            One of the three.

        Returns
        -------
        list of int
            In the order of `classes`.
        """
        return torch.bincount(split.targets, minlength=len(self.classes)).tolist()
