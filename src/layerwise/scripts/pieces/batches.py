"""Which samples a step sees, and how batches are cut."""

import torch
from torch import Tensor


def mixup(inputs: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Blend each sample and its target with its neighbour's, by shares drawn from Beta(alpha, alpha)."""
    share = torch.distributions.Beta(alpha, alpha).sample((len(inputs),)).to(inputs.device)
    wide = share.view(-1, *[1] * (inputs.dim() - 1))
    inputs = inputs * wide + inputs.roll(1, 0) * (1 - wide)
    return inputs, targets * share[:, None] + targets.roll(1, 0) * (1 - share[:, None])


def trim(rows: Tensor) -> Tensor:
    """Leave out the columns behind the longest row, which are padding."""
    return rows[:, : int((rows != 0).sum(1).max())]


def sort_by_length(order: Tensor, lengths: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Sort pools of 32 batches by length, so that little is padding, then put the full batches in a random order."""
    pools = [pool[lengths[pool].argsort(stable=True)] for pool in order.split(32 * size)]
    batches = torch.cat(pools).split(size)
    full = len(batches) - (len(batches[-1]) < size)
    shuffled = torch.randperm(full, generator=generator).tolist()
    return torch.cat([*(batches[number] for number in shuffled), *batches[full:]])
