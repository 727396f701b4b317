"""Every option of a training does something: set to another legal value, it changes the saved JSON and the run."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

from layerwise.experiments.experiment import SECTIONS, Experiment
from layerwise.experiments.setup import set_up
from layerwise.fields import Field, fields_of
from layerwise.training import loop
from layerwise.training.events import Evaluated
from legal_values import others

FIELDS = [(section, field) for section, kind in SECTIONS.items() for field in fields_of(kind)]
CHOSEN = {  # what no domain gives: names, a penalty that goes with a strength, a limit with enough samples
    "data": "wine", "target": "price", "split_column": "day", "augment": "flip", "penalty": "elastic", "limit": 60,
}  # fmt: skip

# What a short training on a table needs beside an option, so that the option has a part in it.
TABLE: dict[str, Any] = {"data": "iris", "hidden": (4,), "epochs": 3, "batch_size": 16, "threads": 1, "compile": "no"}
RUNS: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("data", "valid", "test", "mixup", "limit", "label_smoothing", "weight_decay", "epochs")},
    **{name: {} for name in ("batch_size", "optimizer", "learning_rate", "schedule", "ema_decay", "seed")},
    "momentum": {"optimizer": "momentum"},
    "warmup": {"epochs": 4},
    "clip_norm": {"learning_rate": 0.1, "optimizer": "sgd"},
    "penalty": {"penalty": "l1", "penalty_strength": 0.01},
    "penalty_strength": {"penalty": "l2", "penalty_strength": 0.01},
    "mix": {"penalty": "elastic", "penalty_strength": 0.01},
}
OPTIONS_OF_THE_SAME_RUN = {  # the weights are the same, or no short training of a table shows the difference
    "accumulation_steps": "the step is that of the whole batch",
    "patience": "it ends a run that no longer gets better",
    **dict.fromkeys(("target", "split_by", "split_column"), "for tables of the user's own"),
    **dict.fromkeys(("image_size", "augment", "pretrained"), "for images"),
    **dict.fromkeys(("window", "horizon", "vocabulary"), "for series and texts"),
    **dict.fromkeys(("beta", "relativistic", "gradient_penalty", "class_weights"), "for other tasks"),
    **dict.fromkeys(("device", "precision", "compile", "memory_format", "threads"), "how the same is computed"),
    "checkpoint_every_s": "how often it is saved",
}


def another(field: Field, value: Any) -> Any:
    """Return a legal value of a field that is not this one."""
    return CHOSEN[field.name] if field.name in CHOSEN else next(others(field, value))


def described(**options: Any) -> Experiment:
    return Experiment.of("mlp", {**TABLE, **options})


@cache
def outcome(options: tuple[tuple[str, Any], ...]) -> list[torch.Tensor]:
    """Return the weights and the validation figures of a short training."""
    setup = set_up(described(**dict(options)))
    told = [
        torch.tensor(list(event.metrics.values()))
        for event in loop.train(
            setup.model,
            setup.task,
            setup.train,
            setup.experiment.training,
            penalty=setup.experiment.penalty,
            valid=setup.valid,
            execution=setup.execution,
        )
        if isinstance(event, Evaluated)
    ]
    return [*(weight.detach().clone() for weight in setup.network.parameters()), *told]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return len(first) == len(second) and all(map(torch.equal, first, second))


def test_every_option_is_run_or_has_a_reason_not_to_be() -> None:
    assert {field.name for _, field in FIELDS} == {*RUNS, *OPTIONS_OF_THE_SAME_RUN}
    assert not set(RUNS) & set(OPTIONS_OF_THE_SAME_RUN)


@pytest.mark.parametrize(("section", "field"), FIELDS, ids=lambda one: getattr(one, "name", one))
def test_an_option_set_to_another_value_changes_its_line_of_the_saved_json_alone(section: str, field: Field) -> None:
    beside = RUNS.get(field.name, {})
    before = described(**beside).to_json()
    value = another(field, before[section][field.name])
    experiment = described(**{**beside, field.name: value})
    after = experiment.to_json()
    assert after[section][field.name] == value != before[section][field.name]
    changed = [(part, name) for part in SECTIONS for name in before[part] if before[part][name] != after[part][name]]
    assert changed == [(section, field.name)]
    assert Experiment.from_json(after) == experiment


@pytest.mark.parametrize("name", RUNS)
def test_an_option_set_to_another_value_changes_the_training(name: str) -> None:
    (section, field) = next((section, field) for section, field in FIELDS if field.name == name)
    beside = RUNS[name]
    value = another(field, described(**beside).to_json()[section][name])
    before = outcome(tuple(beside.items()))
    assert same(before, outcome.__wrapped__(tuple(beside.items()))), "the same options give the same bits"
    assert not same(before, outcome(tuple({**beside, name: value}.items())))
