"""What a trained network or neuron hands on: a torch module, and a look inside after each epoch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import is_classifier
from sklearn.datasets import load_diabetes, load_iris
from torch import nn

from layerwise import LinearRegression, LogisticRegression, NetworkClassifier, NetworkRegressor, Neuron
from layerwise.errors import LayerwiseError
from layerwise.neuron.tables.activations import ACTIVATIONS

FLOWERS, SPECIES = load_iris(return_X_y=True)
DIABETES, PROGRESS = load_diabetes(return_X_y=True)
BOTH = np.column_stack([PROGRESS, -3 * PROGRESS**2])
QUICK = {"epochs": 5, "batch_size": "full", "learning_rate": 0.02, "random_state": 0}


@settings(max_examples=30, deadline=None)
@given(
    activation=st.sampled_from(list(ACTIVATIONS)), hidden=st.lists(st.integers(1, 6), max_size=3), classes=st.booleans()
)
def test_a_torch_module_gives_the_answers_of_the_network_on_unscaled_inputs(activation, hidden, classes):
    kind, inputs, targets = (NetworkClassifier, FLOWERS, SPECIES) if classes else (NetworkRegressor, DIABETES, BOTH)
    network = kind(tuple(hidden), activation=activation, dropout=0.1, **QUICK).fit(inputs, targets)
    module = network.to_torch()
    with torch.no_grad():
        raw = module(torch.from_numpy(inputs))
    answers = raw.softmax(1) if classes else raw
    expected = network.predict_proba(inputs) if classes else network.predict(inputs)
    assert isinstance(module, nn.Sequential)
    assert answers.numpy() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("neuron", "targets"),
    [
        (LinearRegression(), PROGRESS),
        (LinearRegression(), BOTH),
        (Neuron(activation="tanh", solver="descent", epochs=2), PROGRESS / 400),
        (LogisticRegression(penalty="l2"), PROGRESS > 140),
        (Neuron(activation="softmax", loss="cross-entropy", penalty="l2"), PROGRESS // 100),
    ],
)
def test_a_torch_module_gives_the_answers_of_a_neuron(neuron, targets):
    module = neuron.fit(DIABETES, targets).to_torch()
    with torch.no_grad():
        raw = module(torch.from_numpy(DIABETES)).numpy()
    expected = neuron.decision_function(DIABETES) if is_classifier(neuron) else neuron.predict(DIABETES)
    assert raw == pytest.approx(expected.reshape(len(DIABETES), -1), rel=1e-12, abs=1e-12)


def test_a_torch_module_of_float32_stays_float32_and_can_be_trained_on():
    network = NetworkClassifier((4,), **QUICK).fit(FLOWERS.astype(np.float32), SPECIES)
    module = network.to_torch()
    inputs = torch.from_numpy(FLOWERS.astype(np.float32))
    probabilities = module(inputs).softmax(1).detach().numpy()
    assert probabilities == pytest.approx(network.predict_proba(FLOWERS.astype(np.float32)), abs=1e-4)
    nn.functional.cross_entropy(module(inputs), torch.from_numpy(SPECIES)).backward()
    assert all(parameter.grad.any() for parameter in module.parameters())


@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
@pytest.mark.parametrize("patience", [0, 3])
def test_to_watch_every_epoch_changes_nothing_and_shows_neurons_and_gradients(kind, patience):
    targets = SPECIES if kind is NetworkClassifier else FLOWERS[:, 3] * FLOWERS[:, 0]
    options = {**QUICK, "epochs": 12, "patience": patience, "dropout": 0.2}
    whole = kind((5, 4), **options).fit(FLOWERS, targets)
    watched = kind((5, 4), **options)
    losses = []
    for report in watched.watch(FLOWERS, targets):
        outputs = watched.layer_outputs(FLOWERS[:7])
        gradients = watched.gradients(FLOWERS, targets)
        losses.append(report.loss)
        assert [layer.shape for layer in outputs] == [(7, 5), (7, 4), (7, 3 if kind is NetworkClassifier else 1)]
        assert [W.shape for W, _ in gradients] == [(5, 4), (4, 5), (3 if kind is NetworkClassifier else 1, 4)]
    assert losses == watched.loss_curve_ == whole.loss_curve_
    assert np.array_equal(watched.predict(FLOWERS), whole.predict(FLOWERS))


def test_the_gradients_of_a_network_are_those_of_autograd_on_its_scaled_columns():
    network = NetworkClassifier((5,), activation="tanh", **QUICK).fit(FLOWERS, SPECIES)
    copies = [torch.tensor(array, requires_grad=True) for layer in network.network_.weights for array in layer]
    W1, b1, W2, b2 = copies
    x = torch.from_numpy((FLOWERS - FLOWERS.mean(0)) / FLOWERS.std(0))
    raw = torch.tanh(x @ W1.T + b1) @ W2.T + b2
    nn.functional.cross_entropy(raw, torch.from_numpy(SPECIES)).backward()
    found = [array for layer in network.gradients(FLOWERS, SPECIES) for array in layer]
    for ours, theirs in zip(found, copies, strict=True):
        assert ours == pytest.approx(theirs.grad.numpy(), abs=1e-12)


def test_to_leave_the_loop_ends_the_training_with_a_network_that_answers():
    network = NetworkClassifier((4,), **{**QUICK, "epochs": 100})
    for report in network.watch(FLOWERS, SPECIES):
        if report.epoch == 3:
            break
    assert network.n_iter_ == 3
    assert network.predict(FLOWERS).shape == (150,)


@pytest.mark.parametrize("model", [NetworkClassifier(), NetworkRegressor(), Neuron()])
def test_what_is_not_trained_has_no_torch_module(model):
    with pytest.raises(ValueError, match="not fitted yet"):
        model.to_torch()


@pytest.mark.parametrize("changes", [{"hidden": (9,)}, {"activation": "tanh"}, {"dropout": 0.5}])
def test_a_network_goes_on_only_as_the_one_that_it_is(changes):
    network = NetworkClassifier((4,), **QUICK, warm_start=True).fit(FLOWERS, SPECIES)
    with pytest.raises(LayerwiseError, match=r"goes on with a network of 4-4-3 neurons, relu, .*warm_start=False"):
        network.set_params(**changes).fit(FLOWERS, SPECIES)
    network.set_params(hidden=(4,), activation="relu", dropout=0.0, learning_rate=1e-9).fit(FLOWERS, SPECIES)
    assert network.loss_curve_[-1] == pytest.approx(network.loss_curve_[-2], rel=1e-6)  # the new rate is taken
