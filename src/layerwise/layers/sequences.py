"""What all networks that read sequences share: which steps are there, and vectors for what stands at each step.

A sequence is either numbers, (batch, time, channels) float, padded behind its end by NaN, or tokens, (batch, time)
int64, padded by PAD. A token stands for a step of as many channels as there are tokens, with a single one in it, so
`input_shape` is (time, channels) in both cases.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.errors import UsageError

PAD = 0


def is_present(sequences: Tensor) -> Tensor:
    """Return which steps are there and no padding, (batch, time) bool."""
    if sequences.is_floating_point():
        return ~sequences[..., 0].isnan()
    return sequences != PAD


def lengths_of(sequences: Tensor) -> Tensor:
    """Return the steps of each sequence, at least 1, (batch,) int64."""
    return is_present(sequences).sum(1).clamp(min=1)


def last_step(steps: Tensor, lengths: Tensor) -> Tensor:
    """Return what stands at the last step of each sequence: (batch, time, ...) -> (batch, ...)."""
    return steps[torch.arange(len(steps), device=steps.device), lengths - 1]


def sequence_shape(model: str, input_shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (time, channels).

    Raises:
        UsageError: the samples are no sequences.
    """
    if len(input_shape) != 2 or min(input_shape) < 1:
        raise UsageError(
            f"{model} takes sequences of shape (time, channels), received samples of shape {input_shape}; "
            "use mlp for rows of numbers, `horizon` to forecast a column of them, or a network for pictures."
        )
    time, channels = input_shape
    return time, channels


def require_one_vocabulary(sources: int, targets: int) -> None:
    """Raise UsageError where source and target have not the same number of tokens, and so not one vocabulary."""
    if sources != targets:
        raise UsageError(
            f"One vocabulary for source and target was asked for, and they have {sources} and {targets} tokens; "
            "set `shared` no."
        )


class Embedding(nn.Module):
    """A vector for every step: the row of a token, or the product of a step's numbers with the same matrix.

    Takes (batch, time) int64 or (batch, time, channels), returns (batch, time, embed_dim). Padding gets zeros.
    """

    def __init__(self, channels: int, embed_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, embed_dim))
        nn.init.normal_(self.weight, std=embed_dim**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        if x.is_floating_point():
            return x.nan_to_num() @ self.weight  # (batch, time, channels) @ (channels, embed_dim)
        return F.embedding(x, self.weight) * (x != PAD).unsqueeze(-1)
