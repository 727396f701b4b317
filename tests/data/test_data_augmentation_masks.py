"""Masks are moved with their pictures: what a pixel shows and what it is said to be stay together."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from layerwise.data.batches import Batches, TrainTransforms
from layerwise.data.dataset import UNLABELLED, Split
from layerwise.data.images.augmentation import Augmentation
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.errors import UsageError

HEIGHT, WIDTH = 13, 17
COPYING = ["flip", "vflip", "shift:3", "crop:4", "crop:2,vflip,shift:2,flip"]
TURNING = ["rotate:40", "shear:0.3", "scale:0.4", "translate:0.3", "flip,rotate:180,shift:3,scale:0.2,shear:0.1"]


def some_masks(count: int, classes: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, classes, (count, HEIGHT, WIDTH), generator=generator, dtype=torch.uint8)


@given(st.sampled_from(COPYING), st.integers(0, 2**40), st.integers(0, 99))
def test_a_picture_of_classes_moved_by_whole_pixels_is_the_moved_mask(text: str, seed: int, epoch: int):
    masks, samples = some_masks(6), torch.arange(6)
    augmentation = Augmentation.parse(text)
    pictures = augmentation((masks[:, None] + 1).float() / 255, seed, epoch, samples)  # 0 is what comes from outside
    moved = augmentation.move_masks(masks, seed, epoch, samples)
    shown = (pictures[:, 0] * 255).round().long() - 1
    assert torch.equal(torch.where(shown < 0, UNLABELLED, shown), moved.long())


@given(st.sampled_from(TURNING), st.integers(0, 2**40), st.booleans())
def test_a_turned_mask_holds_the_pixel_nearest_to_where_the_picture_is_from(text: str, seed: int, across: bool):
    """A picture whose values are its columns shows, after any turn, the very column that each pixel comes from."""
    places = torch.arange(WIDTH).expand(HEIGHT, WIDTH) if across else torch.arange(HEIGHT)[:, None].expand(-1, WIDTH)
    masks, samples = places.to(torch.uint8).repeat(4, 1, 1), torch.arange(4)
    augmentation = Augmentation.parse(text)
    exact = augmentation(masks[:, None].float() / 255, seed, 3, samples)[:, 0] * 255
    inside = augmentation(torch.ones(4, 1, HEIGHT, WIDTH), seed, 3, samples)[:, 0] > 1 - 1e-6  # no outside mixed in
    moved = augmentation.move_masks(masks, seed, 3, samples).float()
    assert ((moved - exact).abs()[inside] <= 0.5 + 1e-3).all()
    assert (moved[inside] != UNLABELLED).all()


@pytest.mark.parametrize("text", TURNING)
def test_what_comes_from_outside_belongs_to_no_class(text: str):
    samples = torch.arange(32)
    augmentation = Augmentation.parse(text)
    shown = augmentation(torch.ones(32, 1, HEIGHT, WIDTH), 1, 2, samples)[:, 0]
    moved = augmentation.move_masks(torch.zeros(32, HEIGHT, WIDTH, dtype=torch.uint8), 1, 2, samples)
    assert set(moved.unique().tolist()) == {0, UNLABELLED}
    assert (moved[shown == 0] == UNLABELLED).all()
    assert (moved[shown > 0.999] == 0).all()


def test_colours_do_not_touch_masks_and_what_a_cutout_covers_is_of_no_class():
    masks, samples = some_masks(40), torch.arange(40)
    assert torch.equal(Augmentation.parse("colour:0.5").move_masks(masks, 1, 2, samples), masks)
    cut = Augmentation.parse("cutout:5")
    covered = cut(torch.ones(40, 1, HEIGHT, WIDTH), 1, 2, samples)[:, 0] == 0
    assert covered.any()
    moved = cut.move_masks(masks, 1, 2, samples)
    assert torch.equal(moved, torch.where(covered, UNLABELLED, masks))


def test_a_mask_is_moved_alike_in_any_batch():
    masks, augmentation = some_masks(30), Augmentation.parse("flip,rotate:30,scale:0.2,crop:3")
    everything = augmentation.move_masks(masks, 5, 1, torch.arange(30))
    some = torch.tensor([7, 2, 29, 7])
    assert torch.equal(augmentation.move_masks(masks[some], 5, 1, some), everything[some])
    assert not torch.equal(augmentation.move_masks(masks, 5, 2, torch.arange(30)), everything)


def test_a_policy_is_refused_for_masks():
    with pytest.raises(UsageError, match="'cifar10' is a policy, which moves pictures and not their masks"):
        Augmentation.parse("cifar10").move_masks(some_masks(1), 0, 0, torch.arange(1))


@pytest.mark.parametrize("text", ["none", "flip,crop:4"])
def test_batches_show_pictures_with_their_own_masks(text: str):
    masks = some_masks(20)
    preprocessing = ImagePreprocessing(1, HEIGHT, WIDTH, (0.0,), (1 / 255,))
    split = Split(masks[:, None], masks, [str(number) for number in range(20)])
    variation = TrainTransforms(Augmentation.parse(text)) if text != "none" else None
    batches = Batches(split, preprocessing, 6, seed=3, shuffle=True, variation=variation)
    seen = list(batches.epoch(4))
    assert len(seen) == 4
    for batch in seen:
        assert torch.equal(batch.inputs[:, 0].round().to(torch.uint8), batch.targets)
    changed = any(not torch.equal(batch.targets, masks[batch.samples]) for batch in seen)
    assert changed == (text != "none")
