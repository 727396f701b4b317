"""Scaled dot-product attention with several heads.

Vaswani et al. 2017, "Attention is all you need", https://arxiv.org/abs/1706.03762, section 3.2. Shapes: (batch, time,
depth) outside, (batch, heads, time, depth / heads) inside.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LONGEST_PLAIN = 512  # steps up to which the matrix of all weights is small


class Cache(NamedTuple):
    """The keys and values of the steps so far, each (batch, heads, time, depth / heads)."""

    keys: Tensor
    values: Tensor


class Attention(nn.Module):
    """Every query gathers the values of the keys that it is like.

    heads: must divide `depth`. is_causal: a step sees itself and what came before it, and nothing later.
    """

    def __init__(self, depth: int, heads: int, *, is_causal: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.is_causal, self.dropout = heads, is_causal, dropout
        self.query = nn.Linear(depth, depth)
        self.key = nn.Linear(depth, depth)
        self.value = nn.Linear(depth, depth)
        self.output = nn.Linear(depth, depth)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, *, mask: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """Return what each step of `x` gathers from `memory`, or from `x` itself, (batch, time, depth).

        mask: (batch, memory's time) bool, which steps may be seen. cache: keys and values in place of `memory`;
        those of `x` must be among them already (`extend`).
        """
        keys, values = cache or self.remember(x if memory is None else memory)
        queries = self.split(self.query(x))
        dropout = self.dropout if self.training else 0.0
        visible = self.visible(queries, keys, mask)
        gather = gather_plainly if suits_plain_products(queries, keys) else F.scaled_dot_product_attention
        gathered = gather(queries, keys, values, attn_mask=visible, dropout_p=dropout)
        joined: Tensor = self.output(gathered.transpose(1, 2).flatten(2))  # (batch, heads, time, part) -> x's shape
        return joined

    def weights(
        self, x: Tensor, memory: Tensor | None = None, *, mask: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """Return how much each step of `x` takes from each step it sees, (batch, heads, time, memory's time)."""
        keys, _ = cache or self.remember(x if memory is None else memory)
        queries = self.split(self.query(x))
        scores = queries @ keys.transpose(2, 3) / queries.shape[-1] ** 0.5
        visible = self.visible(queries, keys, mask)
        if visible is not None:
            scores = scores.masked_fill(~visible, float("-inf"))
        weights: Tensor = scores.softmax(-1)
        return weights

    def remember(self, memory: Tensor) -> Cache:
        """Return the keys and values of `memory`, (batch, time, depth)."""
        return Cache(self.split(self.key(memory)), self.split(self.value(memory)))

    def extend(self, cache: Cache | None, x: Tensor) -> Cache:
        """Return `cache` with the keys and values of `x` behind it."""
        new = self.remember(x)
        if cache is None:
            return new
        return Cache(torch.cat((cache.keys, new.keys), dim=2), torch.cat((cache.values, new.values), dim=2))

    def split(self, x: Tensor) -> Tensor:
        """(batch, time, depth) -> (batch, heads, time, depth / heads)"""
        parts: Tensor = x.unflatten(2, (self.heads, -1)).transpose(1, 2)
        return parts

    def visible(self, queries: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor | None:
        """Return which keys each query may see, broadcast to (batch, heads, queries, keys); None for all."""
        seen = None if mask is None else mask[:, None, None, :]
        new, known = queries.shape[2], keys.shape[2]
        if not self.is_causal or new == 1:
            return seen
        earlier = torch.ones(new, known, dtype=torch.bool, device=queries.device).tril(known - new)
        return earlier if seen is None else seen & earlier


def suits_plain_products(queries: Tensor, keys: Tensor) -> bool:
    """Whether attention is faster as two products than by PyTorch's fused kernel: in bfloat16 on the processor.

    There the fused kernel's backward pass multiplies one small block after the other. Measured with torch 2.13 on one
    thread of a processor with AVX-512 BF16, forward and backward, plain against fused: 2.8 against 25 ms for 17 steps
    (batch 128, 4 heads of 16 numbers), 5.3 against 31 ms for 40 steps (64, 4, 64), 23 against 50 ms for 256 steps (16,
    4, 64). Beyond LONGEST_PLAIN steps the fused kernel is as fast, and never holds all weights at once.
    """
    is_half = queries.dtype == torch.bfloat16 and queries.device.type == "cpu"
    return is_half and max(queries.shape[2], keys.shape[2]) <= LONGEST_PLAIN


def gather_plainly(queries: Tensor, keys: Tensor, values: Tensor, attn_mask: Tensor | None, dropout_p: float) -> Tensor:
    """Scaled dot-product attention written out: softmax(Q K' / sqrt(part)) V (section 3.2.1, equation 1)."""
    scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(2, 3)  # (batch, heads, queries, keys)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, float("-inf"))
    return F.dropout(scores.softmax(-1), dropout_p) @ values
