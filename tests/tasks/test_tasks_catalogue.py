"""What every task has in common."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from layerwise.reports.results import RESULTS
from layerwise.tasks import TASKS, task_from_json, task_name, task_to_json
from layerwise.tasks.config import TaskConfig

EXAMPLES = {
    "classification": {"classes": ("cat", "dog"), "label_smoothing": 0.1},
    "regression": {"target_names": ("price",), "means": (3.0,), "deviations": (2.0,)},
    "segmentation": {"classes": ("sea", "land")},
    "language_modeling": {"token_bytes": (0, 1, 2)},
    "sequence_tagging": {"classes": ("name", "comment")},
    "reconstruction": {"means": (0.1,), "deviations": (0.3,), "beta": 0.5},
    "adversarial": {"means": (0.1,), "deviations": (0.3,)},
}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_survives_the_run_folder(name: str) -> None:
    task = TASKS[name](**EXAMPLES.get(name, {}))
    saved = json.loads(json.dumps(task_to_json(task)))
    assert task_name(task) == saved["name"] == name
    assert task_from_json(saved) == task


@pytest.mark.parametrize("name", TASKS)
def test_a_task_reads_only_options_that_a_user_can_set(name: str) -> None:
    assert {*TASKS[name].options} <= {field.name for field in fields(TaskConfig)}


def test_every_option_of_tasks_is_read_by_one() -> None:
    for field in fields(TaskConfig):
        assert any(field.name in task.options for task in TASKS.values()), field.name


def test_results_are_called_by_the_names_of_tasks() -> None:
    assert {*RESULTS} <= {*TASKS}
