"""Random numbers that are a function of what they are for, compiled: the order of an epoch, the mask of a step.

A hash of an address instead of a generator with a state: SplitMix64's finaliser on a counter (Steele, Lea and Flood
2014; Salmon et al. 2011, 'Parallel random numbers: as easy as 1, 2, 3').
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layerwise.neuron.engine.compiled import compiled

INCREMENT = np.uint64(0x9E3779B97F4A7C15)
FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
SECOND_FACTOR = np.uint64(0x94D049BB133111EB)
ORDER, DROPOUT = np.uint64(1), np.uint64(2)  # what the numbers are for


@compiled
def mix(word: Any) -> Any:
    """Return 64 well-mixed bits for 64 bits."""
    word ^= word >> np.uint64(30)
    word *= FIRST_FACTOR
    word ^= word >> np.uint64(27)
    word *= SECOND_FACTOR
    return word ^ (word >> np.uint64(31))


@compiled
def key_of(seed: Any, purpose: Any, number: Any) -> Any:
    """Return a key for the numbers of one purpose in one epoch or step."""
    return mix(mix(np.uint64(seed) + INCREMENT * purpose) + INCREMENT * np.uint64(number + 1))


@compiled
def permutation(seed: Any, epoch: Any, count: Any) -> Any:
    """Return 0 ... count - 1 in the order of an epoch (Fisher and Yates)."""
    key = key_of(seed, ORDER, epoch)
    order = np.arange(count)
    for last in range(count - 1, 0, -1):
        bits = mix(key + INCREMENT * np.uint64(last)) >> np.uint64(32)
        chosen = np.int64((bits * np.uint64(last + 1)) >> np.uint64(32))  # bits / 2^32 of last + 1
        order[last], order[chosen] = order[chosen], order[last]
    return order


@compiled
def keep(key: Any, first: Any, share: Any, scale: Any, masks: Any) -> None:
    """Fill `masks` (units, lanes) with `scale` for a random `share` of the places and 0 for the others.

    A place's number follows from the key, its unit and `first` + its lane.
    """
    limit = np.uint64(share * 2.0**32)
    for unit in range(masks.shape[0]):
        row = masks[unit]
        start = mix(key + INCREMENT * np.uint64(unit + 1)) + INCREMENT * np.uint64(first)
        for lane in range(row.size):
            bits = mix(start + INCREMENT * np.uint64(lane)) >> np.uint64(32)
            row[lane] = scale if bits < limit else 0
