"""Keras's fit on arrays; on JAX, where its documentation says that helps, many steps in one compiled call."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
from keras import layers
from networks import channels_last_weights
from workload import BATCH_SIZE, LEARNING_RATE, Data, Workload

STEPS_A_CALL = {"jax": 50, "torch": 1}


class Stopwatch(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.started = self.ended = 0.0

    def on_epoch_begin(self, *_: Any) -> None:
        self.started = self.started or time.perf_counter()

    def on_epoch_end(self, *_: Any) -> None:
        self.ended = time.perf_counter()


class Loop:
    def __init__(self, workload: Workload, data: Data) -> None:
        self.workload = workload
        self.inputs, self.labels = self._arrange(data.inputs), data.labels
        self.model = network(workload.net)
        self.model.compile(
            keras.optimizers.Adam(LEARNING_RATE),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            steps_per_execution=STEPS_A_CALL[keras.backend.backend()],
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self.fresh = [np.array(keras.ops.convert_to_numpy(v)) for v in self.model.optimizer.variables]

    def train(self) -> float:
        self.model.set_weights(channels_last_weights(self.workload.net))
        for variable, value in zip(self.model.optimizer.variables, self.fresh, strict=True):
            variable.assign(value)
        stopwatch = Stopwatch()
        self.model.fit(
            self.inputs,
            self.labels,
            batch_size=BATCH_SIZE,
            epochs=self.workload.epochs,
            shuffle=True,
            verbose=0,
            callbacks=[stopwatch],
        )
        return stopwatch.ended - stopwatch.started

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        logits: np.ndarray = self.model.predict(self._arrange(inputs), batch_size=512, verbose=0)
        return logits

    def _arrange(self, inputs: np.ndarray) -> np.ndarray:
        """(n, 1, 28, 28) -> (n, 784) or (n, 28, 28, 1)"""
        return inputs.reshape(len(inputs), -1) if self.workload.net == "mlp" else inputs.transpose(0, 2, 3, 1)


def network(net: str) -> keras.Model:
    if net == "mlp":
        return keras.Sequential(
            [
                layers.Input((784,)),
                layers.Dense(256, activation="relu"),
                layers.Dense(128, activation="relu"),
                layers.Dense(10),
            ]
        )
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(6, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(120, activation="relu"),
            layers.Dense(84, activation="relu"),
            layers.Dense(10),
        ]
    )
