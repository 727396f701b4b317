"""Random numbers that are a pure function of what they are for: (seed, epoch, sample, column, stream).

A generator with a state makes a draw depend on every draw before it. Here each number is a hash of its
address, so it is the same in any batch, in any order, on any device and after any resume.

Source: the finaliser and increment of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", 2014), applied to a counter (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
"""

from __future__ import annotations

import torch
from torch import Tensor

_WORD = 2**64 - 1
_INCREMENT = 0x9E3779B97F4A7C15
_FIRST_FACTOR = 0xBF58476D1CE4E5B9
_SECOND_FACTOR = 0x94D049BB133111EB


def derive_seed(*parts: int) -> int:
    """Return a seed in [0, 2**63) for a generator with a state; any change of any part changes it."""
    return _key(*parts) >> 1


def uniforms(seed: int, epoch: int, samples: Tensor, count: int, stream: int = 0) -> Tensor:
    """Return `count` numbers in [0, 1) for each sample, uniform on the multiples of 2**-24.

    Parameters
    ----------
    seed, epoch : int
        Any 64-bit integers.
    samples : Tensor
        (batch,) int64, which samples the numbers are for.
    count : int
        Columns; column k is the same however many are asked for.
    stream : int
        Keeps different uses of the same (seed, epoch, sample) apart.

    Returns:
        (batch, count) float32 on the device of `samples`.
    """
    bits = _hash(_key(seed, epoch, stream), samples, count)
    return _top_bits(bits, 24).to(torch.float32).mul_(2.0**-24)


def normals(seed: int, epoch: int, samples: Tensor, count: int, stream: int = 0) -> Tensor:
    """Return `count` standard normal numbers for each sample, by the inverse of the distribution function.

    Arguments and result as in `uniforms`. The largest absolute value is 5.29, the 2**-24 quantile.
    """
    bits = _hash(_key(seed, epoch, stream), samples, count)
    middles = _top_bits(bits, 23).to(torch.float32).add_(0.5).mul_(2.0**-23)  # never 0 and never 1
    quantiles: Tensor = torch.special.ndtri(middles)
    return quantiles


def _hash(key: int, samples: Tensor, count: int) -> Tensor:
    """Return well-mixed top bits for each (sample, column), (batch, count) int64."""
    states = _mix(samples.to(torch.int64).mul(_signed(_INCREMENT)).add_(_signed(key)))
    columns = torch.arange(1, count + 1, device=samples.device).mul_(_signed(_INCREMENT))
    return _mix(states[:, None] + columns)  # (batch, count)


def _mix(words: Tensor) -> Tensor:
    """Mix 64-bit words in place, without the last xor-shift of SplitMix64, which changes only low bits."""
    words ^= _shifted(words, 30)
    words *= _signed(_FIRST_FACTOR)
    words ^= _shifted(words, 27)
    words *= _signed(_SECOND_FACTOR)
    return words


def _shifted(words: Tensor, distance: int) -> Tensor:
    """Shift right and fill with zeros; int64 would fill with the sign."""
    return (words >> distance).bitwise_and_((1 << (64 - distance)) - 1)


def _top_bits(words: Tensor, count: int) -> Tensor:
    return _shifted(words, 64 - count)


def _key(*parts: int) -> int:
    """Hash 64-bit integers, in order, to one 64-bit word."""
    word = 0
    for part in parts:
        word = (word ^ part) + _INCREMENT & _WORD
        word = (word ^ word >> 30) * _FIRST_FACTOR & _WORD
        word = (word ^ word >> 27) * _SECOND_FACTOR & _WORD
        word ^= word >> 31
    return word


def _signed(word: int) -> int:
    """The int64 with the same 64 bits."""
    return word - 2**64 if word >= 2**63 else word
