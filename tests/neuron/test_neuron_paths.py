"""Coefficient paths are those of scikit-learn, strength by strength, with the same zeros."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge, enet_path, lasso_path

from layerwise.errors import DataError, UsageError
from layerwise.neuron.solvers.paths import coefficient_path

INPUTS, TARGETS = load_diabetes(return_X_y=True)
CENTRED, CENTRED_TARGETS = INPUTS - INPUTS.mean(0), TARGETS - TARGETS.mean()


def test_the_lasso_path_is_that_of_scikit_learn():
    path = coefficient_path(INPUTS, TARGETS, "l1")
    alphas, weights, _ = lasso_path(CENTRED, CENTRED_TARGETS, alphas=path.strengths / 2, tol=1e-12, max_iter=100_000)
    assert alphas == pytest.approx(path.strengths / 2)
    assert path.weights == pytest.approx(weights.T, abs=1e-4)
    assert np.array_equal(path.weights == 0, weights.T == 0)
    assert path.biases == pytest.approx(TARGETS.mean() - path.weights @ INPUTS.mean(0))


@given(mix=st.floats(0.05, 0.9), rows=st.integers(3, 40), columns=st.integers(1, 12), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=30)
def test_elastic_paths_are_those_of_scikit_learn_on_random_data_of_any_shape(mix, rows, columns, seed):
    random = np.random.default_rng(seed)
    inputs, targets = random.normal(size=(rows, columns)), random.normal(size=rows)
    path = coefficient_path(inputs, targets, "elastic", mix=mix, count=5, smallest=0.01, intercept=False)
    l1, l2 = 1 - mix, 2 * mix
    alphas = path.strengths * (1 + mix) / 2
    _, weights, _ = enet_path(inputs, targets, l1_ratio=l1 / (l1 + l2), alphas=alphas, tol=1e-13, max_iter=1_000_000)
    assert path.weights == pytest.approx(weights.T, abs=1e-4)
    assert (path.gaps <= 1e-11).all()


def test_the_ridge_path_is_ridge_regression_and_has_no_zeros():
    path = coefficient_path(INPUTS, TARGETS, "l2", strengths=[0.001, 0.1])
    assert path.strengths.tolist() == [0.1, 0.001]
    for penalty_strength, weights, bias in zip(path.strengths, path.weights, path.biases, strict=True):
        oracle = Ridge(alpha=penalty_strength * len(INPUTS), solver="cholesky").fit(INPUTS, TARGETS)
        assert weights == pytest.approx(oracle.coef_)
        assert bias == pytest.approx(oracle.intercept_)
    assert (path.weights != 0).all()


def test_the_first_strength_is_the_largest_with_a_choice_and_the_active_set_begins_empty():
    path = coefficient_path(INPUTS, TARGETS, "l1", count=20)
    assert path.active(0).tolist() == []
    assert int(np.abs(CENTRED.T @ CENTRED_TARGETS).argmax()) in path.active(1)
    assert path.strengths[-1] == pytest.approx(1e-3 * path.strengths[0])


def test_a_constant_target_leaves_all_weights_at_zero():
    path = coefficient_path(INPUTS, np.full(len(INPUTS), 3.0), "l1", count=3)
    assert not path.weights.any()
    assert path.biases == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"penalty": "l3"}, UsageError, "`penalty` must be one of l1, l2, elastic, received 'l3'"),
        ({"penalty": "elastic", "mix": 1.5}, UsageError, "`mix` must be a number from 0"),
        ({"targets": TARGETS[:-1]}, DataError, r"received \(442, 10\) and \(441,\)"),
        ({"targets": np.full(442, np.nan)}, DataError, "NaN or infinite"),
        ({"strengths": [0.0]}, UsageError, "positive finite"),
        ({"count": 0}, UsageError, "`count` must be at least 1"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(changes, error, words):
    with pytest.raises(error, match=words):
        coefficient_path(**({"inputs": INPUTS, "targets": TARGETS} | changes))
