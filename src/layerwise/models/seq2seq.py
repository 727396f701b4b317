"""Sequence to sequence: an encoder reads, a decoder writes, attention looks up what was read.

Sutskever, Vinyals and Le 2014, https://arxiv.org/abs/1409.3215 (encoder and decoder); Bahdanau, Cho and Bengio 2014,
https://arxiv.org/abs/1409.0473 (encoder that reads both ways, attention); Luong, Pham and Manning 2015,
https://arxiv.org/abs/1508.04025 (the `general` score, looked up after the recurrent step, equations 2 to 8).

Deviations: gated recurrent units in all places; no input feeding, so that a whole sentence is one call in training; the
output layer shares its weights with the vectors of the target's tokens, and where both languages have one vocabulary
with those of the source's (Press and Wolf 2016); vectors are scaled up as the transformer's are, without which
attention is learned late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from layerwise.fields import check, numeric, share, switch
from layerwise.layers.sequences import Embedding, is_present, lengths_of, require_one_vocabulary, sequence_shape


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Options of the network. Raises UsageError for a value that cannot work."""

    embedding: int = numeric(
        256, "dimensions of the vector of each token", at_least=1, scale="powers of two", search=(32, 512)
    )
    hidden: int = numeric(
        256,
        "dimensions of the state of the encoder's directions and the decoder",
        at_least=1,
        scale="powers of two",
        search=(32, 512),
    )
    layers: int = numeric(1, "recurrent layers of encoder and decoder", at_least=1, unit="layers", search=(1, 4))
    dropout: float = share(0.2, "share of values silenced per step", search=(0.0, 0.5))
    shared: bool = switch(True, "both languages have one vocabulary, and one vector per token")

    def __post_init__(self) -> None:
        check(self)


class State(NamedTuple):
    """What the decoder needs to go on. memory: (batch, source, hidden); is_there: (batch, source); hidden: (batch,
    layers, hidden)."""

    memory: Tensor
    is_there: Tensor
    hidden: Tensor

    def select(self, rows: Tensor) -> State:
        """Return the state of these rows of the batch."""
        return State(*(tensor[rows] for tensor in self))


class Seq2Seq(nn.Module):
    """Reads tokens of one vocabulary and scores tokens of another.

    Raises UsageError for samples that are no sequences, or two vocabularies where one is shared.
    Takes source (batch, source) and previous (batch, target): the target's tokens before each place, the first of them
    the start mark. Returns the scores of the next token at each place, (batch, target, output_count).
    """

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int, config: Seq2SeqConfig = Seq2SeqConfig()
    ) -> None:
        super().__init__()
        _, channels = sequence_shape("seq2seq", input_shape)
        between = config.dropout if config.layers > 1 else 0.0
        self.dropout = nn.Dropout(config.dropout)
        if config.shared:
            require_one_vocabulary(channels, output_count)
        self.source = None if config.shared else Embedding(channels, config.embedding)
        self.encoder = nn.GRU(
            config.embedding, config.hidden, config.layers, batch_first=True, dropout=between, bidirectional=True
        )
        self.join = nn.Linear(2 * config.hidden, config.hidden)  # both directions of a step into one
        self.first_state = nn.Linear(2 * config.hidden, config.hidden)
        self.target = Embedding(output_count, config.embedding)
        self.decoder = nn.GRU(config.embedding, config.hidden, config.layers, batch_first=True, dropout=between)
        self.score = nn.Linear(config.hidden, config.hidden, bias=False)
        self.combine = nn.Linear(2 * config.hidden, config.embedding)
        self.bias = nn.Parameter(torch.zeros(output_count))

    def forward(self, source: Tensor, previous: Tensor) -> Tensor:
        return self.write(previous, self.start(source))[0]

    def example(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return two sources and two beginnings of a target, of a token each."""
        tokens = torch.ones(2, 1, dtype=torch.int64, device=device)
        return tokens, tokens

    def start(self, source: Tensor) -> State:
        """Read the source."""
        vectors = self.vectors(self.source or self.target, source)
        packed = pack_padded_sequence(vectors, lengths_of(source).cpu(), batch_first=True, enforce_sorted=False)
        states, last = self.encoder(packed)  # last: (layers * 2, batch, hidden)
        states, _ = pad_packed_sequence(states, batch_first=True, total_length=source.shape[1])
        ends = last.unflatten(0, (-1, 2)).permute(2, 0, 1, 3).flatten(2)  # (batch, layers, 2 * hidden)
        return State(torch.tanh(self.join(states)), is_present(source), torch.tanh(self.first_state(ends)))

    def vectors(self, embedding: Embedding, tokens: Tensor) -> Tensor:
        """Return the vectors of tokens, as long as the recurrent layers need them to tell them apart early on."""
        scaled: Tensor = self.dropout(embedding(tokens) * embedding.weight.shape[1] ** 0.5)
        return scaled

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Score what comes after `tokens`, (batch,): returns (batch, output_count) and the state behind them."""
        scores, state = self.write(tokens[:, None], state)
        return scores[:, 0], state

    def write(self, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """Score the token after each of `previous`, (batch, target)."""
        hidden = state.hidden.transpose(0, 1).contiguous()  # (layers, batch, hidden)
        states, hidden = self.decoder(self.vectors(self.target, previous), hidden)
        context = self.look_up(states, state) @ state.memory  # (batch, target, source) @ (batch, source, hidden)
        combined = torch.tanh(self.combine(torch.cat((context, states), dim=2)))
        scores = self.dropout(combined) @ self.target.weight.T + self.bias
        return scores, state._replace(hidden=hidden.transpose(0, 1))

    def attention(self, source: Tensor, previous: Tensor) -> Tensor:
        """Return how much each place of the target takes from each step of the source, (batch, target, source)."""
        state = self.start(source)
        states, _ = self.decoder(self.vectors(self.target, previous), state.hidden.transpose(0, 1).contiguous())
        return self.look_up(states, state)

    def look_up(self, states: Tensor, state: State) -> Tensor:
        """Return the attention of the decoder's states, (batch, target, hidden), over what was read."""
        sample_quality = self.score(states) @ state.memory.transpose(1, 2)
        weights: Tensor = sample_quality.masked_fill(~state.is_there[:, None], float("-inf")).softmax(2)
        return weights


VARIANTS: Mapping[str, Seq2SeqConfig] = {
    "seq2seq": Seq2SeqConfig(),
}
