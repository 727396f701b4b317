"""The cost of one neuron against autograd, and the noise of mini-batches against its formula."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso

from layerwise.errors import UsageError
from layerwise.layers.activations import ACTIVATIONS as TORCH_ACTIVATIONS
from layerwise.neuron.functions.cost import NeuronCost
from layerwise.neuron.functions.minibatches import descend_on_data, measure_noise, noise_exponent
from layerwise.neuron.tables.losses import LOSSES
from layerwise.neuron.tables.penalties import PENALTIES

F = torch.nn.functional
TORCH_LOSSES = {
    "squared": lambda o, y: (o - y) ** 2,
    "absolute": lambda o, y: (o - y).abs(),
    "huber": lambda o, y: F.huber_loss(o, y, reduction="none"),
    "perceptron": lambda o, y: F.relu(-y * o),
    "hinge": lambda o, y: F.relu(1 - y * o),
    "squared-hinge": lambda o, y: F.relu(1 - y * o) ** 2,
    "logistic": lambda o, y: F.binary_cross_entropy_with_logits(o, y, reduction="none"),
}


def problem(loss, seed, count=40, features=4):
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(count, features))
    signs = np.where(inputs[:, 0] + random.normal(size=count) > 0, 1.0, -1.0)
    targets = {"signs": signs, "bits": (signs + 1) / 2}.get(LOSSES[loss].targets, inputs @ random.normal(size=features))
    return inputs, targets, random.normal(size=features + 1)


def test_every_loss_of_one_output_has_its_oracle():
    assert set(TORCH_LOSSES) == {name for name, row in LOSSES.items() if row.elementwise}


@settings(deadline=None)
@given(
    activation=st.sampled_from(["identity", "sigmoid", "tanh", "softplus", "gelu", "elu"]),
    loss=st.sampled_from(sorted(TORCH_LOSSES)),
    penalty=st.sampled_from(sorted(PENALTIES)),
    seed=st.integers(0, 50),
)
def test_value_and_gradient_are_those_of_autograd(activation, loss, penalty, seed):
    inputs, targets, v = problem(loss, seed)
    cost = NeuronCost(inputs, targets, activation, loss, penalty, penalty_strength=0.1)
    parameters = torch.tensor(v, requires_grad=True)
    z = torch.from_numpy(inputs) @ parameters[:-1] + parameters[-1]
    seen = z if LOSSES[loss].link == activation else TORCH_ACTIVATIONS.get(activation, torch.nn.Softplus)()(z)
    mean = TORCH_LOSSES[loss](seen, torch.from_numpy(targets)).mean()
    mean.backward()
    w = v[:-1]
    price = {"none": 0, "l1": abs(w).sum(), "l2": (w**2).sum(), "elastic": 0.5 * abs(w).sum() + 0.5 * (w**2).sum()}
    assert cost.value(v) == pytest.approx(mean.item() + 0.1 * price[penalty])
    np.testing.assert_allclose(cost.gradient(v), parameters.grad, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(cost.sample_gradients(v).mean(0), parameters.grad, rtol=1e-6, atol=1e-9)


def test_the_surface_is_the_cost():
    inputs, targets, v = problem("hinge", 1)
    cost = NeuronCost(inputs, targets, "identity", "hinge", "l1", penalty_strength=0.2)
    across, up = np.eye(5)[0], np.eye(5)[4]
    heights = cost.surface(v, across, up, np.array([[0.0, 1.0]]), np.array([[0.0, 2.0]]))
    assert heights[0] == pytest.approx([cost.value(v), cost.value(v + across + 2 * up)])


@pytest.mark.parametrize("loss", ["squared", "huber", "squared-hinge", "logistic"])
def test_under_the_stable_rate_full_batches_descend_at_every_step(loss):
    inputs, targets, _ = problem(loss, 3)
    cost = NeuronCost(inputs, targets, "sigmoid" if loss == "logistic" else "identity", loss)
    rate = descend_on_data(cost, 40, epochs=1).largest_stable_rate
    walk = descend_on_data(cost, 40, epochs=150, learning_rate=0.99 * rate)
    assert (np.diff(walk.costs) <= 1e-12).all()


def test_beyond_the_stable_rate_least_squares_diverges_from_a_named_step():
    inputs, targets, _ = problem("squared", 3)
    cost = NeuronCost(inputs, targets)
    rate = descend_on_data(cost, 40, epochs=1).largest_stable_rate
    walk = descend_on_data(cost, 40, epochs=2000, learning_rate=1.02 * rate, looks=2000)
    assert walk.diverged is not None
    assert walk.costs[walk.diverged - 1] <= walk.costs[0] < walk.costs[walk.diverged]


def test_full_batches_reach_the_least_squares_solution():
    inputs, targets, _ = problem("squared", 5)
    targets = targets + np.sin(np.arange(40))
    walk = descend_on_data(NeuronCost(inputs, targets), 40, epochs=2000)
    solution = np.linalg.lstsq(np.column_stack([inputs, np.ones(40)]), targets, rcond=None)[0]
    np.testing.assert_allclose(walk.end, solution, atol=1e-8)


def test_the_lasso_ends_with_exact_zeros_and_the_order_follows_from_the_seed():
    inputs, _, _ = problem("squared", 7, features=8)
    cost = NeuronCost(inputs, inputs[:, 0] * 2, penalty="l1", penalty_strength=0.5)
    assert (descend_on_data(cost, 40, epochs=500).end[1:8] == 0).all()
    runs = [descend_on_data(cost, 7, epochs=3, seed=seed).end for seed in (0, 0, 1)]
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "adam", "rmsprop"])
def test_every_optimiser_ends_at_the_optimum_of_the_penalised_cost(optimizer):
    inputs, targets, _ = problem("squared", 9)
    cost = NeuronCost(inputs, targets, penalty="l1", penalty_strength=0.3)
    rate = {"sgd": 0.1, "momentum": 0.05, "nesterov": 0.05}.get(optimizer, 0.002)
    end = descend_on_data(cost, 40, epochs=4000, optimizer=optimizer, learning_rate=rate, looks=1).end
    theirs = Lasso(alpha=0.15, tol=1e-10).fit(inputs, targets)  # half the loss, so half the strength
    np.testing.assert_allclose(end, [*theirs.coef_, theirs.intercept_], atol=5e-3)


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 1000))
def test_the_noise_of_batches_follows_its_formula_and_falls_as_the_root(seed):
    gradients = np.random.default_rng(seed).normal(size=(256, 6)) + 0.7
    rows = measure_noise(gradients, [1, 4, 16, 64, 256], draws=1000, seed=seed)
    for row in rows:
        assert row.deviation == pytest.approx(row.predicted, rel=0.1, abs=1e-12)
    assert rows[-1].deviation < 1e-12
    assert noise_exponent(rows) == pytest.approx(-0.5, abs=0.06)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ({"activation": "softmax"}, "needs several neurons"),
        ({"loss": "cross-entropy"}, "needs several neurons"),
        ({"loss": "hinges"}, "Did you mean 'hinge'"),
        ({"penalty": "l3"}, "`penalty`"),
        ({"penalty": "l2", "penalty_strength": -1.0}, "`penalty_strength`"),
        ({"penalty": "elastic", "mix": 2.0}, "`mix`"),
        ({"loss": "hinge"}, "-1 and 1, not 0"),
    ],
)
def test_words_that_make_no_neuron_are_refused(words, part):
    with pytest.raises(UsageError, match=part):
        NeuronCost(np.ones((2, 1)), np.array([0.0, 1.0]), **words)
