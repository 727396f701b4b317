"""Backpropagation, every factor of it, against PyTorch's autograd."""

import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import layerwise
from layerwise import backprop
from layerwise.errors import UsageError
from layerwise.layers.activations import ACTIVATIONS, activation
from layerwise.neuron.tables.losses import LOSSES
from layerwise.reports.chain_text import chain_text


def autograd(model, x, y, cost):
    """Return the gradient of every parameter in float64."""
    model = model.double()
    model.zero_grad()
    cost(model(x[None].double()), y).backward()
    return [parameter.grad.numpy() for parameter in model.parameters()]


def gradients(chain):
    return [slope for step in chain.steps for slope in step.parameter_slopes.values()]


@settings(deadline=None, max_examples=60)
@given(
    widths=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    name=st.sampled_from(sorted(ACTIVATIONS)),
    loss=st.sampled_from(["squared", "logistic", "cross-entropy", "huber"]),
    seed=st.integers(0, 99),
)
def test_every_gradient_is_that_of_autograd(widths, name, loss, seed):
    torch.manual_seed(seed)
    layers = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b), activation(name))]
    model = nn.Sequential(*layers[:-1])
    x = torch.randn(widths[0])
    target, cost = {
        "squared": (torch.randn(widths[-1]), nn.functional.mse_loss),
        "huber": (torch.randn(widths[-1]), nn.functional.huber_loss),
        "logistic": (torch.ones(widths[-1]), nn.functional.binary_cross_entropy_with_logits),
        "cross-entropy": (torch.tensor(widths[-1] - 1), nn.functional.cross_entropy),
    }[loss]
    chain = backprop(model, x, target, loss)
    witness = target[None] if loss == "cross-entropy" else target[None].double()
    expected = autograd(model, x, witness, cost)
    for ours, theirs in zip(gradients(chain), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert chain.difference < 1e-12


def test_the_factors_multiply_to_the_whole():
    """dJ/dx = dJ/do times every factor, as matrices."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2), nn.Sigmoid())
    chain = backprop(model, [0.2, -1, 3], [1, 0])
    product = chain.slope
    for step in reversed(chain.steps):
        factor = np.diag(step.factor) if step.factor.ndim == 1 else step.factor
        product = product @ factor
    np.testing.assert_allclose(product, chain.steps[0].slope_in, rtol=1e-12)


def test_a_convolution_with_pooling_and_an_inplace_relu_is_a_chain_too():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(18, 3)
    )
    x = torch.randn(1, 8, 8)
    chain = backprop(model, x, 2, nn.CrossEntropyLoss())
    expected = autograd(model.eval(), x, torch.tensor([2]), nn.CrossEntropyLoss())
    for ours, theirs in zip(gradients(chain), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert [step.source for step in chain.steps] == ["x", *(step.name for step in chain.steps[:-1])]


def test_a_leak_other_than_the_tables_is_taken_from_the_layer_itself():
    model = nn.Sequential(nn.Linear(2, 3), nn.LeakyReLU(0.3), nn.Linear(3, 1))
    assert backprop(model, [1.0, -2.0], [0.5]).difference < 1e-12


def test_networks_of_the_catalogue_are_explained_and_left_as_they_are():
    model = layerwise.build("mlp", (5,), 3)
    before = [parameter.clone() for parameter in model.parameters()]
    chain = backprop(model, torch.randn(5), 1, "cross-entropy")
    assert chain.difference < 1e-9
    assert all((a == b).all() and a.grad is None for a, b in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "cross-entropy"])
def test_the_numbers_filled_into_the_formulas_work_out(loss):
    """Every line of the text that ends in '= number' is evaluated again, from its own rounded numbers."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
    text = chain_text(backprop(model, [0.5, -1], [1, 1], loss))
    worked = 0
    for line in text.splitlines():
        parts = line.split(" = ")
        if len(parts) < 3 or not re.fullmatch(r"[-\d.e]+", parts[-1]):
            continue
        formula = parts[-2].replace("·", "*").replace("^", "**").replace("[", "(").replace("]", ")")
        formula = re.sub(r"\|([^|]*)\|", r"abs(\1)", formula)
        if (
            not re.fullmatch(r"[-+*/(),. \de]*|.*(tanh|max|exp|log|abs).*", formula)
            or "held" in formula
            or "if" in formula
        ):
            continue
        names = {"tanh": np.tanh, "max": max, "exp": np.exp, "log": np.log, "abs": abs, "sign": np.sign}
        assert eval(formula, {"__builtins__": {}}, names) == pytest.approx(float(parts[-1]), rel=5e-3, abs=2e-4), line
        worked += 1
    assert worked >= 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((nn.LSTM(3, 4), torch.zeros(2, 3), 0), "no chain"),
        ((nn.Sequential(nn.Linear(2, 1)), [1.0, 2.0, 3.0], [1.0]), "shape \\(3,\\)"),
        ((nn.Sequential(nn.Linear(2, 1)), [1.0, 2.0], [1.0], "squarred"), "Did you mean 'squared'"),
        ((nn.Sequential(nn.Linear(2, 1)), [1.0, 2.0], [1.0, 2.0]), "each of the 1 outputs"),
        ((nn.Sequential(nn.Linear(2, 1)), [1.0, 2.0], [0.0], "hinge"), "-1 or 1, received 0"),
        ((nn.Sequential(nn.Linear(2, 3)), [1.0, 2.0], 3, "cross-entropy"), "from 0 to 2"),
        ((nn.Sequential(nn.Linear(2, 1)), [1.0, 2.0], [float("nan")]), "finite"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_sentence(arguments, words):
    with pytest.raises(UsageError, match=words):
        backprop(*arguments)
