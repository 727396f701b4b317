"""GoogLeNet: modules that look at every place through windows of several sizes at once.

Szegedy et al. 2014, "Going deeper with convolutions", https://arxiv.org/abs/1409.4842, table 1.

`googlenet` has 6,998,552 parameters for 3x224x224 and 1,000 classes, as the authors' reference model in Caffe has
without its auxiliary heads. Those are left out here: they fed the gradient to the lower layers in 2014, which batch
normalisation (`batch_norm`, Ioffe and Szegedy 2015) does better; it then also replaces the response normalisation.
`googlenet-small` is for small pictures. First weights after He et al. 2015.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from layerwise.fields import check, numeric, share, switch, words
from layerwise.layers.initialization import he_normal
from layerwise.layers.options import require
from layerwise.layers.sizes import map_shape, picture_shape


class Branches(NamedTuple):
    """Channels of one module, in the words of table 1: '#3x3 reduce' is `three_reduce`."""

    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool: int

    def times(self, width: float) -> Branches:
        """Return so many times the channels, at least one each."""
        return Branches(*(max(1, round(width * channels)) for channels in self))


TABLE_1: Mapping[str, Branches] = {
    "3a": Branches(64, 96, 128, 16, 32, 32),
    "3b": Branches(128, 128, 192, 32, 96, 64),
    "4a": Branches(192, 96, 208, 16, 48, 64),
    "4b": Branches(160, 112, 224, 24, 64, 64),
    "4c": Branches(128, 128, 256, 24, 64, 64),
    "4d": Branches(112, 144, 288, 32, 64, 64),
    "4e": Branches(256, 160, 320, 32, 128, 128),
    "5a": Branches(256, 160, 320, 32, 128, 128),
    "5b": Branches(384, 192, 384, 48, 128, 128),
}
PAPER_MODULES = ("3a", "3b", "pool", "4a", "4b", "4c", "4d", "4e", "pool", "5a", "5b")


@dataclass(frozen=True)
class GoogLeNetConfig:
    """Options of GoogLeNet. Raises UsageError for a value that cannot work."""

    modules: tuple[str, ...] = words(
        PAPER_MODULES, "modules of the paper's table 1 in order, and pool to halve the map", choices=("pool", *TABLE_1)
    )
    width: float = numeric(1.0, "times the paper's channels", above=0, scale="log", search=(0.25, 2.0))
    small: bool = switch(False, "begin with one 3x3 convolution at full size")
    batch_norm: bool = switch(False, "normalise over the batch after each convolution")
    dropout: float = share(0.4, "share of features silenced before the output layer", search=(0.0, 0.6))

    def __post_init__(self) -> None:
        check(self)
        require(any(module != "pool" for module in self.modules), "modules", "at least one module", self.modules)


def convolution(inputs: int, outputs: int, kernel: int, batch_norm: bool, stride: int = 1) -> nn.Sequential:
    """A convolution with its rectifier."""
    layers = nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=not batch_norm))
    if batch_norm:
        layers.append(nn.BatchNorm2d(outputs))
    return layers.append(nn.ReLU())


class Inception(nn.Module):
    """1x1, 3x3 and 5x5 convolutions and a maximum of 3x3, side by side on the same map (figure 2b)."""

    def __init__(self, inputs: int, channels: Branches, batch_norm: bool) -> None:
        super().__init__()
        self.outputs = channels.one + channels.three + channels.five + channels.pool
        self.one = convolution(inputs, channels.one, 1, batch_norm)
        self.three = nn.Sequential(
            convolution(inputs, channels.three_reduce, 1, batch_norm),
            convolution(channels.three_reduce, channels.three, 3, batch_norm),
        )
        self.five = nn.Sequential(
            convolution(inputs, channels.five_reduce, 1, batch_norm),
            convolution(channels.five_reduce, channels.five, 5, batch_norm),
        )
        self.pool = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), convolution(inputs, channels.pool, 1, batch_norm)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.one(x), self.three(x), self.five(x), self.pool(x)), 1)  # (batch, outputs, height, width)


def halve() -> nn.MaxPool2d:
    """The maximum of 3x3 in steps of two; the last window may hang over the edge, as in Caffe."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def paper_stem(channels: int, first: int, second: int, batch_norm: bool) -> nn.Sequential:
    """The layers of table 1 above the first module: an eighth of the picture's size."""
    response_norms = [] if batch_norm else [nn.LocalResponseNorm(5), nn.LocalResponseNorm(5)]
    return nn.Sequential(
        convolution(channels, first, 7, batch_norm, stride=2),
        halve(),
        *response_norms[:1],
        convolution(first, first, 1, batch_norm),
        convolution(first, second, 3, batch_norm),
        *response_norms[1:],
        halve(),
    )


class GoogLeNet(nn.Module):
    """A stem, modules with halvings between them, the mean over the map, one dense layer.

    Raises UsageError for samples that are no pictures, or too small ones.
    Takes (batch, channels, height, width), returns (batch, output_count).
    """

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int, config: GoogLeNetConfig = GoogLeNetConfig()
    ) -> None:
        super().__init__()
        channels, height, width = picture_shape("GoogLeNet", input_shape)
        first, second = (max(1, round(config.width * maps)) for maps in (64, 192))
        if config.small:
            self.stem = convolution(channels, second, 3, config.batch_norm)
        else:
            self.stem = paper_stem(channels, first, second, config.batch_norm)
        self.trunk = nn.Sequential()
        maps = second
        for name in config.modules:
            if name == "pool":
                self.trunk.append(halve())
                continue
            module = Inception(maps, TABLE_1[name].times(config.width), config.batch_norm)
            self.trunk.append(module)
            maps = module.outputs
        smaller = "" if config.small else "googlenet-small"
        map_shape("GoogLeNet", (height, width), (self.stem, self.trunk), smaller)
        he_normal(self)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(maps, output_count)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.trunk(self.stem(x))  # (batch, channels, height, width)
        features = maps.mean((2, 3))  # (batch, channels)
        outputs: Tensor = self.output(self.dropout(features))  # (batch, outputs)
        return outputs


VARIANTS: Mapping[str, GoogLeNetConfig] = {
    "googlenet": GoogLeNetConfig(),
    "googlenet-small": GoogLeNetConfig(
        ("3a", "3b", "pool", "4a", "4e", "pool", "5b"), width=0.25, small=True, batch_norm=True, dropout=0.2
    ),
}
