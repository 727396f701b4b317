"""`layerwise activations`, `losses`, `path` and `depth`."""

import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge, enet_path, lasso_path

from layerwise.cli.main import COMMANDS, LESSONS, main, overview
from layerwise.data.config import DataConfig
from layerwise.data.loading import load
from layerwise.lessons.depth import attempt, first_network
from layerwise.lessons.points import SHAPES, draw_points
from layerwise.neuron.tables.activations import ACTIVATIONS
from layerwise.neuron.tables.losses import LOSSES


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def said(capsys, *words):
    code = main(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_every_command_is_in_the_overview_once():
    lines = [line.split()[0] for line in overview().splitlines() if line.startswith("  ") and line.split()]
    assert [lines.count(name) for name in COMMANDS] == [1] * len(COMMANDS)
    assert set(LESSONS) <= set(COMMANDS)


@pytest.mark.parametrize(("command", "table"), [("activations", ACTIVATIONS), ("losses", LOSSES)])
def test_the_catalogue_is_listed_and_drawn(capsys, tmp_path, command, table):
    code, out, _ = said(capsys, command)
    assert code == 0
    assert all(name in out for name in table)
    assert (tmp_path / "lessons" / f"{command}.png").exists()
    code, out, _ = said(capsys, command, "--json")
    assert [row["name"] for row in json.loads(out)] == list(table)


def test_one_entry_is_told_in_full_with_numbers(capsys):
    _, out, _ = said(capsys, "activations", "sigmoid", "swish")
    assert "0.2500" in out
    assert "silu: " in out
    _, out, _ = said(capsys, "losses", "logistic")
    assert "0.6931" in out


@pytest.mark.parametrize(("penalty", "ratio"), [("l1", 1.0), ("elastic", 0.5)])
def test_paths_are_those_of_scikit_learn(capsys, penalty, ratio):
    """In scikit-learn's words alpha l1_ratio = s (1 - mix) / 2 and alpha (1 - l1_ratio) = s mix."""
    code, out, _ = said(capsys, "path", "--penalty", penalty, "--mix", "0.5", "--count", "25", "--json")
    followed = json.loads(out)
    split = load(DataConfig(data="diabetes")).train
    x, y = split.inputs.numpy().astype(np.float64), split.targets.numpy()[:, 0].astype(np.float64)
    x, y = x - x.mean(0), y - y.mean()
    strengths = np.array(followed["strengths"])
    if penalty == "l1":
        _, theirs, _ = lasso_path(x, y, alphas=strengths / 2, tol=1e-10, max_iter=100_000)
    else:
        _, theirs, _ = enet_path(x, y, l1_ratio=1 / 3, alphas=0.75 * strengths, tol=1e-10, max_iter=100_000)
    assert code == 0
    np.testing.assert_allclose(np.array(followed["weights"]), theirs.T, atol=1e-5)
    sizes = [len(names) for names in followed["active"]]
    assert sizes[0] <= 2 < sizes[-1]


def test_the_ridge_path_is_that_of_scikit_learn_and_keeps_every_weight(capsys):
    _, out, _ = said(capsys, "path", "--penalty", "l2", "--count", "5", "--json")
    followed = json.loads(out)
    split = load(DataConfig(data="diabetes")).train
    x, y = split.inputs.numpy().astype(np.float64), split.targets.numpy()[:, 0].astype(np.float64)
    for penalty_strength, weights in zip(followed["strengths"], followed["weights"], strict=True):
        theirs = Ridge(alpha=penalty_strength * len(y)).fit(x, y)
        np.testing.assert_allclose(weights, theirs.coef_, atol=1e-8)
    assert {len(names) for names in followed["active"]} == {10}


def test_a_path_is_told_and_drawn_for_numbers_and_for_two_classes(capsys, tmp_path):
    code, out, _ = said(capsys, "path", "--penalty", "l1")
    assert code == 0
    assert "bmi" in out
    assert (tmp_path / "lessons" / "path-l1.png").exists()
    code, out, _ = said(capsys, "path", "--penalty", "l2", "--data", "breast-cancer", "--count", "20")
    assert code == 0
    assert float(out.split("R² ")[-1].split(" ")[0]) > 0.6


def test_depth_needs_a_bent_activation(capsys, tmp_path):
    code, out, _ = said(capsys, "depth", "--steps", "500", "--points", "300")
    assert code == 0
    rows = {line.split()[0]: line.replace(" %", "").split()[1:] for line in out.splitlines()[3:5]}
    for shape in ("circles", "spirals"):
        straight, bent = (float(value) for value in rows[shape])
        assert straight < 75
        assert bent > 97
    assert (tmp_path / "lessons" / "depth.png").exists()


def test_the_one_neuron_that_a_linear_stack_amounts_to_decides_as_it_does():
    tried = attempt("spirals", "identity", hidden=(8, 8, 8), points=100, steps=50)
    axis = np.linspace(-tried.reach, tried.reach, len(tried.grid))
    x, y = np.meshgrid(axis, axis)
    a, b, c = tried.line
    np.testing.assert_allclose(tried.grid, 1 / (1 + np.exp(-(a * x + b * y + c))), atol=1e-12)


def test_a_network_of_the_demonstration_learns_as_in_torch():
    tried = attempt("circles", "tanh", points=100, steps=20, seed=3)
    places, labels = draw_points("circles", 100, 0.04, 3)
    start = first_network((2, 16, 16, 1), "tanh", 0.01, 3)
    layers = [torch.tensor(array, requires_grad=True) for layer in start.weights for array in layer]
    W1, b1, W2, b2, W3, b3 = layers
    optimizer = torch.optim.Adam(layers, lr=0.01)
    losses = []
    for _ in range(20):
        hidden = torch.tanh(torch.tanh(torch.from_numpy(places) @ W1.T + b1) @ W2.T + b2)
        raw = (hidden @ W3.T + b3)[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(raw, torch.from_numpy(labels).double())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(tried.losses, losses, rtol=1e-7)


@pytest.mark.parametrize("shape", SHAPES)
def test_points_follow_from_their_seed_and_both_classes_are_there(shape):
    first, labels = draw_points(shape, 100, 0.1, 3)
    again, _ = draw_points(shape, 100, 0.1, 3)
    other, _ = draw_points(shape, 100, 0.1, 4)
    assert (first == again).all()
    assert (first != other).any()
    assert 25 <= labels.sum() <= 75


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("activations sigmoyd", "Did you mean 'sigmoid'"),
        ("losses hing", "Did you mean 'hinge'"),
        ("path --penalty l4", "l4"),
        ("path --penalty elastic --mix 3", "mix"),
        ("path --count 0", "count"),
        ("path --smallest x", "--smallest"),
        ("path --data iris", "--positive"),
        ("depth --shapes heart", "'heart'"),
        ("depth --activations tang", "Did you mean 'tanh'"),
        ("depth --activations softplush", "softplus"),
        ("depth --hidden 0", "hidden"),
        ("depth --steps 0", "--steps"),
        ("depth --points 3", "--points"),
        ("depth --noise -1", "--noise"),
        ("depth --learning-rate 0", "--learning-rate"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(capsys, words, part):
    code, _, err = said(capsys, *words.split())
    assert code == 2
    assert part in err
    assert err.count("\n") == 1
