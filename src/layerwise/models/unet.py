"""U-Net: what each pixel belongs to, by a decoder that sees the encoder's maps again.

Ronneberger, Fischer and Brox 2015, https://arxiv.org/abs/1505.04597.

Deviations: padded convolutions, so that the scores have the size of the picture; batch normalisation; pictures whose
sides the halvings do not divide are framed by zeros and cut back; sizes for small pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.fields import check, sizes
from layerwise.layers.initialization import he_normal
from layerwise.layers.sizes import picture_shape


@dataclass(frozen=True)
class UNetConfig:
    """Options of the network. Raises UsageError for a value that cannot work."""

    widths: tuple[int, ...] = sizes((16, 32, 64), "channels of each depth, the finest first", least=1, search=(8, 256))

    def __post_init__(self) -> None:
        check(self)


def double_convolution(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions, each normalised and rectified."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Down by 2x2 maxima, up by 2x2 transposed convolutions, with the maps of the way down beside those of the way up.

    Raises UsageError for samples that are no pictures.
    Takes (batch, channels, height, width), returns the scores of each pixel, (batch, output_count, height, width).
    """

    def __init__(self, input_shape: tuple[int, ...], output_count: int, config: UNetConfig = UNetConfig()) -> None:
        super().__init__()
        channels, _, _ = picture_shape("U-Net", input_shape)
        widths = config.widths
        self.down = nn.ModuleList(
            double_convolution(inputs, outputs) for inputs, outputs in zip((channels, *widths), widths, strict=False)
        )
        pairs = list(pairwise(widths))[::-1]  # (finer, coarser), the coarsest first
        self.rise = nn.ModuleList(nn.ConvTranspose2d(coarser, finer, 2, stride=2) for finer, coarser in pairs)
        self.up = nn.ModuleList(double_convolution(2 * finer, finer) for finer, _ in pairs)
        he_normal(self)
        self.output = nn.Conv2d(widths[0], output_count, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        unit = 2 ** len(self.rise)
        x = F.pad(x, (0, -width % unit, 0, -height % unit))
        seen: list[Tensor] = []
        for number, layers in enumerate(self.down):
            x = layers(F.max_pool2d(x, 2) if number else x)
            seen.append(x)
        seen.pop()
        for rise, layers in zip(self.rise, self.up, strict=True):
            x = layers(torch.cat((seen.pop(), rise(x)), dim=1))
        scores: Tensor = self.output(x)
        return scores[..., :height, :width]


VARIANTS: Mapping[str, UNetConfig] = {
    "unet": UNetConfig(),
}
