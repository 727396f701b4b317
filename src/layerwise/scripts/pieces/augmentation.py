"""Augmentation in plain PyTorch: each picture of a batch is changed by its own chance.

Geometric parts give matrices (n, 3, 3) that say where a pixel comes from, counted from the centre of the picture;
neighbouring ones are multiplied and need one interpolation together.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.images.augmentation_ops import (
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


def shift(pictures: Tensor, margin: int, mode: str = "constant") -> Tensor:
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


def cover(pictures: Tensor, side: int) -> Tensor:
    """Cover a square anywhere in each picture (DeVries and Taylor 2017)."""
    x, y = torch.rand(2, len(pictures), device=pictures.device)
    return cut_out(pictures, (x * pictures.shape[3]).long(), (y * pictures.shape[2]).long(), side)


def recolour(pictures: Tensor, amount: float) -> Tensor:
    """Change brightness, contrast and saturation."""
    for change in (brightness, contrast, saturation):
        pictures = change(pictures, 1 + between(pictures, amount))
    return pictures


def between(pictures: Tensor, amount: float) -> Tensor:
    """Draw a number from -amount to amount for each picture."""
    return (torch.rand(len(pictures), device=pictures.device) * 2 - 1) * amount


def affine(like: Tensor, a=1.0, b=0.0, c=0.0, d=0.0, e=1.0, f=0.0) -> Tensor:  # type: ignore[no-untyped-def]
    """Return matrices of (x, y) -> (a x + b y + c, d x + e y + f)."""
    zero = torch.zeros(len(like), device=like.device)
    rows = [zero + entry for entry in (a, b, c, d, e, f, 0.0, 0.0, 1.0)]
    return torch.stack(rows, 1).view(-1, 3, 3)


def rotation(like: Tensor, degrees: Tensor) -> Tensor:
    """Turn pictures counterclockwise."""
    angles = degrees.deg2rad()
    return affine(like, a=angles.cos(), b=-angles.sin(), d=angles.sin(), e=angles.cos())


def turned(pictures: Tensor, degrees: float) -> Tensor:
    """Turn each picture by up to so many degrees either way."""
    return rotation(pictures, between(pictures, degrees))


def sheared(pictures: Tensor, amount: float) -> Tensor:
    """Shear each picture across and along."""
    return affine(pictures, b=between(pictures, amount)) @ affine(pictures, d=between(pictures, amount))


def zoomed(pictures: Tensor, amount: float) -> Tensor:
    """Zoom each picture in or out."""
    zoom = 1 / (1 + between(pictures, amount))
    return affine(pictures, a=zoom, e=zoom)


def moved(pictures: Tensor, share: float) -> Tensor:
    """Move each picture by up to a share of its sides."""
    height, width = pictures.shape[-2:]
    return affine(pictures, c=width * between(pictures, share), f=height * between(pictures, share))


def shifted(pictures: Tensor, pixels: int) -> Tensor:
    """Move each picture by whole pixels."""
    across, along = torch.randint(-pixels, pixels + 1, (2, len(pictures)), device=pictures.device)
    return affine(pictures, c=across, f=along)


def mirrored(pictures: Tensor, entry: str) -> Tensor:
    """Mirror half of the pictures: 'a' left to right, 'e' top to bottom."""
    side = 1 - 2.0 * torch.randint(2, (len(pictures),), device=pictures.device)
    return affine(pictures, **{entry: side})


def resample(pictures: Tensor, source: Tensor, fill: float = 0.0, how: str = "bilinear") -> Tensor:
    """Take each pixel from where its picture's matrix says."""
    height, width = pictures.shape[-2:]
    sides = torch.tensor([width / 2, height / 2, 1.0], device=pictures.device)  # affine_grid counts from -1 to 1
    grid = F.affine_grid((source * sides / sides[:, None])[:, :2], list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures - fill, grid, how, align_corners=False) + fill


def resample_both(planes: Tensor, source: Tensor) -> Tensor:
    """Move pictures, and the masks in the last plane, where each pixel takes the nearest class."""
    both = resample(planes[:, :-1], source), resample(planes[:, -1:], source, how="nearest")
    return torch.cat(both, dim=1)


def join_masks(pictures: Tensor, masks: Tensor) -> Tensor:
    """Put masks behind the colours as one more plane, where 0 is no class."""
    return torch.cat((pictures, 1 - masks[:, None] / 255), dim=1)


def part_masks(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Return pictures and masks, 255 for no class."""
    return planes[:, :-1], 255 - (planes[:, -1] * 255).round().byte()


def apply_policy(pictures: Tensor, policy: Sequence[Sequence[tuple[str, float, float]]]) -> Tensor:
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
    """Apply one operation of a policy with a share of its greatest strength."""
    n, _, height, width = pictures.shape
    grey = 128 / 255
    either_way = share * (torch.randint(2, (n,), device=pictures.device) * 2.0 - 1)
    strengths = torch.full((n,), share, device=pictures.device)
    match name:
        case "shear-x":
            return resample(pictures, affine(pictures, b=0.3 * either_way), grey)
        case "shear-y":
            return resample(pictures, affine(pictures, d=0.3 * either_way), grey)
        case "translate-x":
            return resample(pictures, affine(pictures, c=(either_way * width * 10 / 32).round()), grey)
        case "translate-y":
            return resample(pictures, affine(pictures, f=(either_way * height * 10 / 32).round()), grey)
        case "rotate":
            return resample(pictures, rotation(pictures, 30 * either_way), grey)
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
            return cut_out(pictures, x.to(pictures.device), y.to(pictures.device), side, grey)
    blends = {"contrast": contrast, "saturation": saturation, "brightness": brightness, "sharpness": sharpness}
    return blends[name](pictures, 0.1 + 1.8 * strengths)
