"""Trained neurons and networks as plain PyTorch modules, which need Layerwise no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.tables.activations import MAXOUT_PIECES

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.floating[Any]]


def sequential(layers: Sequence[tuple[Floats, Floats]], activations: Sequence[str]) -> nn.Sequential:
    """Return nn.Linear for each (W, b), in their type, followed by its activation; identity adds nothing."""
    import torch
    from torch import nn

    modules: list[nn.Module] = []
    for (W, b), name in zip(layers, activations, strict=True):
        linear = nn.utils.skip_init(nn.Linear, W.shape[1], W.shape[0], dtype=torch.from_numpy(b).dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(np.array(W)))
            linear.bias.copy_(torch.from_numpy(np.array(b)))
        modules += [linear, *([] if name == "identity" else [_module(name)])]
    return nn.Sequential(*modules)


def _module(name: str) -> nn.Module:
    """Return the activation of the table as a module."""
    from torch import nn

    from layerwise.layers.activations import ACTIVATIONS

    others: dict[str, nn.Module] = {
        "selu": nn.SELU(),
        "softplus": nn.Softplus(threshold=100),
        "maxout": nn.MaxPool1d(MAXOUT_PIECES),  # the larger of each two sums that follow one another
        "softmax": nn.Softmax(-1),
    }
    return others[name] if name in others else ACTIVATIONS[name]()
