"""Scaled dot-product attention with several heads.

Vaswani et al. 2017, "Attention is all you need", https://arxiv.org/abs/1706.03762, section 3.2. Shapes: (batch, time,
embed_dim) outside, (batch, heads, time, embed_dim / heads) inside.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LONGEST_PLAIN = 512  # steps up to which the matrix of all weights is small


class Cache(NamedTuple):
    """The keys and values of the steps so far, each (batch, heads, time, embed_dim / heads)."""

    keys: Tensor
    values: Tensor


class Attention(nn.Module):
    """Every query gathers the values of the keys that it is like.

    heads: must divide `embed_dim`. is_causal: a step sees itself and what came before it, and nothing later.
    """

    def __init__(self, embed_dim: int, heads: int, *, is_causal: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.is_causal, self.dropout = heads, is_causal, dropout
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, *, mask: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """Return what each step of `x` gathers from `memory`, or from `x` itself, (batch, time, embed_dim).

        mask: (batch, memory's time) bool, which steps may be seen. cache: keys and values in place of `memory`;
        those of `x` must be among them already (`extend`).
        """
        keys, values = cache or self.keys_values(x if memory is None else memory)
        gathered = self.attend(self.split_heads(self.query(x)), keys, values, mask)
        joined: Tensor = self.output(gathered.transpose(1, 2).flatten(2))  # (batch, heads, time, part) -> x's shape
        return joined

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Return the values that each query gathers, (batch, heads, queries, part)."""
        silenced = self.dropout if self.training else 0.0
        if has_slow_kernel(queries, keys):
            weights = attention_weights(queries, keys, self.causal_mask(queries, keys, mask))
            return F.dropout(weights, silenced) @ values
        if self.is_causal and mask is None and queries.shape[2] == keys.shape[2]:  # spares accelerators the mask
            return F.scaled_dot_product_attention(queries, keys, values, dropout_p=silenced, is_causal=True)
        visible = self.causal_mask(queries, keys, mask)
        return F.scaled_dot_product_attention(queries, keys, values, attn_mask=visible, dropout_p=silenced)

    def weights(
        self, x: Tensor, memory: Tensor | None = None, *, mask: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """Return how much each step of `x` takes from each step it sees, (batch, heads, time, memory's time)."""
        keys, _ = cache or self.keys_values(x if memory is None else memory)
        queries = self.split_heads(self.query(x))
        return attention_weights(queries, keys, self.causal_mask(queries, keys, mask))

    def keys_values(self, memory: Tensor) -> Cache:
        """Return the keys and values of `memory`, (batch, time, embed_dim)."""
        return Cache(self.split_heads(self.key(memory)), self.split_heads(self.value(memory)))

    def extend(self, cache: Cache | None, x: Tensor) -> Cache:
        """Return `cache` with the keys and values of `x` behind it."""
        new = self.keys_values(x)
        if cache is None:
            return new
        return Cache(torch.cat((cache.keys, new.keys), dim=2), torch.cat((cache.values, new.values), dim=2))

    def split_heads(self, x: Tensor) -> Tensor:
        """(batch, time, embed_dim) -> (batch, heads, time, embed_dim / heads)"""
        parts: Tensor = x.unflatten(2, (self.heads, -1)).transpose(1, 2)
        return parts

    def causal_mask(self, queries: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor | None:
        """Return which keys each query may see, broadcast to (batch, heads, queries, keys); None for all."""
        seen = None if mask is None else mask[:, None, None, :]
        new, known = queries.shape[2], keys.shape[2]
        if not self.is_causal or new == 1:
            return seen
        earlier = torch.ones(new, known, dtype=torch.bool, device=queries.device).tril(known - new)
        return earlier if seen is None else seen & earlier


def attention_weights(queries: Tensor, keys: Tensor, visible: Tensor | None) -> Tensor:
    """Return softmax(queries keys^T / sqrt(part)) over the keys that are visible, (batch, heads, queries, keys)."""
    batch, heads, _, part = queries.shape
    transposed = keys.flatten(0, 1).transpose(1, 2)
    if visible is None:
        scores = torch.bmm(queries.flatten(0, 1) * part**-0.5, transposed)
    else:
        hidden = torch.zeros_like(visible, dtype=queries.dtype).masked_fill(~visible, torch.finfo(queries.dtype).min)
        hidden = hidden.expand(batch, heads, -1, -1).flatten(0, 1) if hidden.ndim == 4 else hidden
        scores = torch.baddbmm(hidden, queries.flatten(0, 1), transposed, alpha=part**-0.5)
    weights: Tensor = scores.softmax(-1).unflatten(0, (batch, heads))
    return weights


def has_slow_kernel(queries: Tensor, keys: Tensor) -> bool:
    """Whether torch's fused attention is slower than products and a softmax: on the processor in bfloat16.

    Measured with torch 2.13 on one thread with AVX-512 BF16, forward and backward: 46 against 18 ms for 256 tokens in 4
    heads of 64, batch 16; 26 against 2.5 ms for 17 tokens in 4 heads of 16, batch 128. In float32 the fused one leads,
    and beyond LONGEST_PLAIN steps, where it never holds all weights at once.
    """
    is_half = queries.device.type == "cpu" and queries.dtype == torch.bfloat16
    return is_half and max(queries.shape[2], keys.shape[2]) <= LONGEST_PLAIN
