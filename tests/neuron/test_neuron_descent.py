"""Gradient descent: paths as worked by hand and by PyTorch, verdicts, and the largest stable rate."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.errors import UsageError
from layerwise.neuron.engine.updates import OPTIMIZERS
from layerwise.neuron.functions.descent import compare, descend
from layerwise.training.muon import Muon

ROSENBROCK = "(1-x)**2 + 100*(y-x**2)**2"


def test_the_worked_example_has_its_points_and_gradients():
    path = descend("x**2", 9, learning_rate=0.1, steps=3)
    np.testing.assert_allclose(path.points[:, 0], [9, 7.2, 5.76, 4.608])
    np.testing.assert_allclose(path.gradients[:, 0], [18, 14.4, 11.52, 9.216])
    np.testing.assert_allclose(path.values, [81, 51.84, 33.1776, 21.233664])
    assert path.largest_stable_rate == pytest.approx(1.0)


def torch_optimizer(name, parameter, rate, momentum, decay):
    match name:
        case "sgd":
            return torch.optim.SGD([parameter], lr=rate, weight_decay=decay or 0)
        case "momentum" | "nesterov":
            is_nesterov = name == "nesterov"
            return torch.optim.SGD(
                [parameter], lr=rate, momentum=momentum, nesterov=is_nesterov, weight_decay=decay or 0
            )
        case "rmsprop":
            return torch.optim.RMSprop([parameter], lr=rate, weight_decay=decay or 0)
        case "adam":
            return torch.optim.AdamW([parameter], lr=rate, weight_decay=decay or 0)
        case "adamw":
            return torch.optim.AdamW([parameter], lr=rate, **({} if decay is None else {"weight_decay": decay}))
    groups = [{"params": [parameter], "orthogonal": parameter.ndim == 2, "weight_decay": decay or 0}]
    return Muon(groups, lr=rate, momentum=momentum, dtype=torch.float64)


@settings(deadline=None, max_examples=40)
@given(
    name=st.sampled_from(OPTIMIZERS),
    rate=st.floats(1e-4, 0.3),
    momentum=st.floats(0.01, 0.95),
    decay=st.sampled_from([None, 0.0, 0.1]),
    shape=st.sampled_from([(3,), (2, 3), (4, 2)]),
    seed=st.integers(0, 99),
)
def test_every_optimiser_walks_as_in_pytorch(name, rate, momentum, decay, shape, seed):
    start = torch.from_numpy(np.random.default_rng(seed).normal(size=shape))

    def bowl(x):
        return (x**2).sum() + torch.sin(3 * x).sum() + x.flatten()[0] * x.flatten()[1]

    path = descend(bowl, start, name, learning_rate=rate, momentum=momentum, weight_decay=decay, steps=12)
    parameter = torch.nn.Parameter(start.clone())
    optimizer = torch_optimizer(name, parameter, rate, momentum, decay)
    for _ in range(len(path.points) - 1):
        optimizer.zero_grad()
        bowl(parameter).backward()
        optimizer.step()
    np.testing.assert_allclose(path.points[-1], parameter.detach().numpy(), rtol=1e-7, atol=1e-9)


def test_text_arrays_and_tensors_give_the_same_path():
    def by_hand(p):
        return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2

    options = {"learning_rate": 0.001, "steps": 50}
    text = descend(ROSENBROCK, {"y": 1, "x": -1}, **options)
    tensors = descend(by_hand, torch.tensor([-1.0, 1.0], dtype=torch.float64), **options)
    differences = descend(by_hand, [-1, 1], **options)
    np.testing.assert_allclose(tensors.points, text.points, rtol=1e-12)
    np.testing.assert_allclose(differences.points, text.points, rtol=1e-6, atol=1e-6)
    assert differences.objective.gradient_by == "central differences"
    given_slope = descend(lambda x: x**2, 9.0, gradient=lambda x: 2 * x, learning_rate=0.1, steps=3)
    assert given_slope.points.tolist() == descend("x**2", 9, learning_rate=0.1, steps=3).points.ravel().tolist()


@settings(deadline=None, max_examples=12)
@given(
    curvature=st.floats(0.1, 50),
    other=st.floats(0.05, 1),
    optimizer=st.sampled_from(["sgd", "momentum", "nesterov"]),
    momentum=st.floats(0, 0.95),
)
def test_just_under_the_largest_stable_rate_it_arrives_and_just_over_it_diverges(curvature, other, optimizer, momentum):
    """The bound from the Hessian against what happens on a tilted bowl."""
    text = f"{curvature}/2 * ((x + y)/sqrt(2))**2 + {other * curvature}/2 * ((x - y)/sqrt(2))**2"
    first = descend(text, [1, 0.5], optimizer, momentum=momentum, learning_rate=1e-3, steps=1)
    bound = first.largest_stable_rate
    assert first.curvature.largest == pytest.approx(curvature)
    under, over = compare(text, [1, 0.5], [0.97 * bound, 1.03 * bound], [optimizer], momentum=momentum, steps=300)
    assert under.values[-1] < 1e-3 * under.values[0]
    assert over.verdict.kind == "diverging"


@pytest.mark.parametrize(
    ("rate", "kind", "words"),
    [
        (0.1, "converged", "arrived"),
        (0.9, "oscillating", "comes closer"),
        (1.0, "oscillating", "comes no closer"),
        (1.1, "diverging", "from step 1"),
    ],
)
def test_each_rate_gets_its_verdict_on_the_parabola(rate, kind, words):
    verdict = descend("x**2", 9, learning_rate=rate, steps=100 if rate == 0.1 else 30).verdict
    assert (verdict.kind, words in verdict.sentence) == (kind, True)


def test_divergence_is_named_from_the_step_that_leaves_for_good():
    path = descend("x**2 * (1 + 5*exp(-(x-9)**2)) / 6 + 0*x", 9, learning_rate=6.5, steps=10)
    later = path.verdict.step
    assert path.verdict.kind == "diverging"
    assert path.values[later - 1] <= path.values[0] < path.values[later]


def test_the_end_of_the_domain_is_named():
    verdict = descend("log(x)", 1, steps=100).verdict
    assert (verdict.kind, verdict.step) == ("outside", 6)
    assert "not a number at x = -0.00" in verdict.sentence
    assert descend("-x**2", 1, steps=2000).verdict.kind == "unbounded"


@pytest.mark.parametrize("text", ["abs(x)", "x**4", "exp(x)", "-x**2"])
def test_no_stable_rate_is_claimed_without_a_curved_minimum(text):
    assert descend(text, 0.7, learning_rate=0.01, steps=5).largest_stable_rate is None


def test_optimisers_with_steps_of_fixed_size_have_no_stable_rate():
    assert descend("x**2", 9, "adam", steps=5).largest_stable_rate is None


def test_the_minimum_is_found_from_a_path_that_diverges():
    path = descend(ROSENBROCK, [-1, 1], learning_rate=0.01, steps=100)
    assert path.verdict.kind == "diverging"
    np.testing.assert_allclose(path.curvature.minimum, [1, 1], atol=1e-8)
    top = np.linalg.eigvalsh([[802, -400], [-400, 200]])[-1]  # the Hessian at (1, 1) by hand
    assert path.largest_stable_rate == pytest.approx(2 / top)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"f": "x**2", "start": [1, 2]}, "takes 1 number"),
        ({"f": "x*y", "start": 1}, "takes 2 numbers, such as 1,1"),
        ({"f": "x*y", "start": {"x": 1, "z": 2}}, "names x, z"),
        ({"f": "x**2", "start": math.nan}, "finite"),
        ({"f": "x**2", "start": "here"}, "'here'"),
        ({"f": "log(x)", "start": -1}, "not a number at the start, x = -1"),
        ({"f": "1/x", "start": 0}, "infinite at the start"),
        ({"f": 3, "start": 0}, "received int"),
        ({"f": lambda x: x, "start": [1.0, 2.0]}, "must return one number"),
        ({"f": "x**2", "start": 1, "learning_rate": 0}, "`learning_rate`"),
        ({"f": "x**2", "start": 1, "learning_rate": math.inf}, "`learning_rate`"),
        ({"f": "x**2", "start": 1, "momentum": 1.0}, "`momentum`"),
        ({"f": "x**2", "start": 1, "weight_decay": -1.0}, "`weight_decay`"),
        ({"f": "x**2", "start": 1, "steps": 0}, "`steps`"),
        ({"f": "x**2", "start": 1, "optimizer": "adams"}, "Did you mean 'adam'"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(arguments, words):
    with pytest.raises(UsageError) as refusal:
        descend(**arguments)
    assert words in str(refusal.value)
