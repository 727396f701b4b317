"""How far generated samples are from real ones, by features that a network gives of both: numbers, no judgement.

Features are (samples, features). Both distances are 0 for equal distributions and are counted in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from layerwise.errors import DataError

ROWS_AT_ONCE = 2048


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Return the squared Frechet distance of the normal distributions that fit both sets of features.

    |m - n|^2 + tr(C + D - 2 (C^1/2 D C^1/2)^1/2), Dowson and Landau 1982; for generative models Heusel et al. 2017,
    equation 6. It is biased upwards where samples are few: compare it between sets of one size.

    Raises:
        DataError: a set has fewer than two samples.
    """
    (mean, covariance), (other_mean, other_covariance) = _moments(first), _moments(second)
    root = square_root(covariance)
    shared = torch.linalg.eigvalsh(_symmetric(root @ other_covariance @ root)).clamp_min(0).sqrt().sum()
    spread = covariance.trace() + other_covariance.trace() - 2 * shared
    return float((mean - other_mean).square().sum() + spread.clamp_min(0))


def kernel_distance(first: Tensor, second: Tensor) -> float:
    """Return the squared maximum mean discrepancy under the kernel (x.y / features + 1)^3, without bias.

    Binkowski et al. 2018, "Demystifying MMD GANs", section 4, who call it KID. Without bias it can fall below 0.

    Raises:
        DataError: a set has fewer than two samples.
    """
    first, second = _checked(first), _checked(second)
    within = sum(_mean_kernel(one, one, without_itself=True) for one in (first, second))
    return within - 2 * _mean_kernel(first, second)


def nearest_distances(samples: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far the nearest of `others` is from each sample, (samples,) float32, and which it is, (samples,)."""
    lengths, places = [], []
    for part in samples.flatten(1).split(ROWS_AT_ONCE):
        near = [_nearest(part, chunk) for chunk in others.split(ROWS_AT_ONCE)]
        squares, which = (torch.stack(found) for found in zip(*near, strict=True))  # (chunks, samples)
        best = squares.min(0)
        lengths.append(best.values.sqrt())
        places.append(which.gather(0, best.indices[None])[0] + best.indices * ROWS_AT_ONCE)
    return torch.cat(lengths), torch.cat(places)


def _nearest(samples: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    others = others.flatten(1)
    squares = samples.square().sum(1)[:, None] + others.square().sum(1) - 2 * samples @ others.T
    best = squares.clamp_min(0).min(1)
    return best.values, best.indices


def square_root(matrix: Tensor) -> Tensor:
    """Return the symmetric square root of a symmetric matrix without negative eigenvalues, float64."""
    values, vectors = torch.linalg.eigh(_symmetric(matrix.double()))
    root: Tensor = vectors * values.clamp_min(0).sqrt() @ vectors.T
    return root


def _symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.T) / 2


def _checked(features: Tensor) -> Tensor:
    if len(features) < 2:
        raise DataError(f"a distance between sets needs at least two samples of each, received {len(features)}.")
    return features.double()


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and covariance, (features,) and (features, features)."""
    features = _checked(features)
    return features.mean(0), torch.cov(features.T).reshape(features.shape[1], features.shape[1])


def _mean_kernel(first: Tensor, second: Tensor, *, without_itself: bool = False) -> float:
    """Return the mean kernel of all pairs, those of a sample with itself left out where asked."""
    parts = first.split(ROWS_AT_ONCE)
    total = float(sum(((part @ second.T / first.shape[1] + 1) ** 3).sum().item() for part in parts))
    if not without_itself:
        return total / (len(first) * len(second))
    own = float(((first.square().sum(1) / first.shape[1] + 1) ** 3).sum().item())
    return (total - own) / (len(first) * (len(first) - 1))
