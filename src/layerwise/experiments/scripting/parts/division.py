"""The division of the samples by the seed, as a run makes it."""

import torch
from torch import Tensor


def draw(labels: Tensor, wanted: int, generator: torch.Generator, spare: int = 0) -> Tensor:
    """Mark `wanted` samples by chance, each class in proportion; with `spare` one at least, and so many are left."""
    sizes = labels.bincount()
    exact = sizes.double() * wanted / len(labels)
    quotas = exact.long()
    quotas[(quotas - exact).argsort(stable=True)[: wanted - int(quotas.sum())]] += 1  # to the largest remainders
    if spare:
        least = (sizes > spare).long()
        quotas = quotas.clamp(least, torch.maximum(sizes - spare, least))
    shuffled = torch.randperm(len(labels), generator=generator)
    marked = torch.zeros(len(labels), dtype=torch.bool)
    for label, quota in enumerate(quotas.tolist()):
        marked[shuffled[labels[shuffled] == label][:quota]] = True
    return marked


def divide(labels: Tensor, test: float, valid: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the positions of the training, validation and test samples."""
    generator = torch.Generator().manual_seed(seed)
    in_test = draw(labels, max(1, round(test * len(labels))), generator, spare=2)
    rest = (~in_test).nonzero().flatten()
    in_valid = draw(labels[rest], max(1, round(valid * len(rest))), generator, spare=1)
    return rest[~in_valid], rest[in_valid], in_test.nonzero().flatten()


def divide_in_two(labels: Tensor, test: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return the positions of the training and the test samples."""
    in_test = draw(labels, max(1, round(test * len(labels))), torch.Generator().manual_seed(seed), spare=2)
    return (~in_test).nonzero().flatten(), in_test.nonzero().flatten()


def hold_out(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return the positions of the samples that are kept, and of a share that is held out."""
    generator = torch.Generator().manual_seed(seed)
    torch.randperm(len(labels), generator=generator)  # what a drawn test part would have taken
    held_out = draw(labels, max(1, round(share * len(labels))), generator, spare=1)
    return (~held_out).nonzero().flatten(), held_out.nonzero().flatten()


def thin(positions: Tensor, labels: Tensor, limit: int, seed: int) -> Tensor:
    """Return `limit` of the positions, each class in proportion."""
    return positions[draw(labels[positions], limit, torch.Generator().manual_seed(seed))]


def divide_by_time(times: Tensor, test: float, valid: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the positions of the training, validation and test samples, the latest last."""
    order = times.argsort(stable=True)
    in_test = max(1, round(test * len(order)))
    in_valid = max(1, round(valid * (len(order) - in_test))) if valid else 0
    train, valid_part, test_part = order.split([len(order) - in_test - in_valid, in_valid, in_test])
    return train, valid_part, test_part


def divide_by_group(groups: Tensor, test: float, valid: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the positions of the training, validation and test samples; no group is divided.

    groups: (samples,) int64, counted from 0.
    """
    sizes = groups.bincount().tolist()
    order = torch.randperm(len(sizes), generator=torch.Generator().manual_seed(seed)).tolist()
    in_test = take_groups(order, sizes, max(1, round(test * len(groups))), spare=1 + (valid > 0))
    rest = [group for group in order if group not in in_test]
    in_valid = take_groups(rest, sizes, max(1, round(valid * sum(sizes[group] for group in rest))), 1) if valid else []
    split = torch.tensor([2 if g in in_test else 1 if g in in_valid else 0 for g in range(len(sizes))])[groups]
    train, valid_part, test_part = ((split == number).nonzero().flatten() for number in range(3))
    return train, valid_part, test_part


def take_groups(order: list[int], sizes: list[int], wanted: int, spare: int) -> list[int]:
    """Take groups in order while each brings their size nearer to `wanted`; one at least, and `spare` are left."""
    taken: list[int] = []
    held = 0
    for group in order:
        if len(order) - len(taken) > spare and abs(held + sizes[group] - wanted) < abs(held - wanted):
            taken.append(group)
            held += sizes[group]
    return taken or [min(order, key=lambda group: sizes[group])]
