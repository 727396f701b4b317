"""The loop of PyTorch's tutorials: a DataLoader in this process (workers halve its speed here) and plain Adam."""

from __future__ import annotations

import time

import numpy as np
import torch
from networks import plain_network, predict
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from workload import BATCH_SIZE, LEARNING_RATE, Data, Workload


class Loop:
    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.samples = TensorDataset(torch.from_numpy(data.inputs), torch.from_numpy(data.labels))

    def train(self) -> float:
        self.network = network = plain_network(self.workload.net)
        optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
        loss_of = nn.CrossEntropyLoss()
        loader = DataLoader(self.samples, BATCH_SIZE, shuffle=True)
        started = time.perf_counter()
        for _ in range(self.workload.epochs):
            for inputs, labels in loader:
                optimizer.zero_grad()
                loss_of(network(inputs), labels).backward()
                optimizer.step()
        return time.perf_counter() - started

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        return predict(self.network, inputs)
