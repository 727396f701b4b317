"""Reading raw data files."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

SUFFIXES = {
    ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm",
    ".tif", ".tiff", ".webp",
}  # fmt: skip


def read_idx(path: Path) -> Tensor:
    """Read a file of LeCun's IDX format: four bytes, the sizes of the dimensions, the values."""
    data = np.fromfile(path, np.uint8)
    start = 4 + 4 * int(data[3])
    return torch.from_numpy(data[start:].reshape(data[4:start].view(">u4").tolist()))


def read_records(data: bytes) -> tuple[Tensor, Tensor]:
    """Return the pictures and labels of a CIFAR-10 file: a byte of label, then 3 x 32 x 32 bytes of picture."""
    records = torch.from_numpy(np.frombuffer(data, np.uint8).reshape(-1, 3073).copy())
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].long()


def to_8_bits(image: Image.Image) -> Image.Image:
    """Scale deeper pictures to 8 bits and lay transparent ones on white."""
    if image.mode.startswith("I") or image.mode == "F":
        highest = 1.0 if image.mode == "F" else 65535.0
        return Image.fromarray(np.rint(np.asarray(image, np.float64) / highest * 255).astype(np.uint8))
    if image.has_transparency_data:
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image


def read_picture(path: Path, mode: str, height: int, width: int) -> Tensor:
    """Read a picture upright: the shorter side resized, the centre cut out, (channels, height, width) uint8."""
    with Image.open(path) as image:
        image.draft(None, (2 * max(height, width), 2 * max(height, width)))  # a JPEG is decoded smaller
        plain = to_8_bits(ImageOps.exif_transpose(image)).convert(mode)
    if plain.size != (width, height):
        plain = ImageOps.fit(plain, (width, height), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(plain, np.uint8).reshape(height, width, -1)).permute(2, 0, 1)


def read_classes(folder: Path, classes: list[str], mode: str, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Read a folder of class folders in the order of their names; return pictures and labels."""
    files = [(path, label) for label, name in enumerate(classes) for path in pictures_in(folder / name)]
    pictures = torch.stack([read_picture(path, mode, height, width) for path, _ in files])
    return pictures, torch.tensor([label for _, label in files])


def pictures_in(folder: Path) -> list[Path]:
    """List the pictures of a folder, then those of its folders; hidden files and links are left out."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_symlink())
    files = [path for path in entries if path.is_file() and path.suffix.lower() in SUFFIXES]
    return files + [path for below in entries if below.is_dir() for path in pictures_in(below)]
