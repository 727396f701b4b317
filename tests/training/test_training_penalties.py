"""Proximal steps reach the optimum of the penalised objective: scikit-learn's, with the same zeros."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet, LogisticRegression
from torch import nn

from layerwise.training.config import PenaltyConfig, TrainingConfig
from layerwise.training.optimizers import make_optimizer, weights_of
from layerwise.training.penalties import penalty_value, proximal_step, shrink

FEATURES = 12


def regression_data():
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(200, FEATURES))
    truth = np.where(np.arange(FEATURES) % 3 == 0, generator.normal(size=FEATURES) * 2, 0)
    return inputs, inputs @ truth + 1.5 + 0.3 * generator.normal(size=200)


def descend(loss, inputs, targets, penalty, optimizer="sgd", rate=0.1, steps=1500):
    """Fit one neuron by full-batch descent with a proximal step after each, the rate falling to zero."""
    neuron = nn.Linear(FEATURES, 1).double()
    nn.init.constant_(neuron.weight, 0.5)
    inputs, targets = torch.tensor(inputs), torch.tensor(targets)
    config = TrainingConfig(optimizer=optimizer, learning_rate=rate)
    descent = make_optimizer(neuron, config, PenaltyConfig(weight_decay=0.0))
    for step in range(steps):
        for group in descent.param_groups:
            group["lr"] = rate if optimizer == "sgd" else rate * (1 - step / steps)
        descent.zero_grad()
        loss(neuron(inputs)[:, 0], targets).backward()
        descent.step()
        proximal_step(descent, penalty)
    return neuron.weight.detach().numpy()[0], neuron.bias.item()


def half_squared_error(outputs, targets):
    return (outputs - targets).square().mean() / 2


@pytest.mark.parametrize(("name", "mix"), [("l1", 0.0), ("l2", 1.0), ("elastic", 0.5), ("elastic", 0.9)])
@pytest.mark.parametrize("penalty_strength", [0.05, 0.4])
def test_plain_descent_reaches_the_elastic_net_of_scikit_learn_with_its_zeros(name, mix, penalty_strength):
    inputs, targets = regression_data()
    penalty = PenaltyConfig(penalty=name, penalty_strength=penalty_strength, mix=mix)
    weights, bias = descend(half_squared_error, inputs, targets, penalty)
    # scikit-learn: alpha * l1_ratio * |w| + alpha * (1 - l1_ratio) / 2 * w^2
    l1, l2 = penalty_strength * (1 - mix), penalty_strength * mix
    alpha = l1 + 2 * l2
    oracle = ElasticNet(alpha=alpha, l1_ratio=l1 / alpha, tol=1e-12, max_iter=100_000)
    if name == "l2":
        centred = inputs - inputs.mean(0)
        gram = centred.T @ centred / len(inputs) + 2 * l2 * np.eye(FEATURES)
        expected = np.linalg.solve(gram, centred.T @ (targets - targets.mean()) / len(inputs))
        intercept = targets.mean() - inputs.mean(0) @ expected
    else:
        oracle.fit(inputs, targets)
        expected, intercept = oracle.coef_, oracle.intercept_
    assert weights == pytest.approx(expected, abs=1e-6)
    assert bias == pytest.approx(intercept, abs=1e-6)
    assert np.array_equal(weights == 0, expected == 0)
    assert name != "l1" or 0 < (weights == 0).sum() < FEATURES
    assert name != "l2" or not (weights == 0).any()


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [("momentum", 0.02), ("nesterov", 0.02), ("rmsprop", 0.02), ("adam", 0.05), ("adamw", 0.05)],
)
def test_strength_means_the_same_to_every_optimizer(optimizer, rate):
    inputs, targets = regression_data()
    penalty = PenaltyConfig(penalty="elastic", penalty_strength=0.4, mix=0.25)
    weights, _ = descend(half_squared_error, inputs, targets, penalty, optimizer, rate, steps=4000)
    oracle = ElasticNet(alpha=0.5, l1_ratio=0.6, tol=1e-12, max_iter=100_000).fit(inputs, targets)
    assert weights == pytest.approx(oracle.coef_, abs=1e-3)
    assert np.array_equal(weights == 0, oracle.coef_ == 0)


def test_a_logistic_neuron_reaches_the_l1_solution_of_scikit_learn():
    inputs, values = regression_data()
    labels = (values > 1).astype(float)
    penalty_strength = 0.03
    weights, bias = descend(
        nn.functional.binary_cross_entropy_with_logits,
        inputs,
        labels,
        PenaltyConfig(penalty="l1", penalty_strength=penalty_strength),
        rate=0.5,
        steps=4000,
    )
    # scikit-learn: |w| + C * sum of the losses
    oracle = LogisticRegression(
        l1_ratio=1.0, C=1 / (penalty_strength * len(inputs)), solver="saga", tol=1e-10, max_iter=100_000
    ).fit(inputs, labels)
    assert weights == pytest.approx(oracle.coef_[0], abs=1e-4)
    assert bias == pytest.approx(oracle.intercept_[0], abs=1e-4)
    assert np.array_equal(weights == 0, oracle.coef_[0] == 0)


@given(
    values=st.lists(st.floats(-5, 5), min_size=1, max_size=20),
    size=st.floats(1e-3, 3),
    penalty_strength=st.floats(0, 3),
    mix=st.floats(0, 1),
    one_each=st.booleans(),
)
@settings(deadline=None)
def test_a_shrunken_weight_is_the_minimum_that_the_definition_asks_for(values, size, penalty_strength, mix, one_each):
    before = torch.tensor(values, dtype=torch.float64)
    after = before.clone()
    penalty = PenaltyConfig(penalty="elastic", penalty_strength=penalty_strength, mix=mix)
    shrink([after], [torch.full_like(before, size)] if one_each else size, penalty)

    def objective(u):
        return (u - before) ** 2 / (2 * size) + penalty.l1 * u.abs() + penalty.l2 * u**2

    for other in (before, torch.zeros_like(before), after + 1e-4, after - 1e-4):
        assert (objective(after) <= objective(other) + 1e-12).all()


def test_biases_and_normalisation_are_left_alone():
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    optimizer = make_optimizer(module, TrainingConfig(optimizer="sgd", learning_rate=1.0), PenaltyConfig())
    for p in module.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    proximal_step(optimizer, PenaltyConfig(penalty="l1", penalty_strength=100.0))
    changed = {name for name, p in module.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {"0.weight"}
    assert torch.equal(module[0].weight, torch.zeros(3, 4))


def test_the_penalty_has_the_value_of_its_definition():
    module = nn.Linear(2, 1)
    nn.init.constant_(module.weight, -3.0)
    value = penalty_value(list(weights_of(module)), PenaltyConfig(penalty="elastic", penalty_strength=2.0, mix=0.25))
    assert value.item() == 2.0 * (0.75 * 6 + 0.25 * 18)
