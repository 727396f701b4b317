"""The best that a careful author gets from PyTorch without compiling: nothing but the step.

Data in memory cut by index, one fused optimiser, no gradients kept, no number fetched before the end, and for
pictures the order in memory that trial steps show to be faster here: channels last or plain.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from networks import plain_network, predict
from torch import Tensor, nn
from torch.nn import functional as F
from workload import BATCH_SIZE, LEARNING_RATE, Data, Workload

TRIAL_STEPS, TRIALS = 20, 5


class Loop:
    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.inputs = torch.from_numpy(data.inputs)
        self.labels = torch.from_numpy(data.labels)
        if workload.net == "mlp":
            self.inputs = self.inputs.flatten(1)
        self.layout = torch.contiguous_format if workload.net == "mlp" else self._faster_layout()

    def train(self) -> float:
        order = [torch.randperm(len(self.labels)) for _ in range(self.workload.epochs)]
        return self._train(torch.cat(order), self.layout)

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        return predict(self.network, inputs)

    def prepare(self, network: nn.Module) -> nn.Module:
        """Return what to call in place of `network`."""
        return network

    def _train(self, order: Tensor, layout: torch.memory_format) -> float:
        self.network = plain_network(self.workload.net).to(memory_format=layout)
        network = self.prepare(self.network)
        optimizer = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE, fused=True)
        inputs, labels = self.inputs, self.labels
        started = time.perf_counter()
        for chosen in order.split(BATCH_SIZE):
            batch = inputs.index_select(0, chosen).contiguous(memory_format=layout)
            loss = F.cross_entropy(network(batch), labels.index_select(0, chosen))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - started

    def _faster_layout(self) -> torch.memory_format:
        """Let both take turns over a few steps and return the one with the shortest."""
        layouts = (torch.contiguous_format, torch.channels_last)
        order = torch.arange(TRIAL_STEPS * BATCH_SIZE) % len(self.labels)
        shortest = dict.fromkeys(layouts, float("inf"))
        for _ in range(TRIALS):
            for layout in layouts:
                shortest[layout] = min(shortest[layout], self._train(order, layout))
        return min(layouts, key=lambda layout: shortest[layout])
