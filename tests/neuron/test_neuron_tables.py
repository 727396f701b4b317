"""The tables agree with each other, with torch, with the words of the rest of Layerwise, and with calculus."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_oracle import MODULES

from layerwise.layers.activations import ACTIVATIONS as LAYERS
from layerwise.neuron.engine.configs import OPTIMIZERS
from layerwise.neuron.tables.activations import ACTIVATIONS
from layerwise.neuron.tables.losses import LOSSES, TARGETS
from layerwise.neuron.tables.penalties import PENALTIES
from layerwise.neuron.tables.schedules import SCHEDULES, rates_of
from layerwise.training import config as training
from layerwise.training.schedules import rate_at


def test_names_are_those_of_layers_and_of_training():
    assert set(LAYERS) <= set(ACTIVATIONS)
    assert tuple(training.OPTIMIZERS) == OPTIMIZERS
    assert list(training.PENALTIES) == list(PENALTIES)
    assert set(SCHEDULES) == set(training.SCHEDULES) - {"one-cycle", "plateau", "inverse-root"}
    assert {loss.targets for loss in LOSSES.values()} == set(TARGETS)
    assert all(loss.link in ACTIVATIONS for loss in LOSSES.values())


@pytest.mark.parametrize("row", ACTIVATIONS.values(), ids=lambda row: row.name)
def test_an_activation_has_the_value_and_derivative_of_torch(row):
    z = np.random.default_rng(0).normal(size=(50, 6)) * 4
    rows = z.reshape(50, 3, 2) if row.name == "maxout" else z
    given = torch.tensor(z, requires_grad=True)
    value = MODULES[row.name]()(given)
    assert row.value(rows) == pytest.approx(value.detach().numpy(), rel=1e-12, abs=1e-14)
    if row.elementwise:
        assert row.derivative(z) == pytest.approx(
            torch.autograd.grad(value.sum(), given)[0].numpy(), rel=1e-9, abs=1e-12
        )
        assert torch.equal(row.value(given), torch.as_tensor(row.value(given)))
        assert row.slope(given, value).detach().numpy() == pytest.approx(row.derivative(z), rel=1e-9, abs=1e-12)
    else:
        jacobian = torch.autograd.functional.jacobian(lambda one: MODULES[row.name]()(one), given[0].detach()).numpy()
        ours = row.derivative(rows[0])
        expected = ours if row.name == "softmax" else np.array([np.kron(np.eye(3)[j], ours[j]) for j in range(3)])
        assert jacobian == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("row", [row for row in ACTIVATIONS.values() if row.elementwise], ids=lambda row: row.name)
def test_an_activation_stays_in_its_range_and_keeps_its_type_without_a_warning(row):
    z = np.linspace(-200, 200, 4001, dtype=np.float32)
    value, slope = row.value(z), row.derivative(z)
    assert value.dtype == slope.dtype == np.float32
    assert row.range[0] - 1e-5 <= value.min() <= value.max() <= row.range[1] + 1e-5
    assert np.isfinite(slope).all()


@given(o=st.floats(-30, 30), y=st.sampled_from([-1.0, 0.0, 1.0, 2.5]), name=st.sampled_from(list(LOSSES)))
def test_the_slope_of_a_loss_is_what_central_differences_measure(o, y, name):
    loss = LOSSES[name]
    if not loss.elementwise or min(abs(o - y - kink) for kink in (-1, 0, 1)) < 1e-3 or abs(y * o) < 1e-3:
        return
    if abs(1 - y * o) < 1e-3:
        return
    o, y, step = np.array([o]), np.array([y]), 1e-6
    measured = (loss.value(o + step, y) - loss.value(o - step, y)) / (2 * step)
    assert loss.slope(o, y) == pytest.approx(measured, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("name", PENALTIES)
@given(penalty_strength=st.floats(0, 3), mix=st.floats(0, 1))
def test_a_penalty_has_the_factors_that_training_uses(name, penalty_strength, mix):
    ours = PENALTIES[name]
    theirs = training.PenaltyConfig(penalty=name, penalty_strength=0.0 if name == "none" else penalty_strength, mix=mix)
    penalty_strength = theirs.penalty_strength
    assert (ours.l1(penalty_strength, mix), ours.l2(penalty_strength, mix)) == (theirs.l1, theirs.l2)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_are_those_of_a_training(schedule):
    config = training.TrainingConfig(schedule=schedule, learning_rate=0.3)
    assert rates_of(schedule, 0.3, 5, 30, 40) == pytest.approx([rate_at(step, 40, 4, config) for step in range(5, 35)])
