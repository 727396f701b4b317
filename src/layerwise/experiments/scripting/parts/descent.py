"""What a training loop calls beside PyTorch's own: order of samples, measures, averages, penalties."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


def derive_seed(*parts: int) -> int:
    """Hash whole numbers to a seed (SplitMix64), so that each epoch and each step has one of its own."""
    word = 0
    for part in parts:
        word = ((word ^ part) + 0x9E3779B97F4A7C15) % 2**64
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
        word ^= word >> 31
    return word >> 1


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, share: float) -> None:
    """Move the averaged weights, and the statistics of normalisation, by a share towards those of the model."""
    kept_values, new_values = ((*own.parameters(), *own.buffers()) for own in (average, model))
    for kept, new in zip(kept_values, new_values, strict=True):
        if new.is_floating_point():
            kept.lerp_(new, share)


@torch.no_grad()
def shrink(weights: Iterable[Tensor], sizes: Iterable[float | Tensor], l1: float, l2: float) -> None:
    """Pay for large weights, l1 * sum |w| + l2 * sum w^2, by a proximal step: L1 leaves exact zeros."""
    for weight, size in zip(weights, sizes, strict=True):
        weight.sub_(weight.clamp(-size * l1, size * l1))  # type: ignore[arg-type]
        weight.div_(1 + 2 * size * l2)


def adam_step_sizes(optimizer: torch.optim.Optimizer, weights: list[Tensor], rate: float) -> list[Tensor]:
    """Return how far Adam moves each weight for each unit of a steady gradient."""
    states = [optimizer.state[weight] for weight in weights]
    corrections = [torch.expm1(math.log(0.999) * state["step"]).neg().sqrt() for state in states]
    roots = [state["exp_avg_sq"].sqrt() / correction for state, correction in zip(states, corrections, strict=True)]
    return [rate / (root + 1e-8) for root in roots]


def rmsprop_step_sizes(optimizer: torch.optim.Optimizer, weights: list[Tensor], rate: float) -> list[Tensor]:
    """Return how far RMSProp moves each weight for each unit of a steady gradient."""
    return [rate / (optimizer.state[weight]["square_avg"].sqrt() + 1e-8) for weight in weights]


def mix(inputs: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Mixup: blend each sample and its target with its neighbour's, by shares drawn from Beta(alpha, alpha)."""
    share = torch.distributions.Beta(alpha, alpha).sample((len(inputs),)).to(inputs.device)
    wide = share.view(-1, *[1] * (inputs.dim() - 1))
    inputs = inputs * wide + inputs.roll(1, 0) * (1 - wide)
    return inputs, targets * share[:, None] + targets.roll(1, 0) * (1 - share[:, None])
