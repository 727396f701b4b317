"""The transformer: an encoder that reads and a decoder that writes, with attention in the place of recurrence.

Vaswani et al. 2017, "Attention is all you need", https://arxiv.org/abs/1706.03762. `transformer` normalises before
each part (Xiong et al. 2020); `transformer-paper` behind each sum, as published. Sizes are options: the paper's base
model is embed_dim 512, 8 heads, 6 and 6 blocks, dropout 0.1.

As in section 3.4 the vectors of source and target and the weights of the output layer are one matrix; `shared` says
whether the languages have one vocabulary. Deviation: sizes, as above.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from layerwise.fields import check, numeric, share, switch
from layerwise.layers.attention import Cache
from layerwise.layers.options import require
from layerwise.layers.sequences import Embedding, is_present, require_one_vocabulary, sequence_shape
from layerwise.layers.transformer import Block, Blocks


@dataclass(frozen=True)
class TransformerConfig:
    """Options of a transformer. Raises UsageError for a value that cannot work."""

    embed_dim: int = numeric(
        256, "dimensions of the vector of each token", at_least=1, scale="powers of two", search=(32, 512)
    )
    heads: int = numeric(
        4,
        "heads of each attention; twice as many must divide embed_dim",
        at_least=1,
        scale="powers of two",
        search=(1, 8),
    )
    encoder_layers: int = numeric(3, "blocks of the encoder", at_least=1, unit="layers", search=(1, 6))
    decoder_layers: int = numeric(3, "blocks of the decoder", at_least=1, unit="layers", search=(1, 6))
    norm_first: bool = switch(True, "normalise before each part, not behind each sum")
    dropout: float = share(0.1, "share of values silenced after each part of a block", search=(0.0, 0.3))
    shared: bool = switch(True, "both languages have one vocabulary, and one vector per token")

    def __post_init__(self) -> None:
        check(self)
        require(
            self.embed_dim % (2 * self.heads) == 0, "embed_dim", f"a multiple of 2 x {self.heads} heads", self.embed_dim
        )


def waves(first: int, count: int, embed_dim: int, like: Tensor) -> Tensor:
    """Return sines and cosines that tell the places from `first` on apart, (count, embed_dim): section 3.5."""
    places = torch.arange(first, first + count, device=like.device, dtype=like.dtype)
    rates = torch.exp(
        torch.arange(0, embed_dim, 2, device=like.device, dtype=like.dtype) * (-math.log(10_000.0) / embed_dim)
    )
    angles = places[:, None] * rates  # (count, embed_dim / 2)
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)


class State(NamedTuple):
    """What the decoder needs to go on. memories, caches: one a block; place: of the next token."""

    is_there: Tensor
    memories: tuple[Cache, ...]
    caches: tuple[Cache, ...]
    place: int

    def select(self, rows: Tensor) -> State:
        """Return the state of these rows of the batch."""
        memories, caches = (
            tuple(Cache(cache.keys[rows], cache.values[rows]) for cache in row) for row in (self.memories, self.caches)
        )
        return State(self.is_there[rows], memories, caches, self.place)


class Transformer(nn.Module):
    """Reads tokens of one vocabulary and scores tokens of another.

    Raises UsageError for samples that are no sequences, or two vocabularies where one is shared.
    Takes source (batch, source) and previous (batch, target): the target's tokens before each place, the first of them
    the start mark. Returns the scores of the next token at each place, (batch, target, output_count).
    """

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int, config: TransformerConfig = TransformerConfig()
    ) -> None:
        super().__init__()
        _, channels = sequence_shape("transformer", input_shape)
        self.embed_dim = config.embed_dim
        if config.shared:
            require_one_vocabulary(channels, output_count)
        self.source = None if config.shared else Embedding(channels, config.embed_dim)
        self.target = Embedding(output_count, config.embed_dim)
        self.encoder = Blocks(self.block(config) for _ in range(config.encoder_layers))
        self.decoder = Blocks(self.block(config, writes=True) for _ in range(config.decoder_layers))
        self.norm_encoder, self.norm_decoder = (
            nn.LayerNorm(config.embed_dim) if config.norm_first else nn.Identity() for _ in range(2)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.bias = nn.Parameter(torch.zeros(output_count))

    def block(self, config: TransformerConfig, *, writes: bool = False) -> Block:
        """A block of the encoder, or one of the decoder, which `writes`."""
        return Block(
            config.embed_dim,
            config.heads,
            is_causal=writes,
            reads_memory=writes,
            norm_first=config.norm_first,
            dropout=config.dropout,
            activation=nn.ReLU,
        )

    def forward(self, source: Tensor, previous: Tensor) -> Tensor:
        memory, is_there = self.read(source), is_present(source)
        x = self.place(self.target(previous))
        for block in self.decoder:
            x = block(x, memory=memory, memory_mask=is_there)
        return self.scores(x)

    def attention(self, source: Tensor, previous: Tensor) -> Tensor:
        """Return how much each place of the target takes from each step of the source, (batch, target, source).

        It is the attention of the last block, the mean over its heads.
        """
        memory, is_there = self.read(source), is_present(source)
        x = self.place(self.target(previous))
        *blocks, last = self.decoder
        for block in blocks:
            x = block(x, memory=memory, memory_mask=is_there)
        x = last.add(x, last.norm_attention, last.attention)
        queries = last.norm_look_up(x) if last.norm_first else x
        return last.look_up.weights(queries, memory, mask=is_there).mean(1)

    def read(self, source: Tensor) -> Tensor:
        """Return what the encoder makes of each step, (batch, source, embed_dim)."""
        x, is_there = self.place((self.source or self.target)(source)), is_present(source)
        for block in self.encoder:
            x = block(x, mask=is_there)
        memory: Tensor = self.norm_encoder(x)
        return memory

    def place(self, vectors: Tensor, first: int = 0) -> Tensor:
        """Scale vectors and add their places, (batch, time, embed_dim)."""
        placed = vectors * self.embed_dim**0.5 + waves(first, vectors.shape[1], self.embed_dim, vectors)
        silenced: Tensor = self.dropout(placed)
        return silenced

    def scores(self, x: Tensor) -> Tensor:
        """(batch, target, embed_dim) -> (batch, target, outputs)"""
        scores: Tensor = self.norm_decoder(x) @ self.target.weight.T + self.bias
        return scores

    def example(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return two sources and two beginnings of a target, of a token each."""
        tokens = torch.ones(2, 1, dtype=torch.int64, device=device)
        return tokens, tokens

    def start(self, source: Tensor) -> State:
        """Read the source; its keys and values are computed once for each block."""
        memory = self.read(source)
        memories = tuple(block.look_up.keys_values(memory) for block in self.decoder)
        return State(is_present(source), memories, (), 0)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Score what comes after `tokens`, (batch,): returns (batch, output_count) and the state behind them."""
        x = self.place(self.target(tokens[:, None]), state.place)
        caches: list[Cache] = []
        for number, block in enumerate(self.decoder):
            cache = state.caches[number] if state.caches else None
            x, extended = block.step(x, cache, memory=state.memories[number], memory_mask=state.is_there)
            caches.append(extended)
        return self.scores(x)[:, 0], state._replace(caches=tuple(caches), place=state.place + 1)


VARIANTS: Mapping[str, TransformerConfig] = {
    "transformer": TransformerConfig(),
    "transformer-paper": TransformerConfig(norm_first=False),
}
