"""Pictures side by side as one picture, and one after another as a film."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from layerwise.reports.figures import INK, TEXT_SIZE, new_figure
from layerwise.reports.pictures import Pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES = "samples"  # the folder in a run that holds what was generated while it learned
GAP_PX = 2
SHOWN_PX = 56  # small pictures are drawn about this large, by a whole factor


def picture_grid(pictures: Sequence[Pixels], columns: int | None = None, shown_px: int = SHOWN_PX) -> Pixels:
    """Lay pictures of one size out in rows on white, (height, width, 3).

    columns: about square if None. shown_px: small pictures are repeated by a whole factor up to about this size.
    """
    across = columns or math.ceil(math.sqrt(len(pictures)))
    height, width, _ = pictures[0].shape
    factor = max(1, shown_px // max(height, width))
    down = math.ceil(len(pictures) / across)
    rows, steps = factor * height + GAP_PX, factor * width + GAP_PX
    page = np.full((down * rows - GAP_PX, across * steps - GAP_PX, 3), 255, dtype=np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // across * rows, number % across * steps
        page[top : top + factor * height, left : left + factor * width] = picture.repeat(factor, 0).repeat(factor, 1)
    return page


def grid_figure(pictures: Sequence[Pixels], columns: int, title: str) -> Figure:
    """Return a figure with pictures laid out in rows."""
    page = picture_grid(pictures, columns)
    height, width, _ = page.shape
    figure = new_figure(7.0, 7.0 * height / width + 0.3)
    figure.suptitle(title, color=INK, fontsize=TEXT_SIZE + 1)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.imshow(page)
    return figure


def to_png(pixels: Pixels) -> bytes:
    """Return a picture as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def to_address(pixels: Pixels) -> str:
    """Return a picture, as large as it is, as a data: address."""
    return "data:image/png;base64," + base64.b64encode(to_png(pixels)).decode("ascii")


def to_gif(frames: Sequence[Pixels], frame_ms: int, last_ms: int | None = None) -> bytes:
    """Return pictures of one size as an endless film. last_ms: how long the last one stays, if not as the others."""
    images = [Image.fromarray(frame) for frame in frames]
    stream = io.BytesIO()
    durations = [frame_ms] * (len(images) - 1) + [last_ms or frame_ms]
    images[0].save(stream, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0)
    return stream.getvalue()


def grid_name(epoch: int, step: int) -> str:
    """Return the file name of a grid that was generated in an epoch, counted from 0, after so many steps."""
    return f"epoch-{epoch + 1:03}-step-{step:07}.png"


def step_of(path: Path) -> int:
    """Return the step after which a grid was generated."""
    return int(path.stem.rpartition("-")[2])


def grid_files(run: Path) -> list[Path]:
    """Return the grids of a run that were generated while it learned, the first one first."""
    return sorted((run / SAMPLES).glob("epoch-*-step-*.png"), key=step_of)


def sample_grids(run: Path, at_most: int = 6) -> list[tuple[str, str]]:
    """Return the title and the data: address of the first grid, of some between, and of the last one."""
    files = grid_files(run)
    places = np.unique(np.linspace(0, len(files) - 1, min(at_most, len(files))).round().astype(int))
    chosen = [files[place] for place in places.tolist()]
    with_titles = [(f"after {step_of(path):,} steps", path) for path in chosen]
    return [
        (title, "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii"))
        for title, path in with_titles
    ]
