"""The first weights of a dense layer: normal, with a variance that keeps signals at their size, and biases of zero.

    rule      variance                     for layers that feed           source
    he        2 / inputs                   relu and its kin, maxout       He et al. 2015, equation 10
    glorot    2 / (inputs + outputs)       identity, sigmoid, tanh        Glorot and Bengio 2010, equation 12
    lecun     1 / inputs                   selu                           Klambauer et al. 2017

They are a function of (seed, layer), and of nothing drawn before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def initial_weights(rule: str, sums: int, inputs: int, outputs: int, seed: int, layer: int) -> NDArray[np.float64]:
    """Return W, (sums, inputs); sums is the number of outputs, or twice as many for maxout."""
    variance = {"he": 2 / inputs, "glorot": 2 / (inputs + outputs), "lecun": 1 / inputs}[rule]
    random: Any = np.random.default_rng((seed, layer))
    weights: NDArray[np.float64] = np.sqrt(variance) * random.standard_normal((sums, inputs))
    return weights
