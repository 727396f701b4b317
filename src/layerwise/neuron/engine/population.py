"""Many dense stacks trained at once: compiled on all cores, or as batched tensors on a GPU."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from layerwise.errors import UsageError
from layerwise.neuron.engine.network import DenseStack, Samples


class Population:
    """Networks that learn the same data, each with its own sizes, activation, loss, rate, penalty, dropout and seed.

    Args:
        members: the networks, no one twice. Each ends with the same bits as if it were trained alone.
        device: 'cpu' trains each compiled, on `threads` cores; another one ('cuda') trains networks of the same
            shape together as batched tensors (torch_population.py), equal to the CPU up to rounding.
        threads: 0 for all cores.

    Raises UsageError for an empty population, or one that holds a network twice.
    """

    def __init__(self, members: Sequence[DenseStack], *, device: str = "cpu", threads: int = 0) -> None:
        if not members or len({id(member) for member in members}) < len(members):
            raise UsageError(f"A population needs one network or more, no one twice, received {len(members)}.")
        self.members, self.device = list(members), device
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.threads = min(threads or cores, len(self.members))

    def fit(self, inputs: Any, targets: Any, sample_weight: Any = None, count: int | None = None) -> list[list[float]]:
        """Train every member for its own number of epochs, or for `count`; returns for each the loss of every epoch.

        A member whose loss stops being finite ends there with the last finite weights, and its list with NaN.
        Raises DataError for data that a member cannot learn from.
        """
        samples = self._prepare(inputs, targets, sample_weight)
        return self._train(samples, [count or member.descent.epochs for member in self.members])

    def epochs(
        self, inputs: Any, targets: Any, sample_weight: Any = None, count: int | None = None
    ) -> Iterator[list[float]]:
        """Train an epoch for each list that is yielded, the loss of every member; NaN where it has ended."""
        most = count or max(member.descent.epochs for member in self.members)
        samples = self._prepare(inputs, targets, sample_weight)
        for _ in range(most):
            yield [losses[0] for losses in self._train(samples, [1] * len(self.members))]

    def _train(self, samples: list[Samples], counts: list[int]) -> list[list[float]]:
        if self.device != "cpu":
            from layerwise.neuron.engine.torch_population import fit_on_device

            return fit_on_device(self.members, self.device, samples, counts)
        return self._train_compiled(samples, counts)

    def _train_compiled(self, samples: list[Samples], counts: list[int]) -> list[list[float]]:
        """Let each thread take the next member; the longest trainings first, so that no core waits at the end."""
        from layerwise.neuron.engine import epochs  # noqa: F401 (loaded once here, not by all threads at a time)

        order = sorted(range(len(counts)), key=lambda i: -counts[i] * self.members[i].work_an_epoch(samples[i]))
        with ThreadPoolExecutor(self.threads) as pool:
            losses = pool.map(lambda i: self.members[i].train(samples[i], counts[i]), order)
            by_member = dict(zip(order, losses, strict=True))
        return [by_member[i] for i in range(len(counts))]

    def _prepare(self, inputs: Any, targets: Any, sample_weight: Any) -> list[Samples]:
        """Check and convert the data once for all members that see it the same way."""
        prepared: dict[Any, Samples] = {}
        found = []
        for member in self.members:
            config = member.config
            view = (config.sizes[0], config.sizes[-1], config.loss, member.parameters.dtype)
            if view not in prepared:
                prepared[view] = member.prepare(inputs, targets, sample_weight)
            found.append(prepared[view])
        return found
