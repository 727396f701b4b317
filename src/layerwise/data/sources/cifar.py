"""CIFAR-10: 60,000 colour pictures of 32x32 in ten classes, in the binary version of its author.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. A record is one byte of label and
3,072 bytes of picture: 1,024 red, 1,024 green, 1,024 blue, each row by row. The archive is read where it lies.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from layerwise.data.dataset import Split
from layerwise.data.download.archives import read_files
from layerwise.data.download.fetch import Package, Pin, fetch
from layerwise.data.raw import Progress, RawImages
from layerwise.errors import DataError

ARCHIVE = Pin(  # its home page publishes the MD5 c32a1d4ab5d03f1284b67883e8d87530
    "cifar-10-binary.tar.gz", 170_052_171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
)
CIFAR10 = Package("cifar10", (ARCHIVE,), homes=(f"https://www.cs.toronto.edu/~kriz/{ARCHIVE.name}",))
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TRAIN_FILES = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("cifar-10-batches-bin/test_batch.bin",)
SHAPE = (3, 32, 32)
RECORD_BYTES = 1 + 3 * 32 * 32
UNPACKED_LIMIT = 200 * 2**20


def cifar10(progress: Progress | None = None) -> RawImages:
    """Animals and vehicles: 50,000 pictures to train with and 10,000 to test."""
    return read_cifar(fetch(CIFAR10, progress) / ARCHIVE.name)


def read_cifar(archive: Path) -> RawImages:
    """Read an archive of this layout, with any number of records. Raises DataError."""
    wanted = {*TRAIN_FILES, *TEST_FILES}
    files = dict(read_files(archive, wanted.__contains__, UNPACKED_LIMIT))
    missing = sorted(wanted - files.keys())
    if missing:
        raise DataError(f"{archive} has no {missing[0]}, so it is not CIFAR-10 in its binary version; get it anew.")
    train = _split(archive, files, TRAIN_FILES, "train")
    test = _split(archive, files, TEST_FILES, "test")
    return RawImages(train, CLASSES, "CIFAR-10, Krizhevsky 2009", test=test)


def _split(archive: Path, files: dict[str, bytes], names: tuple[str, ...], split: str) -> Split:
    for name in names:
        if len(files[name]) % RECORD_BYTES:
            raise DataError(f"{archive}: {name} ends within a record of {RECORD_BYTES:,} bytes; get it anew.")
    data = b"".join(files[name] for name in names)
    records = torch.from_numpy(np.frombuffer(data, np.uint8).reshape(-1, RECORD_BYTES).copy())
    targets = records[:, 0].long()
    if len(targets) and int(targets.max()) >= len(CLASSES):
        raise DataError(f"{archive}: a label of the {split} part is {int(targets.max())}; labels go from 0 to 9.")
    pictures = records[:, 1:].reshape(-1, *SHAPE)  # (n, 3, height, width)
    return Split(pictures, targets, [f"{split} {number}" for number in range(len(targets))])
