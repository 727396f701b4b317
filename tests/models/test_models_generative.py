"""Networks that give pictures: segmenters, autoencoders, and the two players of a GAN."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.errors import UsageError
from layerwise.models.autoencoder import Autoencoder, AutoencoderConfig
from layerwise.models.gan import GAN, GANConfig
from layerwise.models.segnet import VARIANTS as SEGNETS
from layerwise.models.segnet import SegNet, SegNetConfig
from layerwise.models.unet import UNet, UNetConfig

side = st.integers(8, 21)


@settings(max_examples=12, deadline=None)
@given(side, side)
def test_a_network_gives_pictures_of_the_size_it_got(height: int, width: int) -> None:
    shape, pictures = (2, height, width), torch.randn(1, 2, height, width)
    small = AutoencoderConfig(code=3, widths=(4, 4), hidden=8)
    assert Autoencoder(shape, config=small).eval()(pictures).picture.shape == pictures.shape
    for model in (UNet(shape, 3, UNetConfig((4, 4, 4))), SegNet(shape, 3, SegNetConfig((4, 4, 4), (1, 1, 1)))):
        assert model.eval()(pictures).shape == (1, 3, height, width)
    gan = GAN(shape, config=GANConfig(noise=4, widths=(8, 8, 4)))
    generated = gan(gan.draw_noise(2))
    assert generated.shape == (2, *shape)
    assert generated.abs().max() <= 1
    assert gan.discriminator(generated).shape == (2,)


def test_segnet_puts_maxima_back_where_they_were() -> None:
    torch.manual_seed(0)
    model = SegNet((1, 6, 6), 1, SegNetConfig((1,), (1,))).eval()
    model.encoder[0], model.decoder[0], model.output = nn.Identity(), nn.Identity(), nn.Identity()
    picture = torch.rand(1, 1, 6, 6)
    windows = picture.unfold(2, 2, 2).unfold(3, 2, 2)  # (1, 1, 3, 3, 2, 2)
    largest = windows.amax((4, 5)).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(model(picture), torch.where(picture == largest, picture, 0.0))


def test_segnets_encoder_has_the_convolutions_of_vgg16() -> None:
    with torch.device("meta"):
        model = SegNet((3, 224, 224), 21, SEGNETS["segnet-paper"])
    weights = [layer.weight.numel() for layer in model.encoder.modules() if isinstance(layer, nn.Conv2d)]
    assert len(weights) == 13
    assert sum(weights) == 14_710_464  # torchvision's vgg16.features without its 4,224 biases
    assert sum(isinstance(layer, nn.Conv2d) for layer in model.decoder.modules()) == 13


def test_unet_sees_far_and_near() -> None:
    torch.manual_seed(0)
    model = UNet((1, 32, 32), 1, UNetConfig((4, 4, 4))).eval()
    picture = torch.randn(1, 1, 32, 32, requires_grad=True)
    model(picture)[0, 0, 16, 16].backward()
    assert picture.grad is not None
    seen = picture.grad[0, 0].nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1 > 9).all()  # as far as the four 3x3 windows of the finest maps reach


def test_a_variational_code_is_drawn_in_training_alone() -> None:
    torch.manual_seed(0)
    model = Autoencoder((1, 8, 8), config=AutoencoderConfig(4, (4,), 8, variational=True))
    picture = torch.randn(1, 1, 8, 8)
    first, second = model(picture), model(picture)
    assert torch.equal(first.mean, second.mean)
    assert not torch.equal(first.picture, second.picture)
    model.eval()
    assert torch.equal(model(picture).picture, model.decode(first.mean))


def test_drawn_codes_have_the_mean_and_variance_that_the_encoder_gave() -> None:
    torch.manual_seed(0)
    model = Autoencoder((1, 8, 8), config=AutoencoderConfig(2, (4,), 8, variational=True)).train()
    model.decoder = nn.Identity()
    coded = model(torch.randn(1, 1, 8, 8).expand(20_000, -1, -1, -1))
    codes = coded.picture
    assert coded.log_variance is not None
    torch.testing.assert_close(codes.mean(0), coded.mean[0], atol=0.04, rtol=0)
    torch.testing.assert_close(codes.var(0), coded.log_variance[0].exp(), atol=0.05, rtol=0.05)


@pytest.mark.parametrize("widths", [(16, 8), (16, 8, 4)])
def test_only_dcgan_looks_over_the_batch(widths: tuple[int, ...]) -> None:
    modern = GAN((1, 8, 8), config=GANConfig(4, widths))
    published = GAN((1, 8, 8), config=GANConfig(4, widths, batch_norm=True))
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in modern.modules())
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in published.modules()) == 2 * (len(widths) - 1)


def test_noise_is_repeated_by_its_generator() -> None:
    gan = GAN((1, 8, 8), config=GANConfig(4, (8, 4)))
    first, again = (gan.draw_noise(3, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize("kind", [SegNet, UNet, Autoencoder, GAN])
@pytest.mark.parametrize("shape", [(30,), (28, 28), (0, 8, 8)])
def test_samples_that_are_no_pictures_are_refused(kind: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="takes pictures"):
        kind(shape, 3)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: SegNet((3, 4, 4), 2), r"SegNet needs pictures of at least 8x8 pixels, received 4x4"),
        (lambda: Autoencoder((3, 1, 9)), r"autoencoder needs pictures of at least .*, received 1x9"),
        (lambda: GAN((1, 7, 9)), "a GAN needs pictures of at least 8x8 pixels, received 7x9; use `image_size` 8"),
        (lambda: GANConfig(widths=(8,)), "`widths` must be 2 or more whole numbers of at least 1"),
        (lambda: SegNetConfig((8, 8), (1,)), "`convolutions` must be 2 whole numbers"),
        (lambda: AutoencoderConfig(code=0), "`code` must be a whole number of at least 1"),
    ],
)
def test_options_and_sizes_that_cannot_work_are_refused(make: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()
