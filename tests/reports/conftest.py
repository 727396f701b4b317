"""Facts to report: two trainings, and one whose names try to break out of the page."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_reports import diabetes_facts, digits_facts

from layerwise.data.dataset import Notice
from layerwise.reports.facts import ReportFacts
from layerwise.reports.results import evaluate_outputs
from layerwise.tasks import Classification


@pytest.fixture(scope="session")
def digits() -> ReportFacts:
    return digits_facts()


@pytest.fixture(scope="session")
def diabetes() -> ReportFacts:
    return diabetes_facts()


@pytest.fixture(scope="session")
def hostile(digits: ReportFacts) -> ReportFacts:
    """The digits with class names, ids and settings that try to break out of the page."""
    bad = '<script>alert("x")</script>&\'"$\\'
    names = tuple(f"{bad}{number}" for number in range(10))
    splits = [
        replace(split, ids=[f"{bad}/{name}" for name in split.ids])
        for split in (digits.dataset.train, digits.dataset.valid, digits.dataset.test)
    ]
    notice = Notice("warning", bad)
    train, valid, test = splits
    dataset = replace(
        digits.dataset, name=bad, classes=names, train=train, valid=valid, test=test, source=bad, notices=(notice,)
    )
    with torch.inference_mode():
        outputs = digits.model(dataset.preprocessing.transform(test.inputs))
    return replace(
        digits,
        title=bad,
        run=bad,
        command=bad,
        dataset=dataset,
        evaluation=evaluate_outputs(Classification(names), outputs, test.targets, test.ids),
        experiment={bad: {bad: bad}, "model": bad},
        options={bad: bad},
        environment={bad: bad},
        files={bad: bad},
        notices=[notice],
        reason=bad,
    )
