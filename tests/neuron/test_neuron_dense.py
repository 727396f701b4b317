"""The written-out passes give autograd's gradients, and training by them gives PyTorch's weights."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch_oracle import flat, losses_of, samples_for, torch_network, torch_targets, train_in_torch

from layerwise.neuron.engine import counter_rng
from layerwise.neuron.engine.configs import OPTIMIZERS, DescentConfig, StackConfig
from layerwise.neuron.engine.network import DenseStack
from layerwise.neuron.tables.activations import ACTIVATIONS
from layerwise.neuron.tables.losses import LOSSES

WITH_KINKS = {"relu", "leaky-relu", "selu", "maxout", "absolute", "perceptron", "hinge"}
SLOW_TO_COMPILE = settings(deadline=None)


@st.composite
def stacks(draw) -> StackConfig:
    loss = draw(st.sampled_from(list(LOSSES)))
    link = LOSSES[loss].link
    output = draw(st.sampled_from([link, "identity"] if link != "identity" else list(ACTIVATIONS)))
    sizes = draw(st.lists(st.integers(1, 12), min_size=2, max_size=5))
    return StackConfig(tuple(sizes), draw(st.sampled_from(list(ACTIVATIONS))), output, loss)


@given(config=stacks(), count=st.integers(1, 40), seed=st.integers(0, 2**32), weighted=st.booleans())
@SLOW_TO_COMPILE
def test_cost_and_gradients_are_those_of_autograd_in_double_precision(config, count, seed, weighted):
    network = DenseStack(config, DescentConfig(seed=seed), dtype=np.float64)
    for _, b in network.weights:
        b[:] = np.random.default_rng(seed).normal(size=b.shape)
    inputs, targets = samples_for(config, count, seed)
    weights = np.random.default_rng(seed).uniform(0.1, 2, size=count) if weighted else np.ones(count)

    module = torch_network(network)
    losses = losses_of(
        config.loss, module(torch.from_numpy(inputs).double()), torch_targets(config.loss, targets, torch.float64)
    )
    cost = (torch.from_numpy(weights / weights.mean()) * losses).mean()
    cost.backward()

    assert network.cost(inputs, targets, weights) == pytest.approx(cost.item(), rel=1e-10, abs=1e-12)
    ours = np.concatenate([part.ravel() for pair in network.gradients(inputs, targets, weights) for part in pair])
    theirs = torch.cat([p.grad.ravel() for p in module.parameters()]).numpy()
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@given(config=stacks(), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_gradients_are_the_slopes_that_central_differences_measure(config, seed):
    smooth = {"identity", "sigmoid", "tanh", "scaled-tanh", "gelu", "softplus", "silu", "softmax"}
    if not {config.activation, config.output} <= smooth or config.loss not in ("squared", "logistic", "cross-entropy"):
        return
    network = DenseStack(config, DescentConfig(seed=seed), dtype=np.float64)
    inputs, targets = samples_for(config, 7, seed)
    gradient = np.concatenate([part.ravel() for pair in network.gradients(inputs, targets) for part in pair])
    step = 1e-5
    for at in np.random.default_rng(seed).choice(len(gradient), size=min(8, len(gradient)), replace=False):
        here = network.parameters[at]
        network.parameters[at] = here + step
        above = network.cost(inputs, targets)
        network.parameters[at] = here - step
        below = network.cost(inputs, targets)
        network.parameters[at] = here
        assert gradient[at] == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-8)


@given(
    config=stacks(),
    optimizer=st.sampled_from(OPTIMIZERS),
    penalty=st.sampled_from(["none", "l1", "l2", "elastic"]),
    decay=st.sampled_from([None, 0.0, 0.1]),
    batch_size=st.sampled_from([1, 4, 10, "full"]),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=150, derandomize=True)
def test_two_epochs_end_with_the_weights_of_pytorch(config, optimizer, penalty, decay, batch_size, seed):
    is_rounded = optimizer == "muon"  # `training` computes its step in single precision
    assume(not (is_rounded and {config.activation, config.output, config.loss} & WITH_KINKS))  # a jump in the slope
    descent = DescentConfig(
        epochs=2, batch_size=batch_size, optimizer=optimizer, learning_rate=0.003, momentum=0.8, weight_decay=decay,
        penalty=penalty, penalty_strength=0 if penalty == "none" else 0.01, mix=0.3, seed=seed,
    )  # fmt: skip
    network = DenseStack(config, descent, dtype=np.float64)
    inputs, targets = samples_for(config, 23, seed)
    weights = np.random.default_rng(seed).uniform(0.1, 2, size=23)
    orders = [counter_rng.permutation(seed, epoch, 23) for epoch in range(2)]
    module = train_in_torch(network, orders, inputs, targets, weights, epochs=2)
    network.fit(inputs, targets, weights)
    assert network.parameters == pytest.approx(flat(module), rel=1e-9, abs=2e-5 if is_rounded else 1e-10)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("sizes", [(5, 7, 3), (40, 64, 48, 10)])
def test_in_single_precision_training_equals_pytorch_up_to_rounding(optimizer, sizes):
    config = StackConfig(sizes, "tanh", "identity", "cross-entropy")
    descent = DescentConfig(epochs=1, batch_size=16, optimizer=optimizer, learning_rate=0.01)
    network = DenseStack(config, descent)
    inputs, targets = samples_for(config, 100)
    module = train_in_torch(network, [counter_rng.permutation(0, 0, 100)], inputs, targets)
    network.fit(inputs, targets)
    assert network.parameters.dtype == np.float32
    assert network.parameters == pytest.approx(flat(module), rel=1e-3, abs=2e-5)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_neurons_answer_by_the_formula_of_the_table(name, dtype):
    network = DenseStack(StackConfig((3, 4, 2), name, "identity"), dtype=dtype)
    inputs = (3 * np.random.default_rng(0).normal(size=(2000, 3))).astype(dtype)
    hidden, outputs = network.layer_outputs(inputs)
    (W, b), (W2, b2) = network.weights
    z = inputs @ W.T + b
    if name == "maxout":
        z = z.reshape(len(z), -1, 2)
    tolerance = 3e-6 if dtype == np.float32 else 1e-12
    assert hidden == pytest.approx(ACTIVATIONS[name].value(z), rel=tolerance, abs=tolerance)
    assert outputs == pytest.approx(hidden @ W2.T + b2, rel=tolerance, abs=tolerance)
    assert np.array_equal(network.outputs(inputs), outputs)


def test_a_batch_larger_than_the_lanes_goes_through_in_pieces_to_the_same_gradient():
    config = StackConfig((4, 6, 1), "tanh")
    network = DenseStack(config, dtype=np.float64)
    inputs, targets = samples_for(config, 2500)
    whole = network.gradients(inputs, targets)
    halves = [network.gradients(inputs[part], targets[part]) for part in (slice(0, 1000), slice(1000, 2500))]
    for (W, b), (W1, b1), (W2, b2) in zip(whole, *halves, strict=True):
        assert pytest.approx(0.4 * W1 + 0.6 * W2, rel=1e-9) == W
        assert pytest.approx(0.4 * b1 + 0.6 * b2, rel=1e-9) == b
