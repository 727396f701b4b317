"""Pictures that are damaged, disguised, too large, or stored in a way that readers get wrong."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from case import PREDICT, TRAIN_TABLE, Case, Maker, raw, refused, text, works
from PIL import Image

SIDE = 12
RED = (254, 0, 0)  # a JPEG's red
BLUE = (0, 0, 254)
ORIENTATION = 0x0112


def stripes(mode: str = "RGB") -> Image.Image:
    """A picture with something in it: the red half above, the blue one below."""
    values = np.zeros((SIDE, SIDE, 3), np.uint8)
    values[: SIDE // 2, :, 0] = 254
    values[SIDE // 2 :, :, 2] = 254
    return Image.fromarray(values).convert(mode)


def plain(mode: str, colour: int | tuple[int, ...], side: int = SIDE) -> Image.Image:
    """A picture of one colour."""
    return Image.new(mode, (side, side), colour)


def data_of(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return a picture as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def saved(image: Image.Image, kind: str, **options: object) -> Maker:
    """Write a picture in a format."""
    return lambda path: path.write_bytes(data_of(image, kind, **options)) and None


def cut(image: Image.Image, kind: str, keep: float) -> Maker:
    """Write the first part of a picture file."""
    whole = data_of(image, kind)
    return raw(whole[: int(keep * len(whole))])


def changed(image: Image.Image, kind: str, change: Callable[[bytearray], None]) -> Maker:
    """Write a picture file after a change of its bytes."""
    data = bytearray(data_of(image, kind))
    change(data)
    return raw(bytes(data))


def flip_middle(data: bytearray) -> None:
    """Flip the bits in the middle of a file."""
    middle = len(data) // 2
    for place in range(middle - 8, middle + 8):
        data[place] ^= 0xFF


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that promises `width` x `height` grey pixels and holds none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def bomb(path: Path) -> None:
    """Write a PNG of 20,000 x 20,000 black pixels in 50 kB."""
    Image.new("1", (20_000, 20_000)).save(path, "PNG", optimize=True)


def deep_grey() -> Image.Image:
    """A 16-bit picture of one middle grey, 32,896 of 65,535, which is 128 of 255."""
    return Image.fromarray(np.full((SIDE, SIDE), 32_896, np.uint16))


def turned(path: Path) -> None:
    """Write a picture with red above blue that EXIF says to turn upside down."""
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    stripes().save(path, "JPEG", exif=exif, quality=100, subsampling=0)


def animation(path: Path) -> None:
    """Write an animation of a red frame and a blue one."""
    frames = [plain("RGB", RED), plain("RGB", BLUE)]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], duration=50)


def transparent_palette(path: Path) -> None:
    """Write a palette picture whose colour is transparent, so that white shows."""
    image = plain("P", 0)
    image.putpalette([254, 0, 0] * 256)
    image.save(path, "PNG", transparency=0)


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>'
GREY = (128, 128, 128)
WHITE = (255, 255, 255)

PICTURES: tuple[Case, ...] = (
    # --- no pictures
    refused("zero-bytes.png", raw(b""), 65, "zero-bytes.png", "no picture", command=PREDICT),
    refused("one-byte.jpg", raw(b"\xff"), 65, "one-byte.jpg", "no picture", command=PREDICT),
    refused("words.png", text("this is a letter, not a picture\n"), 65, "words.png", "no picture", command=PREDICT),
    refused("drawing.svg", text(SVG), 65, "drawing.svg", "no picture by its name", ".png", command=PREDICT),
    refused("drawing-as.png", text(SVG), 65, "drawing-as.png", "no picture", command=PREDICT),
    refused("letter.pdf", raw(b"%PDF-1.7\n"), 65, "letter.pdf", "no picture by its name", command=PREDICT),
    refused("film.mp4", raw(bytes(64)), 65, "film.mp4", "no picture by its name", command=PREDICT),
    refused("no-suffix", saved(stripes(), "PNG"), 65, "no-suffix", "no picture by its name", command=PREDICT),
    refused("script.png", text("#!/bin/sh\nrm -rf /tmp/x\n"), 65, "script.png", "no picture", command=PREDICT),
    refused(
        "missing.png", None, 66, "missing.png", "does not exist", command="predict {pictures} {folder}/missing.png"
    ),
    # --- disguised
    refused(
        "jpeg-inside.png", saved(stripes(), "JPEG"), 65, "jpeg-inside.png", "JPEG inside", "suffix", command=PREDICT
    ),
    refused("png-inside.jpg", saved(stripes(), "PNG"), 65, "png-inside.jpg", "PNG inside", "suffix", command=PREDICT),
    refused("gif-inside.bmp", saved(stripes("P"), "GIF"), 65, "gif-inside.bmp", "GIF inside", command=PREDICT),
    refused("webp-inside.jpeg", saved(stripes(), "WEBP"), 65, "webp-inside.jpeg", "WEBP inside", command=PREDICT),
    refused("icon-inside.png", saved(stripes(), "ICO", sizes=[(8, 8)]), 65, "icon-inside.png", command=PREDICT),
    # --- truncated and damaged
    refused("half.png", cut(stripes(), "PNG", 0.5), 65, "half.png", "truncated or damaged", "replace", command=PREDICT),
    refused("half.jpg", cut(stripes(), "JPEG", 0.5), 65, "half.jpg", "truncated or damaged", command=PREDICT),
    refused("almost.jpg", cut(stripes(), "JPEG", 0.97), 65, "almost.jpg", "truncated or damaged", command=PREDICT),
    refused("half.bmp", cut(stripes(), "BMP", 0.5), 65, "half.bmp", "truncated or damaged", command=PREDICT),
    refused("half.gif", cut(stripes("P"), "GIF", 0.4), 65, "half.gif", command=PREDICT),
    refused("half.webp", cut(stripes(), "WEBP", 0.5), 65, "half.webp", command=PREDICT),
    refused("half.tiff", cut(stripes(), "TIFF", 0.5), 65, "half.tiff", command=PREDICT),
    refused("flipped.png", changed(stripes(), "PNG", flip_middle), 65, "flipped.png", "replace", command=PREDICT),
    refused("header-alone.png", raw(data_of(stripes(), "PNG")[:33]), 65, "header-alone.png", command=PREDICT),
    refused("no-pixels.png", raw(png_header(8, 8)), 65, "no-pixels.png", "damaged", command=PREDICT),
    # --- too large
    refused("huge-by-header.png", raw(png_header(60_000, 60_000)), 65, "89,478,485 pixels", "smaller", command=PREDICT),
    refused("bomb.png", bomb, 65, "bomb.png", "pixels", "not decoded", command=PREDICT),
    refused("no-width.png", raw(png_header(0, 8)), 65, "no-width.png", command=PREDICT),
    # --- stored in a way of its own, and read right
    works("cmyk.jpg", saved(plain("CMYK", (0, 255, 255, 0)), "JPEG", quality=100), command=PREDICT, pixel=(255, 0, 0)),
    works("cmyk.tiff", saved(plain("CMYK", (0, 255, 255, 0)), "TIFF"), command=PREDICT, pixel=(255, 0, 0)),
    works("deep.png", saved(deep_grey(), "PNG"), command=PREDICT, pixel=GREY),
    works("deep.tif", saved(deep_grey(), "TIFF"), command=PREDICT, pixel=GREY),
    works("alpha.png", saved(plain("RGBA", (254, 0, 0, 0)), "PNG"), command=PREDICT, pixel=WHITE),
    works("half-alpha.png", saved(plain("RGBA", (0, 0, 0, 128)), "PNG"), command=PREDICT, pixel=(127, 127, 127)),
    works("grey-alpha.png", saved(plain("LA", (0, 0)), "PNG"), command=PREDICT, pixel=WHITE),
    works("palette.png", saved(plain("RGB", RED).convert("P"), "PNG"), command=PREDICT, pixel=RED),
    works("transparent-palette.png", transparent_palette, command=PREDICT, pixel=WHITE),
    works("one-bit.png", saved(plain("1", 1), "PNG"), command=PREDICT, pixel=WHITE),
    works("animated.gif", animation, command=PREDICT, pixel=RED),
    works("turned.jpg", turned, command=PREDICT, pixel=BLUE),
    works("one-pixel.png", saved(plain("RGB", RED, 1), "PNG"), command=PREDICT, pixel=RED),
    works("thin.png", saved(plain("RGB", RED).resize((400, 1)), "PNG"), command=PREDICT, pixel=RED),
    works("progressive.jpg", saved(plain("RGB", RED), "JPEG", progressive=True), command=PREDICT, pixel=RED),
    works("grey.jpg", saved(plain("L", 128), "JPEG"), command=PREDICT, pixel=GREY),
    works("lossless.webp", saved(plain("RGB", RED), "WEBP", lossless=True), command=PREDICT, pixel=RED),
    works("bare.ppm", saved(plain("RGB", RED), "PPM"), command=PREDICT, pixel=RED),
    works("CAPITALS.PNG", saved(plain("RGB", RED), "PNG"), '"CAPITALS.PNG"', command=PREDICT, pixel=RED),
    works(
        "имя с пробелом 猫.png", saved(plain("RGB", RED), "PNG"), "имя с пробелом 猫.png", command=PREDICT, pixel=RED
    ),
    # --- given where something else was expected
    refused("picture-as-data.png", saved(stripes(), "PNG"), 65, "picture-as-data.png", "folder", command=TRAIN_TABLE),
    refused("picture-for-a-table.png", saved(stripes(), "PNG"), 65, "for-a-table.png", command="predict {table} {it}"),
)
