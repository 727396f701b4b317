"""What turns a model's raw outputs into meaning: the loss, the metrics and the decoded result.

Names are loaded when they are first used, so that the flags of a task (`TaskConfig`) need no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerwise.tasks.catalogue import TASKS as TASKS
    from layerwise.tasks.catalogue import task_from_json as task_from_json
    from layerwise.tasks.catalogue import task_name as task_name
    from layerwise.tasks.catalogue import task_to_json as task_to_json
    from layerwise.tasks.classification import Classification as Classification
    from layerwise.tasks.regression import Regression as Regression
    from layerwise.tasks.task import Task as Task
    from layerwise.tasks.task import collect_outputs as collect_outputs

_HOMES = {
    "TASKS": "layerwise.tasks.catalogue",
    "Classification": "layerwise.tasks.classification",
    "Regression": "layerwise.tasks.regression",
    "Task": "layerwise.tasks.task",
    "collect_outputs": "layerwise.tasks.task",
    "task_from_json": "layerwise.tasks.catalogue",
    "task_name": "layerwise.tasks.catalogue",
    "task_to_json": "layerwise.tasks.catalogue",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'layerwise.tasks' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
