"""The smallest networks: one layer of linear neurons, y = W x + b.

With squared error it is linear regression. With softmax and cross-entropy it is (multinomial) logistic regression
(Cox 1958, 'The regression analysis of binary sequences'): the raw outputs are the logits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor, nn


@dataclass(frozen=True)
class LinearConfig:
    """One layer has little to choose."""

    bias: bool = field(default=True, metadata={"help": "whether each neuron has a threshold of its own"})


VARIANTS = {"linear": LinearConfig()}


class Linear(nn.Module):
    """Samples of any shape in, flattened; one raw output a class or value. It starts at zero: the loss is convex."""

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int, config: LinearConfig = LinearConfig()
    ) -> None:
        super().__init__()
        self.neurons = nn.Linear(math.prod(input_shape), output_count, bias=config.bias)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return self.neurons(x.flatten(1))  # (batch, outputs)
