"""What augmentation does to a batch of pictures, each operation with one strength a picture.

Everything here keeps one promise: the bits of a picture's result do not depend on the rest of the batch. So
there are only whole-number sums (exact in any order), element-wise products and sums, and sine and cosine made of
them; a library's reductions and vector functions may round differently for another batch size.

Shapes: b batch, c channels, h height, w width. Pictures are float32 in [0, 1].
"""

from __future__ import annotations

import math
from functools import reduce
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Geometry


def cut_windows(pictures: Tensor, rows: Tensor, columns: Tensor, margin: int, mode: str, fill: float = 0.0) -> Tensor:
    """Frame every picture by `margin` pixels and cut a window of the old size at (rows, columns), (b,) int64.

    mode: 'constant' frames with `fill`, 'reflect' with the mirrored picture. Values are copied.
    """
    b, c, h, w = pictures.shape
    frame = (margin, margin, margin, margin)
    padded = F.pad(pictures, frame, mode, fill if mode == "constant" else None)  # (b, c, H, W)
    wide, high = w + 2 * margin, h + 2 * margin
    planes = torch.arange(b * c, device=pictures.device).view(b, c, 1) * (high * wide)
    lines = torch.arange(h, device=pictures.device) * wide
    starts = planes + (rows * wide + columns)[:, None, None] + lines  # (b, c, h)
    every_run_of_w = padded.flatten().unfold(0, w, 1)  # a view: row i is the w values from position i on
    return every_run_of_w.index_select(0, starts.flatten()).view(b, c, h, w)


def flip_some(pictures: Tensor, chosen: Tensor, dimension: int) -> Tensor:
    """Mirror the chosen pictures, (b,) bool, along `dimension`: -1 left and right, -2 top and bottom."""
    size = pictures.shape[dimension]
    order = torch.arange(size, device=pictures.device)
    order = torch.where(chosen[:, None], size - 1 - order, order)  # (b, size)
    shape = (-1, 1, 1, size) if dimension == -1 else (-1, 1, size, 1)
    return pictures.gather(dimension, order.view(shape).expand_as(pictures))


class Affine(NamedTuple):
    """Where each pixel of the result comes from: (x, y) -> (a x + b y + c, d x + e y + f).

    x counts pixels to the right and y down, from the centre of the picture. Entries are (b,) tensors or numbers.
    """

    a: Tensor | float = 1.0
    b: Tensor | float = 0.0
    c: Tensor | float = 0.0
    d: Tensor | float = 0.0
    e: Tensor | float = 1.0
    f: Tensor | float = 0.0

    def then(self, next_map: Affine) -> Affine:
        """The map of doing this to the picture first and `next_map` to the result."""
        a, b, c, d, e, f = self
        g, h, i, j, k, m = next_map
        return Affine(
            a * g + b * j, a * h + b * k, a * i + b * m + c,
            d * g + e * j, d * h + e * k, d * i + e * m + f,
        )  # fmt: skip


def rotation(degrees: Tensor) -> Affine:
    """Turn the picture counterclockwise, degrees (b,) in [-180, 180]."""
    sine, cosine = sine_and_cosine(degrees * (math.pi / 180))
    return Affine(a=cosine, b=-sine, d=sine, e=cosine)


def translation(right: Tensor, down: Tensor) -> Affine:
    """Move the picture by so many pixels."""
    return Affine(c=-right, f=-down)


def sine_and_cosine(angles: Tensor) -> tuple[Tensor, Tensor]:
    """Sine and cosine of angles in [-pi, pi], to 1e-6, by the Taylor series of the half angle."""
    half = angles * 0.5
    square = half * half
    sine = half * _polynomial(square, -1 / 39916800, 1 / 362880, -1 / 5040, 1 / 120, -1 / 6, 1.0)
    cosine = _polynomial(square, 1 / 479001600, -1 / 3628800, 1 / 40320, -1 / 720, 1 / 24, -1 / 2, 1.0)
    return 2.0 * sine * cosine, 1.0 - 2.0 * sine * sine


def _polynomial(x: Tensor, *coefficients: float) -> Tensor:
    """Horner's scheme, highest power first."""
    return reduce(lambda total, coefficient: total * x + coefficient, coefficients, torch.zeros_like(x))


def sample_affine(pictures: Tensor, source: Affine, fill: float = 0.0, how: str = "bilinear") -> Tensor:
    """Move every picture by its map, by 'bilinear' interpolation or the 'nearest' pixel; outside is `fill`."""
    b, _, h, w = pictures.shape
    x = torch.arange(w, device=pictures.device) - (w - 1) / 2  # pixel centres, from the picture's centre
    y = torch.arange(h, device=pictures.device) - (h - 1) / 2
    zero = torch.zeros(b, device=pictures.device)
    a, b_, c, d, e, f = ((zero + entry)[:, None] for entry in source)  # (b, 1)
    by_column = torch.stack([(a * x + c) * (2 / w), (d * x + f) * (2 / h)], dim=-1)  # (b, w, 2)
    by_row = torch.stack([(b_ * y) * (2 / w), (e * y) * (2 / h)], dim=-1)  # (b, h, 2)
    grid = by_column[:, None] + by_row[:, :, None]  # (b, h, w, 2); -1 and 1 are the outer edges
    if fill:
        return F.grid_sample(pictures - fill, grid, how, "zeros", align_corners=False) + fill
    return F.grid_sample(pictures, grid, how, "zeros", align_corners=False)


def cut_out(pictures: Tensor, x: Tensor, y: Tensor, side: Tensor | int, fill: float = 0.0) -> Tensor:
    """Cover a square of `side` pixels about the pixel (x, y), all (b,) int64, where it lies in the picture.

    Source: DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout" (2017).
    """
    h, w = pictures.shape[-2:]
    side = torch.as_tensor(side, device=pictures.device).expand(len(x))[:, None]
    from_left = torch.arange(w, device=pictures.device) - (x[:, None] - side // 2)  # (b, w)
    from_top = torch.arange(h, device=pictures.device) - (y[:, None] - side // 2)  # (b, h)
    in_columns = ((from_left >= 0) & (from_left < side)).to(pictures.dtype)
    in_rows = ((from_top >= 0) & (from_top < side)).to(pictures.dtype)
    covered = in_rows[:, None, :, None] * in_columns[:, None, None, :]  # (b, 1, h, w)
    kept = pictures * (1.0 - covered)
    return kept.add_(covered * fill) if fill else kept


# Colour: blends with a poorer picture, as in Pillow's ImageEnhance


def brightness(pictures: Tensor, factors: Tensor) -> Tensor:
    """factors (b,): 0 black, 1 unchanged, above 1 brighter."""
    return (pictures * _per_picture(factors)).clamp_(0.0, 1.0)


def contrast(pictures: Tensor, factors: Tensor) -> Tensor:
    """factors (b,): 0 the mean grey, 1 unchanged."""
    grey = _grey_levels(pictures)  # (b, 1, h, w)
    count = grey[0].numel()
    total = grey.to(torch.int32).sum(dim=(1, 2, 3), dtype=torch.int64)
    mean = (2 * total + count) // (2 * count)  # rounded to a whole level
    return _blend(_per_picture(mean / 255.0), pictures, factors)


def saturation(pictures: Tensor, factors: Tensor) -> Tensor:
    """factors (b,): 0 grey, 1 unchanged. Pictures of one channel stay as they are."""
    if pictures.shape[1] != 3:
        return pictures
    return _blend(_grey_levels(pictures) / 255.0, pictures, factors)


def sharpness(pictures: Tensor, factors: Tensor) -> Tensor:
    """factors (b,): 0 smoothed by the 3x3 mean with five times the weight in the middle, 1 unchanged."""
    smooth = pictures.clone()
    if min(pictures.shape[-2:]) >= 3:
        rows = pictures[..., :-2, :] + pictures[..., 1:-1, :] + pictures[..., 2:, :]
        box = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
        smooth[..., 1:-1, 1:-1] = (box + 4.0 * pictures[..., 1:-1, 1:-1]) * (1 / 13)
    return _blend(smooth, pictures, factors)


def _blend(poorer: Tensor, pictures: Tensor, factors: Tensor) -> Tensor:
    return (pictures - poorer).mul_(_per_picture(factors)).add_(poorer).clamp_(0.0, 1.0)


def _per_picture(values: Tensor) -> Tensor:
    return values[:, None, None, None]


# Grey levels: operations on whole numbers from 0 to 255, as in Pillow's ImageOps


def invert(pictures: Tensor) -> Tensor:
    """Black becomes white."""
    return 1.0 - pictures


def solarize(pictures: Tensor, thresholds: Tensor) -> Tensor:
    """Invert the levels at or above the thresholds, (b,) in [0, 256]."""
    levels = _levels(pictures)
    return torch.where(levels < _per_picture(thresholds), levels, 255.0 - levels) / 255.0


def posterize(pictures: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest bits of each level, bits (b,) int64 in [1, 8]."""
    step = _per_picture(1 << (8 - bits))
    return _levels(pictures).div_(step).floor_().mul_(step).div_(255.0)


def auto_contrast(pictures: Tensor) -> Tensor:
    """Stretch each channel so that its darkest level becomes 0 and its lightest 255."""
    levels = _levels(pictures)
    low, high = levels.amin(dim=(2, 3), keepdim=True), levels.amax(dim=(2, 3), keepdim=True)
    stretched = ((levels - low) * 255.0 / (high - low).clamp_(min=1.0)).floor_()
    return torch.where(high > low, stretched, levels) / 255.0


def equalize(pictures: Tensor) -> Tensor:
    """Map the levels of each channel so that all become about equally frequent."""
    b, c, h, w = pictures.shape
    levels = _levels(pictures).long().reshape(b * c, h * w)
    counts = torch.zeros(b * c, 256, dtype=torch.int64, device=pictures.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    lightest = levels.amax(dim=1, keepdim=True)
    step = (h * w - counts.gather(1, lightest)) // 255  # (b * c, 1)
    below = counts.cumsum(dim=1) - counts
    table = ((below + step // 2) // step.clamp(min=1)).clamp_(max=255)
    return torch.where(step > 0, table.gather(1, levels), levels).view(b, c, h, w) / 255.0


def _levels(pictures: Tensor) -> Tensor:
    """Whole numbers from 0 to 255, kept as float32, in which sums and products below 2**24 are exact."""
    return (pictures * 255.0).round_()


def _grey_levels(pictures: Tensor) -> Tensor:
    """The luma of ITU-R 601 in whole levels, (b, 1, h, w); of one channel, or not three, the mean."""
    levels = _levels(pictures)
    if levels.shape[1] == 3:
        red, green, blue = levels.tensor_split(3, dim=1)
        return ((19595.0 * red).add_(38470.0 * green).add_(7471.0 * blue).add_(32768.0) / 65536.0).floor_()
    return levels.sum(dim=1, keepdim=True).div_(levels.shape[1]).floor_()
