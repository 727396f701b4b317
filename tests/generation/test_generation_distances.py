"""Distances between sets of samples, against SciPy's matrix root, formulas written out, and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from layerwise.errors import DataError
from layerwise.generation import distances
from layerwise.generation.distances import frechet_distance, kernel_distance, nearest_distances, square_root


def features(seed: int, count: int, width: int, shift: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator)
    return torch.randn(count, width, generator=generator) @ mixing + shift


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6), st.integers(8, 40), st.integers(8, 40))
def test_the_frechet_distance_is_that_of_scipys_matrix_root(seed: int, width: int, count: int, others: int) -> None:
    first, second = features(seed, count, width), features(seed + 1, others, width, 0.5)
    covariances = [np.cov(one.double().numpy().T).reshape(width, width) for one in (first, second)]
    gap = (first.double().mean(0) - second.double().mean(0)).square().sum().item()
    shared = np.trace(sqrtm(covariances[0] @ covariances[1]).real)
    expected = gap + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * shared
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_frechet_distance_of_one_number_is_as_written_out() -> None:
    first, second = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [7.0]])
    assert frechet_distance(first, second) == pytest.approx((4 - 1) ** 2 + (18**0.5 - 2**0.5) ** 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5), st.integers(2, 9), st.integers(2, 9))
def test_the_kernel_distance_is_the_unbiased_one_of_scikit_learns_kernel(
    seed: int, width: int, count: int, others: int
) -> None:
    first, second = features(seed, count, width).double().numpy(), features(seed + 1, others, width).double().numpy()
    own, other = (polynomial_kernel(one, degree=3, gamma=1 / width, coef0=1) for one in (first, second))
    between = polynomial_kernel(first, second, degree=3, gamma=1 / width, coef0=1).mean()
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (own, other)]
    given = kernel_distance(torch.from_numpy(first), torch.from_numpy(second))
    assert given == pytest.approx(sum(within) - 2 * between, rel=1e-9, abs=1e-9)


def test_a_set_is_nowhere_far_from_itself_and_far_from_another() -> None:
    one, other = features(0, 400, 8), features(0, 400, 8, shift=2.0)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(one, other) == pytest.approx(8 * 4, rel=1e-5)
    halves = kernel_distance(one[:200], one[200:])
    assert abs(halves) < 0.1 * kernel_distance(one, other)


def test_a_square_root_is_symmetric_and_gives_the_matrix_back() -> None:
    factor = features(3, 4, 6).double()
    matrix = factor.T @ factor  # of rank 4: two eigenvalues are 0
    root = square_root(matrix)
    torch.testing.assert_close(root @ root, matrix)
    assert torch.equal(root.float(), root.T.float())


@pytest.mark.parametrize("at_once", [3, 2048])
def test_the_nearest_samples_are_those_of_scikit_learn(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "ROWS_AT_ONCE", at_once)
    samples, others = features(1, 7, 4), features(2, 11, 4)
    expected, places = NearestNeighbors(n_neighbors=1).fit(others.numpy()).kneighbors(samples.numpy())
    lengths, found = nearest_distances(samples, others)
    assert found.tolist() == places[:, 0].tolist()
    torch.testing.assert_close(lengths, torch.from_numpy(expected[:, 0]).float(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_one_sample_is_no_set(distance: object) -> None:
    with pytest.raises(DataError, match="at least two samples of each, received 1"):
        distance(torch.zeros(1, 3), torch.zeros(5, 3))  # type: ignore[operator]
