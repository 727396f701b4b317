"""Reading one picture file as 8-bit grey or colour values, whatever its format, depth, turn or transparency.

The content decides what a file is, and its name must agree: a disguised file is refused. Pictures too large
are refused from their header, before any memory is taken for them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from layerwise.data.inputs import File, MemoryFile, check_exists
from layerwise.errors import DataError, LayerwiseError

PIXEL_LIMIT = Image.MAX_IMAGE_PIXELS or 89_478_485  # Pillow's own bound, 256 MB of 24-bit pixels
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
FORMAT_OF_SUFFIX = {
    ".bmp": "BMP",
    ".dib": "BMP",
    ".gif": "GIF",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".pbm": "PPM",
    ".pgm": "PPM",
    ".png": "PNG",
    ".pnm": "PPM",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
MASK_MODES = {"1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N"}
LOSSY = ("JPEG", "MPO", "WEBP")
GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
ORIENTATION_TAG = 0x0112
WHITE = (255, 255, 255, 255)
JPEG_END = b"\xff\xd9"


@dataclass(frozen=True)
class Header:
    """What the first bytes of a picture file say; height and width as they are shown, after EXIF's turn."""

    height: int
    width: int
    is_grey: bool
    is_animated: bool


def is_picture_name(path: PurePath) -> bool:
    """Tell by the name whether a file should be a picture."""
    return path.suffix.lower() in FORMAT_OF_SUFFIX


def read_picture(path: File, channels: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read a picture as (channels, height, width) uint8.

    EXIF's turn is done, CMYK becomes RGB, 16-bit values are scaled to 8 bits, transparency shows white, and
    of an animation the first frame is taken.

    Parameters
    ----------
    channels : int
        1 for grey (ITU-R 601 luma), 3 for RGB.
    size : tuple[int, int] or None
        (height, width) to bring it to: the shorter side resized with antialiasing, the centre cut out.

    Raises
    ------
    NotFoundError
        There is no such file.
    DataError
        It is no picture, disguised, too large, truncated or damaged.
    """
    with refusing_bombs():
        return decode_picture(path, channels, size)


def read_mask_file(path: File) -> NDArray[np.uint8]:
    """Read a mask as (height, width) uint8, the class number of each pixel: grey values, or those of a palette.

    Raises as `read_picture`, and DataError for a mask in colour, in a format that blurs, or with numbers above 255.
    """
    with _open(path) as image:
        if image.format in LOSSY:
            raise DataError(f"{path} is a {image.format}, which blurs class numbers; save masks as PNG.")
        if image.mode not in MASK_MODES:
            raise DataError(
                f"{path} is in colour ({image.mode}); a mask holds one class number a pixel, as grey or palette "
                "values, so save it with a number for each colour."
            )
        values = np.array(image)
    if values.min(initial=0) < 0 or values.max(initial=0) > 255:
        raise DataError(f"{path} holds the value {values.max()}; class numbers go from 0 to 254, 255 is for no class.")
    return values.astype(np.uint8)


@contextmanager
def refusing_bombs() -> Iterator[None]:
    """Make Pillow's warning about too many pixels an error. Filters belong to the process, not to a thread,
    so this stands around a pool of threads, not within one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def read_header(path: File) -> Header:
    """Read size, colour and frames of a picture without decoding it. Raises as `read_picture` does."""
    with _open(path) as image:
        width, height = image.size
        is_cheap = image.format != "PNG" or "exif" in image.info  # else Pillow decodes the whole PNG for it
        if is_cheap and image.getexif().get(ORIENTATION_TAG, 1) >= 5:
            height, width = width, height
        is_animated = image.format != "MPO" and getattr(image, "is_animated", False)
        return Header(height, width, image.mode in GREY_MODES, is_animated)


def decode_picture(path: File, channels: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Do as `read_picture`, for files whose header was read before."""
    with _open(path) as image:
        if size:
            image.draft(None, (2 * max(size), 2 * max(size)))  # a JPEG is decoded smaller where it can be
        return _values(image, channels, size)


def picture_values(
    image: Image.Image, channels: int, size: tuple[int, int] | None = None, name: str = "the picture"
) -> NDArray[np.uint8]:
    """Return a Pillow image as `read_picture` returns a file. Raises DataError for one that cannot be decoded."""
    with _decoding(name):
        return _values(image, channels, size)


def _values(image: Image.Image, channels: int, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    image.load()
    upright = ImageOps.exif_transpose(image)
    plain = _to_8_bits(upright).convert("L" if channels == 1 else "RGB")
    if size and plain.size != size[::-1]:
        plain = ImageOps.fit(plain, size[::-1], Image.Resampling.BICUBIC)
    values = np.array(plain, np.uint8).reshape(plain.height, plain.width, channels)
    return np.ascontiguousarray(values.transpose(2, 0, 1))  # (channels, height, width)


def check_whole(path: File) -> None:
    """Raise DataError for a truncated picture, at less cost than decoding it where the format allows."""
    with _open(path) as image:
        if image.format == "PNG":
            image.verify()
            return
        if image.format == "JPEG" and _ends_with(path, JPEG_END):
            return
        image.load()


@contextmanager
def _open(path: File) -> Iterator[Image.Image]:
    """Open a picture, and turn whatever Pillow raises over a damaged one into a DataError with its name."""
    expected = FORMAT_OF_SUFFIX.get(path.suffix.lower())
    needs_name = isinstance(path, Path) or path.suffix
    if expected is None and needs_name:
        raise DataError(f"{path} is no picture by its name; give one of {', '.join(sorted(FORMAT_OF_SUFFIX))}.")
    check_exists(path, "a picture")
    with _decoding(str(path), expected), Image.open(_stream(path), formats=FORMATS) as image:
        found = "JPEG" if image.format == "MPO" else image.format
        if expected and found != expected:
            raise DataError(f"{path} is named as {expected} and is {found} inside; give it the suffix of what it is.")
        yield image


def _stream(path: File) -> Path | IO[bytes]:
    return path.open() if isinstance(path, MemoryFile) else path


@contextmanager
def _decoding(name: str, expected: str | None = None) -> Iterator[None]:
    """Turn whatever Pillow raises over a damaged picture into a DataError. expected: the format by its name."""
    try:
        yield
    except LayerwiseError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(
            f"{name} has more than {PIXEL_LIMIT:,} pixels by its header and is not decoded; make it smaller."
        ) from None
    except UnidentifiedImageError:
        what = f"{name} is named as {expected} and" if expected else name
        raise DataError(f"{what} holds no picture; replace it or take it out.") from None
    except PermissionError:
        raise DataError(f"{name} may not be read by this user; change its permissions or take it out.") from None
    except Exception as error:  # each of Pillow's decoders has its own errors
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name} is truncated or damaged ({reason}); replace it or take it out.") from error


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Turn any mode into L, RGB or CMYK, compositing transparency on white."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_scale(np.asarray(image), image.mode))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), coloured)
        return flat.convert("L" if image.mode in GREY_MODES else "RGB")
    return image.convert("RGB") if image.mode == "P" else image


def _scale(values: NDArray[np.generic], mode: str) -> NDArray[np.uint8]:
    """Scale values of 0 to 65535, or of 0 to 1 where they are floats, to 0 to 255."""
    highest = 1.0 if mode == "F" else 65535.0
    scaled = values.astype(np.float64) / highest
    if not ((scaled >= 0) & (scaled <= 1)).all():
        raise ValueError(f"values outside 0 to {highest:g}")
    return np.rint(scaled * 255).astype(np.uint8)


def _ends_with(path: File, mark: bytes) -> bool:
    with path.open("rb") as file:
        file.seek(-len(mark), 2)
        return file.read() == mark
