"""Which parts of a sample an answer hangs on: gradients along a path, and what changes when a part is covered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]  # from samples, (n, ...), to the number that is explained, (n,)

POINTS, POINTS_AT_MOST = 64, 512
AT_ONCE = 64  # samples a pass
COMPLETE_TO = 0.01  # of the difference that is explained


@dataclass(frozen=True)
class Attribution:
    """What each number of a sample adds to a score.

    values: of the sample's shape; its sum is to be `difference`, the score less that of the baseline.
    points: at which gradients were taken.
    """

    values: Tensor
    difference: float
    points: int

    @property
    def gap(self) -> float:
        """How far the sum misses the difference: 0 for an exact integral (completeness, axiom 1 of the paper)."""
        return abs(self.values.sum().item() - self.difference)

    @property
    def is_complete(self) -> bool:
        """Whether the sum misses the difference by at most a hundredth of it."""
        return self.gap <= COMPLETE_TO * max(abs(self.difference), 1e-3)


def integrated_gradients(score: Score, sample: Tensor, baseline: Tensor) -> Attribution:
    """Return (sample - baseline) times the mean gradient on the straight way from the one to the other.

    Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks", https://arxiv.org/abs/1703.01365,
    equation 1, by Gauss-Legendre quadrature. Points are doubled until the sum is complete, 512 at most.

    sample, baseline: without the batch, of one shape. Missing numbers (NaN) of a sample get 0.
    """
    with torch.no_grad():
        after, before = score(torch.stack((sample, baseline))).tolist()
    points = POINTS
    while True:
        way = (sample - baseline).nan_to_num()
        values = (way * _mean_gradient(score, sample, baseline, points)).nan_to_num()
        found = Attribution(values, after - before, points)
        if found.is_complete or points >= POINTS_AT_MOST:
            return found
        points *= 2


def _mean_gradient(score: Score, sample: Tensor, baseline: Tensor, points: int) -> Tensor:
    """Return the mean gradient over `points` places of the Gauss-Legendre rule."""
    places, weights = np.polynomial.legendre.leggauss(points)
    total = torch.zeros_like(sample)
    shape = (-1, *[1] * sample.ndim)
    for part in np.array_split(np.arange(points), -(-points // AT_ONCE)):
        shares = torch.from_numpy((places[part] + 1) / 2).to(sample).view(shape)
        shape_weights = torch.from_numpy(weights[part] / 2).to(sample).view(shape)
        path = (baseline + shares * (sample - baseline)).requires_grad_()
        (gradient,) = torch.autograd.grad(score(path).sum(), path)
        total += (gradient * shape_weights).sum(0)
    return total


def occlusion(score: Score, sample: Tensor, masks: Tensor, baseline: Tensor) -> Tensor:
    """Return by how much the score falls when the numbers under each mask become those of the baseline, (masks,).

    Zeiler and Fergus 2013, https://arxiv.org/abs/1311.2901, section 4.2.

    masks: (masks, ...) bool, of the sample's shape or one that broadcasts to it.
    """
    with torch.no_grad():
        whole = score(sample[None])
        parts = [whole - score(torch.where(some, baseline, sample)) for some in masks.split(AT_ONCE)]
    return torch.cat(parts)


def windows(height: int, width: int, side: int, stride: int) -> Tensor:
    """Return the masks of square windows that cover a picture, (windows, 1, height, width) bool."""
    tops = sorted({*range(0, max(1, height - side + 1), stride), max(0, height - side)})
    lefts = sorted({*range(0, max(1, width - side + 1), stride), max(0, width - side)})
    masks = torch.zeros(len(tops) * len(lefts), 1, height, width, dtype=torch.bool)
    for number, (top, left) in enumerate((top, left) for top in tops for left in lefts):
        masks[number, :, top : top + side, left : left + side] = True
    return masks


def spread(falls: Tensor, masks: Tensor) -> Tensor:
    """Return the mean fall over the windows that cover each pixel: (windows,) -> (height, width)."""
    planes = masks[:, 0].float()
    return (falls[:, None, None] * planes).sum(0) / planes.sum(0).clamp_min(1)
