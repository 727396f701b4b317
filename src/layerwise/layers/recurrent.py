"""Recurrent cells written out gate by gate, with the names and the order of weights of PyTorch's own.

They are here to be read, and to be compared: `models/recurrent.py` computes the same with PyTorch's fused layers.
A step takes (batch, inputs) and a state of (batch, hidden), and returns the next state.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RecurrentCell(nn.Module):
    """The two products of every cell, of the input and of the state; a row of each for every gate."""

    def __init__(self, inputs: int, hidden: int, gates: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(gates * hidden, inputs))
        self.weight_hh = nn.Parameter(torch.empty(gates * hidden, hidden))
        self.bias_ih = nn.Parameter(torch.empty(gates * hidden))
        self.bias_hh = nn.Parameter(torch.empty(gates * hidden))
        for weight in self.parameters():
            nn.init.uniform_(weight, -(hidden**-0.5), hidden**-0.5)

    def products(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return W x + b and U h + c, each (batch, gates * hidden)."""
        return x @ self.weight_ih.T + self.bias_ih, state @ self.weight_hh.T + self.bias_hh


class RNNCell(RecurrentCell):
    """h' = tanh(W x + b + U h + c) (Elman 1990, https://doi.org/10.1207/s15516709cog1402_1)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden, gates=1)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        from_input, from_state = self.products(x, h)
        return torch.tanh(from_input + from_state)


class LSTMCell(RecurrentCell):
    """Long short-term memory with a forget gate (Gers et al. 2000, https://doi.org/10.1162/089976600300015015).

    The cell c is what it remembers; gates decide what is written, kept and shown of it.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden, gates=4)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, c = state
        from_input, from_state = self.products(x, h)
        write, keep, news, show = (from_input + from_state).chunk(4, dim=1)
        c = keep.sigmoid() * c + write.sigmoid() * news.tanh()
        return show.sigmoid() * c.tanh(), c


class GRUCell(RecurrentCell):
    """Gated recurrent unit (Cho et al. 2014, https://arxiv.org/abs/1406.1078).

    Deviation, as in cuDNN and PyTorch: the reset gate acts on U h + c instead of on h.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden, gates=3)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        from_input, from_state = self.products(x, h)
        input_reset, input_keep, input_news = from_input.chunk(3, dim=1)
        state_reset, state_keep, state_news = from_state.chunk(3, dim=1)
        reset = (input_reset + state_reset).sigmoid()
        keep = (input_keep + state_keep).sigmoid()
        news = torch.tanh(input_news + reset * state_news)
        return keep * h + (1 - keep) * news
