"""Augmentation in plain PyTorch: each picture of a batch is changed by its own chance."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.augmentation_ops import (
    auto_contrast,
    brightness,
    contrast,
    cut_out,
    equalize,
    invert,
    posterize,
    saturation,
    sharpness,
    solarize,
)

GREY = 128 / 255


def cut_windows(pictures: Tensor, margin: int, mode: str) -> Tensor:
    """Frame the pictures by `margin` pixels and cut a window of the old size anywhere."""
    n, channels, height, width = pictures.shape
    padded = F.pad(pictures, (margin, margin, margin, margin), mode)
    rows = torch.randint(2 * margin + 1, (n, 1, 1, 1)) + torch.arange(height)[:, None]  # (n, 1, height, 1)
    columns = torch.randint(2 * margin + 1, (n, 1, 1, 1)) + torch.arange(width)  # (n, 1, 1, width)
    return padded[torch.arange(n)[:, None, None, None], torch.arange(channels)[:, None, None], rows, columns]


def flip(pictures: Tensor, dimension: int) -> Tensor:
    """Mirror half of the pictures."""
    chosen = torch.rand(len(pictures), 1, 1, 1, device=pictures.device) < 0.5
    return torch.where(chosen, pictures.flip(dimension), pictures)


def between(pictures: Tensor, amount: float) -> Tensor:
    """Draw a number from -amount to amount for each picture."""
    return (torch.rand(len(pictures), device=pictures.device) * 2 - 1) * amount


def affine(like: Tensor, a=1.0, b=0.0, c=0.0, d=0.0, e=1.0, f=0.0) -> Tensor:  # type: ignore[no-untyped-def]
    """Matrices that say where a pixel comes from: (x, y) -> (a x + b y + c, d x + e y + f), from the centre."""
    zero = torch.zeros(len(like), device=like.device)
    rows = [zero + entry for entry in (a, b, c, d, e, f, 0.0, 0.0, 1.0)]
    return torch.stack(rows, 1).view(-1, 3, 3)


def rotation(like: Tensor, degrees: Tensor) -> Tensor:
    """Matrices that turn pictures counterclockwise."""
    angles = degrees.deg2rad()
    return affine(like, a=angles.cos(), b=-angles.sin(), d=angles.sin(), e=angles.cos())


def resample(pictures: Tensor, source: Tensor, fill: float = 0.0, how: str = "bilinear") -> Tensor:
    """Move each picture by its matrix (n, 3, 3)."""
    height, width = pictures.shape[-2:]
    sides = torch.tensor([width / 2, height / 2, 1.0], device=pictures.device)  # affine_grid counts from -1 to 1
    grid = F.affine_grid((source * sides / sides[:, None])[:, :2], list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures - fill, grid, how, align_corners=False) + fill


def resample_both(planes: Tensor, source: Tensor) -> Tensor:
    """Move pictures, and the masks in the last plane, where each pixel takes the nearest class."""
    moved = resample(planes[:, :-1], source), resample(planes[:, -1:], source, how="nearest")
    return torch.cat(moved, dim=1)


def with_masks(pictures: Tensor, masks: Tensor) -> Tensor:
    """Put masks behind the colours as one more plane, where 0 is no class."""
    return torch.cat((pictures, 1 - masks[:, None] / 255), dim=1)


def taken_apart(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Return pictures and masks, 255 for no class."""
    return planes[:, :-1], 255 - (planes[:, -1] * 255).round().byte()


Policy = Sequence[Sequence[tuple[str, float, float]]]


def take_lists(pictures: Tensor, policy: Policy) -> Tensor:
    """AutoAugment: each picture takes one of the lists, and its operations in order, each with its probability."""
    choice = torch.randint(len(policy), (len(pictures),))
    for number, operations in enumerate(policy):
        members = (choice == number).nonzero().flatten()
        for name, probability, magnitude in operations:
            chosen = members[torch.rand(len(members)) < probability].to(pictures.device)
            if len(chosen):
                pictures = pictures.index_copy(0, chosen, operate(pictures[chosen], name, magnitude / 10))
    return pictures


def operate(pictures: Tensor, name: str, share: float) -> Tensor:
    """Apply one operation with a share of its greatest strength."""
    n, _, height, width = pictures.shape
    either_way = share * (torch.randint(2, (n,), device=pictures.device) * 2.0 - 1)
    strengths = torch.full((n,), share, device=pictures.device)
    match name:
        case "shear-x":
            return resample(pictures, affine(pictures, b=0.3 * either_way), GREY)
        case "shear-y":
            return resample(pictures, affine(pictures, d=0.3 * either_way), GREY)
        case "translate-x":
            return resample(pictures, affine(pictures, c=(either_way * width * 10 / 32).round()), GREY)
        case "translate-y":
            return resample(pictures, affine(pictures, f=(either_way * height * 10 / 32).round()), GREY)
        case "rotate":
            return resample(pictures, rotation(pictures, 30 * either_way), GREY)
        case "solarize":
            return solarize(pictures, 256 - 256 * strengths)
        case "posterize":
            return posterize(pictures, 8 - (4 * strengths).round().long())
        case "auto-contrast":
            return auto_contrast(pictures)
        case "invert":
            return invert(pictures)
        case "equalize":
            return equalize(pictures)
        case "cutout":
            x, y = torch.randint(width, (n,)), torch.randint(height, (n,))
            side = round(share * min(height, width) * 20 / 32)
            return cut_out(pictures, x.to(pictures.device), y.to(pictures.device), side, GREY)
    blends = {"contrast": contrast, "saturation": saturation, "brightness": brightness, "sharpness": sharpness}
    return blends[name](pictures, 0.1 + 1.8 * strengths)
