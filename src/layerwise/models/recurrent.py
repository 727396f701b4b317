"""Recurrent networks: one state that is carried from step to step.

`rnn`: Elman 1990, https://doi.org/10.1207/s15516709cog1402_1. `lstm`: Hochreiter and Schmidhuber 1997,
https://doi.org/10.1162/neco.1997.9.8.1735, with the forget gate of Gers et al. 2000. `gru`: Cho et al. 2014,
https://arxiv.org/abs/1406.1078. Both directions: Schuster and Paliwal 1997, https://doi.org/10.1109/78.650093.
The cells are written out gate by gate in `layers/recurrent.py`; here PyTorch's fused layers compute the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from layerwise.errors import UsageError
from layerwise.fields import check, choice, numeric, share, switch
from layerwise.layers.options import require
from layerwise.layers.sequences import Embedding, last_step, lengths_of, sequence_shape

CELLS: Mapping[str, type[nn.RNN | nn.LSTM | nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


@dataclass(frozen=True)
class RecurrentConfig:
    """Options of a recurrent network. Raises UsageError for a value that cannot work."""

    cell: Literal["rnn", "lstm", "gru"] = choice("gru", tuple(CELLS), "recurrent cell")
    hidden: int = numeric(
        128, "dimensions of the state of each layer and direction", at_least=1, scale="powers of two", search=(16, 512)
    )
    layers: int = numeric(1, "recurrent layers on top of each other", at_least=1, unit="layers", search=(1, 4))
    bidirectional: bool = switch(False, "read the sequence backwards, too")
    embedding: int = numeric(
        64, "dimensions of the vector of each step", at_least=1, scale="powers of two", search=(8, 256)
    )
    dropout: float = share(0.0, "share of values silenced between layers", search=(0.0, 0.5))
    from_last: bool = switch(False, "predict the change from the last step's first channel (forecasts)")
    season: int = numeric(
        0,
        "predict the change from so many steps before, first channel (forecasts)",
        at_least=0,
        off="from none",
        unit="steps",
    )
    each_step: bool = switch(False, "give outputs at every step, not at the end alone")

    def __post_init__(self) -> None:
        check(self)
        if self.season and self.from_last:
            raise UsageError(f"`season` ({self.season}) and `from_last` exclude each other; leave one of them out.")


class State(NamedTuple):
    """What is carried from step to step: a tensor, or two of an lstm, each (layers, batch, hidden)."""

    carried: Tensor | tuple[Tensor, Tensor] | None = None

    def select(self, rows: Tensor) -> State:
        """Return the state of these rows of the batch."""
        if isinstance(self.carried, tuple):
            return State((self.carried[0][:, rows], self.carried[1][:, rows]))
        return State(None if self.carried is None else self.carried[:, rows])


class Recurrent(nn.Module):
    """Vectors of the steps, recurrent layers, and a dense layer on the last state or on the state at every step.

    At the end, a sequence that is read both ways is known by the last state of each direction.

    limit: tokens that it can look back on while it writes, more than any text has.

    Raises UsageError for samples that are no sequences.
    Takes (batch, time) tokens or (batch, time, channels), returns (batch, output_count), or (batch, time,
    output_count) with `each_step`.
    """

    limit = 2**31 - 1

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int, config: RecurrentConfig = RecurrentConfig()
    ) -> None:
        super().__init__()
        time, channels = sequence_shape(config.cell, input_shape)
        require(config.season <= time, "season", f"at most the {time} steps of a sample", config.season)
        self.each_step, self.from_last, self.season = config.each_step, config.from_last, config.season
        self.embedding = Embedding(channels, config.embedding)
        self.layers = CELLS[config.cell](
            config.embedding,
            config.hidden,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
            bidirectional=config.bidirectional,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.hidden * (1 + config.bidirectional), output_count)

    def forward(self, x: Tensor) -> Tensor:
        states = self.read(self.embedding(x), lengths_of(x))  # (batch, time, directions * hidden)
        if not self.each_step:
            states = self.at_the_end(states, lengths_of(x))  # (batch, directions * hidden)
        outputs: Tensor = self.output(self.dropout(states))
        if self.from_last:
            outputs = outputs + last_step(x, lengths_of(x))[:, :1]  # (batch, outputs) + (batch, 1)
        if self.season:
            outputs = outputs + self.a_season_before(x, outputs.shape[1])
        return outputs

    def read(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Return the states of the last layer at every step; steps of padding are passed over."""
        if bool((lengths == vectors.shape[1]).all()):
            states: Tensor = self.layers(vectors)[0]
            return states
        packed = pack_padded_sequence(vectors, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.layers(packed)[0], batch_first=True, total_length=vectors.shape[1])
        return states

    def begin(self) -> State:
        """Return the state before the first token."""
        return State()

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Score what comes after each of the new `tokens`, (batch, new), which are no padding; return the state, too.

        For networks that read forwards alone and give outputs at every step.
        """
        states, carried = self.layers(self.embedding(tokens), state.carried)
        scores: Tensor = self.output(self.dropout(states))  # (batch, new, output_count)
        return scores, State(carried)

    def a_season_before(self, x: Tensor, count: int) -> Tensor:
        """Return the first channel's value a season before each of the `count` steps that follow, (batch, count)."""
        ahead = torch.arange(count, device=x.device) % self.season
        steps = lengths_of(x)[:, None] - self.season + ahead  # (batch, count)
        return x[..., 0].gather(1, steps.clamp(min=0))

    def at_the_end(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Return the state of each direction once it has read all."""
        if not self.layers.bidirectional:
            return last_step(states, lengths)
        forwards, backwards = states.chunk(2, dim=2)
        return torch.cat((last_step(forwards, lengths), backwards[:, 0]), dim=1)


VARIANTS: Mapping[str, RecurrentConfig] = {
    "rnn": RecurrentConfig("rnn"),
    "lstm": RecurrentConfig("lstm"),
    "gru": RecurrentConfig("gru"),
}
