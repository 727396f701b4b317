"""The tasks there are, by the names under which runs keep them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from layerwise.tasks.classification import Classification
from layerwise.tasks.regression import Regression
from layerwise.tasks.task import Task

TASKS: dict[str, type] = {"classification": Classification, "regression": Regression}


def task_to_json(task: Task) -> dict[str, Any]:
    """Return the task's name and fields as plain JSON values."""
    name = next(name for name, kind in TASKS.items() if type(task) is kind)
    return {"name": name, **asdict(task)}  # type: ignore[call-overload]


def task_from_json(values: Mapping[str, Any]) -> Task:
    """Rebuild what `task_to_json` described."""
    fields = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items() if key != "name"}
    task: Task = TASKS[values["name"]](**fields)
    return task
