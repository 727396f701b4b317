"""The tasks there are, by the names under which runs keep them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from layerwise.tasks.adversarial import Adversarial
from layerwise.tasks.classification import Classification
from layerwise.tasks.language_modeling import LanguageModeling
from layerwise.tasks.reconstruction import Reconstruction
from layerwise.tasks.regression import Regression
from layerwise.tasks.segmentation import Segmentation
from layerwise.tasks.sequence_tagging import SequenceTagging
from layerwise.tasks.task import Task
from layerwise.tasks.translation import Translation

TASKS: dict[str, type[Task]] = {
    "classification": Classification,
    "regression": Regression,
    "segmentation": Segmentation,
    "translation": Translation,
    "language_modeling": LanguageModeling,
    "sequence_tagging": SequenceTagging,
    "reconstruction": Reconstruction,
    "adversarial": Adversarial,
}


def task_name(task: Task) -> str:
    """Return the name under which this task is kept."""
    return next(name for name, kind in TASKS.items() if type(task) is kind)


def task_to_json(task: Task) -> dict[str, Any]:
    """Return the task's name and fields as plain JSON values."""
    return {"name": task_name(task), **asdict(task)}  # type: ignore[call-overload]


def task_from_json(values: Mapping[str, Any]) -> Task:
    """Rebuild what `task_to_json` described."""
    fields = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items() if key != "name"}
    task: Task = TASKS[values["name"]](**fields)
    return task
