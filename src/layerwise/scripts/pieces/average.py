"""The exponential moving average of the weights."""

import torch
from torch import nn


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, share: float) -> None:
    """Move the averaged weights, and the statistics of normalisation, by a share towards those of the model."""
    kept_values, new_values = ((*own.parameters(), *own.buffers()) for own in (average, model))
    for kept, new in zip(kept_values, new_values, strict=True):
        if new.is_floating_point():
            kept.lerp_(new, share)
