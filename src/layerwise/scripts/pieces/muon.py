"""Muon, written to be read."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal (Jordan 2024); vectors, embeddings and the last layer go by AdamW.

    Filters (out, in, height, width) count as matrices (out, in * height * width). The step is scaled to the size of
    Adam's (Liu et al. 2025, equation 4).
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: list[dict[str, Any]],
        lr: float,
        momentum: float,
        weight_decay: float,
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.adam = torch.optim.AdamW(others, lr=lr)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        (group,) = self.param_groups
        for weight in group["params"]:
            velocity = self.state[weight].setdefault("velocity", torch.zeros_like(weight))
            velocity.lerp_(weight.grad, 1 - group["momentum"])
            direction = orthogonal(weight.grad.lerp(velocity, group["momentum"]).flatten(1))  # Nesterov: a step ahead
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.sub_(group["lr"] * 0.2 * math.sqrt(max(direction.shape)) * direction.view_as(weight))
        for other in self.adam.param_groups:
            other["lr"] = group["lr"]
        self.adam.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        self.adam.zero_grad(set_to_none)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return nearly U V' of M = U S V', by five Newton-Schulz iterations."""
    x = matrix.T if matrix.size(0) > matrix.size(1) else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if matrix.size(0) > matrix.size(1) else x  # type: ignore[no-any-return]
