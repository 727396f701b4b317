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
LETTERS = 60  # that a line of the legend has room for, below a picture of any width
GREY = (128, 128, 128)  # of pixels that nobody has judged


def class_colours(count: int) -> NDArray[np.uint8]:
    """Return a colour for each class, (count, 3) uint8; the first six can be told apart by people of any vision."""
    first = [[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in FIRST_COLOURS]
    more = [
        [round(255 * part) for part in colorsys.hsv_to_rgb(number * GOLDEN % 1, 0.55, 0.85)]
        for number in range(len(first), count)
    ]
    return np.array([*first, *more], np.uint8)[:count]


def generated(mask: Mask, class_count: int) -> Pixels:
    """Return a mask in the colours of its classes, and grey where nobody has judged."""
    colours = np.full((256, 3), GREY, np.uint8)
    colours[:class_count] = class_colours(class_count)
    return colours[mask]


def laid_over(picture: Pixels, mask: Mask, class_count: int, strength: float = STRENGTH) -> Pixels:
    """Return a picture under the colours of its mask. strength: share of the colour; unjudged pixels stay plain."""
    share = np.where(mask == UNLABELLED, 0.0, strength)[..., None]
    mixed: NDArray[np.float64] = picture * (1 - share) + generated(mask, class_count) * share
    return mixed.round().astype(np.uint8)


def with_legend(picture: Pixels, entries: Sequence[tuple[str, int]], class_count: int) -> Image.Image:
    """Return a picture with a legend below it, larger below large pictures. entries: (text, number of the class)."""
    height, width = picture.shape[:2]
    size = max(TEXT_PX, min(width, 4 * height) // LETTERS)
    gap = size * GAP_PX // TEXT_PX
    font, colours = legend_font(size), class_colours(class_count)
    places: list[tuple[int, int]] = []
    x, y = gap, height + gap
    for text, _ in entries:
        length = size + gap + int(font.getlength(text))
        if x > gap and x + length > width - gap:
            x, y = gap, y + size + gap
        places.append((x, y))
        x += length + 2 * gap
    needed = max(
        (x + size + 2 * gap + int(font.getlength(text)) for (x, _), (text, _) in zip(places, entries, strict=True)),
        default=0,
    )
    page = Image.new("RGB", (max(width, needed), y + size + gap), PAPER)
    page.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(page)
    for (x, y), (text, number) in zip(places, entries, strict=True):
        draw.rectangle((x, y, x + size - 1, y + size - 1), fill=tuple(colours[number].tolist()))
        draw.text((x + size + gap, y + size / 2), text, fill=INK, font=font, anchor="lm")
    return page


def legend_font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return the font that matplotlib brings along, which has the letters of most languages."""
    from matplotlib import get_data_path

    return ImageFont.truetype(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size_px)
