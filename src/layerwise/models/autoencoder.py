"""Autoencoders: a picture is pressed into a few numbers and made anew from them.

`autoencoder`: Hinton and Salakhutdinov 2006, https://doi.org/10.1126/science.1127647, with convolutions (Masci et al.
2011). `vae`: Kingma and Welling 2013, "Auto-encoding variational Bayes", https://arxiv.org/abs/1312.6114: the encoder
gives a normal distribution of codes, drawn from in training by the reparameterisation of section 2.4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from layerwise.fields import check, numeric, sizes, switch
from layerwise.layers.sizes import map_shape, picture_shape


@dataclass(frozen=True)
class AutoencoderConfig:
    """Options of an autoencoder. Raises UsageError for a value that cannot work."""

    code: int = numeric(16, "dimensions of the latent code", at_least=1, scale="powers of two", search=(2, 128))
    widths: tuple[int, ...] = sizes((32, 64), "channels of each halving of the image", search=(8, 128))
    hidden: int = numeric(
        256, "neurons between the last map and the code", at_least=1, scale="powers of two", search=(64, 1024)
    )
    variational: bool = switch(False, "draw the code from a distribution (VAE)")

    def __post_init__(self) -> None:
        check(self)


class Coded(NamedTuple):
    """picture: (batch, channels, height, width), on the scale of the input. mean, log_variance: (batch, code) of the
    distribution of codes; the variance is None for an autoencoder without one."""

    picture: Tensor
    mean: Tensor
    log_variance: Tensor | None


class Autoencoder(nn.Module):
    """Convolutions that halve the picture, dense layers down to the code, and all of it backwards.

    Raises UsageError for samples that are no pictures, or too small ones.
    Takes (batch, channels, height, width), returns a `Coded`.
    """

    def __init__(
        self, input_shape: tuple[int, ...], output_count: int = 0, config: AutoencoderConfig = AutoencoderConfig()
    ) -> None:
        super().__init__()
        channels, height, width = picture_shape("autoencoder", input_shape)
        self.latent_dim, self.variational = config.code, config.variational
        sides = [(height, width)]
        down, up = nn.Sequential(), nn.Sequential()
        for inputs, outputs in zip((channels, *config.widths), config.widths, strict=False):
            down.extend((nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.SiLU()))
            sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
        map_shape("autoencoder", (height, width), down, "")
        for number in reversed(range(len(config.widths))):
            inputs, outputs = config.widths[number], (channels, *config.widths)[number]
            up.extend((nn.Upsample(sides[number]), nn.Conv2d(inputs, outputs, 3, padding=1), nn.SiLU()))
        last = (config.widths[-1], *sides[-1])
        neurons = math.prod(last)
        codes = config.code * (1 + config.variational)
        self.encoder = nn.Sequential(
            *down, nn.Flatten(), nn.Linear(neurons, config.hidden), nn.SiLU(), nn.Linear(config.hidden, codes)
        )
        self.decoder = nn.Sequential(
            nn.Linear(config.code, config.hidden),
            nn.SiLU(),
            nn.Linear(config.hidden, neurons),
            nn.SiLU(),
            nn.Unflatten(1, last),
            *list(up)[:-1],
        )

    def forward(self, x: Tensor) -> Coded:
        mean, log_variance = self.encode(x)
        code = mean
        if log_variance is not None and self.training:
            code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return Coded(self.decode(code), mean, log_variance)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the mean code of each picture and, of a variational one, the logarithm of its variance."""
        codes: Tensor = self.encoder(x)
        if not self.variational:
            return codes, None
        mean, log_variance = codes.chunk(2, dim=1)
        return mean, log_variance

    def decode(self, codes: Tensor) -> Tensor:
        """Make pictures of codes: (batch, code) -> (batch, channels, height, width)."""
        pictures: Tensor = self.decoder(codes)
        return pictures


VARIANTS: Mapping[str, AutoencoderConfig] = {
    "autoencoder": AutoencoderConfig(),
    "vae": AutoencoderConfig(variational=True),
}
