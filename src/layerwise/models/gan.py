"""Generative adversarial networks: a generator and a discriminator that classifies images as real or generated.

Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661. `dcgan`: Radford, Metz and Chintala 2015,
https://arxiv.org/abs/1511.06434. `gan`: the same game with the relativistic loss of Jolicoeur-Martineau 2018 and the
two gradient penalties of Huang et al. 2024, "The GAN is dead; long live the GAN!", https://arxiv.org/abs/2501.05441,
whose networks have no normalisation that looks over the batch. The losses are the task's (`tasks/adversarial.py`).

Deviations: sizes for small pictures; nearest-neighbour growth and 3x3 convolutions instead of transposed ones, which
leave a chequered pattern (Odena et al. 2016); plain convolutions where R3GAN has residual bottlenecks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.fields import check, numeric, sizes, switch
from layerwise.layers.sizes import picture_shape


@dataclass(frozen=True)
class GANConfig:
    """Options of generator and discriminator. Raises UsageError for a value that cannot work."""

    noise: int = numeric(
        64,
        "dimensions of the noise that an image is generated from",
        at_least=1,
        scale="powers of two",
        search=(16, 256),
    )
    widths: tuple[int, ...] = sizes(
        (64, 32, 16), "channels from the coarsest to the finest maps", least=2, search=(16, 512)
    )
    batch_norm: bool = switch(False, "normalise over the batch, as DCGAN does")

    def __post_init__(self) -> None:
        check(self)


LEAST_PX = 8


def require_pictures_of(least_px: int, picture: tuple[int, int, int]) -> None:
    """Raise UsageError for pictures of fewer pixels a side."""
    _, height, width = picture
    if min(height, width) < least_px:
        raise UsageError(
            f"a GAN needs pictures of at least {least_px}x{least_px} pixels, received {height}x{width}; "
            f"use `image_size` {least_px}."
        )


class Generator(nn.Sequential):
    """Noise to a small map, which grows to a picture in [-1, 1]; (batch, noise) -> (batch, channels, height, width)."""

    def __init__(self, picture: tuple[int, int, int], config: GANConfig) -> None:
        channels, height, width = picture
        doublings = len(config.widths) - 1
        rows, columns = -(-height // 2**doublings), -(-width // 2**doublings)
        first = config.widths[0]
        layers: list[nn.Module] = [
            nn.Linear(config.noise, first * rows * columns),
            nn.Unflatten(1, (first, rows, columns)),
            nn.LeakyReLU(0.2),
        ]
        for number, (inputs, outputs) in enumerate(pairwise(config.widths)):
            scale = 2 ** (doublings - 1 - number)
            size = -(-height // scale), -(-width // scale)
            layers += [nn.Upsample(size), nn.Conv2d(inputs, outputs, 3, padding=1, bias=not config.batch_norm)]
            layers += [nn.BatchNorm2d(outputs)] if config.batch_norm else []
            layers.append(nn.LeakyReLU(0.2))
        super().__init__(*layers, nn.Conv2d(config.widths[-1], channels, 3, padding=1), nn.Tanh())


class Discriminator(nn.Sequential):
    """A picture to one score, high for real ones; (batch, channels, height, width) -> (batch,)."""

    def __init__(self, picture: tuple[int, int, int], config: GANConfig) -> None:
        channels, height, width = picture
        widths = config.widths[::-1]
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, padding=1), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise(widths):
            layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=not config.batch_norm))
            layers += [nn.BatchNorm2d(outputs)] if config.batch_norm else []
            layers.append(nn.LeakyReLU(0.2))
            height, width = height // 2, width // 2
        super().__init__(*layers, nn.Flatten(), nn.Linear(widths[-1] * height * width, 1), nn.Flatten(0))


class GAN(nn.Module):
    """Both players. `forward` generates: (batch, noise) -> (batch, channels, height, width), in [-1, 1].

    Raises UsageError for samples that are no pictures, or smaller than 8x8.
    """

    def __init__(self, input_shape: tuple[int, ...], output_count: int = 0, config: GANConfig = GANConfig()) -> None:
        super().__init__()
        picture = picture_shape("gan", input_shape)
        require_pictures_of(LEAST_PX, picture)
        self.noise, self.picture = config.noise, picture
        self.generator = Generator(picture, config)
        self.discriminator = Discriminator(picture, config)

    def forward(self, noise: Tensor) -> Tensor:
        pictures: Tensor = self.generator(noise)
        return pictures

    def examples(self, device: torch.device) -> dict[str, tuple[Tensor]]:
        """Return what each player takes, for two pictures."""
        return {
            "generator": (torch.zeros(2, self.noise, device=device),),
            "discriminator": (torch.zeros(2, *self.picture, device=device),),
        }

    def draw_noise(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Return what pictures are generated from, (count, noise), standard normal."""
        device = next(self.parameters()).device
        if generator is None:
            return torch.randn(count, self.noise, device=device)
        return torch.randn(count, self.noise, generator=generator).to(device)


VARIANTS: Mapping[str, GANConfig] = {
    "gan": GANConfig(),
    "dcgan": GANConfig(batch_norm=True),
}
