"""Figures of a GAN: generated images, their similarity to real ones, accuracy of the discriminator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from layerwise.data.dataset import Dataset, Notice
from layerwise.generation.interpolation import tour
from layerwise.reports import markup, pictures, wording
from layerwise.reports.grids import grid_figure, picture_grid, sample_grids, to_address
from layerwise.reports.pictures import Pixels
from layerwise.reports.results.result import EvaluationInput, ReportContext, Rows, Tile
from layerwise.reports.sample_quality import (
    SAMPLING_SEED,
    SampleQuality,
    measure_sample_quality,
    nearest_pictures,
    sample_quality_table,
)
from layerwise.tasks.adversarial import Adversarial
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.generative import GenerativeTask, generate, sample_images

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SAMPLES_SHOWN = 64
NEIGHBOURS_SHOWN = 12
WALKS_SHOWN, STEPS_SHOWN = 5, 12


@dataclass(frozen=True)
class AdversarialResult:
    """A GAN. count: pictures of the split that was measured on.

    accuracy_on_real, accuracy_on_generated: how often the discriminator is right, by halves at the best.
    """

    task: ClassVar[str] = "adversarial"

    count: int
    accuracy_on_real: float
    accuracy_on_generated: float
    sample_quality: SampleQuality

    @property
    def metrics(self) -> dict[str, float]:
        return {"accuracy_on_real": self.accuracy_on_real, "accuracy_on_generated": self.accuracy_on_generated}

    @property
    def summary(self) -> dict[str, float]:
        return {"count": self.count, **self.sample_quality.summary, **self.metrics}

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AdversarialResult:
        return cls(**{**values, "sample_quality": SampleQuality.from_json(values["sample_quality"])})

    def sentence(self, samples: str, who: str = "It") -> str:
        return (
            f"{who} generates images with a Fréchet distance of {wording.decimal(self.sample_quality.frechet)} to "
            f"{samples} (between two halves of the real images: {wording.decimal(self.sample_quality.frechet_real)})."
        )

    def lines(self) -> list[str]:
        told = (
            f"accuracy of the discriminator: {wording.share(self.accuracy_on_real)} on real images, "
            f"{wording.share(self.accuracy_on_generated)} on generated images"
        )
        return [*self.sample_quality.lines(), told]

    def table(self) -> Rows | None:
        return None

    def examples(self) -> tuple[str, list[str]]:
        return "", []

    def tiles(self) -> list[Tile]:
        rights = f"{wording.share(self.accuracy_on_generated)} on generated images; chance is 50 %"
        return [
            *self.sample_quality.tiles(),
            (wording.share(self.accuracy_on_real), "real pictures told by the feature_network", rights),
        ]

    def notices(self) -> Iterator[Notice]:
        yield from self.sample_quality.notices()

    def section(self, context: ReportContext) -> str:
        return adversarial_section(self, context)

    def drawings(self, evaluation_input: EvaluationInput) -> Iterator[tuple[str, Figure]]:
        task = evaluation_input.task
        assert isinstance(task, Adversarial)
        generated = sample_images(task, evaluation_input.model, SAMPLES_SHOWN, SAMPLING_SEED)
        shown = pictures.to_pixels(generated)
        yield "samples", grid_figure(shown, 8, "Generated images, not selected")
        rows = neighbour_rows(generated[:NEIGHBOURS_SHOWN], evaluation_input.data())
        yield (
            "neighbours",
            grid_figure(rows, NEIGHBOURS_SHOWN, "Generated images, and below each the nearest training image"),
        )
        walk = walk_pixels(task, evaluation_input.model, WALKS_SHOWN, STEPS_SHOWN)
        yield "walk", grid_figure(walk, STEPS_SHOWN, "A walk through the space of codes")


def measure(evaluation_input: EvaluationInput) -> AdversarialResult:
    """Measure a GAN."""
    task = evaluation_input.task
    assert isinstance(task, Adversarial)
    return AdversarialResult(
        count=len(evaluation_input.split),
        **task.evaluate(evaluation_input.model, evaluation_input.batches()),
        sample_quality=measure_sample_quality(
            lambda count: sample_images(task, evaluation_input.model, count, SAMPLING_SEED),
            evaluation_input.data(),
            evaluation_input.split,
        ),
    )


def neighbour_rows(generated: Tensor, dataset: Dataset) -> list[Pixels]:
    """Return generated pictures, and behind them the training picture nearest to each."""
    training = dataset.train.take(torch.arange(len(dataset.train)))[0]
    _, places = nearest_pictures(generated, training)
    return [*pictures.to_pixels(generated), *pictures.to_pixels(training[places])]


def walk_pixels(task: GenerativeTask, model: nn.Module, waypoints: int, steps: int) -> list[Pixels]:
    """Return pictures on a walk between codes drawn by chance, `steps` from one to the next."""
    codes = task.sample_latents(model, waypoints, torch.Generator().manual_seed(SAMPLING_SEED)).cpu()
    return pictures.to_pixels(generate(task, model, tour(codes, steps)))


def adversarial_section(result: AdversarialResult, context: ReportContext) -> str:
    """Generated pictures, their nearest training pictures, a walk, and the grids of the training."""
    task = Adversarial.for_data(context.dataset, TaskConfig())
    generated = sample_images(task, context.model, SAMPLES_SHOWN, SAMPLING_SEED)
    neighbours = picture_grid(neighbour_rows(generated[:NEIGHBOURS_SHOWN], context.dataset), NEIGHBOURS_SHOWN)
    walk = picture_grid(walk_pixels(task, context.model, WALKS_SHOWN, STEPS_SHOWN), STEPS_SHOWN)
    grids = [markup.picture(uri, title) for title, uri in (sample_grids(context.folder) if context.folder else [])]
    return markup.section(
        "answers",
        "Generated images",
        markup.picture(
            to_address(picture_grid(pictures.to_pixels(generated), 8)),
            "Generated pictures",
            "Random samples, not selected.",
        ),
        sample_quality_table(result.sample_quality),
        markup.picture(
            to_address(neighbours),
            "Is it copying?",
            "Top: generated images. Below each: its nearest training image.",
        ),
        markup.picture(
            to_address(walk),
            "A walk through the space of codes",
            "Each row interpolates between two latents; a good generator gives sharp images all along it.",
        ),
        markup.folded("The same codes while it learned", markup.columns(*grids), is_open=True) if grids else "",
    )
