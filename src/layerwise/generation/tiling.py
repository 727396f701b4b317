"""Pictures of any size through a network of convolutions, tile by tile, with the scores of the whole picture at once.

A tile is computed with a margin as wide as the network can see, and only its core is kept. So every score that is kept
was computed from all that it depends on: there are no seams to be blended away. Tiles begin at multiples of 32
pixels, so that the poolings of a network that halves its maps up to five times meet the same pixels as in the whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CORE_PX = 512
UNIT_PX = 32  # five halvings
PROBES_PX = (160, 352, 736, 1504)  # odd numbers of units, so that one lies in the middle


def tiled_scores(model: nn.Module, picture: Tensor, core_px: int = CORE_PX, margin_px: int | None = None) -> Tensor:
    """Return the scores of each pixel of a prepared picture.

    Args:
        model: in evaluation mode; gives scores (1, classes, height, width) for (1, channels, height, width).
        picture: (channels, height, width) float32. Where a side is shorter than 32 pixels, zeros are put beside it.
        core_px: side of the part of a tile that is kept, a multiple of 32.
        margin_px: what is computed around it, a multiple of 32; by default what `margin_of` measures.

    Returns:
        (classes, height, width) float32, equal to those of the whole picture to rounding.
    """
    height, width = picture.shape[-2:]
    picture = F.pad(picture, (0, max(0, UNIT_PX - width), 0, max(0, UNIT_PX - height)))
    if margin_px is None:
        margin_px = margin_of(model, len(picture)) if max(picture.shape[-2:]) > core_px else 0
    rows = []
    with torch.inference_mode():
        for top, bottom, first, last in spans(picture.shape[-2], core_px, margin_px):
            row = []
            for left, right, start, end in spans(picture.shape[-1], core_px, margin_px):
                scores = model(picture[None, :, top:bottom, left:right])[0].float()
                row.append(scores[:, first - top : last - top, start - left : end - left])
            rows.append(torch.cat(row, dim=2))
    return torch.cat(rows, dim=1)[:, :height, :width]


def spans(size_px: int, core_px: int, margin_px: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield along one side of a picture where each tile begins and ends, and where its core does."""
    for first in range(0, size_px, core_px):
        last = min(first + core_px, size_px)
        yield max(0, first - margin_px), min(last + margin_px, size_px), first, last


def margin_of(model: nn.Module, channels: int) -> int:
    """Return how far the scores of a pixel can depend on others, in pixels, rounded up to whole units of 32.

    It is measured: a square of 32x32 pixels that are not a number is put into the middle of a picture, and with it all
    that depends on it is not a number. A network that sees farther than 736 pixels, or all of the picture, is given
    that much.
    """
    parameter = next(model.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    for side in PROBES_PX:
        picture = torch.zeros(1, channels, side, side, device=device)
        middle = (side - UNIT_PX) // 2
        picture[..., middle : middle + UNIT_PX, middle : middle + UNIT_PX] = torch.nan
        with torch.inference_mode():
            spoiled = model(picture)[0].isnan().any(0)  # (side, side)
        touched = spoiled.nonzero()
        reach = max(middle - int(touched.min()), int(touched.max()) - (middle + UNIT_PX - 1))
        if reach < middle:
            return -(-reach // UNIT_PX) * UNIT_PX
    return middle
