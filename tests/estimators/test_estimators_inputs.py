"""Each of the seven estimators on every kind of input: frames, sparse matrices, weights, classes, outputs, pieces."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import is_classifier
from sklearn.datasets import load_iris

from layerwise import (
    LinearRegression,
    LinearSVM,
    LogisticRegression,
    NetworkClassifier,
    NetworkRegressor,
    Neuron,
    Perceptron,
)

FLOWERS, SPECIES = load_iris(return_X_y=True)
FLOWERS = (FLOWERS - FLOWERS.mean(0)) / FLOWERS.std(0)
NAMES = np.array(["setosa", "versicolor", "virginica"])[SPECIES]
COLUMNS = ["sepal length", "sepal width", "petal length", "petal width"]

DESCENT = {"solver": "descent", "batch_size": 16, "epochs": 6, "optimizer": "momentum", "random_state": 0}
NETWORK = {"hidden": (5,), "epochs": 6, "batch_size": 16, "learning_rate": 0.02, "random_state": 0}
EXACT = [
    Neuron(activation="softmax", loss="cross-entropy", penalty="l2"),
    Perceptron(random_state=0),
    LinearRegression(penalty="elastic"),
    LinearSVM(penalty_strength=0.01),
    LogisticRegression(penalty="l2"),
]
STEPWISE = [
    Neuron(loss="huber", penalty="l1", **DESCENT),
    Perceptron(**DESCENT),
    LinearRegression(**DESCENT),
    LinearSVM(**DESCENT),
    LogisticRegression(**DESCENT),
    NetworkClassifier(**NETWORK),
    NetworkRegressor(**NETWORK),
]


def fresh(model, **changes):
    return type(model)(**{**model.get_params(), **changes})


def every(models):
    named = [f"{type(model).__name__}-{'exact' if model in EXACT else 'descent'}" for model in models]
    return pytest.mark.parametrize("model", models, ids=named)


def targets_for(model):
    """Three classes by name, or two columns of numbers."""
    return NAMES if is_classifier(model) else np.column_stack([FLOWERS[:, 3], FLOWERS[:, 0] * FLOWERS[:, 1]])


def answers(model, inputs=FLOWERS):
    scores = getattr(model, "decision_function", getattr(model, "predict_proba", model.predict))
    return scores(inputs)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # flowers are not separable
@every([*EXACT, *STEPWISE])
class TestInputs:
    @pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
    def test_a_frame_gives_its_names_and_the_answers_of_an_array(self, model, library):
        targets = targets_for(model)
        frame = library.DataFrame(dict(zip(COLUMNS, FLOWERS.T, strict=True)))
        column = library.Series(targets) if targets.ndim == 1 else library.DataFrame(targets)
        by_frame, by_array = fresh(model).fit(frame, column), fresh(model).fit(FLOWERS, targets)
        assert by_frame.feature_names_in_.tolist() == COLUMNS
        if is_classifier(model):
            assert np.array_equal(by_frame.predict(frame), by_array.predict(FLOWERS))
        assert answers(by_frame, frame) == pytest.approx(answers(by_array), abs=1e-12)

    @pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_array, sp.coo_array])
    def test_a_sparse_matrix_gives_the_answers_of_a_dense_one(self, model, kind):
        sparse = np.where(np.abs(FLOWERS) > 0.8, FLOWERS, 0)
        dense = fresh(model).fit(sparse, targets_for(model))
        spare = fresh(model).fit(kind(sparse), targets_for(model))
        loose = 1e-3 if model in EXACT else 1e-9  # exact solvers of two kinds stop at different distances
        assert answers(spare, kind(sparse)) == pytest.approx(answers(dense, sparse), abs=loose)

    def test_weights_of_2_are_rows_that_come_twice(self, model):
        twice = np.arange(len(FLOWERS)) % 3 == 0
        rows = np.concatenate([np.arange(len(FLOWERS)), np.flatnonzero(twice)])
        whole = {"batch_size": "full"} if "batch_size" in model.get_params() else {}
        weighted = fresh(model, **whole).fit(FLOWERS, targets_for(model), sample_weight=1.0 + twice)
        repeated = fresh(model, **whole).fit(FLOWERS[rows], targets_for(model)[rows])
        if isinstance(model, Perceptron) and model in EXACT:  # its rule goes by the order of the rows
            assert weighted.score(FLOWERS, NAMES) > 0.7
        else:
            assert answers(weighted) == pytest.approx(answers(repeated), rel=1e-3, abs=1e-3)

    def test_several_classes_by_name_or_several_outputs_are_learned(self, model):
        targets = targets_for(model)
        longer = {"epochs": 100} if model in STEPWISE else {}
        trained = fresh(model, **longer).fit(FLOWERS, targets)
        assert trained.predict(FLOWERS).shape == targets.shape
        assert trained.score(FLOWERS, targets) > (0.7 if is_classifier(model) else 0.4)
        if is_classifier(model):
            assert trained.classes_.tolist() == ["setosa", "versicolor", "virginica"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@every([model for model in [*EXACT, *STEPWISE] if is_classifier(model)])
def test_class_weights_are_weights_of_their_samples(model):
    by_class = fresh(model, class_weight={"setosa": 1, "versicolor": 5, "virginica": 2}).fit(FLOWERS, NAMES)
    by_sample = fresh(model).fit(FLOWERS, NAMES, sample_weight=np.array([1.0, 5.0, 2.0])[SPECIES])
    assert answers(by_class) == pytest.approx(answers(by_sample), abs=1e-12)
    balanced = fresh(model, class_weight="balanced").fit(FLOWERS[:120], NAMES[:120])
    shares = np.array([120 / 3 / 50, 120 / 3 / 50, 120 / 3 / 20])[SPECIES[:120]]
    assert answers(balanced) == pytest.approx(
        answers(fresh(model).fit(FLOWERS[:120], NAMES[:120], sample_weight=shares)), abs=1e-12
    )


@every(STEPWISE)
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
def test_partial_fit_and_warm_start_go_on_as_if_the_training_had_never_stopped(model, kind):
    inputs, targets = kind(FLOWERS), targets_for(model)
    whole = fresh(model).fit(inputs, targets)
    first = {"classes": np.unique(NAMES)} if is_classifier(model) else {}
    pieces = fresh(model).partial_fit(inputs, targets, **first)
    for _ in range(5):
        pieces.partial_fit(inputs, targets)
    warm = fresh(model, epochs=3, warm_start=True).fit(inputs, targets).fit(inputs, targets)
    for other in (pieces, warm):
        assert np.array_equal(answers(other), answers(whole))
        assert other.loss_curve_ == whole.loss_curve_
        assert other.n_iter_ == 6


@pytest.mark.parametrize("model", [LogisticRegression(penalty="l2"), LinearSVM(penalty_strength=0.01)])
def test_a_warm_start_of_a_solver_is_at_the_optimum_at_once(model):
    two = SPECIES[:100]
    warm = fresh(model, warm_start=True).fit(FLOWERS[:100], two)
    before, cold = warm.coef_, warm.n_iter_
    assert warm.fit(FLOWERS[:100], two).n_iter_ < cold
    assert warm.coef_ == pytest.approx(before, abs=1e-4)
