"""What every kind of result can say of itself, and what it is measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from torch import Tensor, nn

from layerwise.data.batches import Batch, Batches
from layerwise.data.dataset import Dataset, Notice, Preprocessing, Split
from layerwise.tasks import Task, collect_outputs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Tile = tuple[str, str, str]  # a value, what it is, and the small print
Rows = tuple[Sequence[str], Sequence[Sequence[object]]]  # the columns of a table, and its rows
MEASURING_BATCH = 512


@dataclass(frozen=True)
class EvaluationInput:
    """A trained network, in evaluation mode, with the split that it is measured on.

    beam: beginnings that a translator keeps while it writes; 1 takes the likeliest token at each step.
    data: gives the data set that it was trained on, loaded where it is not at hand.
    """

    model: nn.Module
    task: Task
    preprocessing: Preprocessing
    split: Split
    data: Callable[[], Dataset]
    beam: int = 1

    def batches(self) -> Iterable[Batch]:
        """Return the split from its beginning, prepared, in its own order."""
        return Batches(self.split, self.preprocessing, MEASURING_BATCH).epoch(0)

    def outputs(self) -> tuple[Tensor, Tensor]:
        """Return the raw outputs of a network that gives one tensor, float32, and the targets, in order."""
        return collect_outputs(self.model, self.batches())


class ReportContext(Protocol):
    """What a result may show of the network that it is of, beside its figures; folder: the run's, if there is one."""

    @property
    def dataset(self) -> Dataset: ...
    @property
    def model(self) -> nn.Module: ...
    @property
    def split(self) -> Split: ...
    @property
    def folder(self) -> Path | None: ...


class Result(Protocol):
    """The figures of a trained network on one split: frozen plain numbers that survive JSON.

    task: the name of the task. count: samples that were measured.
    """

    task: ClassVar[str]

    @property
    def count(self) -> int: ...

    @property
    def metrics(self) -> Mapping[str, float]:
        """The headline figures under the names that the task gives them while training."""
        ...

    @property
    def summary(self) -> Mapping[str, float]:
        """The figures that fit on a line, kept as 'test' in result.json."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values, and the task under 'task'."""
        ...

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` described."""
        ...

    def sentence(self, samples: str, who: str = "It") -> str:
        """Say how good the network is. samples: such as '360 pictures that it never saw'. who: what to call it."""
        ...

    def lines(self) -> list[str]:
        """Return the figures as `layerwise evaluate` prints them."""
        ...

    def table(self) -> Rows | None:
        """Return a row a class or target, for printing; None where there is nothing to list."""
        ...

    def examples(self) -> tuple[str, Sequence[str]]:
        """Return samples worth a look, a line each, and what they are; no lines where there are none."""
        ...

    def tiles(self) -> list[Tile]:
        """Return the figures that are looked for first."""
        ...

    def notices(self) -> Iterator[Notice]:
        """Yield what the figures say in words, each with the numbers."""
        ...

    def section(self, context: ReportContext) -> str:
        """Return the part of the report that shows where the network is right and where not, as HTML."""
        ...

    def drawings(self, evaluation_input: EvaluationInput) -> Iterator[tuple[str, Figure]]:
        """Yield the name and the figure of each picture that `layerwise evaluate` writes."""
        ...
