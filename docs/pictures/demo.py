"""Draw docs/pictures/demo.png, the picture in the README, from a finished run of the demo.

layerwise demo --no-open
python docs/pictures/demo.py lenet5-digits docs/pictures/demo.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure, SubFigure

from layerwise import Run
from layerwise.data.dataset import Split
from layerwise.reports import charts, pictures, wording
from layerwise.reports.figures import BLUE, INK, MUTED, ORANGE, legend, save, style
from layerwise.reports.results import ClassificationResult
from layerwise.runs.metrics import Record

PICTURES_A_ROW = 12
TITLE_SIZE, LABEL_SIZE = 12, 10


def draw(run: Run, file: Path) -> None:
    """Write four views of `run`: its answers, its first-layer filters, how it learned, what it takes for what."""
    test = run.dataset().test
    evaluation, outputs = run.evaluate_split(test), run.outputs(test.inputs)
    if not isinstance(evaluation, ClassificationResult):
        raise SystemExit(f"{run.name} gives numbers, and this picture shows classes; name a run of pictures.")
    figure = Figure(figsize=(11, 7.4), layout="constrained", facecolor="white")
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.45], hspace=0.04)
    count, share = wording.count(evaluation.count), wording.share(evaluation.accuracy)
    title(
        above, f"It names {share} of {count} pictures right that it never saw. The last of these is its surest mistake."
    )
    draw_answers(above, run, test, outputs, evaluation)
    left, middle, right = below.subfigures(1, 3, width_ratios=[1.15, 0.75, 1], wspace=0.05)
    title(left, "How it learned")
    draw_losses(left, run.metrics)
    title(middle, "What its first layer looks for")
    draw_filters(middle, run)
    title(right, "Which digit is taken for which")
    draw_confusion(right, evaluation)
    save(figure, file)


def title(part: Figure | SubFigure, text: str) -> None:
    part.suptitle(text, fontsize=TITLE_SIZE, color=INK)


def draw_answers(
    part: SubFigure, run: Run, test: Split, outputs: torch.Tensor, evaluation: ClassificationResult
) -> None:
    """Show test pictures with the answer and its probability; mistakes come last, in orange."""
    wrong = [mistake.position for mistake in evaluation.worst][:1]
    shown = [position for position in range(len(test)) if position not in wrong][
        : 2 * PICTURES_A_ROW - len(wrong)
    ] + wrong
    pixels = pictures.to_pixels(test.take(torch.tensor(shown))[0])
    answers = run.task.decode(outputs[shown])
    grid = part.subplots(2, PICTURES_A_ROW).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, position, picture, answer in zip(grid, shown, pixels, answers, strict=False):
        axes.imshow(picture)
        colour = ORANGE if position in wrong else BLUE
        text = f"{answer['label']}  ({answer['probability']:.0%})"
        axes.set_title(text, fontsize=LABEL_SIZE, color=colour, y=-0.32)


def draw_losses(part: SubFigure, records: list[Record]) -> None:
    """Draw the loss on what it learns from and on what is held out, over epochs."""
    axes = part.subplots()
    style(axes, "epoch", "loss")
    steps, losses = charts.thin(*charts.loss_parts(records)["model"])
    axes.plot(steps / charts.steps_per_epoch(records), charts.smoothed(losses), color=BLUE, label="training")
    epochs, values, _ = charts.validation_curve(records, "loss")
    axes.plot(epochs, values, color=ORANGE, marker="o", markersize=3.5, label="held out")
    axes.set_yscale("log")
    legend(axes)


def draw_filters(part: SubFigure, run: Run) -> None:
    """Draw the first convolution's filters: light in blue places excites them, dark in orange ones."""
    filters = pictures.first_filters(run.model)
    if filters is None:
        raise SystemExit(f"the first layer of {run.name} looks at no picture; name a run of a convolutional network.")
    grid = part.subplots(-(-len(filters) // 2), 2, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, picture in zip(grid, pictures.filter_pixels(filters), strict=False):
        axes.imshow(picture, interpolation="nearest")


def draw_confusion(part: SubFigure, evaluation: ClassificationResult) -> None:
    """Draw counts of truth (rows) against answer (columns), right ones blue, wrong ones orange."""
    axes = part.subplots()
    style(axes, "the network's answer", "truth", grid="")
    counts = np.array(evaluation.confusion)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = BLUE if row == column else ORANGE
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=LABEL_SIZE)
    names = [one.name for one in evaluation.classes]
    axes.set_xticks(range(len(names)), names, color=MUTED)
    axes.set_yticks(range(len(names)), names, color=MUTED)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_aspect("equal")


if __name__ == "__main__":
    draw(Run.open(sys.argv[1]), Path(sys.argv[2]))
