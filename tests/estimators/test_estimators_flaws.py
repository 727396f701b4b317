"""What the seven estimators say to data that they cannot learn from: one sentence with the place."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from layerwise import (
    LinearRegression,
    LinearSVM,
    LogisticRegression,
    NetworkClassifier,
    NetworkRegressor,
    Neuron,
    Perceptron,
)
from layerwise.errors import LayerwiseError
from layerwise.estimators.errors import ConstantColumnWarning

CLASSIFIERS = [Perceptron, LinearSVM, LogisticRegression, NetworkClassifier]
REGRESSORS = [Neuron, LinearRegression, NetworkRegressor]
X = np.random.default_rng(0).normal(size=(12, 3))
Y = (X[:, 0] > 0).astype(int)


def changed(value):
    inputs = X.copy()
    inputs[3, 1] = value
    return inputs


BAD = [
    ([["a", "b", "c"]] * 12, Y, None, "Column 0 of X holds 'a' in row 0, counted from 0, which is no number"),
    (pd.DataFrame({"age": X[:, 0], "town": list("abcdefghijkl")}), Y, None, "Column 'town' of X holds 'a' in row 0"),
    (pl.DataFrame({"age": X[:, 0], "town": list("abcdefghijkl")}), Y, None, "Column 'town' of X holds 'a' in row 0"),
    (changed(np.nan), Y, None, "Column 1 of X holds NaN in row 3, counted from 0; fill such cells in"),
    (changed(-np.inf), Y, None, "Column 1 of X holds -inf in row 3"),
    (pd.DataFrame(changed(np.nan), columns=list("xyz")), Y, None, "Column 'y' of X holds NaN in row 3"),
    (sp.csr_matrix(changed(np.inf)), Y, None, "Column 1 of X holds inf in row 3"),
    (X, np.where(np.arange(12) == 5, np.nan, Y), None, "y holds NaN in row 5"),
    (X, Y[:-1], None, "X has 12 rows and y has 11; give a target for each row"),
    (X[:, 0], Y, None, r"shape \(rows, columns\), received shape \(12,\)"),
    (X, Y, np.ones(3), r"sample_weight must be 12 finite numbers .*\(3,\)"),
    (X, Y, -np.ones(12), "sample_weight must be 12 finite numbers of at least 0.*Negative"),
    (X, Y, np.full(12, np.nan), "sample_weight must be 12 finite numbers .*NaN"),
    (X, Y, np.zeros(12), "sample_weight .* not all of them zero"),
]


@pytest.mark.parametrize("kind", CLASSIFIERS + REGRESSORS)
@pytest.mark.parametrize(("inputs", "targets", "weights", "words"), BAD)
def test_data_that_cannot_be_learned_from_are_refused_with_the_place(kind, inputs, targets, weights, words):
    with pytest.raises(ValueError, match=words) as caught:
        kind().fit(inputs, targets, sample_weight=weights)
    assert isinstance(caught.value, LayerwiseError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", CLASSIFIERS + REGRESSORS)
def test_rows_that_cannot_be_answered_for_are_refused_with_the_place(kind):
    model = kind(**({"epochs": 1} if kind.__name__.startswith("Network") else {})).fit(X, [*Y[:-1], 1 - Y[-1]])
    with pytest.raises(LayerwiseError, match="Column 1 of X holds NaN in row 3"):
        model.predict(changed(np.nan))
    with pytest.raises(LayerwiseError, match=r"X has 2 features, but .* is expecting 3"):
        model.predict(X[:, :2])


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_labels_of_any_two_kinds_stand_for_their_order_and_others_are_refused(kind):
    options = {"random_state": 0} if kind in (Perceptron, NetworkClassifier) else {}
    options |= {"penalty": "l2"} if kind is LogisticRegression else {}
    plain = kind(**options).fit(X, Y)
    for low, high in ((-1, 1), (2, 5), ("ham", "spam"), (False, True), (0.0, 1.0)):
        named = kind(**options).fit(X, [high if label else low for label in Y])
        assert named.classes_.tolist() == [low, high]
        assert named.predict(X).tolist() == [high if label else low for label in plain.predict(X)]
    with pytest.raises(LayerwiseError, match=f"{kind.__name__} tells classes apart, and y holds continuous .* 0.5"):
        kind().fit(X, np.where(Y, 1.7, 0.5)[np.argsort(Y)])
    for only in (1, "spam"):
        with pytest.raises(LayerwiseError, match=f"all labels are of one class, {only!r}; give at least two"):
            kind().fit(X, [only] * 12)
    with pytest.raises(LayerwiseError, match="first partial_fit must be told all classes"):
        kind().partial_fit(X, Y)
    with pytest.raises(LayerwiseError, match="label 7 is not among the classes"):
        kind().partial_fit(X, np.where(Y, 7, 0), classes=[0, 1])


@pytest.mark.parametrize("kind", [Neuron, LinearRegression, NetworkRegressor])
def test_words_are_no_numbers_to_fit(kind):
    with pytest.raises(LayerwiseError, match="y holds 'high' in row 0, counted from 0, and must be finite numbers"):
        kind().fit(X, ["high"] * 12)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("model", [LinearRegression(), LinearSVM(), NetworkClassifier(epochs=1)])
def test_columns_of_one_value_are_named_and_get_no_weight(model, kind):
    with pytest.warns(ConstantColumnWarning, match="Column 1 has one value in every row"):
        model.fit(kind(np.column_stack([X[:, 0], np.zeros(12), X[:, 1]])), [*Y[:-1], 1 - Y[-1]])
    if hasattr(model, "coef_"):
        assert model.coef_.ravel()[1] == 0


SEPARABLE = [
    LogisticRegression(),
    LogisticRegression(solver="descent"),
    Neuron(activation="softmax", loss="cross-entropy"),
    Neuron(activation="softmax", loss="cross-entropy", solver="descent"),
]


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("model", SEPARABLE)
def test_separable_classes_without_a_penalty_are_said_in_one_sentence_and_not_looped_on(model, kind):
    with pytest.warns(ConvergenceWarning, match="told apart without a fault.*penalty='l2'") as caught:
        model.fit(kind([[-2.0], [-1.0], [1.0], [2.0]]), ["no", "no", "yes", "yes"])
    assert len(caught) == 1
    assert not model.converged_
    assert model.note_ == str(caught[0].message)
    assert model.predict([[-1.5], [1.5]]).tolist() == ["no", "yes"]


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_the_stable_rate_that_is_named_is_stable_and_a_larger_one_is_not(kind, loss):
    inputs, targets = kind(3 * X + 1), 10 * X @ [1.0, 2.0, 3.0]
    options = {"loss": loss, "solver": "descent", "epochs": 400, "batch_size": "full"}
    if loss == "huber":  # its slope is bounded, so that it cannot run away
        Neuron(**options, learning_rate=50.0).fit(inputs, targets)
        return
    with pytest.raises(LayerwiseError, match=r"step \d+ .*learning_rate=50 is too large: the largest stable") as caught:
        Neuron(**options, learning_rate=50.0).fit(inputs, targets)
    rate = float(str(caught.value).split(" is ")[-1].rstrip("."))
    calm = Neuron(**options, learning_rate=0.98 * rate).fit(inputs, targets)
    assert calm.loss_curve_[-1] < calm.loss_curve_[0]
    with pytest.raises(LayerwiseError, match="stopped being finite"):
        Neuron(**{**options, "epochs": 4000}, learning_rate=1.2 * rate).fit(inputs, targets)
