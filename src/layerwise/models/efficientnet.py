"""EfficientNet-lite0: thin blocks that widen, look at each channel by itself and narrow again.

Tan and Le 2019, "EfficientNet", https://arxiv.org/abs/1905.11946, table 1, as its authors made it lighter in 2020: no
squeeze and excitation, ReLU6 in place of swish. 4,652,008 parameters for 1,000 classes, as in their weights.

Deviations: no blocks are left out at random in training; running statistics follow batches by 0.1 in place of 0.01,
which suits trainings of a few hundred steps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.errors import UsageError
from layerwise.fields import check, numeric, share
from layerwise.layers.initialization import he_normal
from layerwise.layers.sizes import Window, map_shape, picture_shape

# Each stage: kernel, stride of its first block, widening, channels, blocks (table 1 of the paper).
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, TOP = 32, 1280
PUBLISHED_CENTRE, PUBLISHED_SCALE = 127.0, 128.0  # of 255: the published weights read (value - 127) / 128


@dataclass(frozen=True)
class EfficientNetConfig:
    """Options of the network. Raises UsageError for a value that cannot work."""

    width: float = numeric(
        1.0, "times the published channels of every layer", above=0, at_most=4, scale="log", search=(0.25, 2.0)
    )
    dropout: float = share(0.2, "share of features silenced before the output layer", search=(0.0, 0.5))

    def __post_init__(self) -> None:
        check(self)


class SameConvolution(nn.Conv2d):
    """A convolution whose map is ceil(size / stride) pixels a side; of uneven padding, the far side gets more."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        sides: list[int] = []
        for size in (x.shape[3], x.shape[2]):  # F.pad takes the last dimension first
            missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides += [missing // 2, missing - missing // 2]
        return F.conv2d(F.pad(x, sides), self.weight, None, self.stride, 0, 1, self.groups)


class Block(nn.Module):
    """Widen by 1x1, filter each channel, narrow by 1x1; the input is added where shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, widening: int) -> None:
        super().__init__()
        inner = inputs * widening
        self.window = Window(kernel, stride, kernel // 2)
        self.adds_input = stride == 1 and inputs == outputs
        self.widens = widening > 1
        if self.widens:
            self.expand_conv = SameConvolution(inputs, inner, 1)
            self.bn0 = nn.BatchNorm2d(inner, eps=1e-3)
        self.depthwise_conv = SameConvolution(inner, inner, kernel, stride, groups=inner)
        self.bn1 = nn.BatchNorm2d(inner, eps=1e-3)
        self.project_conv = SameConvolution(inner, outputs, 1)
        self.bn2 = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        wide = F.relu6(self.bn0(self.expand_conv(x))) if self.widens else x
        filtered = F.relu6(self.bn1(self.depthwise_conv(wide)))
        narrow: Tensor = self.bn2(self.project_conv(filtered))
        return x + narrow if self.adds_input else narrow


class EfficientNet(nn.Module):
    """A stem, sixteen blocks in seven stages, a wide layer, the mean over the picture, one dense layer.

    scale, shift: a channel's input is times `scale` plus `shift` first, 1 and 0 but for published weights.

    Raises UsageError for samples that are no pictures, or too small ones.
    Takes (batch, channels, height, width), returns (batch, output_count).
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int, config: EfficientNetConfig = EfficientNetConfig()
    ) -> None:
        super().__init__()
        channels, height, width = picture_shape("EfficientNet", input_shape)
        self.register_buffer("scale", torch.ones(channels, 1, 1))
        self.register_buffer("shift", torch.zeros(channels, 1, 1))
        inputs = widened(STEM, config.width)
        self.conv_stem = SameConvolution(channels, inputs, 3, 2)
        self.bn0 = nn.BatchNorm2d(inputs, eps=1e-3)
        self.blocks = nn.Sequential()
        for kernel, stride, widening, published, count in STAGES:
            outputs = widened(published, config.width)
            for place in range(count):
                self.blocks.append(Block(inputs, outputs, kernel, stride if place == 0 else 1, widening))
                inputs = outputs
        map_shape("EfficientNet", (height, width), [self.conv_stem, self.blocks], "resnet-small")
        top = widened(TOP, config.width)
        self.conv_head = SameConvolution(inputs, top, 1)
        self.bn1 = nn.BatchNorm2d(top, eps=1e-3)
        self.dropout = nn.Dropout(config.dropout)
        self.fc = nn.Linear(top, output_count)
        he_normal(self)

    def features(self, x: Tensor) -> Tensor:
        """Return what the last layer reads, (batch, 1280) for the published width."""
        x = F.relu6(self.bn0(self.conv_stem(x * self.scale + self.shift)))
        maps = F.relu6(self.bn1(self.conv_head(self.blocks(x))))  # (batch, features, height / 32, width / 32)
        return maps.mean((2, 3))

    @property
    def head(self) -> nn.Module:
        """What turns features into outputs."""
        return nn.Sequential(self.dropout, self.fc)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.fc(self.dropout(self.features(x)))
        return outputs

    def start_from(self, published: Mapping[str, Tensor], mean: Sequence[float], std: Sequence[float]) -> None:
        """Take over the published weights of all but the last layer, for grey or coloured pictures.

        mean, std: how each channel of the input was scaled, in units of [0, 1]; it is scaled back within the network.

        Raises:
            UsageError: pictures of other channels, or a network of another width.
        """
        channels = len(mean)
        weights = {re.sub(r"(^|\.)_", r"\1", name): tensor for name, tensor in published.items()}
        if channels == 1:
            weights["conv_stem.weight"] = weights["conv_stem.weight"].sum(1, keepdim=True)  # grey is red = green = blue
        own = self.state_dict()
        for name in ("fc.weight", "fc.bias", "scale", "shift"):
            if name not in weights or weights[name].shape != own[name].shape:
                weights[name] = own[name]
        different = [name for name in own if name not in weights or own[name].shape != weights[name].shape]
        if different:
            raise UsageError(
                f"the published weights are for grey or coloured pictures and `width` 1, and {different[0]} has the "
                f"shape {tuple(own[different[0]].shape)} here; leave `width` out, or take pictures of 1 or 3 channels."
            )
        self.load_state_dict(weights)
        self.scale.copy_((torch.tensor(std) * 255 / PUBLISHED_SCALE)[:, None, None])
        self.shift.copy_(((torch.tensor(mean) * 255 - PUBLISHED_CENTRE) / PUBLISHED_SCALE)[:, None, None])


def widened(channels: int, width: float) -> int:
    """Return the channels of a layer, at least 8 and a multiple of 8 where the width is not 1."""
    return channels if width == 1 else max(8, int(channels * width + 4) // 8 * 8)


VARIANTS: Mapping[str, EfficientNetConfig] = {
    "efficientnet-lite0": EfficientNetConfig(),
}
