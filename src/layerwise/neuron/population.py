"""Many dense stacks trained at once, on all cores or as batched tensors on a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from layerwise.neuron.network import DenseStack, Floats


class Population:
    """Networks that learn the same data, each with its own sizes, activation, loss, rate, penalty, dropout and seed.

    Args:
        members: the networks. Each ends with the same bits as if it were trained alone.
        device: 'cpu' trains each compiled, on `threads` cores; another one ('cuda') trains networks of the same
            shape together as batched tensors, equal to the CPU up to rounding.
        threads: 0 for all cores.
    """

    def __init__(self, members: Sequence[DenseStack], *, device: str = "cpu", threads: int = 0) -> None:
        raise NotImplementedError

    def fit(
        self, inputs: Floats, targets: Any, sample_weight: Floats | None = None, count: int | None = None
    ) -> list[list[float]]:
        """Train every member for its own number of epochs; returns for each the loss of every epoch.

        A member whose loss stops being finite ends there with the last finite weights, and its list with NaN.
        """
        raise NotImplementedError

    def epochs(
        self, inputs: Floats, targets: Any, sample_weight: Floats | None = None, count: int | None = None
    ) -> Iterator[list[float]]:
        """Train an epoch for each list that is yielded: the loss of every member."""
        raise NotImplementedError
