"""Masks for people: a colour a class, laid on the picture, with a legend."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from layerwise.data.dataset import UNLABELLED
from layerwise.reports.figures import BLUE, GREEN, INK, ORANGE, PAPER, PINK, SKY

Pixels = NDArray[np.uint8]  # (height, width, 3)
Mask = NDArray[np.uint8]  # (height, width)

FIRST_COLOURS = (BLUE, ORANGE, SKY, GREEN, PINK, "#f0e442")
GOLDEN = 0.618034  # steps of this share around the circle of hues never meet
STRENGTH = 0.55
TEXT_PX, GAP_PX = 14, 8
GREY = (128, 128, 128)  # of pixels that nobody has judged


def class_colours(count: int) -> NDArray[np.uint8]:
    """Return a colour for each class, (count, 3) uint8; the first six can be told apart by people of any vision."""
    first = [[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in FIRST_COLOURS]
    more = [
        [round(255 * part) for part in colorsys.hsv_to_rgb(number * GOLDEN % 1, 0.55, 0.85)]
        for number in range(len(first), count)
    ]
    return np.array([*first, *more], np.uint8)[:count]


def painted(mask: Mask, class_count: int) -> Pixels:
    """Return a mask in the colours of its classes, and grey where nobody has judged."""
    colours = np.full((256, 3), GREY, np.uint8)
    colours[:class_count] = class_colours(class_count)
    return colours[mask]


def laid_over(picture: Pixels, mask: Mask, class_count: int, strength: float = STRENGTH) -> Pixels:
    """Return a picture under the colours of its mask. strength: share of the colour; unjudged pixels stay plain."""
    share = np.where(mask == UNLABELLED, 0.0, strength)[..., None]
    mixed: NDArray[np.float64] = picture * (1 - share) + painted(mask, class_count) * share
    return mixed.round().astype(np.uint8)


def with_legend(picture: Pixels, entries: Sequence[tuple[str, int]], class_count: int) -> Image.Image:
    """Return a picture with a legend below it. entries: (text, number of the class)."""
    font, colours = legend_font(), class_colours(class_count)
    height, width = picture.shape[:2]
    places: list[tuple[int, int]] = []
    x, y = GAP_PX, height + GAP_PX
    for text, _ in entries:
        length = TEXT_PX + GAP_PX + int(font.getlength(text))
        if x > GAP_PX and x + length > width - GAP_PX:
            x, y = GAP_PX, y + TEXT_PX + GAP_PX
        places.append((x, y))
        x += length + 2 * GAP_PX
    needed = max(
        (
            x + TEXT_PX + 2 * GAP_PX + int(font.getlength(text))
            for (x, _), (text, _) in zip(places, entries, strict=True)
        ),
        default=0,
    )
    page = Image.new("RGB", (max(width, needed), y + TEXT_PX + GAP_PX), PAPER)
    page.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(page)
    for (x, y), (text, number) in zip(places, entries, strict=True):
        draw.rectangle((x, y, x + TEXT_PX - 1, y + TEXT_PX - 1), fill=tuple(colours[number].tolist()))
        draw.text((x + TEXT_PX + GAP_PX, y + TEXT_PX / 2), text, fill=INK, font=font, anchor="lm")
    return page


def legend_font() -> ImageFont.FreeTypeFont:
    """Return the font that matplotlib brings along, which has the letters of most languages."""
    from matplotlib import get_data_path

    return ImageFont.truetype(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", TEXT_PX)
