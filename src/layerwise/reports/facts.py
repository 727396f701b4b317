"""What a report is told. Plain values, so that a report can be written of anything that was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from layerwise.data.dataset import Dataset, Notice, Split
from layerwise.reports.results.result import Result


class SummaryRow(Protocol):
    """One layer. output_shape: without the batch; receptive_field: pixels a side, None where it has no meaning."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def parameters(self) -> int: ...
    @property
    def multiply_adds(self) -> int: ...
    @property
    def receptive_field(self) -> Any: ...


class Summary(Protocol):
    """The layers of a network in the order in which they compute."""

    @property
    def rows(self) -> Sequence[SummaryRow]: ...


@dataclass(frozen=True)
class ReportFacts:
    """Everything a report shows.

    title: what was trained on what. run: how commands name the run. command: the literal command.
    experiment: sections of settings by name, such as {'training': {'epochs': 10}}; values shown as they are.
    asked: the options that the user gave, shown apart from defaults.
    dataset: with its three splits; `evaluation` is of its test split unless `split_name` says otherwise.
    records: the lines of metrics.jsonl. reason: why this model was picked, where the user named none.
    files: file name -> what it holds. notices: warnings beside those of the data set.
    elapsed_s: seconds of training, over all sessions. folder: the run's, None where there is none.
    """

    title: str
    run: str
    command: str
    dataset: Dataset
    model: nn.Module
    summary: Summary
    experiment: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Result | None = None
    split_name: str = "test"
    records: Sequence[Mapping[str, Any]] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    notices: Sequence[Notice] = ()
    reason: str = ""
    elapsed_s: float | None = None
    folder: Path | None = None

    @property
    def split(self) -> Split:
        """The split that was measured."""
        return {"train": self.dataset.train, "valid": self.dataset.valid}.get(self.split_name, self.dataset.test)
