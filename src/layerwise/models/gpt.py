"""GPT: a decoder alone, which learns to write by guessing the next token of any text.

Radford et al. 2018 and 2019, "Language models are unsupervised multitask learners": learned positions, normalisation
before each part, the output layer shares its weights with the vectors of the tokens.

Deviations: sizes for one machine (GPT-2 small is `embed_dim=768, heads=12, layers=12`),
dropout only where asked for, and the exact GELU, which GPT-2 approximates by a hyperbolic tangent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.fields import check, numeric, share
from layerwise.layers.attention import Cache
from layerwise.layers.options import require
from layerwise.layers.sequences import Embedding, sequence_shape
from layerwise.layers.transformer import Block, Blocks


@dataclass(frozen=True)
class GPTConfig:
    """Options of the network. Raises UsageError for a value that cannot work."""

    embed_dim: int = numeric(
        256, "dimensions of the vector of each token", at_least=1, scale="powers of two", search=(32, 1024)
    )
    heads: int = numeric(
        4, "heads of each attention; must divide embed_dim", at_least=1, scale="powers of two", search=(1, 16)
    )
    layers: int = numeric(4, "transformer blocks", at_least=1, unit="layers", search=(1, 12))
    dropout: float = share(0.0, "share of values silenced after each part of a block", search=(0.0, 0.3))

    def __post_init__(self) -> None:
        check(self)
        require(self.embed_dim % self.heads == 0, "embed_dim", f"a multiple of {self.heads} heads", self.embed_dim)


class State(NamedTuple):
    """The keys and values of the tokens so far, a block each."""

    caches: tuple[Cache, ...] = ()

    @property
    def length(self) -> int:
        """Tokens so far."""
        return self.caches[0].keys.shape[2] if self.caches else 0

    def select(self, rows: Tensor) -> State:
        """Return the state of these rows of the batch."""
        return State(tuple(Cache(cache.keys[rows], cache.values[rows]) for cache in self.caches))


class GPT(nn.Module):
    """Scores the next token at each place of a text.

    Raises UsageError for samples that are no sequences, and for texts longer than those it was made for.
    Takes (batch, time) tokens, returns (batch, time, output_count).
    """

    def __init__(self, input_shape: tuple[int, ...], output_count: int, config: GPTConfig = GPTConfig()) -> None:
        super().__init__()
        self.limit, channels = sequence_shape("gpt", input_shape)
        self.tokens = Embedding(channels, config.embed_dim)
        self.position_embedding = nn.Parameter(torch.randn(self.limit, config.embed_dim) * 0.01)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = Blocks(
            Block(config.embed_dim, config.heads, is_causal=True, dropout=config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.embed_dim)
        self.output = nn.Linear(config.embed_dim, output_count, bias=False)
        self.draw_weights(config)

    def draw_weights(self, config: GPTConfig) -> None:
        """Normal with deviation 0.02; what is added to the sum, smaller by the root of the number of sums."""
        for name, weight in self.named_parameters():
            if weight.ndim == 2 and name != "position_embedding":
                is_added = name.endswith(("attention.output.weight", "dense.2.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * config.layers) ** 0.5 if is_added else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)
        if self.output.weight.shape == self.tokens.weight.shape:
            self.output.weight = self.tokens.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.place(x, 0)
        for block in self.layers:
            x = block(x)
        scores: Tensor = self.output(self.norm(x))
        return scores

    def place(self, tokens: Tensor, first: int) -> Tensor:
        """Return the vectors of tokens with their places, from `first` on, added: (batch, time, embed_dim)."""
        end = first + tokens.shape[1]
        if end > self.limit:
            raise UsageError(f"gpt was made for texts of {self.limit} tokens, received {end}; shorten them.")
        placed: Tensor = self.dropout(self.tokens(tokens) + self.position_embedding[first:end])
        return placed

    def begin(self) -> State:
        """Return the state before the first token."""
        return State()

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Score what comes after each of the new `tokens`, (batch, new); return the state behind them, too."""
        x = self.place(tokens, state.length)
        caches: list[Cache] = []
        for number, block in enumerate(self.layers):
            x, cache = block.step(x, state.caches[number] if state.caches else None)
            caches.append(cache)
        return self.output(self.norm(x)), State(tuple(caches))


VARIANTS: Mapping[str, GPTConfig] = {
    "gpt": GPTConfig(),
}
