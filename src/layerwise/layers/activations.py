"""Activation functions by name."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from layerwise.layers.options import require_choice


class ScaledTanh(nn.Module):
    """1.7159 tanh(2/3 x): about the identity at -1 and 1 (LeCun et al. 1998, Appendix A)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(x * (2 / 3))


ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "scaled-tanh": ScaledTanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


def activation(name: str) -> nn.Module:
    """Return a new activation layer.

    Raises:
        UsageError: the name is unknown.
    """
    require_choice("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()
