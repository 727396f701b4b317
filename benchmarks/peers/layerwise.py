"""Layerwise's own loop with all that it does by default: seeded steps, the look for NaN, events, reports.

The pace is that of a long run, as choose_execution gives it, but for the threads, which are the same for all here.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from networks import plain_network, predict
from torch import nn
from workload import BATCH_SIZE, CLASSES, LEARNING_RATE, Data, Workload

from layerwise.data.batches import Batches
from layerwise.data.dataset import Split
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.models import build
from layerwise.tasks import Classification
from layerwise.training.config import TrainingConfig
from layerwise.training.events import Started
from layerwise.training.execution import ExecutionPlan
from layerwise.training.loop import train


class Loop:
    batch_innermost = True

    def __init__(self, workload: Workload, data: Data) -> None:
        self.net = workload.net
        if workload.net == "mlp":
            self.execution = ExecutionPlan()
        else:
            self.execution = ExecutionPlan(batch_innermost=self.batch_innermost, channels_last=not self.batch_innermost)
        split = Split(torch.from_numpy(data.pictures), torch.from_numpy(data.labels), range(len(data.labels)))
        scaling = ImagePreprocessing(1, 28, 28, (data.mean,), (data.std,))
        self.batches = Batches(split, scaling, BATCH_SIZE, shuffle=True, channels_last=self.execution.channels_last)
        self.task = Classification(tuple(map(str, range(CLASSES))))
        self.training = TrainingConfig(
            epochs=workload.epochs, batch_size=BATCH_SIZE, optimizer="adam", learning_rate=LEARNING_RATE
        )

    def train(self) -> float:
        self.model = self._fresh_model()
        started = 0.0
        for event in train(self.model, self.task, self.batches, self.training, execution=self.execution):
            if isinstance(event, Started):
                started = time.perf_counter()
        return time.perf_counter() - started

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        return predict(self.model.eval(), inputs)

    def _fresh_model(self) -> nn.Module:
        if self.net == "mlp":
            model = build("mlp", (784,), CLASSES, hidden=(256, 128))
        else:
            model = build("lenet5", (1, 28, 28), CLASSES)
        with torch.no_grad():
            for own, given in zip(model.parameters(), plain_network(self.net).parameters(), strict=True):
                own.copy_(given)
        return model
