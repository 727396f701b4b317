"""SegNet: what each pixel belongs to, by a decoder that puts maxima back where the encoder found them.

Badrinarayanan, Kendall and Cipolla 2015, https://arxiv.org/abs/1511.00561: an encoder like VGG without dense layers;
the places of its pooled maxima are handed to the decoder, which unpools by them instead of learning to.

Deviations: sizes for small pictures (`segnet-paper` has the 13 + 13 convolutions of VGG16); first weights after He et
al. 2015 instead of those of a trained VGG.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.fields import check, sizes
from layerwise.layers.initialization import he_normal
from layerwise.layers.options import require_as_many
from layerwise.layers.sizes import Window, map_shape, picture_shape


@dataclass(frozen=True)
class SegNetConfig:
    """Options of the network. Raises UsageError for a value that cannot work."""

    widths: tuple[int, ...] = sizes((16, 32, 64), "channels of each stage", least=1, search=(8, 256))
    convolutions: tuple[int, ...] = sizes((2, 2, 2), "3x3 convolutions of each stage", least=1, search=(1, 3))

    def __post_init__(self) -> None:
        check(self)
        require_as_many("convolutions", self.convolutions, "widths", self.widths)


def stage(widths: tuple[int, ...]) -> nn.Sequential:
    """3x3 convolutions from width to width, each normalised and rectified."""
    layers = nn.Sequential()
    for inputs, outputs in pairwise(widths):
        layers.extend((nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()))
    return layers


class SegNet(nn.Module):
    """Stages that halve the picture and remember where its maxima were, and as many that double it by them.

    Raises UsageError for samples that are no pictures, or too small ones.
    Takes (batch, channels, height, width), returns the scores of each pixel, (batch, output_count, height, width).
    """

    def __init__(self, input_shape: tuple[int, ...], output_count: int, config: SegNetConfig = SegNetConfig()) -> None:
        super().__init__()
        channels, height, width = picture_shape("SegNet", input_shape)
        map_shape("SegNet", (height, width), [Halving() for _ in config.widths], "")
        before = (channels, *config.widths)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for number, (out, count) in enumerate(zip(config.widths, config.convolutions, strict=True)):
            self.encoder.append(stage((before[number], *[out] * count)))
            back = config.widths[number - 1] if number else config.widths[0]
            self.decoder.insert(0, stage((*[out] * count, back)))
        he_normal(self)
        self.output = nn.Conv2d(config.widths[0], output_count, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        places: list[tuple[Tensor, list[int]]] = []
        for layers in self.encoder:
            x = layers(x)
            size = list(x.shape[-2:])
            x, where = F.max_pool2d(x, 2, return_indices=True)  # (batch, width, height / 2, width / 2)
            places.append((where, size))
        for layers in self.decoder:
            where, size = places.pop()
            x = layers(F.max_unpool2d(x, where, [2, 2], output_size=size))
        scores: Tensor = self.output(x)
        return scores


class Halving(nn.Module):
    """Stands for a pooling where only sizes are asked for."""

    window = Window(2, 2)


VARIANTS: Mapping[str, SegNetConfig] = {
    "segnet": SegNetConfig(),
    "segnet-paper": SegNetConfig((64, 128, 256, 512, 512), (2, 2, 3, 3, 3)),
}
