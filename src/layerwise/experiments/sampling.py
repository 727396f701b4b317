"""Images from a trained generative model: random samples, or an interpolation between latents."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from layerwise.errors import UsageError
from layerwise.experiments.trained import Trained
from layerwise.generation.config import ImageSamplingConfig
from layerwise.generation.interpolation import tour
from layerwise.reports import wording
from layerwise.reports.grids import picture_grid, to_gif, to_png
from layerwise.reports.pictures import to_pixels
from layerwise.runs.atomic import make_folder, write_bytes
from layerwise.tasks import task_name
from layerwise.tasks.generative import GenerativeTask, generate, sample_images

WALK_FRAME_MS = 80
SINGLE_PX = 112  # single pictures in a film are drawn about so large, by a whole factor


def sample(run: Trained, count: int = 64, seed: int = 0) -> Tensor:
    """Generate images from random latents.

    Args:
        count: how many pictures.
        seed: decides which; the same seed gives the same pictures.

    Returns:
        (count, channels, height, width) uint8.

    Raises:
        UsageError: the run's network generates no images, or a number cannot work.
    """
    ImageSamplingConfig(count, seed=seed)
    return sample_images(generative_run(run), run.model, count, seed)


def walk(run: Trained, waypoints: int = 8, steps: int = 12, seed: int = 0) -> Tensor:
    """Generate images along an interpolation between random latents, and back to the first.

    Args:
        stations: codes drawn by chance that the walk leads over, along arcs; at least 2.
        steps: pictures from one station to the next.

    Returns:
        (stations * steps, channels, height, width) uint8.

    Raises:
        UsageError: the run's network generates no images, or a number cannot work.
    """
    ImageSamplingConfig(waypoints, steps, seed)
    task = generative_run(run)
    codes = task.sample_latents(run.model, waypoints, torch.Generator().manual_seed(seed)).cpu()
    return generate(task, run.model, tour(codes, steps))


def generative_run(run: Trained) -> GenerativeTask:
    """Return the task of a run whose network generates images. Raises UsageError for any other."""
    if not isinstance(run.task, GenerativeTask):
        raise UsageError(
            f"run {run.name} was trained for {wording.LEARNED[task_name(run.task)]}, not for generation; "
            "train gan, dcgan or vae, on mnist for example."
        )
    return cast(GenerativeTask, run.task)


def write_pictures(pictures: Tensor, out: Path, each: Path | None = None) -> list[Path]:
    """Write pictures as one grid, and where `each` names a folder, each as a file of its own; return the files.

    Raises:
        StorageError: a place cannot be written.
    """
    pixels = to_pixels(pictures)
    files = [out]
    write_bytes(out, to_png(picture_grid(pixels)))
    if each is not None:
        make_folder(each)
        digits = max(2, len(str(len(pixels) - 1)))
        for number, one in enumerate(pixels):
            files.append(each / f"sample-{number:0{digits}}.png")
            write_bytes(files[-1], to_png(one))
    return files


def write_walk(pictures: Tensor, steps: int, out: Path) -> Path:
    """Write a walk: as a film where `out` ends in .gif, else as a picture with a row from each station to the next."""
    pixels = to_pixels(pictures)
    if out.suffix.lower() == ".gif":
        frames = [picture_grid([one], shown_px=SINGLE_PX) for one in pixels]
        write_bytes(out, to_gif(frames, WALK_FRAME_MS))
    else:
        write_bytes(out, to_png(picture_grid(pixels, steps)))
    return out
