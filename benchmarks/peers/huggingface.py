"""The Hugging Face Trainer without logging, saving, clipping and decay, with its fused optimiser."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import numpy as np
import torch
from networks import plain_network, predict
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset
from transformers import Trainer, TrainerCallback, TrainingArguments
from workload import BATCH_SIZE, LEARNING_RATE, Data, Workload


class Classifier(nn.Module):
    def __init__(self, net: str) -> None:
        super().__init__()
        self.network = plain_network(net)

    def forward(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.network(inputs)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


class Stopwatch(TrainerCallback):
    started = ended = 0.0

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        self.started = self.started or time.perf_counter()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        self.ended = time.perf_counter()


def collate(samples: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    inputs, labels = zip(*samples, strict=True)
    return {"inputs": torch.stack(inputs), "labels": torch.stack(labels)}


class Loop:
    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.samples = TensorDataset(torch.from_numpy(data.inputs), torch.from_numpy(data.labels))

    def train(self) -> float:
        self.classifier = Classifier(self.workload.net)
        stopwatch = Stopwatch()
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                num_train_epochs=self.workload.epochs,
                per_device_train_batch_size=BATCH_SIZE,
                learning_rate=LEARNING_RATE,
                lr_scheduler_type="constant",
                optim="adamw_torch_fused",
                weight_decay=0.0,
                max_grad_norm=0.0,
                use_cpu=True,
                dataloader_pin_memory=False,
                logging_strategy="no",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            )
            trainer = Trainer(
                self.classifier, arguments, data_collator=collate, train_dataset=self.samples, callbacks=[stopwatch]
            )
            trainer.train()
        return stopwatch.ended - stopwatch.started

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        return predict(self.classifier.network.eval(), inputs)
