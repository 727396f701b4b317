"""Cut-outs: emoji laid on photographs, so that it is known of every pixel what it belongs to.

One to three faces, animals, pieces of food or things of traffic, of any turn and of 20 to 40 pixels, lie on a piece of
one of the two photographs that come with scikit-learn. A pixel belongs to the last one laid on it that covers at least
half of it. What is tested on was never seen: neither the emoji, of which every fifth is kept for testing and every
tenth for validation, nor the right third of the photographs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from layerwise.data.dataset import Split
from layerwise.data.raw import Progress, RawImages
from layerwise.data.sources.emoji import ORIGIN, Emoji, emoji

CLASSES = ("background", "face", "animal", "food", "traffic")
SUBCATEGORIES = {"face-": "face", "cat-face": "face", "animal-": "animal", "food-": "food", "transport-": "traffic"}
NO_THINGS = ("transport-sign",)
COUNTS = {"train": 2000, "valid": 300, "test": 500}
SEEDS = {"train": 1, "valid": 2, "test": 3}
SIDE_PX = 64
MOST_OBJECTS = 3
LEAST_PX, MOST_PX = 20, 40
TRAINING_SHARE = 2 / 3  # of the width of a photograph

Pixels = NDArray[np.uint8]


def cut_outs(progress: Progress | None = None) -> RawImages:
    """2,000 pictures of 64x64 for training, 300 for validation and 500 for testing, always the same ones."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    objects = [(one, number) for one in emoji(progress) if (number := find_class(one))]
    splits = {}
    for part, count in COUNTS.items():
        grounds = [crop_side(part, picture) for picture in photographs]
        splits[part] = paste(grounds, choose_objects(part, objects), count, np.random.default_rng(SEEDS[part]))
    source = f"{ORIGIN}, on two photographs that come with scikit-learn"
    return RawImages(splits["train"], CLASSES, source, valid=splits["valid"], test=splits["test"], task="segmentation")


def crop_side(part: str, photograph: Pixels) -> Pixels:
    """Return the right third of a photograph for testing, else the rest of it."""
    edge = round(TRAINING_SHARE * photograph.shape[1])
    return photograph[:, edge:] if part == "test" else photograph[:, :edge]


def find_class(one: Emoji) -> int:
    """Return the number of an emoji's class, 0 for one that is of none."""
    if one.subcategory in NO_THINGS:
        return 0
    names = [name for start, name in SUBCATEGORIES.items() if one.subcategory.startswith(start)]
    return CLASSES.index(names[0]) if names else 0


def choose_objects(part: str, objects: Sequence[tuple[Emoji, int]]) -> list[tuple[Emoji, int]]:
    """Return the objects of a split: of ten, two are for testing, one for validation and seven for training."""
    kept = {"test": (4, 9), "valid": (0,)}.get(part, (1, 2, 3, 5, 6, 7, 8))
    return [one for place, one in enumerate(objects) if place % 10 in kept]


def paste(
    grounds: Sequence[Pixels], objects: Sequence[tuple[Emoji, int]], count: int, chance: np.random.Generator
) -> Split:
    """Lay objects with the number of their class on pieces of the grounds, (height, width, 3) uint8."""
    pictures, masks = drawn(grounds, objects, count, chance)
    names = [f"cut-out {number + 1}" for number in range(count)]
    return Split(torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(masks), names)


def drawn(
    grounds: Sequence[Pixels], objects: Sequence[tuple[Emoji, int]], count: int, chance: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """Return pictures, (count, side, side, 3), and what each of their pixels is, (count, side, side)."""
    pictures = np.empty((count, SIDE_PX, SIDE_PX, 3), np.uint8)
    masks = np.zeros((count, SIDE_PX, SIDE_PX), np.uint8)
    for picture, mask in zip(pictures, masks, strict=True):
        ground = grounds[int(chance.integers(len(grounds)))]
        top, left = (chance.integers(size - SIDE_PX + 1) for size in ground.shape[:2])
        picture[:] = ground[top : top + SIDE_PX, left : left + SIDE_PX]
        for _ in range(chance.integers(1, MOST_OBJECTS + 1)):
            one, number = objects[int(chance.integers(len(objects)))]
            lay(picture, mask, turned(one.pixels, chance), number, chance)
    return pictures, masks


def turned(pixels: Pixels, chance: np.random.Generator) -> Pixels:
    """Return an object, (64, 64, 4) uint8, in another size and turned, with colours still not multiplied by alpha."""
    side = int(chance.integers(LEAST_PX, MOST_PX + 1))
    image = Image.fromarray(pixels).convert("RGBa")  # multiplied by alpha, so that what is clear lends no colour
    image = image.resize((side, side), Image.Resampling.BILINEAR)
    image = image.rotate(float(chance.uniform(0, 360)), Image.Resampling.BILINEAR, expand=True)
    return np.asarray(image.convert("RGBA"))


def lay(picture: Pixels, mask: Pixels, thing: Pixels, number: int, chance: np.random.Generator) -> None:
    """Lay a thing anywhere within a picture, (height, width, 3), with its number where it covers half of a pixel."""
    height, width = thing.shape[:2]
    top, left = (int(chance.integers(size - own + 1)) for size, own in zip(mask.shape, (height, width), strict=True))
    place = slice(top, top + height), slice(left, left + width)
    alpha = thing[..., 3:].astype(np.uint32)
    picture[place] = (thing[..., :3] * alpha + picture[place] * (255 - alpha) + 127) // 255
    mask[place][thing[..., 3] >= 128] = number
