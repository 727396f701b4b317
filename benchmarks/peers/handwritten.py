"""The best that a careful author gets from PyTorch without compiling: nothing but the step.

Data in memory cut by index, one fused optimiser, no gradients kept, channels last where there are channels,
no number fetched before the end.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from networks import plain_network, predict
from torch.nn import functional as F
from workload import BATCH_SIZE, LEARNING_RATE, Data, Workload


class Loop:
    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.layout = torch.channels_last if workload.net == "lenet5" else torch.contiguous_format
        self.inputs = torch.from_numpy(data.inputs)
        self.labels = torch.from_numpy(data.labels)
        if workload.net == "mlp":
            self.inputs = self.inputs.flatten(1)

    def train(self) -> float:
        self.network = network = plain_network(self.workload.net).to(memory_format=self.layout)
        optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
        inputs, labels = self.inputs, self.labels
        started = time.perf_counter()
        for _ in range(self.workload.epochs):
            for chosen in torch.randperm(len(labels)).split(BATCH_SIZE):
                batch = inputs.index_select(0, chosen).contiguous(memory_format=self.layout)
                loss = F.cross_entropy(network(batch), labels.index_select(0, chosen))
                loss.backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - started

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        return predict(self.network, inputs)
