"""A config takes what can work and refuses the rest in one sentence that names the flag."""

import subprocess
import sys
from dataclasses import fields

import pytest

from layerwise.errors import UsageError
from layerwise.training.config import MachineConfig, PenaltyConfig, TrainingConfig


@pytest.mark.parametrize(
    ("config", "values", "sentence"),
    [
        (
            TrainingConfig,
            {"learning_rate": -0.1},
            "`learning_rate` must be a positive number, received -0.1.",
        ),
        (TrainingConfig, {"learning_rate": 0}, "`learning_rate` must be a positive number, received 0."),
        (TrainingConfig, {"learning_rate": float("nan")}, "`learning_rate` .* received nan"),
        (TrainingConfig, {"learning_rate": float("inf")}, "`learning_rate` .* received inf"),
        (TrainingConfig, {"learning_rate": "fast"}, "`learning_rate` .* received 'fast'"),
        (TrainingConfig, {"learning_rate": True}, "`learning_rate` .* received True"),
        (TrainingConfig, {"epochs": 0}, "`epochs` must be a whole number of at least 1, received 0"),
        (TrainingConfig, {"epochs": 1.5}, "`epochs` .* received 1.5"),
        (TrainingConfig, {"batch_size": 0}, "`batch_size` must be .* or 'full', received 0"),
        (TrainingConfig, {"batch_size": "ful"}, "`batch_size` must be .* or 'full', received 'ful'"),
        (TrainingConfig, {"optimizer": "adm"}, "`optimizer` must be one of sgd, .* Did you mean 'adam'?"),
        (TrainingConfig, {"schedule": "cosin"}, "`schedule` must be .* Did you mean 'cosine'?"),
        (TrainingConfig, {"momentum": 1.0}, "`momentum` must be a number from 0 to below 1, received 1.0"),
        (TrainingConfig, {"warmup": 10, "epochs": 10}, r"`warmup` must be shorter than `epochs` \(10\)"),
        (TrainingConfig, {"accumulation_steps": 200}, r"`accumulation_steps` must be at most `batch_size` \(128\)"),
        (
            TrainingConfig,
            {"ema_decay": 1.0},
            r"`ema_decay` must be a number from 0 to below 1 \(0: no average\), such as 0.999",
        ),
        (TrainingConfig, {"seed": -1}, "`seed` must be a whole number"),
        (TrainingConfig, {"seed": 2**63}, "`seed` must be a whole number"),
        (PenaltyConfig, {"penalty": "l1", "penalty_strength": -1}, "`penalty_strength` must be 0 or a positive number"),
        (
            PenaltyConfig,
            {"penalty_strength": 0.1},
            "`penalty_strength` 0.1 needs a penalty to act on; add `penalty` l1",
        ),
        (PenaltyConfig, {"mix": 2}, "`mix` must be a number from 0"),
        (PenaltyConfig, {"penalty": "L1"}, "`penalty` must be one of none, l1, l2, elastic"),
        (PenaltyConfig, {"weight_decay": -0.1}, "`weight_decay` must be 0 or a positive number"),
        (
            MachineConfig,
            {"device": "gpu"},
            "`device` must be one of auto, cpu, cuda, cuda:1, mps, received 'gpu'. Did you mean 'cuda'",
        ),
        (MachineConfig, {"device": "cpu:1"}, "`device` must be"),
        (MachineConfig, {"device": "cuda:"}, "`device` must be"),
        (MachineConfig, {"precision": "flaot32"}, "`precision` must be one of .* Did you mean 'float32'?"),
        (MachineConfig, {"compile": "maybe"}, "`compile` must be one of auto, yes, no"),
        (MachineConfig, {"threads": -1}, "`threads` must be a whole number"),
    ],
)
def test_what_cannot_work_is_refused_by_a_sentence_that_names_the_flag(config, values, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        config(**values)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("config", [TrainingConfig, PenaltyConfig, MachineConfig])
def test_every_field_has_a_sentence_of_help_and_there_are_twelve_at_most(config):
    assert len(fields(config)) <= 12
    assert all(len(field.metadata["help"]) > 10 for field in fields(config))
    config()


def test_the_configs_are_read_without_torch():
    code = "import sys, layerwise.training.config; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_adamw_decays_by_itself():
    assert PenaltyConfig().decay("adamw") == 0.01
    assert PenaltyConfig().decay("adam") == 0.0
    assert PenaltyConfig(weight_decay=0.0).decay("adamw") == 0.0
    assert PenaltyConfig(weight_decay=0.1).decay("sgd") == 0.1


def test_mix_divides_the_strength_between_l1_and_l2():
    elastic = PenaltyConfig(penalty="elastic", penalty_strength=2.0, mix=0.25)
    assert (elastic.l1, elastic.l2) == (1.5, 0.5)
    assert (
        PenaltyConfig(penalty="l1", penalty_strength=2.0).l2
        == 0
        == PenaltyConfig(penalty="l2", penalty_strength=2.0).l1
    )
