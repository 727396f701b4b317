"""Residual networks (He, Zhang, Ren and Sun 2015, 'Deep residual learning for image recognition').

Two or three convolutions learn what to add to their input: y = relu(F(x) + x). The identity carries the gradient
through any depth, so that a deeper network is never harder to train than a shallower one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.models.checks import check_picture

# Shapes: (batch, channels, height, width)


@dataclass(frozen=True)
class ResNetConfig:
    """The stem, and stages of residual blocks; every stage but the first halves the picture."""

    widths: tuple[int, ...] = field(default=(64, 128, 256, 512), metadata={"help": "channels of each stage"})
    blocks: tuple[int, ...] = field(default=(2, 2, 2, 2), metadata={"help": "blocks in each stage"})
    bottleneck: bool = field(
        default=False, metadata={"help": "blocks of 1x1, 3x3, 1x1 convolutions with 4 times the channels at the end"}
    )
    stem: Literal["7x7-pool", "3x3", "3x3-stride", "3x3-pool"] = field(
        default="7x7-pool", metadata={"help": "the first convolution, and what halves the picture behind it"}
    )
    shortcut: Literal["projection", "padding"] = field(
        default="projection", metadata={"help": "where a stage changes shape: a 1x1 convolution, or strides and zeros"}
    )


VARIANTS = {
    "resnet18": ResNetConfig(),
    "resnet34": ResNetConfig(blocks=(3, 4, 6, 3)),
    "resnet50": ResNetConfig(blocks=(3, 4, 6, 3), bottleneck=True),
    "resnet101": ResNetConfig(blocks=(3, 4, 23, 3), bottleneck=True),
    "resnet20": ResNetConfig(widths=(16, 32, 64), blocks=(3, 3, 3), stem="3x3", shortcut="padding"),
    "resnet56": ResNetConfig(widths=(16, 32, 64), blocks=(9, 9, 9), stem="3x3", shortcut="padding"),
    "resnet-small": ResNetConfig(widths=(32, 64, 128), blocks=(1, 1, 1), stem="3x3-pool"),
    "resnet-tiny": ResNetConfig(widths=(32, 64, 128), blocks=(1, 1, 1), stem="3x3-stride"),
}
EXPANSION = 4  # of the channels, at the end of a bottleneck


class Block(nn.Module):
    """Two 3x3 convolutions beside the shortcut (figure 2 and figure 5, left)."""

    def __init__(self, inputs: int, width: int, stride: int, shortcut: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = make_shortcut(inputs, width, stride, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        residual = F.relu(self.norm1(self.conv1(x)))
        residual = self.norm2(self.conv2(residual))
        return F.relu(residual + self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up (figure 5, right). The stride is at the 3x3, as in torchvision; the paper has it before."""

    def __init__(self, inputs: int, width: int, stride: int, shortcut: str) -> None:
        super().__init__()
        outputs = EXPANSION * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut = make_shortcut(inputs, outputs, stride, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        residual = F.relu(self.norm1(self.conv1(x)))
        residual = F.relu(self.norm2(self.conv2(residual)))
        residual = self.norm3(self.conv3(residual))
        return F.relu(residual + self.shortcut(x))


class PaddedShortcut(nn.Module):
    """Every other row and column, and zeros for the new channels: no parameters (section 3.3, option A)."""

    def __init__(self, new_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels = new_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[..., :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))


def make_shortcut(inputs: int, outputs: int, stride: int, kind: str) -> nn.Module:
    """Return the identity where the shape stays the same, else what brings x to the shape of F(x)."""
    if inputs == outputs and stride == 1:
        return nn.Identity()
    if kind == "padding":
        return PaddedShortcut(outputs - inputs, stride)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """Pictures in, one raw output a class out. input_shape: (channels, height, width), 2 pixels a side or more."""

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int, config: ResNetConfig = ResNetConfig()
    ) -> None:
        super().__init__()
        check_picture("resnet", input_shape, least_px=2)
        self.stem = make_stem(input_shape[0], config.widths[0], config.stem)
        block = Bottleneck if config.bottleneck else Block
        stages: list[nn.Module] = []
        channels = config.widths[0]
        for number, (width, count) in enumerate(zip(config.widths, config.blocks, strict=True)):
            stage: list[nn.Module] = []
            for place in range(count):
                stride = 2 if number and not place else 1
                stage.append(block(channels, width, stride, config.shortcut))
                channels = EXPANSION * width if config.bottleneck else width
            stages.append(nn.Sequential(*stage))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, output_count)
        self.initialise()

    def initialise(self) -> None:
        """Scale the filters so that the forward signal keeps its variance (He et al. 2015, 'Delving deep')."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.stages(x)
        x = x.mean((2, 3))  # (batch, channels)
        return self.head(x)


def make_stem(channels: int, width: int, kind: str) -> nn.Sequential:
    """Return the first layers: 7x7-pool quarters a picture, 3x3-stride and 3x3-pool halve it, 3x3 keeps its size."""
    size, stride = (7, 2) if kind == "7x7-pool" else (3, 2) if kind == "3x3-stride" else (3, 1)
    layers = [
        nn.Conv2d(channels, width, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]
    if kind == "7x7-pool":
        layers.append(nn.MaxPool2d(3, 2, padding=1))
    elif kind == "3x3-pool":
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)
