"""Pictures as numbers, and in a file."""

import math

import torch
from PIL import Image
from torch import Tensor

MEAN = (0.5,)
STD = (0.25,)


def scale(pictures: Tensor) -> Tensor:
    """Turn values from 0 to 1 into values about 0, by mean and deviation of the training pictures."""
    mean, std = (torch.tensor(v, device=pictures.device)[:, None, None] for v in (MEAN, STD))
    return (pictures - mean) / std


def unscale(pictures: Tensor) -> Tensor:
    """Turn scaled values back into values from 0 to 1."""
    mean, std = (torch.tensor(v, device=pictures.device)[:, None, None] for v in (MEAN, STD))
    return pictures * std + mean


def save_grid(pictures: Tensor, path: str) -> None:
    """Write pictures from 0 to 1, (n, channels, height, width), row by row into a square grid."""
    columns = math.ceil(math.sqrt(len(pictures)))
    pictures = pictures.cpu()
    missing = -len(pictures) % columns
    values = torch.cat((pictures, torch.zeros(missing, *pictures.shape[1:])))
    values = (values.clamp(0, 1) * 255).round().byte().unflatten(0, (-1, columns))  # (rows, columns, channels, ...)
    grid = values.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)  # (rows * height, columns * width, channels)
    Image.fromarray(grid.squeeze(2).numpy()).save(path)
    print(f"wrote {path}")
