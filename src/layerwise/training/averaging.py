"""An exponential moving average of the weights, to be measured and kept in their place (Polyak averaging)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

STATISTICS = ("running_mean", "running_var")  # of normalisation; averaged, as they belong to the weights


class WeightAverage:
    """Keeps average <- d * average + (1 - d) * weights, with d = min(decay, (1 + n) / (10 + n)) at update n.

    The smaller decay at the start (as in TensorFlow's ExponentialMovingAverage) forgets the random initial
    weights. Running statistics of normalisation layers are averaged alike; other buffers stay the model's
    own, since they may be constants, counts or masks. Make it after the model is on its device.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.count = 0
        buffers = dict(model.named_buffers())
        moving = {name: b for name, b in buffers.items() if name.rpartition(".")[2] in STATISTICS}
        live = {name: p.detach() for name, p in model.named_parameters() if p.is_floating_point()} | moving
        self._names = list(live)
        self._live = list(live.values())
        self._averages = [tensor.clone() for tensor in self._live]

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights into the average; called after each optimiser step."""
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        torch._foreach_lerp_(self._averages, self._live, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the model has the averaged weights; after it its own again, bit for bit."""
        own = [tensor.clone() for tensor in self._live]
        with torch.no_grad():
            torch._foreach_copy_(self._live, self._averages)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._live, own)

    def tensors(self) -> dict[str, Tensor]:
        """Return all that a checkpoint needs; the averages are not copied."""
        return {"count": torch.tensor(self.count), **dict(zip(self._names, self._averages, strict=True))}

    @torch.no_grad()
    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave. Raises KeyError if a name is missing."""
        torch._foreach_copy_(self._averages, [tensors[name].to(a.device) for name, a in self._items()])
        self.count = int(tensors["count"])

    def _items(self) -> list[tuple[str, Tensor]]:
        return list(zip(self._names, self._averages, strict=True))
