"""The learning rate as a function of the step; torch's schedulers are the oracle where they agree."""

import json
from dataclasses import asdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from layerwise.training.config import SCHEDULES, TrainingConfig
from layerwise.training.schedules import PlateauState, rate_at, warmup_steps

RATE = 0.1
STEPS = 100


def rates_of_torch(make_scheduler, steps=STEPS):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=RATE)
    scheduler = make_scheduler(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def linear_up_then(after, rise):
    def make(optimizer):
        up = lr_scheduler.LinearLR(optimizer, start_factor=1 / rise, total_iters=rise - 1)
        return lr_scheduler.SequentialLR(optimizer, [up, after(optimizer, STEPS - rise)], milestones=[rise])

    return make


def test_inverse_root_is_the_papers_formula_with_a_peak_of_ones_own():
    """Vaswani et al. 2017, equation 3, whose depth^-0.5 * min(step^-0.5, step * warmup^-1.5) peaks at `warmup`."""
    config = TrainingConfig(epochs=10, learning_rate=RATE, schedule="inverse-root", warmup=2.0)
    warmup = 20  # steps, of 10 an epoch
    papers = [512**-0.5 * min(step**-0.5, step * warmup**-1.5) for step in range(1, STEPS + 1)]
    ours = [rate_at(step, STEPS, 10, config) for step in range(STEPS)]
    assert ours == pytest.approx([rate * RATE / max(papers) for rate in papers])


def to_zero(optimizer, steps):
    return lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=steps)


@pytest.mark.parametrize(
    ("schedule", "warmup", "oracle"),
    [
        ("constant", 0, lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        ("step", 0, lambda o: lr_scheduler.MultiStepLR(o, milestones=[50, 75])),
        ("cosine", 0, lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=STEPS)),
        ("linear", 0, lambda o: to_zero(o, STEPS)),
        ("constant", 2, linear_up_then(lambda o, n: lr_scheduler.ConstantLR(o, factor=1.0), 20)),
        ("cosine", 2, linear_up_then(lr_scheduler.CosineAnnealingLR, 20)),
        ("one-cycle", 0, linear_up_then(to_zero, 30)),
        ("one-cycle", 1, linear_up_then(to_zero, 10)),
    ],
)
def test_schedules_agree_with_torch(schedule, warmup, oracle):
    config = TrainingConfig(learning_rate=RATE, schedule=schedule, warmup=warmup)
    ours = [rate_at(step, STEPS, 10, config) for step in range(STEPS)]
    assert ours == pytest.approx(rates_of_torch(oracle), rel=1e-9)


@given(
    schedule=st.sampled_from(sorted(SCHEDULES)),
    epochs=st.integers(1, 50),
    steps_per_epoch=st.integers(1, 200),
    share=st.floats(0, 0.999),
)
def test_every_rate_is_positive_and_at_most_the_one_asked_for(schedule, epochs, steps_per_epoch, share):
    config = TrainingConfig(learning_rate=RATE, epochs=epochs, schedule=schedule, warmup=share * epochs)
    steps = epochs * steps_per_epoch
    rates = [rate_at(step, steps, steps_per_epoch, config) for step in range(steps)]
    assert all(0 < rate <= RATE for rate in rates)
    rise = warmup_steps(steps, steps_per_epoch, config)
    assert rates[:rise] == sorted(rates[:rise])
    assert rates[rise:] == sorted(rates[rise:], reverse=True)
    assert max(rates) == RATE


@given(st.lists(st.floats(0, 10, allow_nan=False), max_size=40))
def test_plateau_agrees_with_torch(losses):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=1.0)
    oracle = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, threshold=0.0, eps=0.0)
    state, best = PlateauState(), float("inf")
    for loss in losses:
        oracle.step(loss)
        state, best = state.after(loss < best), min(best, loss)
        assert state.factor == optimizer.param_groups[0]["lr"]


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 30))
def test_a_plateau_state_that_went_through_json_goes_on_the_same(improvements, cut):
    straight = broken = PlateauState()
    for i, improved in enumerate(improvements):
        if i == cut:
            broken = PlateauState(**json.loads(json.dumps(asdict(broken))))
        straight, broken = straight.after(improved), broken.after(improved)
    assert straight == broken
