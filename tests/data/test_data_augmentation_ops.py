"""Every operation of the policies against Pillow, and the published policy against the table of the paper."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats

from layerwise.data.images import augmentation_ops as ops
from layerwise.data.images.augmentation import Augmentation
from layerwise.data.images.augmentation_policy import CIFAR10, OPERATIONS

LEVEL = 1.001 / 255

pictures = st.builds(
    lambda seed, channels, low, high, steps: _picture(seed, channels, low, high, steps),
    st.integers(0, 10**6),
    st.sampled_from([1, 3]),
    st.integers(0, 100),
    st.integers(101, 255),
    st.sampled_from([1, 2, 7, 64, 255]),
)


def _picture(seed: int, channels: int, low: int, high: int, steps: int) -> np.ndarray:
    """A random picture (height, width, channels) uint8 with few or many different levels, some more frequent."""
    draws = np.random.default_rng(seed).beta(0.7, 1.5, (17, 13, channels))
    return (low + np.round(draws * steps) / steps * (high - low)).astype(np.uint8)


def to_batch(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None] / 255


def to_pillow(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)


def assert_same_picture(got: torch.Tensor, expected: Image.Image, inner: int = 0) -> None:
    levels = np.atleast_3d(np.asarray(expected)).astype(np.float32) / 255
    difference = (got[0].permute(1, 2, 0).numpy() - levels)[inner : -inner or None, inner : -inner or None]
    assert np.abs(difference).max() <= LEVEL


@given(pictures)
@settings(deadline=None)
def test_operations_without_strength_agree_with_pillow(picture):
    batch, image = to_batch(picture), to_pillow(picture)
    assert_same_picture(ops.invert(batch), ImageOps.invert(image))
    assert_same_picture(ops.auto_contrast(batch), ImageOps.autocontrast(image))
    assert_same_picture(ops.equalize(batch), ImageOps.equalize(image))


@given(pictures, st.integers(1, 8), st.integers(0, 256))
@settings(deadline=None)
def test_posterize_and_solarize_agree_with_pillow(picture, bits, threshold):
    batch, image = to_batch(picture), to_pillow(picture)
    assert_same_picture(ops.posterize(batch, torch.tensor([bits])), ImageOps.posterize(image, bits))
    solarized = ops.solarize(batch, torch.tensor([float(threshold)]))
    assert_same_picture(solarized, ImageOps.solarize(image, threshold))


@given(pictures, st.floats(0, 2))
@settings(deadline=None)
def test_blends_agree_with_pillow(picture, factor):
    batch, image = to_batch(picture), to_pillow(picture)
    for blend, enhancer in (
        (ops.brightness, ImageEnhance.Brightness),
        (ops.contrast, ImageEnhance.Contrast),
        (ops.saturation, ImageEnhance.Color),
        (ops.sharpness, ImageEnhance.Sharpness),
    ):
        expected = np.asarray(enhancer(image).enhance(factor)).astype(float)
        got = blend(batch, torch.tensor([factor]))[0].permute(1, 2, 0).numpy() * 255
        # Pillow rounds the poorer picture to levels and then cuts off the fraction of the blend
        assert np.abs(got - expected.reshape(got.shape)).max() <= 1.001 + 0.5 * abs(1 - factor)


def smooth_picture() -> np.ndarray:
    y, x = np.mgrid[0:40, 0:48]
    waves = [np.sin(x / 7 + i) * np.cos(y / 9 - i) for i in range(3)]
    return np.uint8(127 + 100 * np.stack(waves, axis=-1))


@pytest.mark.parametrize("degrees", [-170.0, -33.0, 0.0, 12.5, 90.0])
def test_rotation_agrees_with_pillow(degrees):
    picture = smooth_picture()
    got = ops.sample_affine(to_batch(picture), ops.rotation(torch.tensor([degrees])))
    expected = to_pillow(picture).rotate(degrees, Image.Resampling.BILINEAR)
    y, x = np.mgrid[0:40, 0:48]
    inside = np.hypot(y - 19.5, x - 23.5) < 18
    difference = got[0].permute(1, 2, 0).numpy() - np.asarray(expected) / 255
    assert np.abs(difference[inside]).max() <= 1.5 * LEVEL
    corner = np.abs(difference).max(axis=2) > 3 * LEVEL
    assert corner.mean() < 0.08  # only where the edge is blended with the black outside


def test_shears_and_moves_agree_with_pillow():
    picture = smooth_picture()
    image = to_pillow(picture)
    for matrix in ([1, 0.3, 0, 0, 1, 0], [1, 0, 0, -0.25, 1, 0], [1, 0, 5, 0, 1, -3], [0.8, 0.1, 2, -0.2, 1.1, 1]):
        a, b, c, d, e, f = matrix
        got = ops.sample_affine(to_batch(picture), ops.Affine(*matrix))
        x, y = 24, 20  # Pillow's origin is the outer corner, ours the centre
        about_corner = (a, b, c + x - a * x - b * y, d, e, f + y - d * x - e * y)
        expected = image.transform(image.size, Image.Transform.AFFINE, about_corner, Image.Resampling.BILINEAR)
        difference = np.abs(got[0].permute(1, 2, 0).numpy() - np.asarray(expected) / 255)
        assert (difference > 1.5 * LEVEL).any(axis=2).mean() < 0.08  # the edge is blended with black
        assert difference[17:23, 20:28].max() <= 1.5 * LEVEL


@given(st.floats(-math.pi, math.pi))
def test_sine_and_cosine_are_right(angle):
    sine, cosine = ops.sine_and_cosine(torch.tensor([angle], dtype=torch.float32))
    assert abs(sine.item() - math.sin(angle)) < 1e-6
    assert abs(cosine.item() - math.cos(angle)) < 1e-6


def test_composed_maps_do_one_after_the_other():
    def then_by_matrices(first, second):
        as_matrix = lambda m: np.array([[m.a, m.b, m.c], [m.d, m.e, m.f], [0, 0, 1]])  # noqa: E731
        return (as_matrix(first) @ as_matrix(second))[:2].ravel()

    first, second = ops.Affine(1, 2, 3, 4, 5, 6), ops.Affine(-2, 0.5, 7, 1, 3, -1)
    np.testing.assert_allclose(tuple(first.then(second)), then_by_matrices(first, second))


# Policies

PAPER = """
Invert,0.1,7 Contrast,0.2,6 | Rotate,0.7,2 TranslateX,0.3,9 | Sharpness,0.8,1 Sharpness,0.9,3 |
ShearY,0.5,8 TranslateY,0.7,9 | AutoContrast,0.5,8 Equalize,0.9,2 | ShearY,0.2,7 Posterize,0.3,7 |
Color,0.4,3 Brightness,0.6,7 | Sharpness,0.3,9 Brightness,0.7,9 | Equalize,0.6,5 Equalize,0.5,1 |
Contrast,0.6,7 Sharpness,0.6,5 | Color,0.7,7 TranslateX,0.5,8 | Equalize,0.3,7 AutoContrast,0.4,8 |
TranslateY,0.4,3 Sharpness,0.2,6 | Brightness,0.9,6 Color,0.2,8 | Solarize,0.5,2 Invert,0.0,3 |
Equalize,0.2,0 AutoContrast,0.6,0 | Equalize,0.2,8 Equalize,0.6,4 | Color,0.9,9 Equalize,0.6,6 |
AutoContrast,0.8,4 Solarize,0.2,8 | Brightness,0.1,3 Color,0.7,0 | Solarize,0.4,5 AutoContrast,0.9,3 |
TranslateY,0.9,9 TranslateY,0.7,9 | AutoContrast,0.9,2 Solarize,0.8,3 | Equalize,0.8,8 Invert,0.1,3 |
TranslateY,0.7,9 AutoContrast,0.9,1
"""


def test_the_published_policy_is_the_table_of_the_paper():
    rows = [[step.split(",") for step in row.split()] for row in PAPER.split("|")]
    (policy,) = Augmentation.policy(rows).parts
    assert len(policy.subpolicies) == len(CIFAR10.subpolicies) == 25
    without_strength = {"auto-contrast", "equalize", "invert"}
    for printed, ours in zip(policy.subpolicies, CIFAR10.subpolicies, strict=True):
        for step, our_step in zip(printed, ours, strict=True):
            assert (step.name, step.probability) == (our_step.name, our_step.probability)
            assert step.magnitude == our_step.magnitude or step.name in without_strength


def run_policy(policy, batch: torch.Tensor, count: int) -> torch.Tensor:
    return Augmentation.policy(policy)(batch.expand(count, -1, -1, -1), 3, 1, torch.arange(count))


@pytest.mark.parametrize(
    ("operation", "magnitude", "by_pillow"),
    [
        ("auto-contrast", 0, lambda i: [ImageOps.autocontrast(i)]),
        ("invert", 0, lambda i: [ImageOps.invert(i)]),
        ("equalize", 0, lambda i: [ImageOps.equalize(i)]),
        ("solarize", 5, lambda i: [ImageOps.solarize(i, 128)]),
        ("posterize", 10, lambda i: [ImageOps.posterize(i, 4)]),
        ("contrast", 9, lambda i: [ImageEnhance.Contrast(i).enhance(1.72)]),
        ("saturation", 0, lambda i: [ImageEnhance.Color(i).enhance(0.1)]),
        ("brightness", 7, lambda i: [ImageEnhance.Brightness(i).enhance(1.36)]),
        ("sharpness", 5, lambda i: [i]),
        ("rotate", 10, lambda i: [i.rotate(d, Image.Resampling.BILINEAR) for d in (30, -30)]),
        ("translate-x", 8, lambda i: [moved(i, x, 0) for x in (12, -12)]),
        ("translate-y", 8, lambda i: [moved(i, 0, y) for y in (10, -10)]),
        ("shear-x", 10, lambda i: [sheared(i, k, 0) for k in (0.3, -0.3)]),
        ("shear-y", 10, lambda i: [sheared(i, 0, k) for k in (0.3, -0.3)]),
    ],
)
def test_an_operation_of_a_policy_has_its_published_strength_both_ways(operation, magnitude, by_pillow):
    picture = smooth_picture()
    results = run_policy([[(operation, 1, magnitude)]], to_batch(picture), 40).permute(0, 2, 3, 1).numpy()
    middle = (slice(None), slice(17, 23), slice(20, 28))
    expected = [np.asarray(image)[None] / 255 for image in by_pillow(to_pillow(picture))]
    fits = np.array([np.abs(results[middle] - image[middle]).max(axis=(1, 2, 3)) < 2.5 * LEVEL for image in expected])
    assert fits.any(axis=0).all()
    assert fits.any(axis=1).all()


def moved(image: Image.Image, x: int, y: int) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, x, 0, 1, y))


def sheared(image: Image.Image, k: float, m: float) -> Image.Image:
    about_centre = (1, k, -k * 20, m, 1, -m * 24)
    return image.transform(image.size, Image.Transform.AFFINE, about_centre, Image.Resampling.BILINEAR)


def test_the_cutout_of_a_policy_covers_a_share_of_the_side_with_grey():
    results = run_policy([[("cutout", 1, 8)]], torch.zeros(1, 1, 32, 32), 50)
    assert set(results.unique().tolist()) == {0.0, results.max().item()}
    assert abs(results.max() - 128 / 255) < 1e-6
    assert (results > 0).sum((1, 2, 3)).max() == 16 * 16


def test_sub_policies_are_drawn_equally_often_and_steps_with_their_probability():
    levels = torch.full((1, 1, 1, 1), 0.2)
    policy = [[("invert", 0.3, 0)], [("brightness", 1, 0)], [("solarize", 1, 10), ("brightness", 0.25, 0)]]
    results = (run_policy(policy, levels, 20_000).flatten() * 1000).round().int()
    outcomes = {200: 0.7 / 3, 800: 0.3 / 3 + 0.75 / 3, 20: 1 / 3, 80: 0.25 / 3}
    counts = [(results == outcome).sum().item() for outcome in outcomes]
    assert stats.chisquare(counts, [20_000 * share for share in outcomes.values()]).pvalue > 1e-4


def test_every_operation_does_something_and_needs_no_three_channels():
    for channels in (1, 2, 3):
        batch = torch.rand(1, channels, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
        for operation in OPERATIONS:
            changed = run_policy([[(operation, 1, 9)]], batch, 4)
            if operation != "saturation" or channels == 3:
                assert not torch.allclose(changed, batch.expand_as(changed)), operation
