"""Lightning with `barebones=True`, its switch for measuring nothing but its loop, and the fused optimiser."""

from __future__ import annotations

import logging
import time
import warnings

import lightning
import numpy as np
import torch
from networks import plain_network, predict
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from workload import BATCH_SIZE, LEARNING_RATE, Data, Workload

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module="lightning")  # it advises worker processes, which are slower here


class Classifier(lightning.LightningModule):
    def __init__(self, net: str) -> None:
        super().__init__()
        self.network = plain_network(net)
        self.started = self.ended = 0.0

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        inputs, labels = batch
        return F.cross_entropy(self.network(inputs), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=LEARNING_RATE, fused=True)

    def on_train_epoch_start(self) -> None:
        self.started = self.started or time.perf_counter()

    def on_train_epoch_end(self) -> None:
        self.ended = time.perf_counter()


class Loop:
    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.samples = TensorDataset(torch.from_numpy(data.inputs), torch.from_numpy(data.labels))

    def train(self) -> float:
        self.classifier = Classifier(self.workload.net)
        trainer = lightning.Trainer(accelerator="cpu", max_epochs=self.workload.epochs, barebones=True)
        trainer.fit(self.classifier, DataLoader(self.samples, BATCH_SIZE, shuffle=True))
        return self.classifier.ended - self.classifier.started

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        return predict(self.classifier.network, inputs)
