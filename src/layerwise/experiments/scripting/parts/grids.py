"""Pictures side by side in a file."""

import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor


def save_grid(pictures: Tensor, path: Path) -> None:
    """Write pictures from 0 to 1, (n, channels, height, width), row by row into a square grid."""
    columns = math.ceil(math.sqrt(len(pictures)))
    missing = -len(pictures) % columns
    values = torch.cat((pictures, torch.zeros(missing, *pictures.shape[1:])))
    values = (values.clamp(0, 1) * 255).round().byte().unflatten(0, (-1, columns))  # (rows, columns, channels, ...)
    grid = values.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)  # (rows * height, columns * width, channels)
    Image.fromarray(grid.squeeze(2).numpy()).save(path)
    print(f"wrote {path}")
