"""Proximal steps for L1 and L2 penalties, each for one family of optimisers."""

import math

import torch
from torch import Tensor


def shrink(weight: Tensor, step_size: Tensor | float, l1: float, l2: float) -> None:
    """Take the proximal step of l1 * sum |w| + l2 * sum w^2, which leaves exact zeros where L1 wins."""
    weight.sub_(weight.clamp(-step_size * l1, step_size * l1))  # type: ignore[arg-type]
    weight.div_(1 + 2 * step_size * l2)


@torch.no_grad()
def shrink_after_sgd(optimizer: torch.optim.Optimizer, l1: float, l2: float) -> None:
    """Shrink the weights by the length of a step on a steady gradient: the rate, with momentum so many times it."""
    group = optimizer.param_groups[0]
    for weight in group["params"]:
        shrink(weight, group["lr"] / (1 - group["momentum"]), l1, l2)


@torch.no_grad()
def shrink_after_rmsprop(optimizer: torch.optim.Optimizer, l1: float, l2: float) -> None:
    """Shrink each weight by the length of its own step on a steady gradient."""
    group = optimizer.param_groups[0]
    for weight in group["params"]:
        shrink(weight, group["lr"] / (optimizer.state[weight]["square_avg"].sqrt() + 1e-8), l1, l2)


@torch.no_grad()
def shrink_after_adam(optimizer: torch.optim.Optimizer, l1: float, l2: float) -> None:
    """Shrink each weight by the length of its own step on a steady gradient."""
    group = optimizer.param_groups[0]
    for weight in group["params"]:
        state = optimizer.state[weight]
        correction = torch.expm1(math.log(group["betas"][1]) * state["step"]).neg().sqrt()  # root of 1 - beta2^t
        shrink(weight, group["lr"] / (state["exp_avg_sq"].sqrt() / correction + 1e-8), l1, l2)
