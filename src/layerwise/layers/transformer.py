"""The block of every transformer: attention, then two dense layers, each added to what came in.

Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.1, with the normalisation behind each sum as published,
or before each part (Xiong et al. 2020, https://arxiv.org/abs/2002.04745), which trains without a careful warm-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

from torch import Tensor, nn

from layerwise.layers.attention import Attention, Cache


class Blocks(nn.ModuleList):
    """Blocks on top of each other, known as such to type checkers."""

    def __iter__(self) -> Iterator[Block]:
        return cast("Iterator[Block]", super().__iter__())


class Block(nn.Module):
    """Attention to itself, attention to a memory where `reads_memory`, two dense layers; (batch, time, embed_dim).

    widening: the inner dense layer has so many times the embed_dim.
    """

    def __init__(
        self,
        embed_dim: int,
        heads: int,
        *,
        is_causal: bool = False,
        reads_memory: bool = False,
        norm_first: bool = True,
        widening: int = 4,
        dropout: float = 0.0,
        activation: type[nn.Module] = nn.GELU,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = Attention(embed_dim, heads, is_causal=is_causal)
        self.norm_attention = nn.LayerNorm(embed_dim)
        if reads_memory:
            self.look_up = Attention(embed_dim, heads)
            self.norm_look_up = nn.LayerNorm(embed_dim)
        self.dense = nn.Sequential(
            nn.Linear(embed_dim, widening * embed_dim), activation(), nn.Linear(widening * embed_dim, embed_dim)
        )
        self.norm_dense = nn.LayerNorm(embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """masks: (batch, time) bool, which steps of `x` and of `memory` may be seen."""
        x = self.add(x, self.norm_attention, lambda steps: self.attention(steps, mask=mask))
        if memory is not None:
            x = self.add(x, self.norm_look_up, lambda steps: self.look_up(steps, memory, mask=memory_mask))
        return self.add(x, self.norm_dense, self.dense)

    def step(
        self,
        x: Tensor,
        cache: Cache | None,
        *,
        memory: Cache | None = None,
        memory_mask: Tensor | None = None,
    ) -> tuple[Tensor, Cache]:
        """Go on by the new steps `x`; return them and the cache with their keys and values behind it.

        memory: the keys and values of `look_up`, computed once.
        """
        caches: list[Cache] = []

        def attend(steps: Tensor) -> Tensor:
            caches.append(self.attention.extend(cache, steps))
            return self.attention(steps, cache=caches[0])  # type: ignore[no-any-return]

        x = self.add(x, self.norm_attention, attend)
        if memory is not None:
            x = self.add(x, self.norm_look_up, lambda steps: self.look_up(steps, mask=memory_mask, cache=memory))
        return self.add(x, self.norm_dense, self.dense), caches[0]

    def add(self, x: Tensor, norm: nn.LayerNorm, part: Callable[[Tensor], Tensor]) -> Tensor:
        """x + part(norm(x)), or norm(x + part(x)) as published."""
        if self.norm_first:
            return x + self.dropout(part(norm(x)))  # type: ignore[no-any-return]
        return norm(x + self.dropout(part(x)))  # type: ignore[no-any-return]
