"""skorch without validation and callbacks, and with the fused optimiser."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import skorch
import torch
from networks import plain_network, predict
from torch import nn
from workload import BATCH_SIZE, LEARNING_RATE, Data, Workload


class TimedNet(skorch.NeuralNet):
    started = ended = 0.0

    def on_epoch_begin(self, *args: Any, **kwargs: Any) -> None:
        super().on_epoch_begin(*args, **kwargs)
        self.started = self.started or time.perf_counter()

    def on_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        super().on_epoch_end(*args, **kwargs)
        self.ended = time.perf_counter()


class Loop:
    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.inputs, self.labels = torch.from_numpy(data.inputs), torch.from_numpy(data.labels)

    def train(self) -> float:
        net = TimedNet(
            plain_network(self.workload.net),
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            optimizer__fused=True,
            lr=LEARNING_RATE,
            batch_size=BATCH_SIZE,
            max_epochs=self.workload.epochs,
            iterator_train__shuffle=True,
            train_split=None,
            callbacks="disable",
            verbose=0,
        )
        net.fit(self.inputs, self.labels)
        self.network = net.module_
        return net.ended - net.started

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        return predict(self.network, inputs)
