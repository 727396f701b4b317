"""First weights of networks of rectified units."""

from __future__ import annotations

from typing import Literal

from torch import nn


def he_normal(model: nn.Module) -> None:
    """Draw the weights of all convolutions and dense layers, with biases of zero.

    Normal with variance 2 / n, which keeps the variance of the signal through rectified units. For a convolution
    n is the number of outputs that read an input, which does so for the gradient (He et al. 2015,
    https://arxiv.org/abs/1502.01852, equation 14), for a dense layer the number of inputs (equation 10).
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            mode: Literal["fan_in", "fan_out"] = "fan_out" if isinstance(layer, nn.Conv2d) else "fan_in"
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
