"""scikit-learn's own checks of an estimator, with nothing excused."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from layerwise import (
    LinearRegression,
    LinearSVM,
    LogisticRegression,
    NetworkClassifier,
    NetworkRegressor,
    Neuron,
    Perceptron,
)

ESTIMATORS = [
    Neuron(),
    Neuron(activation="softmax", loss="cross-entropy", penalty="l2"),
    Neuron(loss="huber", penalty="elastic"),
    Neuron(solver="descent", optimizer="adam", learning_rate=0.02, batch_size="full", fit_intercept=False),
    Neuron(
        loss="squared-hinge", penalty="l2", solver="descent", optimizer="adam", learning_rate=0.05, batch_size="full"
    ),
    Perceptron(),
    LinearRegression(),
    LinearSVM(),
    LogisticRegression(),
    NetworkClassifier((10,), learning_rate=0.02, epochs=60, random_state=0),
    NetworkRegressor((10,), learning_rate=0.02, epochs=60, random_state=0),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::layerwise.estimators.errors.ConstantColumnWarning")
@pytest.mark.filterwarnings("ignore:Estimator's parameters changed:FutureWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_finds_nothing_to_complain_about(estimator, check, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # without it scikit-learn leaves out its checks of other arrays
    check(estimator)
