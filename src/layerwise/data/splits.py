"""Dividing samples into training, validation and test: by chance within each class, by group, or by time.

Every split is a function of the seed and of the values it is made by. Shares: `test` of all samples, then
`valid` of what remains for training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from layerwise.data.config import SPLITS, DataConfig
from layerwise.data.raw import Parts, RawData
from layerwise.errors import DataError, UsageError, nearest

Raw = TypeVar("Raw", bound=RawData)


class Indices(NamedTuple):
    """Positions of the samples of each split, (n,) int64, ascending; by time, in the order of time."""

    train: Tensor
    valid: Tensor
    test: Tensor


def split_indices(
    count: int,
    *,
    test: float,
    valid: float,
    seed: int,
    by: str = "random",
    classes: Tensor | None = None,
    values: Tensor | None = None,
    name: str = "the data",
) -> Indices:
    """Divide `count` samples.

    Parameters
    ----------
    test : float
        Share of all samples, 0 for none.
    valid : float
        Share of what the test split leaves.
    seed : int
        Decides what chance decides.
    by : str
        'random' (stratified where `classes` are given), 'group' (none is divided) or 'time' (the
        latest last).
    classes : Tensor or None
        (count,) int64 class of each sample; every class of three samples or more comes into every
        split.
    values : Tensor or None
        (count,) int64 group, or time of any number type, of each sample.
    name : str
        What to call the data in a message.

    Raises UsageError for a share or a way that cannot work, DataError for too few samples or groups.
    """
    check_shares(test=test, valid=valid, by=by)
    if count < 3:
        samples = "1 sample" if count == 1 else f"{count} samples"
        raise DataError(f"{name} has {samples}, and training, validation and test need at least 3 together; give more.")
    if by == "random":
        labels = torch.zeros(count, dtype=torch.int64) if classes is None else classes
        return _split_by_chance(labels, test, valid, seed)
    if values is None:
        raise UsageError(f"`split_by` {by} needs `split_column`, the column with the {by} of a row.")
    return _split_by_group(values, test, valid, seed) if by == "group" else _split_by_time(values, test, valid)


def hold_out(count: int, *, valid: float, seed: int, classes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Divide data that brings a test part of its own into (train, valid) positions, stratified."""
    check_shares(test=0.0, valid=valid, by="random")
    labels = torch.zeros(count, dtype=torch.int64) if classes is None else classes
    train, held_out, _ = _split_by_chance(labels, 0.0, valid, seed)
    return train, held_out


def limit_indices(indices: Tensor, limit: int | None, seed: int, classes: Tensor | None = None) -> Tensor:
    """Draw at most `limit` of the training positions, stratified where all samples' classes are given."""
    if limit is None or limit >= len(indices):
        return indices
    if limit < 1:
        raise UsageError(f"`limit` must be at least 1, received {limit}.")
    labels = torch.zeros(len(indices), dtype=torch.int64) if classes is None else classes[indices]
    return indices[_draw(labels, limit, _generator(seed), spare=0).nonzero().flatten()]


def split_samples(raw: Raw, config: DataConfig, seed: int) -> Parts[Raw]:
    """Divide samples of any kind: hold out what they do not bring along, and keep the parts that they do.

    Raises UsageError or DataError as `split_indices` does.
    """
    train, valid, test = raw.brought()
    if valid is not None and test is not None:
        return Parts(train, valid, test)
    if test is not None:
        kept, held_out = hold_out(len(train), valid=config.valid, seed=seed, classes=train.strata)
        return Parts(train.take(kept), train.take(held_out), test)
    if valid is not None:
        kept, held_out = hold_out(len(train), valid=config.test, seed=seed, classes=train.strata)
        return Parts(train.take(kept), valid, train.take(held_out))
    indices = split_indices(
        len(train),
        test=config.test,
        valid=config.valid,
        seed=seed,
        by="random" if train.groups is None else config.split_by,
        classes=train.strata,
        values=train.groups,
        name=raw.source,
    )
    return Parts(*map(train.take, indices))


def limit_samples(raw: Raw, limit: int | None, seed: int) -> Raw:
    """Draw at most `limit` training samples of any kind, stratified where they have classes."""
    chosen = limit_indices(torch.arange(len(raw)), limit, seed, raw.strata)
    return raw if len(chosen) == len(raw) else raw.take(chosen)  # type: ignore[return-value]


def check_shares(*, test: float, valid: float, by: str) -> None:
    """Raise UsageError, naming the field, for shares or a way of splitting that cannot work."""
    for field, share in (("`test`", test), ("`valid`", valid)):
        if not 0 <= share < 1:
            raise UsageError(f"{field} must be a share from 0 to below 1, received {share!r}.")
    if by not in SPLITS:
        raise UsageError(f"`split_by` must be one of {', '.join(SPLITS)}, received '{by}'.{nearest(by, SPLITS)}")


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _split_by_chance(labels: Tensor, test: float, valid: float, seed: int) -> Indices:
    generator = _generator(seed)
    labels = labels.to(torch.int32)  # tables have millions of rows
    in_test = _draw(labels, _share(len(labels), test), generator, spare=2)
    rest = (~in_test).nonzero().flatten()
    in_valid = _draw(labels[rest], _share(len(rest), valid), generator, spare=1)
    return Indices(rest[~in_valid], rest[in_valid], in_test.nonzero().flatten())


def _share(count: int, share: float) -> int:
    """Return the samples that a share is: rounded, and at least one where any were asked for."""
    return max(1, round(count * share)) if share else 0


def _draw(labels: Tensor, wanted: int, generator: torch.Generator, spare: int) -> Tensor:
    """Mark about `wanted` samples, each class in proportion, one at least of a class larger than `spare`."""
    shuffled = torch.randperm(len(labels), generator=generator)
    shuffled_labels = labels[shuffled]
    marked = torch.zeros(len(labels), dtype=torch.bool)
    for label, quota in enumerate(_quotas(torch.bincount(labels).tolist(), wanted, spare)):
        members = shuffled[shuffled_labels == label]
        marked[members[:quota]] = True
    return marked


def _quotas(sizes: Sequence[int], wanted: int, spare: int) -> list[int]:
    """Divide `wanted` over classes by largest remainders, at least one to a class larger than `spare`."""
    total = sum(sizes)
    if not wanted:
        return [0] * len(sizes)
    exact = [size * wanted / total for size in sizes]
    quotas = [int(share) for share in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda number: (quotas[number] - exact[number], number))
    for number in by_remainder[: wanted - sum(quotas)]:
        quotas[number] += 1
    least = [1 if spare and size > spare else 0 for size in sizes]
    most = [max(size - spare, low) if spare else size for size, low in zip(sizes, least, strict=True)]
    return [min(max(quota, low), high) for quota, low, high in zip(quotas, least, most, strict=True)]


def _split_by_group(groups: Tensor, test: float, valid: float, seed: int) -> Indices:
    names, inverse = np.unique(groups.numpy(), return_inverse=True)
    members = torch.from_numpy(inverse)
    splits = 1 + (test > 0) + (valid > 0)
    if len(names) < splits:
        raise DataError(
            f"There are {len(names)} groups; {splits} splits need at least one each, so name a `split_column` "
            "with more."
        )
    sizes = torch.bincount(members).tolist()
    order = torch.randperm(len(names), generator=_generator(seed)).tolist()
    test_groups = _take_groups(order, sizes, _share(len(groups), test), spare=1 + (valid > 0))
    rest = [group for group in order if group not in test_groups]
    valid_wanted = _share(sum(sizes[group] for group in rest), valid)
    valid_groups = _take_groups(rest, sizes, valid_wanted, spare=1)
    split_of_group = torch.zeros(len(names), dtype=torch.int64)
    split_of_group[list(valid_groups)] = 1
    split_of_group[list(test_groups)] = 2
    split = split_of_group[members]
    return Indices(*((split == number).nonzero().flatten() for number in range(3)))


def _take_groups(order: Sequence[int], sizes: Sequence[int], wanted: int, spare: int) -> set[int]:
    """Take groups in order while each brings the split nearer to `wanted`; one at least, leaving `spare`."""
    taken: set[int] = set()
    held = 0
    for group in order:
        if not wanted or len(order) - len(taken) <= spare:
            break
        if abs(held + sizes[group] - wanted) < abs(held - wanted):
            taken.add(group)
            held += sizes[group]
    if wanted and not taken:
        taken.add(min(order, key=lambda group: sizes[group]))
    return taken


def _split_by_time(times: Tensor, test: float, valid: float) -> Indices:
    order = times.argsort(stable=True)
    held_out = _share(len(order), test)
    rest = len(order) - held_out
    in_valid = min(_share(rest, valid), rest - 1)
    train, valid_part, test_part = order.tensor_split([rest - in_valid, rest])
    return Indices(train, valid_part, test_part)
