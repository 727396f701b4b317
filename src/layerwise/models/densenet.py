"""Densely connected networks: every layer reads the maps of all layers before it in its block.

Huang, Liu, van der Maaten and Weinberger 2016, https://arxiv.org/abs/1608.06993: table 1 and, for small pictures,
section 3, "Implementation details" (DenseNet-BC; `densenet-small` is its L = 40, k = 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.fields import check, choice, numeric, share, sizes
from layerwise.layers.initialization import he_normal
from layerwise.layers.sizes import map_shape, picture_shape

STEMS = {"7x7-pool": "for large images", "3x3": "for small images"}


@dataclass(frozen=True)
class DenseNetConfig:
    """Options of a densely connected network. Raises UsageError for a value that cannot work."""

    growth: int = numeric(
        32, "maps that each layer adds, k in the paper", at_least=1, scale="powers of two", search=(8, 48)
    )
    layers: tuple[int, ...] = sizes((6, 12, 24, 16), "layers of each dense block", least=1)
    bottleneck: int = numeric(4, "maps of the 1x1 convolution of a layer, times growth", at_least=1, search=(2, 8))
    compression: float = numeric(
        0.5, "share of the maps that a transition keeps", above=0, at_most=1, search=(0.25, 1.0)
    )
    stem: Literal["7x7-pool", "3x3"] = choice("7x7-pool", STEMS, "first layers")
    dropout: float = share(0.0, "share of values silenced after each convolution of a layer", search=(0.0, 0.5))

    def __post_init__(self) -> None:
        check(self)


def make_stem(channels: int, config: DenseNetConfig) -> nn.Sequential:
    """The layers before the first dense block, with twice the growth in maps."""
    maps = 2 * config.growth
    if config.stem == "3x3":
        return nn.Sequential(nn.Conv2d(channels, maps, 3, padding=1, bias=False))
    return nn.Sequential(
        nn.Conv2d(channels, maps, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(maps),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )


class DenseLayer(nn.Module):
    """Reads all maps so far through a 1x1 bottleneck and appends `growth` new ones."""

    def __init__(self, inputs: int, config: DenseNetConfig) -> None:
        super().__init__()
        narrow = config.bottleneck * config.growth
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, narrow, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(narrow)
        self.conv2 = nn.Conv2d(narrow, config.growth, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, maps: Tensor) -> Tensor:
        narrow = self.dropout(self.conv1(F.relu(self.norm1(maps))))
        new = self.dropout(self.conv2(F.relu(self.norm2(narrow))))
        return torch.cat((maps, new), 1)  # (batch, inputs + growth, height, width)


def transition(inputs: int, outputs: int) -> nn.Sequential:
    """Fewer maps of half the size."""
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.AvgPool2d(2))


class DenseNet(nn.Module):
    """A stem, dense blocks with transitions between them, the mean over the map, one dense layer.

    Raises UsageError for samples that are no pictures, or too small ones.
    Takes (batch, channels, height, width), returns (batch, output_count).
    """

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int, config: DenseNetConfig = DenseNetConfig()
    ) -> None:
        super().__init__()
        channels, height, width = picture_shape("DenseNet", input_shape)
        self.stem = make_stem(channels, config)
        self.blocks = nn.Sequential()
        maps = 2 * config.growth
        for block, layers in enumerate(config.layers):
            if block:
                kept = int(config.compression * maps)
                self.blocks.append(transition(maps, kept))
                maps = kept
            for _ in range(layers):
                self.blocks.append(DenseLayer(maps, config))
                maps += config.growth
        smaller = "densenet-small" if config.stem == "7x7-pool" else ""
        map_shape("DenseNet", (height, width), (self.stem, self.blocks), smaller)
        he_normal(self)
        self.norm = nn.BatchNorm2d(maps)
        self.output = nn.Linear(maps, output_count)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.blocks(self.stem(x))  # (batch, maps, height, width)
        features = F.relu(self.norm(maps)).mean((2, 3))  # (batch, maps)
        outputs: Tensor = self.output(features)  # (batch, outputs)
        return outputs


VARIANTS: Mapping[str, DenseNetConfig] = {
    "densenet121": DenseNetConfig(layers=(6, 12, 24, 16)),
    "densenet169": DenseNetConfig(layers=(6, 12, 32, 32)),
    "densenet-small": DenseNetConfig(growth=12, layers=(6, 6, 6), stem="3x3"),
}
