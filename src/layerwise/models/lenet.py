"""LeNet-5, the network that read cheques.

LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition",
https://doi.org/10.1109/5.726791, section II.B.

`lenet5` is the usual modern reading: rectified units, the maximum of 2x2, every map of C3 reads all maps of S2, a dense
output layer: 61,706 parameters. `lenet5-paper` is the paper's: trainable subsampling, scaled tanh, the connections of
table I and distances to fixed bitmaps: 60,000 parameters. Its deviations: the bitmaps are drawn after figure 3, not
copied (other class counts get pseudo-random ones); the outputs are negated distances, so that the largest wins and the
cross-entropy is equation 9 of the paper without its constant j; the samples are scaled by the data set's preprocessing.

Both widen the picture by `padding` pixels, which turns 28x28 into the paper's 32x32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.fields import check, choice, numeric, share
from layerwise.layers.activations import ACTIVATIONS, ScaledTanh, activation
from layerwise.layers.sizes import Window, map_shape, picture_shape


@dataclass(frozen=True)
class LeNet5Config:
    """Options of the modern reading. Raises UsageError for a value that cannot work."""

    activation: str = choice("relu", tuple(ACTIVATIONS), "activation behind each hidden layer")
    pooling: Literal["max", "average"] = choice("max", ("max", "average"), "what is taken of each 2x2 pixels")
    padding: int = numeric(
        2, "pixels of zeros around the image; 2 makes 32x32 of 28x28", at_least=0, unit="px", search=(0, 4)
    )
    dropout: float = share(0.0, "share of dense neurons silenced per step", search=(0.0, 0.5))

    def __post_init__(self) -> None:
        check(self)


class LeNet5(nn.Module):
    """Two convolutions of 5x5, each followed by pooling, and three dense layers.

    Raises UsageError for samples that are no pictures, or too small ones.
    Takes (batch, channels, height, width), returns (batch, output_count).
    """

    def __init__(self, input_shape: tuple[int, ...], output_count: int, config: LeNet5Config = LeNet5Config()) -> None:
        super().__init__()
        channels, height, width = picture_shape("LeNet-5", input_shape)
        pool = nn.MaxPool2d if config.pooling == "max" else nn.AvgPool2d
        self.features = nn.Sequential(
            nn.Conv2d(channels, 6, 5, padding=config.padding),
            activation(config.activation),
            pool(2),
            nn.Conv2d(6, 16, 5),
            activation(config.activation),
            pool(2),
        )
        height, width = map_shape("LeNet-5", (height, width), self.features, "resnet-small")
        self.head = nn.Sequential(
            nn.Linear(16 * height * width, 120),
            activation(config.activation),
            nn.Dropout(config.dropout),
            nn.Linear(120, 84),
            activation(config.activation),
            nn.Dropout(config.dropout),
            nn.Linear(84, output_count),
        )

    def forward(self, x: Tensor) -> Tensor:
        maps = self.features(x)  # (batch, 16, height, width)
        outputs: Tensor = self.head(maps.flatten(1))  # (batch, 16 * height * width) -> (batch, outputs)
        return outputs


@dataclass(frozen=True)
class PaperLeNet5Config:
    """Options of the paper's network."""

    padding: int = numeric(
        2, "pixels of zeros around the image; 2 makes 32x32 of 28x28", at_least=0, unit="px", search=(0, 4)
    )

    def __post_init__(self) -> None:
        check(self)


class Subsampling(nn.Module):
    """Sum of 2x2 pixels, times a coefficient, plus a bias; both are learned, one a map (layers S2 and S4)."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.full((maps,), 0.25))
        self.bias = nn.Parameter(torch.zeros(maps))
        self.window = Window(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        sums = 4 * F.avg_pool2d(x, 2)  # (batch, maps, height / 2, width / 2)
        return sums * self.coefficient[:, None, None] + self.bias[:, None, None]


# Table I: the maps of S2 that each map of C3 reads.
C3_READS = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)  # fmt: skip


class PartialConvolution(nn.Module):
    """5x5 convolution from 6 to 16 maps with the 60 kernels of table I instead of 96 (layer C3)."""

    positions: Tensor

    def __init__(self) -> None:
        super().__init__()
        positions = [6 * reader + read for reader, reads in enumerate(C3_READS) for read in reads]
        self.register_buffer("positions", torch.tensor(positions), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(positions), 5, 5))
        self.bias = nn.Parameter(torch.zeros(len(C3_READS)))
        self.window = Window(5)

    def forward(self, x: Tensor) -> Tensor:
        kernels = self.weight.new_zeros(96, 5, 5).index_copy(0, self.positions, self.weight)
        return F.conv2d(x, kernels.view(16, 6, 5, 5), self.bias)  # (batch, 16, height - 4, width - 4)


class BitmapDistance(nn.Module):
    """Negated squared distance of 84 units to the fixed bitmap of each class (equation 7)."""

    bitmaps: Tensor

    def __init__(self, output_count: int) -> None:
        super().__init__()
        self.register_buffer("bitmaps", class_bitmaps(output_count))

    def forward(self, x: Tensor) -> Tensor:
        return -(x[:, None] - self.bitmaps).square().sum(2)  # (batch, 1, 84) - (outputs, 84) -> (batch, outputs)


class PaperLeNet5(nn.Module):
    """LeNet-5 as published, layers C1 to F6 and the distances to bitmaps.

    Raises UsageError for samples that are no pictures, or too small ones.
    Takes (batch, channels, height, width), returns (batch, output_count).
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_count: int,
        config: PaperLeNet5Config = PaperLeNet5Config(),
    ) -> None:
        super().__init__()
        channels, height, width = picture_shape("LeNet-5", input_shape)
        self.c1 = nn.Conv2d(channels, 6, 5, padding=config.padding)
        self.s2 = Subsampling(6)
        self.c3 = PartialConvolution()
        self.s4 = Subsampling(16)
        height, width = map_shape("LeNet-5", (height, width), (self.c1, self.s2, self.c3, self.s4), "resnet-small")
        self.c5 = nn.Linear(16 * height * width, 120)
        self.f6 = nn.Linear(120, 84)
        self.output = BitmapDistance(output_count)
        self.squash = ScaledTanh()
        self.start()

    def forward(self, x: Tensor) -> Tensor:
        maps = self.squash(self.s2(self.squash(self.c1(x))))  # (batch, 6, height / 2, width / 2)
        maps = self.squash(self.s4(self.squash(self.c3(maps))))  # (batch, 16, height, width)
        units = self.squash(self.f6(self.squash(self.c5(maps.flatten(1)))))  # (batch, 84)
        outputs: Tensor = self.output(units)
        return outputs

    def start(self) -> None:
        """Draw weights from -2.4 / n to 2.4 / n, n being the inputs of a unit, as in Appendix A."""
        for layer in (self.c1, self.c5, self.f6):
            bound = 2.4 / layer.weight[0].numel()
            nn.init.uniform_(layer.weight, -bound, bound)
        first = 0
        with torch.no_grad():
            for reads in C3_READS:
                bound = 2.4 / (25 * len(reads))
                self.c3.weight[first : first + len(reads)].uniform_(-bound, bound)
                first += len(reads)


def class_bitmaps(output_count: int) -> Tensor:
    """Return a bitmap of 12 rows of 7 pixels, black +1 and white -1, for each class.  (outputs, 84)"""
    if output_count == len(DIGITS):
        pixels = [[1.0 if pixel == "#" else -1.0 for pixel in "".join(rows.split())] for rows in DIGITS]
        return torch.tensor(pixels)
    generator = torch.Generator("cpu").manual_seed(1998)
    return torch.randint(0, 2, (output_count, 84), generator=generator, device="cpu").float() * 2 - 1


DIGITS = (
    "....... ..###.. .##.##. ##...## ##...## ##...## ##...## ##...## .##.##. ..###.. ....... .......",
    "....... ...##.. ..###.. .####.. ...##.. ...##.. ...##.. ...##.. ...##.. .###### ....... .......",
    "....... .#####. ##...## ##...## .....## ....##. ...##.. ..##... .##.... ####### ....... .......",
    "....... ####### .....## ....##. ...##.. ..####. .....## .....## ##...## .#####. ....... .......",
    "....... ##..##. ##..##. ##..##. ##..##. ####### ....##. ....##. ....##. ....##. ....... .......",
    "....... ####### ##..... ##..... ######. .....## .....## .....## ##...## .#####. ....... .......",
    "....... ..####. .##.... ##..... ######. ##...## ##...## ##...## ##...## .#####. ....... .......",
    "....... ####### .....## .....## ....##. ....##. ...##.. ...##.. ..##... ..##... ....... .......",
    "....... .#####. ##...## ##...## ##...## .#####. ##...## ##...## ##...## .#####. ....... .......",
    "....... .#####. ##...## ##...## ##...## ##...## .###### .....## ....##. .####.. ....... .......",
)

VARIANTS: Mapping[str, LeNet5Config | PaperLeNet5Config] = {
    "lenet5": LeNet5Config(),
    "lenet5-paper": PaperLeNet5Config(),
}
