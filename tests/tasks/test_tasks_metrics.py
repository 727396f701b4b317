"""One table of metrics: every figure of a task is in it, and the best epoch is chosen by its directions."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import pytest

import layerwise
from layerwise.tasks.classification import Classification
from layerwise.tasks.metrics import METRICS, headline, is_share, label_of, score_by

TASKS = Path(layerwise.__file__).parent / "tasks"
HIGHER = {"bleu", "mean_iou", "accuracy", "r2", "pixel_accuracy", "class_accuracy"}
LOWER = {"bits_per_byte", "squared_error", "frechet", "loss", "mae", "rmse"}
NEITHER = {"kl_divergence", "accuracy_on_real", "accuracy_on_generated"}


def test_each_metric_has_its_direction() -> None:
    assert {name for name, metric in METRICS.items() if metric.is_higher_better is True} == HIGHER
    assert {name for name, metric in METRICS.items() if metric.is_higher_better is False} == LOWER
    assert {name for name, metric in METRICS.items() if metric.is_higher_better is None} == NEITHER


def test_every_metric_that_a_task_computes_is_in_the_table() -> None:
    computed = set()
    for path in TASKS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name in ("metrics", "evaluate", "figures"):
                names = [key for one in ast.walk(node) if isinstance(one, ast.Dict) for key in one.keys]
                computed |= {key.value for key in names if isinstance(key, ast.Constant)}
    assert {"loss", "accuracy", "rmse", "bits_per_byte", "squared_error"} <= computed
    assert computed <= set(METRICS)


def test_of_two_epochs_the_better_one_has_the_larger_score() -> None:
    task = Classification(("a", "b"))
    assert task.score({"accuracy": 0.9, "loss": 0.5}) > task.score({"accuracy": 0.8, "loss": 0.1})
    assert task.score({"accuracy": 0.9, "loss": 0.1}) > task.score({"accuracy": 0.9, "loss": 0.5})
    assert score_by({"rmse": 1.0}, "rmse") > score_by({"rmse": 2.0}, "rmse")


@pytest.mark.parametrize(("name", "better", "worse"), [("accuracy", 0.9, 0.8), ("loss", 0.8, 0.9)])
def test_a_bound_is_reached_from_its_better_side(name: str, better: float, worse: float) -> None:
    metric = METRICS[name]
    assert metric.is_at_least_as_good(better, better)
    assert metric.is_at_least_as_good(better, worse)
    assert not metric.is_at_least_as_good(worse, better)
    assert not metric.is_at_least_as_good(math.nan, better)


def test_what_has_no_better_end_cannot_be_a_bound() -> None:
    with pytest.raises(ValueError, match="KL divergence has no better end"):
        METRICS["kl_divergence"].is_at_least_as_good(1.0, 2.0)


def test_the_headline_is_what_says_most() -> None:
    assert headline({"loss": 1.0, "accuracy": 0.5, "bits_per_byte": 2.0}) == "bits_per_byte"
    assert headline({"rmse": 1.0, "loss": 1.0, "r2": 0.5}) == "r2"
    assert headline({"mine": 1.0}) is None


def test_metrics_of_tasks_of_ones_own_keep_their_names() -> None:
    assert (label_of("mean_iou"), label_of("mine")) == ("mean IoU", "mine")
    assert is_share("mean_iou")
    assert not is_share("mine")
