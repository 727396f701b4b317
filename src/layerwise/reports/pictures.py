"""Pictures for people: pages of samples, worst errors, filters, and pictures that stand inside a page."""

from __future__ import annotations

import base64
import io
import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from layerwise.data.dataset import Dataset, Split
from layerwise.reports.charts import shorten
from layerwise.reports.figures import BLUE, INK, MUTED, ORANGE, TEXT_SIZE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pixels = NDArray[np.uint8]  # (height, width, 3)

THUMBNAIL_PX = 112
SAMPLES_AT_MOST = 40
FILTERS_AT_MOST = 64


def to_pixels(pictures: Tensor) -> list[Pixels]:
    """Turn raw images, (n, channels, height, width) uint8, into RGB pixels for showing."""
    rows = pictures.detach().cpu().permute(0, 2, 3, 1).numpy()  # (n, height, width, channels)
    if rows.shape[3] in (1, 2):
        rows = np.repeat(rows[..., :1], 3, axis=3)
    return [np.ascontiguousarray(row[..., :3]) for row in rows]


def to_uri(pixels: Pixels) -> str:
    """Return a picture as a data: address, made smaller where it is larger than a thumbnail."""
    image = Image.fromarray(pixels)
    if max(image.size) > THUMBNAIL_PX:
        image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def pick_samples(dataset: Dataset, split: Split, at_most: int = SAMPLES_AT_MOST) -> Tensor:
    """Return the positions of samples to show: the first few of each class in turn, or the first of all."""
    if dataset.task != "classification":
        return torch.arange(min(at_most, len(split)))
    classes = range(min(len(dataset.classes), at_most))
    each = max(1, at_most // max(1, len(classes)))
    found = [torch.nonzero(split.targets == number).flatten()[:each] for number in classes]
    return torch.cat(found)


def names_of(dataset: Dataset, split: Split, chosen: Tensor) -> list[str]:
    """Return the class of each chosen sample, or 'sample' where samples have none."""
    if dataset.task != "classification":
        return ["sample"] * len(chosen)
    return [dataset.classes[label] for label in split.targets[chosen].tolist()]


def first_filters(model: nn.Module) -> Tensor | None:
    """Return the weights of the first layer if it looks at a picture, (filters, channels, height, width)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach().cpu().float()
            return weight if weight.shape[2] > 1 and weight.shape[1] <= 4 else None
    return None


def initial_weights(model: nn.Module) -> NDArray[np.float64] | None:
    """Return the weights of the first dense layer, (neurons, features), of a model without convolutions."""
    modules = list(model.modules())
    if any(isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) for module in modules):
        return None
    first = next((module for module in modules if isinstance(module, nn.Linear)), None)
    return None if first is None else first.weight.detach().cpu().double().numpy()


def templates(model: nn.Module, input_shape: tuple[int, ...]) -> Tensor | None:
    """Return what each neuron of a first dense layer looks for, as pictures of the input's shape."""
    weights = initial_weights(model)
    if weights is None or len(input_shape) != 3 or weights.shape[1] != math.prod(input_shape):
        return None
    return torch.from_numpy(weights).float().view(-1, *input_shape)


def filter_pixels(weights: Tensor) -> list[Pixels]:
    """Turn filters, (filters, channels, height, width), into pixels, each on its own scale.

    Three channels become colours around grey; otherwise the mean over channels is drawn, blue where the filter
    wants light, orange where it wants dark, white at zero.
    """
    return [_filter_pixels(weight) for weight in weights[:FILTERS_AT_MOST]]


def _filter_pixels(weight: Tensor) -> Pixels:
    if weight.shape[0] == 3:
        scaled = 0.5 + 0.5 * weight / weight.abs().max().clamp_min(1e-12)
        return (255 * scaled).round().byte().permute(1, 2, 0).numpy()
    plane = weight.mean(0)
    strength = (plane / plane.abs().max().clamp_min(1e-12)).numpy()[..., None]
    towards = np.where(strength >= 0, _rgb(BLUE), _rgb(ORANGE))
    mixed: NDArray[np.float64] = 255 + np.abs(strength) * (towards - 255)
    return mixed.round().astype(np.uint8)


def _rgb(colour: str) -> NDArray[np.float64]:
    return np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)], dtype=np.float64)


def picture_page(
    pictures: Sequence[Pixels], captions: Sequence[str] = (), *, columns: int | None = None, title: str = ""
) -> Figure:
    """Return a figure with pictures in rows, a caption below each. columns: about square if None."""
    across = columns or max(1, min(10, math.ceil(math.sqrt(1.6 * len(pictures)))))
    down = max(1, math.ceil(len(pictures) / across))
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    figure = new_figure(0.95 * across + 0.2, (0.9 + 0.18 * lines) * down + (0.35 if title else 0.1))
    if title:
        figure.suptitle(shorten(title, 90), color=INK, fontsize=TEXT_SIZE + 1)
    panels = np.atleast_1d(figure.subplots(down, across)).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, picture, caption in zip(panels, pictures, [*captions, *[""] * len(pictures)], strict=False):
        _show(axes, picture)
        axes.text(
            0.5, -0.06, shorten(caption, 60), transform=axes.transAxes, ha="center", va="top", color=INK, fontsize=7.5
        )
    return figure


class TrainTransforms(NamedTuple):
    """A row of a page of variations: its name, a sentence on what was done, the pictures after it."""

    name: str
    note: str
    pictures: Sequence[Pixels]


def variation_page(rows: Sequence[TrainTransforms], *, title: str = "") -> Figure:
    """Return a figure with one row a variation: on the left what it is, beside it the same pictures under it."""
    across = max(len(row.pictures) for row in rows)
    figure = new_figure(0.8 * across + 2.6, 0.85 * len(rows) + 0.5)
    if title:
        figure.suptitle(shorten(title, 100), color=INK, fontsize=TEXT_SIZE + 1, x=0.01, ha="left")
    grid = figure.subplots(len(rows), across + 1, squeeze=False, width_ratios=[2.9, *[1] * across])
    for line, row in zip(grid, rows, strict=True):
        for axes in line:
            axes.set_axis_off()
        for axes, picture in zip(line[1:], row.pictures, strict=False):
            _show(axes, picture)
        _say(line[0], row)
    return figure


def _say(axes: Axes, row: TrainTransforms) -> None:
    """Write the name of a row, and under it what was done."""
    note = "\n".join(textwrap.wrap(row.note, 38)[:3])
    place: dict[str, Any] = {"transform": axes.transAxes, "ha": "left"}
    axes.text(
        *(0, 0.75 if note else 0.5, shorten(row.name, 30)),
        **place,
        va="center",
        color=INK,
        fontsize=TEXT_SIZE,
        fontweight="bold",
    )
    axes.text(0, 0.58, note.replace("$", r"\$"), **place, va="top", color=MUTED, fontsize=TEXT_SIZE - 2.5)


def _show(axes: Axes, picture: Pixels) -> None:
    small = max(picture.shape[:2]) <= THUMBNAIL_PX
    axes.imshow(picture, interpolation="nearest" if small else "antialiased")
