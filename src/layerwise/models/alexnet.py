"""AlexNet, the network that opened the field: two towers on two devices.

Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional neural networks",
https://papers.nips.cc/paper/4824; in one tower: Krizhevsky 2014, https://arxiv.org/abs/1404.5997.

In `alexnet` each tower holds half of the maps. They read each other at the third convolution and in the dense layers
only. 60,965,224 parameters for 3x224x224 and 1,000 classes, the paper's 60 million. `alexnet-one-tower` has 61,100,840,
fewer maps and no response normalisation; `alexnet-small` is the same for small pictures, with batch normalisation.

Deviations: two pixels of padding make the paper's 224 fit its first convolution; first weights after He et al. 2015
instead of 0.01 with biases of one, so that it learns without watching; the dense layers fit other picture sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from layerwise.fields import check, numeric, share, sizes, switch, words
from layerwise.layers.initialization import he_normal
from layerwise.layers.sizes import map_shape, picture_shape


@dataclass(frozen=True)
class AlexNetConfig:
    """Options of the two towers. Raises UsageError for a value that cannot work."""

    widths: tuple[int, ...] = sizes(
        (96, 256, 384, 384, 256),
        "channels of the 5 convolutions, over both towers",
        length=5,
        at_least=2,
        multiple_of=2,
    )
    dense: int = numeric(
        4096,
        "neurons of each hidden dense layer, over both towers",
        at_least=2,
        multiple_of=2,
        scale="powers of two",
        search=(256, 4096),
    )
    dropout: float = share(0.5, "share of dense neurons silenced per step", search=(0.0, 0.6))
    devices: tuple[str, ...] = words(
        ("", ""), "devices of the towers; empty for that of the model", length=2, example="cuda:0,cuda:1"
    )

    def __post_init__(self) -> None:
        check(self)


def response_norm() -> nn.LocalResponseNorm:
    """Section 3.3: k = 2, n = 5, alpha = 1e-4, beta = 0.75. PyTorch divides alpha by n, the paper does not."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


class Tower(nn.Module):
    """Half of the network: what one of the paper's two cards holds, but for the output layer."""

    def __init__(self, channels: int, picture: tuple[int, int], config: AlexNetConfig) -> None:
        super().__init__()
        own = [width // 2 for width in config.widths]
        self.conv1_2 = nn.Sequential(
            nn.Conv2d(channels, own[0], 11, stride=4, padding=2),
            nn.ReLU(),
            response_norm(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(own[0], own[1], 5, padding=2),
            nn.ReLU(),
            response_norm(),
            nn.MaxPool2d(3, stride=2),
        )
        self.conv3_5 = nn.Sequential(
            nn.Conv2d(2 * own[1], own[2], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(own[2], own[3], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(own[3], own[4], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
        height, width = map_shape("AlexNet", picture, (self.conv1_2, self.conv3_5), "alexnet-small")
        inputs, half = 2 * own[4] * height * width, config.dense // 2
        self.dense6 = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(inputs, half), nn.ReLU())
        self.dense7 = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(2 * half, half), nn.ReLU())

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


class AlexNet(nn.Module):
    """Two towers and an output layer that reads both and stands beside the first.

    Raises UsageError for samples that are no pictures, or too small ones.
    Takes (batch, channels, height, width), returns (batch, output_count) on the device of the first tower.
    """

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int, config: AlexNetConfig = AlexNetConfig()
    ) -> None:
        super().__init__()
        channels, height, width = picture_shape("AlexNet", input_shape)
        self.upper = Tower(channels, (height, width), config)
        self.lower = Tower(channels, (height, width), config)
        he_normal(self)
        self.output = nn.Linear(config.dense, output_count)
        self.devices = config.devices
        self.place()

    def forward(self, x: Tensor) -> Tensor:
        upper = self.upper.conv1_2(x.to(self.upper.device))  # (batch, maps / 2, height, width)
        lower = self.lower.conv1_2(x.to(self.lower.device))
        upper, lower = self.crosswise(upper, lower, self.upper.conv3_5, self.lower.conv3_5)
        upper, lower = upper.flatten(1), lower.flatten(1)  # (batch, maps / 2 * height * width)
        upper, lower = self.crosswise(upper, lower, self.upper.dense6, self.lower.dense6)
        upper, lower = self.crosswise(upper, lower, self.upper.dense7, self.lower.dense7)
        outputs: Tensor = self.output(torch.cat((upper, lower.to(upper.device)), 1))  # (batch, outputs)
        return outputs

    def crosswise(
        self, upper: Tensor, lower: Tensor, next_upper: nn.Module, next_lower: nn.Module
    ) -> tuple[Tensor, Tensor]:
        """Let both towers go on from what both have found."""
        beside_upper = torch.cat((upper, lower.to(upper.device)), 1)
        beside_lower = torch.cat((upper.to(lower.device), lower), 1)
        return next_upper(beside_upper), next_lower(beside_lower)

    def place(self) -> None:
        """Put each tower on its device, if it has one of its own."""
        for part, device in zip((self.upper, self.lower, self.output), (*self.devices, self.devices[0]), strict=True):
            if device and not next(part.parameters()).is_meta:
                part.to(device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> AlexNet:
        """Move or convert as any module, then bring the towers back to their devices."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.place()
        return self


@dataclass(frozen=True)
class OneTowerConfig:
    """Options of a single tower. Raises UsageError for a value that cannot work."""

    widths: tuple[int, ...] = sizes((64, 192, 384, 256, 256), "channels of the 5 convolutions", length=5)
    dense: int = numeric(
        4096, "neurons of each hidden dense layer", at_least=1, scale="powers of two", search=(256, 4096)
    )
    dropout: float = share(0.5, "share of dense neurons silenced per step", search=(0.0, 0.6))
    small: bool = switch(False, "begin with 5x5 pixels at full size, for small images")
    batch_norm: bool = switch(False, "normalise over the batch after each convolution")

    def __post_init__(self) -> None:
        check(self)


def convolution(inputs: int, outputs: int, kernel: int, config: OneTowerConfig, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size of the map, but for its stride, and its rectifier."""
    padding = 2 if kernel > 3 else 1
    layers = nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=not config.batch_norm))
    if config.batch_norm:
        layers.append(nn.BatchNorm2d(outputs))
    return layers.append(nn.ReLU())


class OneTowerAlexNet(nn.Module):
    """Five convolutions and three dense layers in one row.

    Raises UsageError for samples that are no pictures, or too small ones.
    Takes (batch, channels, height, width), returns (batch, output_count).
    """

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int, config: OneTowerConfig = OneTowerConfig()
    ) -> None:
        super().__init__()
        channels, height, width = picture_shape("AlexNet", input_shape)
        first, second, third, fourth, fifth = config.widths
        kernel, stride = (5, 1) if config.small else (11, 4)
        self.features = nn.Sequential(
            convolution(channels, first, kernel, config, stride),
            nn.MaxPool2d(3, stride=2),
            convolution(first, second, 5, config),
            nn.MaxPool2d(3, stride=2),
            convolution(second, third, 3, config),
            convolution(third, fourth, 3, config),
            convolution(fourth, fifth, 3, config),
            nn.MaxPool2d(3, stride=2),
        )
        smaller = "resnet-small" if config.small else "alexnet-small"
        height, width = map_shape("AlexNet", (height, width), self.features, smaller)
        self.dense = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(fifth * height * width, config.dense),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.dense, config.dense),
            nn.ReLU(),
        )
        he_normal(self)
        self.output = nn.Linear(config.dense, output_count)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.features(x)  # (batch, maps, height, width)
        outputs: Tensor = self.output(self.dense(maps.flatten(1)))  # (batch, maps * height * width) -> (batch, outputs)
        return outputs


VARIANTS: Mapping[str, AlexNetConfig | OneTowerConfig] = {
    "alexnet": AlexNetConfig(),
    "alexnet-one-tower": OneTowerConfig(),
    "alexnet-small": OneTowerConfig((32, 64, 128, 96, 96), dense=256, small=True, batch_norm=True),
}
