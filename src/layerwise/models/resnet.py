"""Residual networks: every block learns what to add to its input.

He, Zhang, Ren and Sun 2015, "Deep residual learning for image recognition", https://arxiv.org/abs/1512.03385.

Deviations: a bottleneck halves the picture in its 3x3 convolution instead of its first 1x1 (Gross and Wilber 2016; the
parameters are as many); the last normalisation of a block starts at zero, so that a new network is shallow (Goyal et
al. 2017). The 20- and 56-layer networks keep the paper's shortcuts without parameters (option A).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.fields import check, choice, share, sizes, switch
from layerwise.layers.initialization import he_normal
from layerwise.layers.options import require_as_many
from layerwise.layers.sizes import Window, map_shape, picture_shape

STEMS = {
    "7x7-pool": "for large images",
    "3x3": "for small images, at full size",
    "3x3-stride": "for small images, at half the size by a stride of 2",
    "3x3-pool": "for small images, at half the size by pooling",
}
SHORTCUTS = {"projection": "a 1x1 convolution", "zeros": "the same channels, and zeros for new ones"}


@dataclass(frozen=True)
class ResNetConfig:
    """Options of a residual network. Raises UsageError for a value that cannot work."""

    widths: tuple[int, ...] = sizes((64, 128, 256, 512), "channels of each stage", least=1, search=(8, 512))
    blocks: tuple[int, ...] = sizes((2, 2, 2, 2), "residual blocks of each stage", least=1, search=(1, 6))
    bottleneck: bool = switch(False, "blocks of 1x1, 3x3, 1x1 with 4 times the channels")
    stem: Literal["7x7-pool", "3x3", "3x3-stride", "3x3-pool"] = choice("7x7-pool", STEMS, "first layers")
    shortcut: Literal["projection", "zeros"] = choice("projection", SHORTCUTS, "shortcut where the shape changes")
    zero_start: bool = switch(True, "let every block begin as its shortcut alone")
    dropout: float = share(0.0, "share of features silenced before the output layer", search=(0.0, 0.5))

    def __post_init__(self) -> None:
        check(self)
        require_as_many("blocks", self.blocks, "widths", self.widths)


def make_stem(kind: str, channels: int, width: int) -> nn.Sequential:
    """The layers before the first residual block."""
    kernel, stride = {"7x7-pool": (7, 2), "3x3": (3, 1), "3x3-stride": (3, 2), "3x3-pool": (3, 1)}[kind]
    layers = nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )
    if kind == "7x7-pool":
        layers.append(nn.MaxPool2d(3, stride=2, padding=1))
    elif kind == "3x3-pool":
        layers.append(nn.MaxPool2d(2))
    return layers


class ZeroShortcut(nn.Module):
    """Every `stride`-th pixel, with channels of zeros behind the old ones (option A of the paper)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new_channels = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))


class ResidualBlock(nn.Module):
    """relu(shortcut(x) + convolutions(x)), equation 2 of the paper."""

    def __init__(self, inputs: int, width: int, stride: int, config: ResNetConfig) -> None:
        super().__init__()
        self.outputs = width * 4 if config.bottleneck else width
        self.window = Window(3, stride, 1)
        if config.bottleneck:
            self.convolutions = nn.Sequential(
                nn.Conv2d(inputs, width, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, self.outputs, 1, bias=False),
            )
        else:
            self.convolutions = nn.Sequential(
                nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
            )
        self.last_norm = nn.BatchNorm2d(self.outputs)
        self.shortcut = make_shortcut(inputs, self.outputs, stride, config.shortcut)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.last_norm(self.convolutions(x)))


def make_shortcut(inputs: int, outputs: int, stride: int, kind: str) -> nn.Module:
    """The identity, unless the block changes the shape."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    if kind == "zeros" and outputs >= inputs:
        return ZeroShortcut(inputs, outputs, stride)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """A stem, stages of residual blocks that halve the picture and widen it, the mean over it, one dense layer.

    Raises UsageError for samples that are no pictures, or too small ones.
    Takes (batch, channels, height, width), returns (batch, output_count).
    """

    def __init__(self, input_shape: tuple[int, ...], output_count: int, config: ResNetConfig = ResNetConfig()) -> None:
        super().__init__()
        channels, height, width = picture_shape("ResNet", input_shape)
        self.stem = make_stem(config.stem, channels, config.widths[0])
        self.stages = nn.Sequential()
        inputs = config.widths[0]
        for stage, (stage_width, block_count) in enumerate(zip(config.widths, config.blocks, strict=True)):
            blocks = nn.Sequential()
            for block in range(block_count):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(ResidualBlock(inputs, stage_width, stride, config))
                inputs = stage_width * 4 if config.bottleneck else stage_width
            self.stages.append(blocks)
        map_shape(
            "ResNet", (height, width), (self.stem, self.stages), "resnet-small" if config.stem == "7x7-pool" else ""
        )
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(inputs, output_count)
        self.start(config.zero_start)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.stages(self.stem(x))  # (batch, channels, height, width)
        features = maps.mean((2, 3))  # (batch, channels)
        outputs: Tensor = self.output(self.dropout(features))  # (batch, outputs)
        return outputs

    def start(self, zero_start: bool) -> None:
        """Draw the first weights; with `zero_start` every block adds nothing yet."""
        he_normal(self.stem)
        he_normal(self.stages)
        for block in self.modules():
            if zero_start and isinstance(block, ResidualBlock):
                nn.init.zeros_(block.last_norm.weight)


CIFAR_WIDTHS = (16, 32, 64)

VARIANTS: Mapping[str, ResNetConfig] = {
    "resnet18": ResNetConfig(blocks=(2, 2, 2, 2)),
    "resnet34": ResNetConfig(blocks=(3, 4, 6, 3)),
    "resnet50": ResNetConfig(blocks=(3, 4, 6, 3), bottleneck=True),
    "resnet101": ResNetConfig(blocks=(3, 4, 23, 3), bottleneck=True),
    "resnet20": ResNetConfig(CIFAR_WIDTHS, (3, 3, 3), stem="3x3", shortcut="zeros"),
    "resnet56": ResNetConfig(CIFAR_WIDTHS, (9, 9, 9), stem="3x3", shortcut="zeros"),
    "resnet-small": ResNetConfig((32, 64, 128), (1, 1, 1), stem="3x3-pool"),
    "resnet-tiny": ResNetConfig((32, 64, 128), (1, 1, 1), stem="3x3-stride"),
}
