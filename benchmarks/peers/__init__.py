"""The competitors. Each file has a class `Loop`, made from (workload, data), with two methods:

train() takes one round from the first weights on and returns the seconds from the first step to the last;
what a framework does once before its first step and once after its last is not counted against it.
logits(inputs) returns what the network that was trained last gives, (n, classes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


class Loop(Protocol):
    def train(self) -> float: ...

    def logits(self, inputs: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Peer:
    """A competitor. module: its file here. needs: what has to be installed. environment: of its process."""

    title: str
    module: str
    needs: tuple[str, ...] = ("torch",)
    environment: Mapping[str, str] = field(default_factory=dict)
    nets: tuple[str, ...] = ("mlp", "lenet5")


BEST, PLAIN = "handwritten", "dataloader"
PEERS = {
    "layerwise": Peer("Layerwise", "layerwise", ("layerwise", "torch")),
    "layerwise-plain": Peer(
        "Layerwise, PyTorch's kernels", "layerwise_plain", ("layerwise", "torch"), nets=("lenet5",)
    ),
    BEST: Peer("best hand-written PyTorch loop", "handwritten"),
    "compiled": Peer("the same, compiled", "compiled"),
    PLAIN: Peer("plain PyTorch loop with DataLoader", "dataloader"),
    "lightning": Peer("Lightning, barebones", "lightning", ("lightning", "torch")),
    "skorch": Peer("skorch", "skorch", ("skorch", "torch")),
    "huggingface": Peer("Hugging Face Trainer", "huggingface", ("transformers", "accelerate", "torch")),
    "keras-torch": Peer("Keras on PyTorch", "keras", ("keras", "torch"), {"KERAS_BACKEND": "torch"}),
    "keras-jax": Peer("Keras on JAX, many steps a call", "keras", ("keras", "jax"), {"KERAS_BACKEND": "jax"}),
    "jax-scan": Peer("JAX, one scan an epoch", "jax_scan", ("jax",)),
}
