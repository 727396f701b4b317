"""How well a network does what it learned, for tasks beside classes and values."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@torch.no_grad()
def bits_a_byte(model: nn.Module, inputs: Tensor, targets: Tensor, token_bytes: Tensor) -> float:
    """Return the bits that the network needs to tell a byte of text; targets of 0 are told already."""
    model.eval()
    nats = size = 0.0
    for some, tokens in zip(inputs.split(16), targets.split(16), strict=True):
        told = tokens[tokens != 0]
        nats += F.cross_entropy(model(some)[tokens != 0], told, reduction="none").double().sum().item()
        size += token_bytes[told].sum().item()
    return nats / math.log(2) / size
