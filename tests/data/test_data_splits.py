"""Splits divide everything, keep classes, groups and time as promised, and are functions of their seed."""

import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.data.splits import Indices, hold_out, limit_indices, split_indices
from layerwise.errors import DataError, UsageError

shares = st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.5])
seeds = st.integers(0, 2**32)
labels = st.lists(st.integers(0, 4), min_size=6, max_size=120).map(torch.tensor)


def assert_divides(splits: Indices, count: int) -> None:
    everything = torch.cat(list(splits))
    assert sorted(everything.tolist()) == list(range(count))


@given(labels, shares, shares, seeds)
def test_a_split_by_chance_is_disjoint_complete_and_of_the_shares_asked_for(classes, test, valid, seed):
    splits = split_indices(len(classes), test=test, valid=valid, seed=seed, classes=classes)
    assert_divides(splits, len(classes))
    class_count = len(classes.unique())
    assert abs(len(splits.test) - test * len(classes)) <= class_count + 1
    rest = len(classes) - len(splits.test)
    assert abs(len(splits.valid) - valid * rest) <= 2 * class_count + 1


@given(labels, st.sampled_from([0.1, 0.2, 0.3]), seeds)
def test_every_class_of_three_comes_into_every_split(classes, share, seed):
    splits = split_indices(len(classes), test=share, valid=share, seed=seed, classes=classes)
    for label in classes.unique():
        if (classes == label).sum() >= 3:
            assert all((classes[part] == label).any() for part in splits)


def test_large_classes_keep_their_proportions():
    classes = torch.tensor([0] * 700 + [1] * 200 + [2] * 100)
    splits = split_indices(1000, test=0.2, valid=0.1, seed=3, classes=classes)
    assert torch.bincount(classes[splits.test]).tolist() == [140, 40, 20]
    assert torch.bincount(classes[splits.valid]).tolist() == [56, 16, 8]


@given(labels, seeds)
def test_the_same_seed_gives_the_same_split(classes, seed):
    first, second = (split_indices(len(classes), test=0.2, valid=0.1, seed=seed, classes=classes) for _ in "ab")
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_another_seed_gives_another_split():
    first, second = (split_indices(200, test=0.2, valid=0.1, seed=seed) for seed in (0, 1))
    assert not torch.equal(first.test, second.test)


def test_the_split_of_a_seed_never_changes_between_versions():
    splits = split_indices(1000, test=0.2, valid=0.1, seed=7)
    digest = hashlib.sha256(torch.cat(list(splits)).numpy().tobytes()).hexdigest()
    assert digest[:16] == "21f9b7f078966525"


@given(st.lists(st.integers(0, 9), min_size=30, max_size=90).map(torch.tensor), st.sampled_from([0.1, 0.2, 0.4]), seeds)
def test_no_group_crosses_a_split(groups, share, seed):
    if len(groups.unique()) < 3:
        return
    splits = split_indices(len(groups), test=share, valid=share, seed=seed, by="group", values=groups)
    assert_divides(splits, len(groups))
    train, valid, test = (set(groups[part].tolist()) for part in splits)
    assert min(len(train), len(valid), len(test)) > 0
    assert len(train | valid | test) == len(train) + len(valid) + len(test)
    largest = int(torch.bincount(groups).max())
    assert abs(len(splits.test) - share * len(groups)) <= largest


@given(st.lists(st.integers(-5, 40), min_size=10, max_size=90).map(torch.tensor), shares, shares)
def test_a_split_by_time_never_learns_from_the_future(times, test, valid):
    splits = split_indices(len(times), test=test, valid=valid, seed=0, by="time", values=times)
    assert_divides(splits, len(times))
    in_order = torch.cat([times[part] for part in splits])
    assert torch.equal(in_order, times.sort().values)
    assert abs(len(splits.test) - test * len(times)) <= 1


@given(labels, st.integers(1, 40), seeds)
def test_a_limit_keeps_that_many_training_samples(classes, limit, seed):
    train, valid = hold_out(len(classes), valid=0.2, seed=seed, classes=classes)
    assert sorted(torch.cat([train, valid]).tolist()) == list(range(len(classes)))
    kept = limit_indices(train, limit, seed, classes)
    assert len(kept) == min(limit, len(train))
    assert set(kept.tolist()) <= set(train.tolist())


def test_shares_and_ways_that_cannot_work_are_refused_by_their_flag():
    with pytest.raises(UsageError, match="`test` must be a share"):
        split_indices(10, test=1.0, valid=0.1, seed=0)
    with pytest.raises(UsageError, match=r"`valid` must be a share.*-0\.1"):
        split_indices(10, test=0.1, valid=-0.1, seed=0)
    with pytest.raises(UsageError, match="Did you mean 'group'"):
        split_indices(10, test=0.1, valid=0.1, seed=0, by="groups")
    with pytest.raises(UsageError, match="`split_column`"):
        split_indices(10, test=0.1, valid=0.1, seed=0, by="time")
    with pytest.raises(UsageError, match="`limit` must be at least 1, received 0"):
        limit_indices(torch.arange(10), 0, 0)


def test_too_few_samples_or_groups_are_refused():
    with pytest.raises(
        DataError, match="the data has 2 samples, and training, validation and test need at least 3 together"
    ):
        split_indices(2, test=0.2, valid=0.2, seed=0)
    with pytest.raises(DataError, match="There are 2 groups; 3 splits"):
        split_indices(6, test=0.2, valid=0.2, seed=0, by="group", values=torch.tensor([1, 1, 1, 2, 2, 2]))
