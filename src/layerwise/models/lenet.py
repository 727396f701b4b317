"""LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998, 'Gradient-based learning applied to document recognition').

Two rounds of convolution and subsampling find strokes and where they meet; three dense layers read the digit.
'lenet5' is the usual modern reading: ReLU, max pooling, every map of C3 sees every map of S2, and softmax.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from layerwise.models.checks import check_picture

# Shapes: (batch, channels, height, width)


@dataclass(frozen=True)
class LeNet5Config:
    """What has changed since 1998 can be changed back, one by one."""

    activation: Literal["relu", "tanh"] = field(default="relu", metadata={"help": "relu, or tanh"})
    pooling: Literal["max", "average"] = field(default="max", metadata={"help": "how four values become one"})


VARIANTS = {"lenet5": LeNet5Config()}
FILTER_PX = 5
LEAST_PX = 12  # what two rounds of 5x5 filters and halving leave at least one pixel of, after padding by 2


class LeNet5(nn.Module):
    """Pictures in (28x28 in the paper, padded to 32x32), one logit a class. 61,706 parameters for grey 28x28 digits."""

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int, config: LeNet5Config = LeNet5Config()
    ) -> None:
        super().__init__()
        check_picture("lenet5", input_shape, LEAST_PX, remedy="--model resnet-small")
        activation = nn.ReLU if config.activation == "relu" else nn.Tanh
        pooling = nn.MaxPool2d if config.pooling == "max" else nn.AvgPool2d
        self.features = nn.Sequential(
            nn.Conv2d(input_shape[0], 6, FILTER_PX, padding=2),  # C1: (batch, 6, 28, 28)
            activation(),
            pooling(2),  # S2: (batch, 6, 14, 14)
            nn.Conv2d(6, 16, FILTER_PX),  # C3: (batch, 16, 10, 10)
            activation(),
            pooling(2),  # S4: (batch, 16, 5, 5)
            nn.Flatten(),
        )
        with torch.no_grad():
            flat = self.features(torch.zeros(1, *input_shape)).shape[1]
        self.head = nn.Sequential(
            nn.Linear(flat, 120),  # C5
            activation(),
            nn.Linear(120, 84),  # F6
            activation(),
            nn.Linear(84, output_count),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))  # (batch, classes)
