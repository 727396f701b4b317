"""Ways from code to code, for pictures that turn into one another."""

from __future__ import annotations

import torch
from torch import Tensor

from layerwise.errors import UsageError


def between(first: Tensor, second: Tensor, steps: int) -> Tensor:
    """Return codes on the straight line from one to the other, both with it, (steps, code)."""
    shares = torch.linspace(0, 1, steps, dtype=first.dtype)[:, None]
    return torch.lerp(first[None], second[None], shares)


def around(first: Tensor, second: Tensor, steps: int) -> Tensor:
    """Return codes on the great arc from one to the other, both with it, (steps, code).

    Normal codes of many numbers lie near a sphere, and the straight line leaves it for codes that are hardly ever
    drawn; the arc does not (Shoemake 1985; White 2016, "Sampling generative networks"). Lengths change evenly.
    """
    lengths = first.norm(), second.norm()
    cosine = (first @ second / (lengths[0] * lengths[1]).clamp_min(1e-12)).clamp(-1, 1)
    angle = torch.arccos(cosine)
    if min(lengths) == 0 or angle.sin() < 1e-4:
        return between(first, second, steps)
    shares = torch.linspace(0, 1, steps, dtype=first.dtype)[:, None]
    directions = first / lengths[0], second / lengths[1]
    arc = (((1 - shares) * angle).sin() * directions[0] + (shares * angle).sin() * directions[1]) / angle.sin()
    codes: Tensor = arc * torch.lerp(lengths[0], lengths[1], shares)
    return codes


def tour(waypoints: Tensor, steps: int) -> Tensor:
    """Return codes on the arcs from each station to the next and back to the first, (stations * steps, code).

    Raises:
        UsageError: there are fewer than two stations.
    """
    if len(waypoints) < 2:
        raise UsageError(f"a walk needs at least 2 stations, received {len(waypoints)}; raise `count`.")
    pairs = zip(waypoints, waypoints.roll(-1, 0), strict=True)
    return torch.cat([around(here, there, steps + 1)[:-1] for here, there in pairs])
