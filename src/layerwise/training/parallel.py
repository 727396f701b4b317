"""Data-parallel training over several processes, started by `torchrun --nproc-per-node N -m layerwise ...`.

Every rank holds the whole model and takes its share of every batch. Gradients are averaged with what
each was computed from as weights (samples, or the tokens or pixels that have a target), so that a step is that of one
process on the whole batch, within rounding. The exception is batch normalisation, which normalises over each rank's
own share.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from layerwise.errors import UsageError

BUCKET_BYTES = 25 * 2**20  # gradients sent at once: large enough for the network, small enough for memory


@dataclass(frozen=True)
class Ranks:
    """This process among its peers. Ranks() is a process on its own, for which nothing here costs anything.

    rank: 0 to world - 1. local: number of this process on its machine, which chooses its GPU.
    """

    rank: int = 0
    world: int = 1
    local: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @classmethod
    def join(cls, device: torch.device | None = None, environment: Mapping[str, str] | None = None) -> Ranks:
        """Join the processes that torchrun started; without torchrun, or with one process, return Ranks().

        On CUDA each process takes the GPU of its local number and talks by NCCL, elsewhere by gloo.
        Raises UsageError if torchrun's variables make no sense, or for several processes on MPS.
        """
        device = device or torch.device("cpu")
        rank, world, local = _from_environment(os.environ if environment is None else environment)
        if world == 1:
            return cls(device=device)
        if device.type == "mps":
            raise UsageError("`device` mps works in one process only; start without torchrun or use cpu.")
        if device.type == "cuda":
            device = torch.device("cuda", local)
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", rank=rank, world_size=world)
        return cls(rank, world, local, device)

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes files and speaks."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Return this rank's part of `count` samples; the parts are adjacent and differ by one at most."""
        return slice(count * self.rank // self.world, count * (self.rank + 1) // self.world)

    def broadcast(self, model: nn.Module) -> None:
        """Give every rank the parameters and buffers of rank 0."""
        if self.world == 1:
            return
        with torch.no_grad():
            for tensor in [*model.parameters(), *model.buffers()]:
                sent = tensor.contiguous()
                dist.broadcast(sent, src=0)
                tensor.copy_(sent)

    def average_gradients(self, parameters: Iterable[nn.Parameter], weight: float) -> None:
        """Replace each gradient by its mean over the ranks, weighted by how much each computed it from.

        A gradient that is None counts as zero; where it is None on all ranks it stays None.
        """
        if self.world == 1:
            return
        parameters = list(parameters)
        counts = torch.tensor(
            [weight, *(p.grad is not None for p in parameters)],
            dtype=torch.float64,
            device=self._wire_device,
        )
        dist.all_reduce(counts)
        total, *present = counts.tolist()
        used = [p for p, count in zip(parameters, present, strict=True) if count]
        for p in used:
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        gradients = [p.grad for p in used if p.grad is not None]
        for bucket in _buckets(gradients):
            _average(bucket, weight / (total or 1.0))

    def average_statistics(self, model: nn.Module) -> None:
        """Replace floating buffers, such as running means of normalisation, by their mean over the ranks."""
        if self.world == 1:
            return
        for bucket in _buckets([b for b in model.buffers() if b.is_floating_point()]):
            _average(bucket, 1 / self.world)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of `values` over the ranks, on every rank."""
        if self.world == 1:
            return values
        summed = values.clone()
        dist.all_reduce(summed)
        return summed

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """Return the mean over the ranks of each value, on every rank."""
        if self.world == 1:
            return values
        sent = torch.tensor(list(values.values()), dtype=torch.float64, device=self._wire_device)
        return dict(zip(values, (self.sum(sent) / self.world).tolist(), strict=True))

    def any(self, flag: bool) -> bool:
        """Return on every rank whether `flag` is true on one: so that all of them stop at the same step."""
        if self.world == 1:
            return flag
        return bool(self.sum(torch.tensor(float(flag), device=self._wire_device)).item())

    def from_first(self, value: Any) -> Any:
        """Return on every rank the plain JSON value that rank 0 has, such as a measured execution plan."""
        if self.world == 1:
            return value
        text = json.dumps(value).encode() if self.is_first else b""
        length = torch.tensor(len(text), device=self._wire_device)
        dist.broadcast(length, src=0)
        sent = torch.zeros(int(length.item()), dtype=torch.uint8, device=self._wire_device)
        if self.is_first:
            sent.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
        dist.broadcast(sent, src=0)
        return json.loads(bytes(sent.tolist()))

    def barrier(self) -> None:
        """Wait until every rank is here."""
        if self.world > 1:
            dist.barrier()

    def leave(self) -> None:
        """Close the connections; the last thing that a process does with its peers."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()

    @property
    def _wire_device(self) -> torch.device:
        """Where a tensor must be to be sent: NCCL sends from GPUs only, gloo from the processor."""
        return self.device if self.device.type == "cuda" else torch.device("cpu")


def _from_environment(environment: Mapping[str, str]) -> tuple[int, int, int]:
    """Return rank, world size and local rank as torchrun sets them, or those of a process on its own."""
    if "RANK" not in environment and "WORLD_SIZE" not in environment:
        return 0, 1, 0
    try:
        rank, world = int(environment["RANK"]), int(environment["WORLD_SIZE"])
        local = int(environment.get("LOCAL_RANK", rank))
    except (KeyError, ValueError):
        rank, world, local = -1, 0, 0
    if not 0 <= rank < world:
        received = ", ".join(f"{name}={environment.get(name)}" for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        raise UsageError(f"The variables of torchrun make no sense ({received}); start by torchrun or unset them.")
    return rank, world, local


def _buckets(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    """Divide tensors, in their order, into lists of one type and of BUCKET_BYTES or one tensor at most."""
    buckets: list[list[Tensor]] = []
    room = 0
    for tensor in tensors:
        size = tensor.numel() * tensor.element_size()
        if not buckets or size > room or buckets[-1][0].dtype != tensor.dtype:
            buckets.append([])
            room = BUCKET_BYTES
        buckets[-1].append(tensor)
        room -= size
    return buckets


@torch.no_grad()
def _average(tensors: list[Tensor], weight: float) -> None:
    """Replace tensors by their sum over the ranks, each multiplied by its rank's `weight`."""
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors]) * weight
    dist.all_reduce(flat)
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    torch._foreach_copy_(tensors, [part.view_as(t) for part, t in zip(parts, tensors, strict=True)])
