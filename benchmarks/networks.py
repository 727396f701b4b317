"""The two networks in plain PyTorch, and their first weights for the frameworks that keep channels last."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def plain_network(net: str) -> nn.Sequential:
    """Return the network as anybody would write it; the same first weights at every call."""
    torch.manual_seed(0)
    if net == "mlp":
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 256),
            nn.ReLU(),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


@torch.no_grad()
def channels_last_weights(net: str) -> list[np.ndarray]:
    """Return the first weights as Keras and JAX keep them: (inputs, outputs), (height, width, inputs, outputs)."""
    weights = []
    previous = None
    for layer in plain_network(net):
        if isinstance(layer, nn.Conv2d):
            weights += [layer.weight.permute(2, 3, 1, 0), layer.bias]
            previous = layer
        elif isinstance(layer, nn.Linear):
            weight = layer.weight
            if isinstance(previous, nn.Conv2d):  # maps are flattened as (height, width, channels) there
                maps = weight.view(len(weight), previous.out_channels, 5, 5)
                weight = maps.permute(0, 2, 3, 1).flatten(1)
            weights += [weight.T, layer.bias]
            previous = layer
    return [weight.contiguous().numpy() for weight in weights]


def predict(network: nn.Module, inputs: np.ndarray) -> np.ndarray:
    """Return the logits of `inputs`, (n, classes)."""
    with torch.inference_mode():
        logits: np.ndarray = network(torch.from_numpy(inputs)).numpy()
    return logits
