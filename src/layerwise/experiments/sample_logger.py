"""A watcher that paints from the same codes again and again while a network learns, and makes a film of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from layerwise.reports.grids import SAMPLES, grid_files, grid_name, picture_grid, step_of, to_gif, to_png
from layerwise.reports.pictures import to_pixels
from layerwise.runs.atomic import storage_errors, write_bytes
from layerwise.tasks import Task
from layerwise.tasks.generative import GenerativeTask, generate
from layerwise.training.events import Event, Finished, Reported, Started

PICTURES = 36
GRID_PX = 40  # about so large is a picture in a grid
GRIDS_AT_MOST = 100
FILM = "training.gif"
FRAME_MS, LAST_MS = 120, 3000


class SampleLogger:
    """Writes a grid of pictures of fixed codes into the run folder when losses are reported, at most 100 in a training.

    Its codes are drawn by a generator of their own and the model is left in the mode that it was in, so that a training
    takes the same steps with and without it. The last grid is painted by the weights that are kept.
    """

    def __init__(self, task: GenerativeTask, model: nn.Module, folder: Path) -> None:
        self.task, self.model, self.folder = task, model, folder
        self.codes: Tensor = task.sample_latents(model, PICTURES, torch.Generator().manual_seed(0))
        self.next_step, self.every = 1, 1

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self._begin(event)
            case Reported() if event.step >= self.next_step:
                self.next_step = event.step + self.every
                self._paint(event.epoch, event.step)
            case Finished():
                self._paint(max(event.best_epoch, 0), event.step)
                self._film()

    def _begin(self, event: Started) -> None:
        """Make the folder, and drop what was painted after the checkpoint that the training goes on from."""
        with storage_errors(self.folder):
            (self.folder / SAMPLES).mkdir(exist_ok=True)
            kept = [path for path in grid_files(self.folder) if step_of(path) <= event.step]
            for path in {*grid_files(self.folder)} - {*kept}:
                path.unlink()
        self.every = max(1, event.steps // GRIDS_AT_MOST)
        if not kept:
            self._paint(0, event.step)
        self.next_step = step_of((kept or grid_files(self.folder))[-1]) + self.every

    def _paint(self, epoch: int, step: int) -> None:
        was_training = self.model.training
        self.model.eval()
        generated = generate(self.task, self.model, self.codes)
        self.model.train(was_training)
        grid = picture_grid(to_pixels(generated), shown_px=GRID_PX)
        write_bytes(self.folder / SAMPLES / grid_name(epoch, step), to_png(grid))

    def _film(self) -> None:
        frames = []
        for path in grid_files(self.folder):
            with Image.open(path) as grid:
                frames.append(np.asarray(grid.convert("RGB")))
        write_bytes(self.folder / SAMPLES / FILM, to_gif(frames, FRAME_MS, LAST_MS))


def sample_loggers(task: Task, model: nn.Module, folder: Path) -> list[SampleLogger]:
    """Return the watcher of a network that paints of codes drawn by chance; none for any other."""
    if not isinstance(task, GenerativeTask) or not getattr(model, "variational", True):
        return []
    return [SampleLogger(task, model, folder)]
