"""ViT: a picture as a row of patches, read like a sentence.

Dosovitskiy et al. 2020, "An image is worth 16x16 words", https://arxiv.org/abs/2010.11929: patches as vectors (equation
1), a class token in front, learned positions, blocks that normalise first (2, 3), the answer from the class token (4).

Deviation: sizes for small pictures (the paper's ViT-B/16 is `patch=16, embed_dim=768, heads=12, layers=12` on
224x224 pictures).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.fields import check, numeric, share
from layerwise.layers.options import require
from layerwise.layers.sizes import map_shape, picture_shape
from layerwise.layers.transformer import Block


@dataclass(frozen=True)
class ViTConfig:
    """Options of the network. Raises UsageError for a value that cannot work."""

    patch: int = numeric(4, "side of each patch; must divide the image", at_least=1, unit="px", search=(2, 16))
    embed_dim: int = numeric(
        96, "dimensions of the vector of each patch", at_least=1, scale="powers of two", search=(32, 512)
    )
    heads: int = numeric(
        4, "heads of each attention; must divide embed_dim", at_least=1, scale="powers of two", search=(1, 16)
    )
    layers: int = numeric(6, "transformer blocks", at_least=1, unit="layers", search=(1, 12))
    widening: int = numeric(2, "width of the inner dense layers, times embed_dim", at_least=1, search=(1, 4))
    dropout: float = share(0.0, "share of values silenced after each part of a block", search=(0.0, 0.3))

    def __post_init__(self) -> None:
        check(self)
        require(self.embed_dim % self.heads == 0, "embed_dim", f"a multiple of {self.heads} heads", self.embed_dim)


class ViT(nn.Module):
    """Patches, a class token, places, blocks, and a dense layer on what the class token has gathered.

    Raises UsageError for samples that are no pictures, or that the patches do not divide.
    Takes (batch, channels, height, width), returns (batch, output_count).
    """

    def __init__(self, input_shape: tuple[int, ...], output_count: int, config: ViTConfig = ViTConfig()) -> None:
        super().__init__()
        channels, height, width = picture_shape("ViT", input_shape)
        self.patches = nn.Conv2d(channels, config.embed_dim, config.patch, config.patch)
        map_shape("ViT", (height, width), [self.patches], "")
        if height % config.patch or width % config.patch:
            fitting = max(height, width) // config.patch * config.patch
            raise UsageError(
                f"`patch` {config.patch} does not divide pictures of {height}x{width} pixels; use `patch` with a "
                f"divisor of both sides, or `image_size` {fitting}."
            )
        self.grid = height // config.patch, width // config.patch
        self.class_token = nn.Parameter(torch.zeros(config.embed_dim))
        self.position_embedding = nn.Parameter(torch.randn(1 + self.grid[0] * self.grid[1], config.embed_dim) * 0.02)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.Sequential()
        for _ in range(config.layers):
            self.layers.append(Block(config.embed_dim, config.heads, widening=config.widening, dropout=config.dropout))
        self.norm = nn.LayerNorm(config.embed_dim)
        self.output = nn.Linear(config.embed_dim, output_count)

    def forward(self, x: Tensor) -> Tensor:
        patches = (
            self.patches(x).flatten(2).transpose(1, 2)
        )  # (batch, embed_dim, rows, columns) -> (batch, patches, embed_dim)
        token = self.class_token.expand(len(x), 1, -1)
        steps = self.dropout(
            torch.cat((token, patches), dim=1) + self.position_embedding
        )  # (batch, 1 + patches, embed_dim)
        outputs: Tensor = self.output(self.norm(self.layers(steps)[:, 0]))
        return outputs


VARIANTS: Mapping[str, ViTConfig] = {
    "vit": ViTConfig(),
}
