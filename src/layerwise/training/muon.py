"""Muon: momentum whose step is made orthogonal (Jordan 2024, https://kellerjordan.github.io/posts/muon/).

A momentum matrix usually has a few large singular values and many small ones, so that a plain step moves
along few directions. Muon sets all of them to about one: with the SVD M = U S V' the step is close to U V'.
Five Newton-Schulz iterations do this by matrix products alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

# Of the odd polynomial a x + b x^3 + c x^5, chosen by Jordan for a steep slope at zero: singular values end
# between about 0.7 and 1.2 rather than at 1, which costs nothing in training.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
EPSILON = 1e-7


def orthogonalize(matrices: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return for each matrix M = U S V' nearly U V'.

    matrices: (n, rows, columns). The work is done in `dtype` on the smaller side; the result has that type.
    """
    a, b, c = COEFFICIENTS
    x = matrices.to(dtype)
    is_tall = x.size(-2) > x.size(-1)
    if is_tall:
        x = x.mT
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=EPSILON)  # all singular values at most 1
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    result: Tensor = x.mT if is_tall else x
    return result


class Muon(torch.optim.Optimizer):
    """Muon on the groups with orthogonal=True, AdamW on the others, in one optimiser that saves as one.

    params: dicts with 'params' and 'orthogonal'. An orthogonal parameter has two dimensions or more; filters
        (out, in, height, width) are taken as matrices (out, in * height * width).
    lr: learning rate of both. The orthogonal step is scaled by 0.2 * sqrt(max(rows, columns)), which gives
        it the root mean square of a typical AdamW step, so that Adam's rates and decays carry over
        (Liu et al. 2025, 'Muon is scalable for LLM training', equation 4).
    momentum: of the orthogonal groups, Nesterov's.
    weight_decay: decoupled, w <- (1 - lr * weight_decay) * w.
    dtype: of the orthogonalisation; bfloat16 is enough, and faster where there are instructions for it.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.dtype = dtype
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "betas": betas, "eps": eps}
        super().__init__(params, {**defaults, "orthogonal": False})
        for group in self.param_groups:
            if group["orthogonal"] and any(p.ndim < 2 for p in group["params"]):
                raise ValueError("Muon orthogonalises parameters of two dimensions or more.")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; returns what `closure` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            if group["weight_decay"]:
                torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            if group["orthogonal"]:
                self._orthogonal_step(group, parameters)
            else:
                self._adam_step(group, parameters)
        return loss

    def _orthogonal_step(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        buffers = [self._state(p, "momentum_buffer") for p in parameters]
        torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
        updates = torch._foreach_lerp(gradients, buffers, group["momentum"])  # Nesterov: one step ahead

        by_shape: dict[tuple[int, int], list[int]] = {}
        for i, update in enumerate(updates):
            by_shape.setdefault((update.size(0), update[0].numel()), []).append(i)
        for (rows, columns), members in by_shape.items():
            stacked = torch.stack([updates[i].reshape(rows, columns) for i in members])  # (n, rows, columns)
            steps = orthogonalize(stacked, self.dtype).to(stacked.dtype)
            scale = 0.2 * math.sqrt(max(rows, columns))
            for i, step in zip(members, steps, strict=True):
                parameters[i].add_(step.view_as(parameters[i]), alpha=-group["lr"] * scale)

    def _adam_step(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        gradients = [p.grad for p in parameters if p.grad is not None]
        means = [self._state(p, "exp_avg") for p in parameters]
        squares = [self._state(p, "exp_avg_sq") for p in parameters]
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)

        counts = [self._count(p) for p in parameters]
        divisors = torch._foreach_sqrt(squares)
        torch._foreach_div_(divisors, [math.sqrt(1 - beta2**count) for count in counts])
        torch._foreach_add_(divisors, group["eps"])
        torch._foreach_addcdiv_(parameters, means, divisors, [-group["lr"] / (1 - beta1**n) for n in counts])

    def _state(self, parameter: Tensor, key: str) -> Tensor:
        state = self.state[parameter]
        if key not in state:
            state[key] = torch.zeros_like(parameter)
        value: Tensor = state[key]
        return value

    def _count(self, parameter: Tensor) -> int:
        """Count one more step of `parameter`; a CPU tensor as in torch's own optimisers, to be saved."""
        step = self.state[parameter].setdefault("step", torch.tensor(0.0))
        step += 1
        return int(step)
