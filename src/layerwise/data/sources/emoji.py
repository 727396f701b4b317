"""Twitter's emoji: 1,911 small pictures of things, creatures and signs, with names, categories and exact edges."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.dataset import Split
from layerwise.data.download.archives import read_files
from layerwise.data.download.fetch import Package, Pin, fetch
from layerwise.data.raw import Progress, RawImages
from layerwise.errors import DataError

ARCHIVE = Pin(
    "emoji-datasource-twitter-16.0.0.tgz",
    61_683_754,
    "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877",
)
EMOJI = Package("emoji", (ARCHIVE,), client="npm", package="emoji-datasource-twitter@16.0.0")
LIST = "package/emoji.json"
FOLDER = "package/img/twitter/64/"
ORIGIN = "Twemoji, from the npm package emoji-datasource-twitter 16.0.0, CC BY 4.0"
SIDE_PX = 64
TEST_EVERY = 5
UNPACKED_LIMIT = 256 * 2**20


@dataclass(frozen=True)
class Emoji:
    """One emoji.

    name: in small letters, such as 'garlic'. category, subcategory: such as 'Food & Drink' and 'food-vegetable'.
    pixels: (64, 64, 4) uint8, red, green, blue and how opaque the pixel is.
    """

    name: str
    category: str
    subcategory: str
    pixels: NDArray[np.uint8]


def emoji(progress: Progress | None = None) -> list[Emoji]:
    """Return all emoji in the order of their code points, people in their one neutral colour of skin."""
    return read_emoji(fetch(EMOJI, progress) / ARCHIVE.name)


def emoji_pictures(progress: Progress | None = None) -> RawImages:
    """Emoji on white, 32x32 colour, with their categories; every fifth one is for testing. Colours of hair and skin
    alone are left out."""
    return make_images([one for one in emoji(progress) if one.category != "Component"])


def make_images(found: Sequence[Emoji]) -> RawImages:
    """Return emoji as pictures of 32x32 pixels on white; each pixel is the mean of four."""
    classes = tuple(sorted({one.category for one in found}))
    large = torch.from_numpy(np.stack([on_white(one.pixels) for one in found])).permute(0, 3, 1, 2)  # (n, 3, 64, 64)
    pictures = F.avg_pool2d(large.float(), 2).round().to(torch.uint8)
    labels = torch.tensor([classes.index(one.category) for one in found])
    is_test = torch.arange(len(found)) % TEST_EVERY == TEST_EVERY - 1

    def part(chosen: Tensor) -> Split:
        names = [found[place].name for place in chosen.nonzero().flatten().tolist()]
        return Split(pictures[chosen], labels[chosen], names)

    return RawImages(part(~is_test), classes, ORIGIN, test=part(is_test))


def read_emoji(archive: Path) -> list[Emoji]:
    """Read an archive of this layout: a list of emoji and a folder of PNG pictures. Raises DataError."""
    found = dict(read_files(archive, _is_wanted, UNPACKED_LIMIT))
    if LIST not in found:
        raise DataError(f"{archive} holds no {LIST}; get it anew.")
    entries = [entry for entry in json.loads(found[LIST]) if FOLDER + entry["image"] in found]
    if not entries:
        raise DataError(f"{archive} holds no pictures under {FOLDER}; get it anew.")
    return [_emoji(entry, found[FOLDER + entry["image"]]) for entry in entries]


def on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay pictures with alpha, (..., 4) uint8, on white; returns (..., 3) uint8, rounded to the nearest."""
    colours, alpha = pixels[..., :3].astype(np.uint32), pixels[..., 3:].astype(np.uint32)
    return ((colours * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _is_wanted(name: str) -> bool:
    return name == LIST or name.startswith(FOLDER)


def _emoji(entry: dict[str, str], content: bytes) -> Emoji:
    with Image.open(io.BytesIO(content)) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    if pixels.shape != (SIDE_PX, SIDE_PX, 4):
        raise DataError(f"the emoji {entry['image']} is of shape {pixels.shape}, expected 64x64 pixels; get it anew.")
    return Emoji(entry["name"].lower(), entry["category"], entry["subcategory"], pixels)
