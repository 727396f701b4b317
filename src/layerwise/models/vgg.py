"""VGG: depth from nothing but 3x3 convolutions.

Simonyan and Zisserman 2014, "Very deep convolutional networks for large-scale image recognition",
https://arxiv.org/abs/1409.1556, table 1: A is vgg11, B vgg13, D vgg16 and E vgg19.

Deviations: first weights after He et al. 2015 instead of those of a shallower network; batch normalisation on request
(`vgg-small` has it); the dense layers fit other picture sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from layerwise.fields import check, share, sizes, switch
from layerwise.layers.initialization import he_normal
from layerwise.layers.options import require_as_many
from layerwise.layers.sizes import map_shape, picture_shape


@dataclass(frozen=True)
class VGGConfig:
    """Options of a VGG network. Raises UsageError for a value that cannot work."""

    widths: tuple[int, ...] = sizes((64, 128, 256, 512, 512), "channels of each stage", least=1, search=(8, 512))
    convolutions: tuple[int, ...] = sizes((2, 2, 3, 3, 3), "3x3 convolutions of each stage", least=1, search=(1, 4))
    dense: tuple[int, ...] = sizes(
        (4096, 4096), "neurons of each hidden dense layer", scale="powers of two", search=(64, 4096)
    )
    dropout: float = share(0.5, "share of dense neurons silenced per step", search=(0.0, 0.6))
    batch_norm: bool = switch(False, "normalise over the batch after each convolution")

    def __post_init__(self) -> None:
        check(self)
        require_as_many("convolutions", self.convolutions, "widths", self.widths)


def stage(inputs: int, width: int, convolutions: int, batch_norm: bool) -> nn.Sequential:
    """So many 3x3 convolutions, each with its rectifier, then the maximum of 2x2."""
    layers = nn.Sequential()
    for number in range(convolutions):
        layers.append(nn.Conv2d(width if number else inputs, width, 3, padding=1, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.ReLU())
    return layers.append(nn.MaxPool2d(2))


class VGG(nn.Module):
    """Stages that halve the picture, then dense layers.

    Raises UsageError for samples that are no pictures, or too small ones.
    Takes (batch, channels, height, width), returns (batch, output_count).
    """

    def __init__(self, input_shape: tuple[int, ...], output_count: int, config: VGGConfig = VGGConfig()) -> None:
        super().__init__()
        inputs, height, width = picture_shape("VGG", input_shape)
        self.features = nn.Sequential()
        for stage_width, convolutions in zip(config.widths, config.convolutions, strict=True):
            self.features.append(stage(inputs, stage_width, convolutions, config.batch_norm))
            inputs = stage_width
        smaller = "vgg-small" if len(config.widths) > 3 else "resnet-small"
        height, width = map_shape("VGG", (height, width), self.features, smaller)
        neurons = inputs * height * width
        self.dense = nn.Sequential()
        for hidden in config.dense:
            self.dense.extend((nn.Linear(neurons, hidden), nn.ReLU(), nn.Dropout(config.dropout)))
            neurons = hidden
        he_normal(self)
        self.output = nn.Linear(neurons, output_count)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.features(x)  # (batch, channels, height, width)
        outputs: Tensor = self.output(self.dense(maps.flatten(1)))  # (batch, neurons) -> (batch, outputs)
        return outputs


VARIANTS: Mapping[str, VGGConfig] = {
    "vgg11": VGGConfig(convolutions=(1, 1, 2, 2, 2)),
    "vgg13": VGGConfig(convolutions=(2, 2, 2, 2, 2)),
    "vgg16": VGGConfig(convolutions=(2, 2, 3, 3, 3)),
    "vgg19": VGGConfig(convolutions=(2, 2, 4, 4, 4)),
    "vgg-small": VGGConfig((32, 64, 128), (2, 2, 2), dense=(128,), batch_norm=True),
}
