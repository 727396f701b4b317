"""scikit-learn's own checks of an estimator, with nothing excused."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from layerwise import LinearRegression, LinearSVM, LogisticRegression, Neuron, Perceptron

ESTIMATORS = [
    Neuron(),
    Neuron(activation="softmax", loss="cross-entropy", penalty="l2"),
    Neuron(loss="huber", penalty="elastic"),
    Perceptron(),
    LinearRegression(),
    LinearSVM(),
    LogisticRegression(),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::layerwise.estimators.errors.ConstantColumnWarning")
@pytest.mark.filterwarnings("ignore:Estimator's parameters changed:FutureWarning")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_finds_nothing_to_complain_about(estimator, check):
    check(estimator)
