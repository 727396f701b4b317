"""What a trained network says of every pixel of a picture of any size."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from layerwise.data.images.files import read_picture
from layerwise.data.images.folders import list_pictures
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.errors import DataError, NotFoundError, UsageError, nearest
from layerwise.experiments.trained import Trained
from layerwise.generation.tiling import tiled_scores
from layerwise.reports import wording
from layerwise.reports.overlays import laid_over, with_legend
from layerwise.runs.atomic import check_output_file, write_bytes
from layerwise.tasks.segmentation import Segmentation

OVERLAY_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Segments:
    """A picture with the class of each of its pixels.

    mask: (height, width) uint8, numbers of `classes`. picture: (channels, height, width) uint8, as the network saw it.
    """

    classes: tuple[str, ...]
    mask: NDArray[np.uint8] = field(repr=False)
    picture: NDArray[np.uint8] = field(repr=False)

    @property
    def shares(self) -> dict[str, float]:
        """The share of the pixels that is of each class."""
        counts = np.bincount(self.mask.ravel(), minlength=len(self.classes))
        return dict(zip(self.classes, (counts / self.mask.size).tolist(), strict=True))

    def overlay(self) -> Image.Image:
        """Return the picture under the colours of its classes, with a legend below it."""
        pixels = np.broadcast_to(self.picture.transpose(1, 2, 0), (*self.mask.shape, 3))
        shares = self.shares
        entries = [
            (f"{name} {wording.share(shares[name])}", number)
            for number, name in enumerate(self.classes)
            if shares[name] > 0
        ]
        return with_legend(laid_over(pixels, self.mask, len(self.classes)), entries, len(self.classes))

    def save_overlay(self, path: str | Path) -> None:
        """Write the overlay. Raises UsageError or StorageError for a path that it cannot be written to."""
        check_overlay(Path(path))
        write_bytes(Path(path), picture_bytes(self.overlay(), Path(path).suffix))

    def save_mask(self, path: str | Path) -> None:
        """Write the mask as a grey PNG of class numbers, as it is read from a folder of masks.

        Raises StorageError for a place that cannot be written.
        """
        write_bytes(Path(path), picture_bytes(Image.fromarray(self.mask), ".png"))


def picture_bytes(image: Image.Image, suffix: str) -> bytes:
    """Return a picture as the bytes of a file whose name ends so."""
    stream = io.BytesIO()
    image.save(stream, Image.registered_extensions()[suffix.lower()])
    return stream.getvalue()


def segment(run: Trained, picture: str | Path | NDArray[np.uint8]) -> Segments:
    """Say of each pixel what it is.

    picture: a file, or (height, width, 3) or (height, width) uint8 values.

    Raises:
        UsageError: the run learned something else than masks, or the values are of another shape or type.
        NotFoundError, DataError: the file is missing or no picture.
    """
    task, preprocessing = segmentation_of(run)
    channels = preprocessing.channels
    values = planes_of(picture, channels) if isinstance(picture, np.ndarray) else read_picture(Path(picture), channels)
    prepared: Tensor = preprocessing.transform(torch.from_numpy(values))
    scores = tiled_scores(run.model, prepared)
    return Segments(task.classes, scores.argmax(0).to(torch.uint8).numpy(), values)


def segment_files(run: Trained, source: Path) -> list[dict[str, Any]]:
    """Return the shares of the classes in a picture, or in each picture of a folder, 'id' first."""
    if not source.exists():
        names = [entry.name for entry in source.parent.iterdir()] if source.parent.is_dir() else []
        raise NotFoundError(
            f"{source} does not exist; name a picture or a folder of them.{nearest(source.name, names)}"
        )
    found = list_pictures(source) if source.is_dir() else [(source, source.name)]
    if not found:
        raise DataError(f"{source} holds no pictures; name a folder with some in it.")
    return [{"id": name, "shares": segment(run, path).shares} for path, name in found]


def segmentation_of(run: Trained) -> tuple[Segmentation, ImagePreprocessing]:
    """Return what the run learned of pixels. Raises UsageError for a run that learned something else."""
    task, preprocessing = run.task, run.preprocessing
    if isinstance(task, Segmentation) and isinstance(preprocessing, ImagePreprocessing):
        return task, preprocessing
    raise UsageError(
        f"run {run.name} was trained for {wording.LEARNED[run.data_info['task']['name']]}, not for segmentation; "
        "name a run of segnet or unet."
    )


def planes_of(picture: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Return (height, width, 3) or (height, width) values in grey or colour as (channels, height, width)."""
    is_right = picture.dtype == np.uint8 and (picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 3))
    if not is_right or not picture.size:
        raise UsageError(
            f"a picture is a file or an array of (height, width, 3) or (height, width) uint8, received "
            f"{picture.dtype} of shape {picture.shape}."
        )
    values = np.array(Image.fromarray(picture).convert("L" if channels == 1 else "RGB"))
    return np.ascontiguousarray(values.reshape(*picture.shape[:2], channels).transpose(2, 0, 1))


def check_overlay(path: Path) -> None:
    """Refuse a file that no picture can be written to, before it is worked out."""
    check_output_file(path, "overlay", OVERLAY_SUFFIXES, "overlay.png")
