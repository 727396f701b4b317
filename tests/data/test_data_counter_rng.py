"""Counter-based random numbers are random, and a function of their address alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from layerwise.data.counter_rng import derive_seed, normals, uniforms

WORD = 2**64 - 1
words = st.integers(-(2**63), 2**63 - 1)


def splitmix(word: int) -> int:
    """SplitMix64's finaliser up to its last xor-shift, in Python's whole numbers."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & WORD
    return (word ^ word >> 27) * 0x94D049BB133111EB & WORD


@given(seed=words, epoch=st.integers(0, 10**6), sample=st.integers(0, 2**62), column=st.integers(0, 20))
@settings(max_examples=100, deadline=None)
def test_a_number_is_the_hash_of_its_address_written_in_plain_python(seed, epoch, sample, column):
    key = 0
    for part in (seed, epoch, 3):
        key = splitmix((key ^ part) + 0x9E3779B97F4A7C15 & WORD)
        key ^= key >> 31
    state = splitmix(sample * 0x9E3779B97F4A7C15 + key & WORD)
    expected = (splitmix(state + (column + 1) * 0x9E3779B97F4A7C15 & WORD) >> 40) / 2**24
    got = uniforms(seed, epoch, torch.tensor([sample]), column + 1, stream=3)
    assert got[0, column].item() == expected


@given(seed=words, permutation=st.permutations(range(40)), size=st.integers(1, 40), count=st.integers(1, 9))
@settings(max_examples=50, deadline=None)
@pytest.mark.parametrize("draw", [uniforms, normals])
def test_a_sample_gets_the_same_numbers_in_any_batch_and_order(draw, seed, permutation, size, count):
    everything = draw(seed, 5, torch.arange(40), 9)
    some = torch.tensor(permutation[:size])
    assert torch.equal(draw(seed, 5, some, count), everything[some, :count])


def test_drawing_leaves_the_samples_and_the_global_generator_as_they_were():
    samples, state = torch.arange(10), torch.get_rng_state()
    uniforms(1, 2, samples, 4)
    assert torch.equal(samples, torch.arange(10))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63 - 1])
def test_uniforms_are_uniform_in_every_column_and_together(seed):
    draws = uniforms(seed, 0, torch.arange(100_000), 6).numpy()
    assert draws.min() >= 0
    assert draws.max() < 1
    for column in draws.T:
        assert stats.chisquare(np.histogram(column, bins=256, range=(0, 1))[0]).pvalue > 1e-4
    pairs = np.histogram2d(draws[:, 0], draws[:, 1], bins=32, range=[(0, 1), (0, 1)])[0]
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-4


def test_the_lowest_bit_of_the_numbers_is_fair_too():
    bits = (uniforms(7, 0, torch.arange(100_000), 4) * 2**24).long() & 1
    assert (bits.double().mean(0) - 0.5).abs().max() < 4.5 * 0.5 / 100_000**0.5


def test_neighbouring_columns_epochs_seeds_streams_and_samples_are_uncorrelated():
    samples = torch.arange(100_000)
    base = uniforms(0, 0, samples, 2).double().numpy()
    others = {
        "column": base[:, 1],
        "epoch": uniforms(0, 1, samples, 1)[:, 0].double().numpy(),
        "seed": uniforms(1, 0, samples, 1)[:, 0].double().numpy(),
        "stream": uniforms(0, 0, samples, 1, stream=1)[:, 0].double().numpy(),
        "sample": uniforms(0, 0, samples + 1, 1)[:, 0].double().numpy(),
        "seed and epoch exchanged": uniforms(0, 1, samples, 1, stream=1)[:, 0].double().numpy(),
    }
    for name, other in others.items():
        assert abs(np.corrcoef(base[:, 0], other)[0, 1]) < 4.5 / 100_000**0.5, name


def test_successive_epochs_of_one_sample_look_random():
    draws = torch.cat([uniforms(3, epoch, torch.tensor([12]), 4) for epoch in range(4000)]).double().numpy()
    for column in draws.T:
        assert stats.chisquare(np.histogram(column, bins=64, range=(0, 1))[0]).pvalue > 1e-4
        assert abs(np.corrcoef(column[:-1], column[1:])[0, 1]) < 4.5 / 4000**0.5


def test_normals_have_the_normal_distribution_and_are_finite():
    draws = normals(5, 0, torch.arange(200_000), 3)
    assert draws.isfinite().all()
    assert draws.abs().max() < 5.3
    for column in draws.numpy().T:
        assert stats.kstest(column, "norm").pvalue > 1e-4
    assert np.abs(np.corrcoef(draws.numpy().T) - np.eye(3)).max() < 4.5 / 200_000**0.5


@given(st.lists(words, min_size=1, max_size=4), st.integers(0, 3), words)
def test_derived_seeds_suit_a_generator_and_differ_when_a_part_differs(parts, place, other):
    seed = derive_seed(*parts)
    assert 0 <= seed < 2**63
    torch.Generator().manual_seed(seed)
    place %= len(parts)
    changed = [*parts[:place], other, *parts[place + 1 :]]
    assert (derive_seed(*changed) == seed) == (changed == parts)
