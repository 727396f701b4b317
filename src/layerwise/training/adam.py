"""torch's fused AdamW on the processor, with the lists for its kernel made once instead of at every step.

The kernel is the same, and so is every bit. What falls away is the bookkeeping of torch.optim between a call of
`step` and its kernel, which takes half the time of the optimiser for a network as small as LeNet-5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class QuickAdamW(torch.optim.AdamW):
    """torch.optim.AdamW(fused=True) for float32 parameters on the processor. Takes and saves the same."""

    def __init__(self, groups: list[dict[str, Any]], learning_rate: float) -> None:
        self._lists: list[dict[str, Any]] = []  # a group's arguments of the kernel, once there is state
        super().__init__(groups, lr=learning_rate, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take a step; the first one, which makes the state, and one without all gradients are left to torch."""
        gradients = [[parameter.grad for parameter in group["params"]] for group in self.param_groups]
        is_whole = all(gradient is not None for own in gradients for gradient in own)
        if closure or not is_whole or len(self.state) < sum(map(len, gradients)):
            self._lists = []
            result: float | None = super().step(closure)
            return result
        self._lists = self._lists or [self._lists_of(group) for group in self.param_groups]
        for group, own, lists in zip(self.param_groups, gradients, self._lists, strict=True):
            torch._foreach_add_(lists["state_steps"], 1)
            beta1, beta2 = group["betas"]
            rates = {"lr": group["lr"], "weight_decay": group["weight_decay"], "beta1": beta1, "beta2": beta2}
            torch._fused_adamw_(grads=own, **lists, **rates, eps=group["eps"], amsgrad=False, maximize=False)
        return None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Forget the lists, which hold the old state; torch calls this when another is loaded."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._lists = []

    def _lists_of(self, group: dict[str, Any]) -> dict[str, Any]:
        states = [self.state[parameter] for parameter in group["params"]]
        names = {"exp_avgs": "exp_avg", "exp_avg_sqs": "exp_avg_sq", "state_steps": "step"}
        lists = {argument: [state[name] for state in states] for argument, name in names.items()}
        return {"self": group["params"], **lists, "max_exp_avg_sqs": []}
