"""The estimators in use: in pipelines and grids, on frames and sparse matrices, and what they say to bad input."""

import warnings

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression as TheirLinearRegression
from sklearn.linear_model import LogisticRegression as TheirLogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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

CANCER, DIAGNOSES = load_breast_cancer(return_X_y=True)
DIABETES, PROGRESS = load_diabetes(return_X_y=True)
IRIS, SPECIES = load_iris(return_X_y=True)
SCALED = StandardScaler().fit_transform(CANCER)


def test_the_classics_are_the_neuron_with_their_words_filled_in():
    words = {Perceptron: "perceptron", LinearRegression: "squared", LinearSVM: "hinge", LogisticRegression: "logistic"}
    for classic, loss in words.items():
        assert classic.loss == loss
        assert not {"activation", "loss"} & set(classic().get_params())
        assert set(classic().get_params()) < set(Neuron().get_params())
    neuron = Neuron(activation="identity", loss="hinge", penalty="l2").fit(SCALED, DIAGNOSES)
    assert np.array_equal(LinearSVM().fit(SCALED, DIAGNOSES).coef_, neuron.coef_)
    assert LogisticRegression(penalty_strength=0.5).get_params()["penalty_strength"] == 0.5
    with pytest.raises(TypeError, match="loss"):
        LinearRegression(loss="hinge")


def test_linear_regression_equals_the_least_squares_of_scikit_learn_for_one_and_several_outputs():
    both = np.column_stack([PROGRESS, PROGRESS**2])
    for targets in (PROGRESS, both):
        ours, theirs = LinearRegression().fit(DIABETES, targets), TheirLinearRegression().fit(DIABETES, targets)
        assert ours.coef_ == pytest.approx(theirs.coef_)
        assert ours.predict(DIABETES[:3]) == pytest.approx(theirs.predict(DIABETES[:3]))
        assert ours.score(DIABETES, targets) == pytest.approx(theirs.score(DIABETES, targets))


def test_logistic_regression_equals_that_of_scikit_learn_with_its_probabilities():
    ours = LogisticRegression(penalty="l2", penalty_strength=0.01).fit(SCALED, DIAGNOSES)
    theirs = TheirLogisticRegression(C=1 / (2 * 0.01 * len(SCALED)), tol=1e-10).fit(SCALED, DIAGNOSES)
    assert ours.predict_proba(SCALED) == pytest.approx(theirs.predict_proba(SCALED), abs=1e-5)


def test_softmax_regression_equals_that_of_scikit_learn_for_several_classes_by_name():
    names = np.array(["setosa", "versicolor", "virginica"])[SPECIES]
    ours = Neuron(activation="softmax", loss="cross-entropy", penalty="l2", penalty_strength=0.01).fit(IRIS, names)
    theirs = TheirLogisticRegression(C=1 / (2 * 0.01 * 150), tol=1e-10, max_iter=10_000).fit(IRIS, names)
    assert ours.predict_proba(IRIS) == pytest.approx(theirs.predict_proba(IRIS), abs=1e-5)
    assert ours.classes_.tolist() == ["setosa", "versicolor", "virginica"]


@pytest.mark.parametrize("classic", [LinearSVM, LogisticRegression, Perceptron])
def test_several_classes_have_a_neuron_each(classic):
    model = classic(**({} if classic is Perceptron else {"penalty": "l2"} if classic is LogisticRegression else {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(IRIS, SPECIES)
    assert model.coef_.shape == (3, 4)
    assert model.decision_function(IRIS).shape == (150, 3)
    assert model.score(IRIS, SPECIES) > 0.7


def test_it_works_in_a_pipeline_a_grid_and_a_clone():
    pipeline = make_pipeline(StandardScaler(), LinearSVM())
    grid = GridSearchCV(pipeline, {"linearsvm__penalty_strength": [1e-3, 1e-1]}, cv=3).fit(CANCER, DIAGNOSES)
    assert grid.best_score_ > 0.95
    name = "linearsvm__penalty_strength"
    assert clone(grid.best_estimator_).get_params()[name] == grid.best_params_[name]


def test_frames_give_their_names_and_sparse_matrices_the_same_weights():
    frame = pl.DataFrame({f"mean {place}": column for place, column in enumerate(SCALED[:, :5].T)})
    dense = LogisticRegression(penalty="l2").fit(frame, DIAGNOSES)
    sparse = LogisticRegression(penalty="l2").fit(sp.csr_matrix(SCALED[:, :5]), DIAGNOSES)
    assert dense.feature_names_in_.tolist() == frame.columns
    assert sparse.coef_ == pytest.approx(dense.coef_, abs=1e-3)
    assert np.array_equal(dense.predict(frame), sparse.predict(SCALED[:, :5]))


def test_class_weights_count_like_sample_weights():
    weighted = LinearSVM(class_weight={0: 3, 1: 1}).fit(SCALED, DIAGNOSES)
    by_sample = LinearSVM().fit(SCALED, DIAGNOSES, sample_weight=np.where(DIAGNOSES == 0, 3, 1))
    assert weighted.coef_ == pytest.approx(by_sample.coef_)


def test_descent_comes_near_the_optimum_and_warm_start_and_partial_fit_go_on():
    exact = LinearRegression().fit(DIABETES[:, :3] * 20, PROGRESS)
    slow = LinearRegression(solver="descent", epochs=300, batch_size="full", learning_rate=0.1, random_state=0)
    slow.fit(DIABETES[:, :3] * 20, PROGRESS)
    assert slow.coef_ == pytest.approx(exact.coef_, rel=0.02, abs=0.3)
    assert slow.loss_curve_[-1] < slow.loss_curve_[0]
    part = Neuron(activation="sigmoid", loss="logistic", learning_rate=0.1, random_state=0)
    for _ in range(5):
        part.partial_fit(SCALED, DIAGNOSES, classes=[0, 1])
    assert part.score(SCALED, DIAGNOSES) > 0.95
    warm = LinearRegression(solver="descent", epochs=1, warm_start=True, random_state=0)
    scores = [warm.fit(DIABETES * 20, PROGRESS).score(DIABETES * 20, PROGRESS) for _ in range(5)]
    assert scores == sorted(scores)


def test_a_neuron_with_any_activation_learns_by_descent():
    neuron = Neuron(activation="tanh", learning_rate=0.1, epochs=60, random_state=0)
    targets = np.tanh(DIABETES[:, :2] @ [20.0, -10.0])
    assert neuron.fit(DIABETES[:, :2] * 20, targets).score(DIABETES[:, :2] * 20, targets) > 0.95


def test_networks_learn_circles_with_patience_weights_and_warm_start():
    random = np.random.default_rng(0)
    points = random.normal(size=(400, 2))
    inside = np.where((points**2).sum(1) < 1.2, "in", "out")
    network = NetworkClassifier(
        (16,), learning_rate=0.02, epochs=60, patience=20, class_weight="balanced", random_state=1
    )
    assert network.fit(points, inside).score(points, inside) > 0.93
    assert network.predict_proba(points).sum(1) == pytest.approx(1, abs=1e-6)
    again = clone(network).fit(points, inside)
    assert np.array_equal(again.predict_proba(points), network.predict_proba(points))
    heights = np.column_stack([points[:, 0] ** 2, points[:, 1]])
    surface = NetworkRegressor((16,), learning_rate=0.02, epochs=60, random_state=0).fit(points, heights)
    assert surface.score(points, heights) > 0.9


BAD = [
    (Neuron(loss="hinges"), r"`loss` must be one of .*, received 'hinges'. Did you mean 'hinge'"),
    (Neuron(loss="logistic"), "loss='logistic' needs activation='sigmoid', received 'identity'"),
    (Neuron(activation="tanh", solver="exact"), "is not convex"),
    (Neuron(penalty_strength=-1), "`penalty_strength` must be 0 or a positive number, received -1"),
    (Neuron(solver="descent", optimizer="adem"), "`optimizer` must be one of .*, received 'adem'. Did you mean 'adam'"),
    (Neuron(solver="descent", learning_rate=-1), "`learning_rate` must be a positive number, received -1"),
    (Neuron(solver="descent", epochs=0), "`epochs` must be a whole number of at least 1, received 0"),
    (Neuron(solver="descent", batch_size="half"), "`batch_size` must be .* 'full', received 'half'"),
    (NetworkRegressor(hidden=5), r"`hidden` must be sizes of layers, such as \(64, 64\), received 5"),
    (NetworkRegressor(hidden=(4, 0)), "whole numbers of at least 1"),
    (NetworkRegressor(activation="rellu"), "Did you mean 'relu'"),
    (NetworkRegressor(epochs=0), "`epochs` must be a whole number of at least 1, received 0"),
    (NetworkRegressor(patience=-1), "`patience` must be a whole number of at least 0, received -1"),
    (NetworkRegressor(batch_size="half"), "`batch_size` must be .*'auto'.*, received 'half'"),
    (NetworkRegressor(patience=2), "patience=2 needs samples to hold out, received 1 in all"),
]


@pytest.mark.parametrize(("model", "words"), BAD)
def test_parameters_that_cannot_work_are_refused_in_one_sentence(model, words):
    inputs, targets = ([[1.0]], [1.0]) if "1 in all" in words else ([[1.0], [2.0]], [0.0, 1.0])
    with pytest.raises(LayerwiseError, match=words) as caught:
        model.fit(inputs, targets)
    assert "\n" not in str(caught.value)


def test_a_rate_that_diverges_is_named_with_the_largest_stable_one():
    model = LinearRegression(solver="descent", learning_rate=50.0, epochs=500, batch_size="full")
    with pytest.raises(LayerwiseError, match=r"learning_rate=50.* largest stable rate .* is 0\.\d+"):
        model.fit(DIABETES * 20, PROGRESS)
