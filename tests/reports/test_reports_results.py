"""Evaluations against scikit-learn, scipy and the definitions."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as oracle

from layerwise.errors import DataError
from layerwise.reports.results import evaluate_outputs, result_from_json
from layerwise.reports.results.classification import WORST_COUNT, calibrate, wilson_interval
from layerwise.tasks import Classification, Regression


def random_classifier(seed: int, rows: int, classes: int):
    """Logits and labels in which most answers are right, with a class that may be missing."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (rows,), generator=draw)
    logits = torch.randn(rows, classes, generator=draw) + 2 * torch.eye(classes)[labels]
    task = Classification(tuple(f"class {number}" for number in range(classes)))
    return task, logits, labels, [f"row {row}" for row in range(rows)]


def random_regression(seed: int, rows: int = 80):
    """Standardised outputs and targets of two quantities of very different units."""
    draw = torch.Generator().manual_seed(seed)
    targets = torch.randn(rows, 2, generator=draw)
    outputs = targets + 0.3 * torch.randn(rows, 2, generator=draw)
    task = Regression(("price", "age"), means=(1000.0, 40.0), deviations=(250.0, 8.0))
    return task, outputs, targets, [f"row {row}" for row in range(rows)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 300), st.integers(2, 12))
def test_classification_figures_equal_scikit_learns(seed, rows, classes):
    task, logits, labels, ids = random_classifier(seed, rows, classes)
    result = evaluate_outputs(task, logits, labels, ids)
    named = logits.argmax(1).numpy()
    every = range(classes)
    assert result.accuracy == pytest.approx(oracle.accuracy_score(labels, named))
    assert result.confusion == tuple(map(tuple, oracle.confusion_matrix(labels, named, labels=list(every)).tolist()))
    precision, recall, f1, support = oracle.precision_recall_fscore_support(
        labels, named, labels=list(every), zero_division=0
    )
    assert [score.precision for score in result.classes] == pytest.approx(precision)
    assert [score.recall for score in result.classes] == pytest.approx(recall)
    assert [score.f1 for score in result.classes] == pytest.approx(f1)
    assert [score.support for score in result.classes] == support.tolist()
    assert result.macro["recall"] == pytest.approx(recall[support > 0].mean())
    probabilities = logits.double().softmax(1).numpy()
    assert result.loss == pytest.approx(oracle.log_loss(labels, probabilities, labels=list(every)))


@given(st.integers(0, 400), st.integers(1, 400))
def test_the_interval_is_wilsons(right, count):
    right = min(right, count)
    reference = binomtest(right, count).proportion_ci(method="wilson")
    assert wilson_interval(right, count) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    right = np.array([True, False, True, True])
    bins, error = calibrate(confidence, right, bin_count=10)
    assert error == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)
    assert [(part.count, part.accuracy) for part in bins if part.count] == [(2, 1.0), (2, 0.5)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 200))
def test_every_answer_is_in_the_bin_that_its_probability_says(seed, rows):
    task, logits, labels, ids = random_classifier(seed, rows, 3)
    result = evaluate_outputs(task, logits, labels, ids)
    sure = logits.double().softmax(1).amax(1)
    for part in result.calibration:
        assert part.count == int(((sure > part.low) & (sure <= part.high)).sum())
    assert 0 <= result.calibration_error <= 1


def test_the_worst_are_the_wrong_ones_with_the_surest_first():
    task, logits, labels, ids = random_classifier(3, 400, 4)
    result = evaluate_outputs(task, logits, labels, ids)
    sure = [mistake.probability for mistake in result.worst]
    assert sure == sorted(sure, reverse=True)
    assert len(result.worst) == WORST_COUNT
    for mistake in result.worst:
        assert mistake.truth == task.classes[labels[mistake.position]] != mistake.given
        assert mistake.id == ids[mistake.position]
    probabilities = logits.double().softmax(1)
    wrong = probabilities.argmax(1) != labels
    assert result.worst[0].probability == pytest.approx(probabilities.amax(1)[wrong].max().item(), rel=1e-5)


def test_a_perfect_classifier_has_no_worst_and_an_interval_below_one():
    task = Classification(("a", "b"))
    result = evaluate_outputs(task, 10 * torch.eye(2), torch.arange(2), ["x", "y"])
    assert result.worst == ()
    assert result.accuracy == 1
    assert result.accuracy_low < 1 == result.accuracy_high


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 200))
def test_regression_figures_equal_scikit_learns_and_the_tasks(seed, rows):
    task, outputs, targets, ids = random_regression(seed, rows)
    result = evaluate_outputs(task, outputs, targets, ids)
    truth, answers = task.in_units(targets).numpy(), task.in_units(outputs).numpy()
    assert result.r2 == pytest.approx(oracle.r2_score(truth, answers))
    assert result.mae == pytest.approx(oracle.mean_absolute_error(truth, answers))
    errors = oracle.root_mean_squared_error(truth, answers, multioutput="raw_values")
    assert [score.rmse for score in result.targets] == pytest.approx(errors)
    measured = task.metrics(outputs, targets)
    assert {name: getattr(result, name) for name in measured} == pytest.approx(measured, rel=1e-4)


def test_residuals_are_signed_and_the_worst_are_compared_in_deviations():
    task = Regression(("price", "age"), means=(0.0, 0.0), deviations=(100.0, 1.0))
    targets = torch.zeros(3, 2)
    outputs = torch.tensor([[0.5, 0.0], [0.0, -2.0], [0.0, 0.1]])
    result = evaluate_outputs(task, outputs, targets, ["a", "b", "c"])
    first, second = result.worst[:2]
    assert (first.id, first.target, first.residual) == ("b", "age", -2.0)
    assert (second.id, second.target, second.residual) == ("a", "price", 50.0)


def test_a_constant_target_gives_finite_figures_as_in_scikit_learn():
    task = Regression(("y",), (5.0,), (1.0,))
    zeros = torch.zeros(4, 1)
    assert evaluate_outputs(task, zeros, zeros, list("abcd")).r2 == 1
    assert evaluate_outputs(task, zeros + 1, zeros, list("abcd")).r2 == 0


@pytest.mark.parametrize("make", [lambda: random_classifier(1, 90, 5), lambda: random_regression(1)])
def test_an_evaluation_survives_json(make):
    result = evaluate_outputs(*make())
    assert result_from_json(json.loads(json.dumps(result.to_json(), allow_nan=False))) == result


def test_points_for_plots_are_limited_and_real_samples():
    task, outputs, targets, ids = random_regression(2, rows=5000)
    result = evaluate_outputs(task, outputs, targets, ids)
    truths = set(task.in_units(targets)[:, 0].tolist())
    assert len(result.targets[0].points) == 1000
    assert all(truth in truths for truth, _ in result.targets[0].points)


def test_no_samples_and_uneven_lengths_are_refused_in_a_sentence():
    task = Classification(("a", "b"))
    with pytest.raises(DataError, match="no sample"):
        evaluate_outputs(task, torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), [])
    with pytest.raises(DataError, match="2, 2 and 1"):
        evaluate_outputs(task, torch.zeros(2, 2), torch.zeros(2, dtype=torch.int64), ["x"])
