"""L1, L2 and elastic net as proximal steps.

The objective is loss(w) + l1 * sum |w| + l2 * sum w^2 over the weights (no bias, no normalisation), with
l1 = strength * (1 - mix) and l2 = strength * mix. After the optimiser has moved w by its step on the loss,

    w <- argmin_u  (u - w)^2 / (2 s) + l1 |u| + l2 u^2  =  soft(w, s * l1) / (1 + 2 s * l2),
    soft(w, t) = sign(w) * max(|w| - t, 0),

where s is the size of the optimiser's step on a steady gradient (Parikh and Boyd 2014, 'Proximal
algorithms', sections 4.2 and 6.5). A weight that the loss does not hold beyond the threshold becomes exactly
zero, where a gradient step on |w| would jump to and fro around it. Thanks to s the solution is that of the
objective whatever the optimiser: for adaptive methods s differs from weight to weight, which is the proximal
step in their own metric (Yun, Lozano and Yang 2021, 'Adaptive proximal gradient methods', ProxGen).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from layerwise.training.config import PenaltyConfig

StepSizes = float | list[Tensor]


@torch.no_grad()
def proximal_step(optimizer: Optimizer, penalty: PenaltyConfig) -> None:
    """Shrink the weights of `optimizer` (its groups with 'penalised': True) after its step.

    Muon's orthogonal step has no size per gradient; there the learning rate stands for it, so that strength
    weighs the penalty against a step of unit size, as decoupled weight decay does.
    """
    if not penalty.l1 and not penalty.l2:
        return
    for group in optimizer.param_groups:
        weights = [w for w in group["params"] if w.grad is not None]
        if group.get("penalised") and weights:
            shrink(weights, _step_sizes(optimizer, group, weights), penalty)


def shrink(weights: list[Tensor], sizes: StepSizes, penalty: PenaltyConfig) -> None:
    """Take the proximal step in place; `sizes` is one step size, or a tensor of them a weight tensor."""
    if penalty.l1:
        if isinstance(sizes, float):
            threshold = sizes * penalty.l1
            inner = torch._foreach_clamp_min(torch._foreach_clamp_max(weights, threshold), -threshold)
        else:
            thresholds = torch._foreach_mul(sizes, penalty.l1)
            inner = torch._foreach_minimum(weights, thresholds)
            torch._foreach_maximum_(inner, torch._foreach_neg(thresholds))
        torch._foreach_sub_(weights, inner)  # w - clamp(w, -t, t): exactly zero where |w| <= t
    if penalty.l2:
        if isinstance(sizes, float):
            torch._foreach_div_(weights, 1 + 2 * sizes * penalty.l2)
        else:
            divisors = torch._foreach_mul(sizes, 2 * penalty.l2)
            torch._foreach_add_(divisors, 1)
            torch._foreach_div_(weights, divisors)


def penalty_value(weights: list[Tensor], penalty: PenaltyConfig) -> Tensor:
    """Return l1 * sum |w| + l2 * sum w^2, a scalar with gradient, to be reported or shown."""
    return sum((penalty.l1 * w.abs().sum() + penalty.l2 * w.square().sum() for w in weights), start=torch.zeros(()))


def _step_sizes(optimizer: Optimizer, group: dict[str, Any], weights: list[Tensor]) -> StepSizes:
    """Return how far the optimiser goes a step, per unit of a gradient that stays the same."""
    rate = float(group["lr"])
    states = [optimizer.state[w] for w in weights]
    match optimizer:
        case torch.optim.SGD():
            return rate / (1 - float(group["momentum"]))
        case torch.optim.RMSprop():
            divisors = torch._foreach_sqrt([state["square_avg"] for state in states])
        case _ if "exp_avg_sq" in states[0]:
            divisors = torch._foreach_sqrt([state["exp_avg_sq"] for state in states])
            decay = math.log(group["betas"][1])
            steps = [state["step"].to(w.dtype) for state, w in zip(states, weights, strict=True)]
            torch._foreach_div_(divisors, [torch.expm1(decay * step).neg().sqrt() for step in steps])  # 1 - beta2^t
        case _:
            return rate
    torch._foreach_add_(divisors, group["eps"])
    torch._foreach_reciprocal_(divisors)
    torch._foreach_mul_(divisors, rate)
    return list(divisors)
