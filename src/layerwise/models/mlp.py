"""The multilayer perceptron: layers of neurons, each fed by all of the layer before (Rumelhart, Hinton and Williams
1986, 'Learning representations by back-propagating errors')."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn


@dataclass(frozen=True)
class MLPConfig:
    """The hidden layers and what is between them."""

    hidden: tuple[int, ...] = field(default=(64, 64), metadata={"help": "neurons of each hidden layer"})
    activation: Literal["relu", "leaky-relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "identity"] = field(
        default="relu", metadata={"help": "what each hidden neuron makes of its sum"}
    )
    dropout: float = field(default=0.0, metadata={"help": "share of hidden neurons silenced in each training step"})
    batch_norm: bool = field(default=False, metadata={"help": "whether sums are normalised over the batch"})


VARIANTS = {"mlp": MLPConfig()}

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


class MLP(nn.Module):
    """Samples of any shape in, flattened; one raw output a class or value."""

    def __init__(self, input_shape: tuple[int, ...], output_count: int, config: MLPConfig = MLPConfig()) -> None:
        super().__init__()
        sizes = (math.prod(input_shape), *config.hidden)
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, neurons in pairwise(sizes):
            layers.append(nn.Linear(inputs, neurons))
            if config.batch_norm:
                layers.append(nn.BatchNorm1d(neurons))
            layers.append(ACTIVATIONS[config.activation]())
            if config.dropout:
                layers.append(nn.Dropout(config.dropout))
        layers.append(nn.Linear(sizes[-1], output_count))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # (batch, outputs)
