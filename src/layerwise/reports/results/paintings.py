"""What a GAN paints: its pictures, how like real ones they are, and how well its discriminator still tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from layerwise.data.dataset import Dataset, Notice
from layerwise.generation.walks import tour
from layerwise.reports import markup, pictures, wording
from layerwise.reports.grids import grid_figure, picture_grid, sample_grids, to_address
from layerwise.reports.likeness import PAINTING_SEED, Likeness, likeness_table, measure_likeness, nearest_pictures
from layerwise.reports.pictures import Pixels
from layerwise.reports.results.result import Evidence, Rows, Subject, Tile
from layerwise.tasks.adversarial import Adversarial
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.painting import Painter, draw_pictures, paint_codes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SAMPLES_SHOWN = 64
NEIGHBOURS_SHOWN = 12
WALKS_SHOWN, STEPS_SHOWN = 5, 12


@dataclass(frozen=True)
class PaintingResult:
    """A GAN. count: pictures of the split that was measured on.

    right_on_real, right_on_painted: how often the discriminator is right, by halves at the best.
    """

    goal: ClassVar[str] = "adversarial"

    count: int
    right_on_real: float
    right_on_painted: float
    likeness: Likeness

    @property
    def metrics(self) -> dict[str, float]:
        return {"right_on_real": self.right_on_real, "right_on_painted": self.right_on_painted}

    @property
    def summary(self) -> dict[str, float]:
        return {"count": self.count, **self.likeness.summary, **self.metrics}

    def to_json(self) -> dict[str, Any]:
        return {"goal": self.goal, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PaintingResult:
        return cls(**{**values, "likeness": Likeness.from_json(values["likeness"])})

    def sentence(self, samples: str, who: str = "It") -> str:
        return (
            f"{who} paints pictures at a Fréchet distance of {wording.decimal(self.likeness.frechet)} from {samples}, "
            f"whose halves are {wording.decimal(self.likeness.frechet_real)} apart."
        )

    def lines(self) -> list[str]:
        told = (
            f"the discriminator is right on {wording.share(self.right_on_real)} of the real pictures and on "
            f"{wording.share(self.right_on_painted)} of the painted ones"
        )
        return [*self.likeness.lines(), told]

    def table(self) -> Rows | None:
        return None

    def examples(self) -> tuple[str, list[str]]:
        return "", []

    def tiles(self) -> list[Tile]:
        rights = f"{wording.share(self.right_on_painted)} of painted ones; 50 % is guessing"
        return [*self.likeness.tiles(), (wording.share(self.right_on_real), "real pictures told by the judge", rights)]

    def notices(self) -> Iterator[Notice]:
        yield from self.likeness.notices()

    def section(self, evidence: Evidence) -> str:
        return painting_section(self, evidence)

    def drawings(self, subject: Subject) -> Iterator[tuple[str, Figure]]:
        task = subject.task
        assert isinstance(task, Adversarial)
        painted = draw_pictures(task, subject.model, SAMPLES_SHOWN, PAINTING_SEED)
        shown = pictures.to_pixels(painted)
        yield "samples", grid_figure(shown, 8, "Painted, none chosen")
        rows = neighbour_rows(painted[:NEIGHBOURS_SHOWN], subject.data())
        yield (
            "neighbours",
            grid_figure(rows, NEIGHBOURS_SHOWN, "Painted, and below each the nearest training picture"),
        )
        walk = walk_pixels(task, subject.model, WALKS_SHOWN, STEPS_SHOWN)
        yield "walk", grid_figure(walk, STEPS_SHOWN, "A walk through the space of codes")


def measure(subject: Subject) -> PaintingResult:
    """Measure a GAN."""
    task = subject.task
    assert isinstance(task, Adversarial)
    return PaintingResult(
        count=len(subject.split),
        **task.evaluate(subject.model, subject.batches()),
        likeness=measure_likeness(
            lambda count: draw_pictures(task, subject.model, count, PAINTING_SEED), subject.data(), subject.split
        ),
    )


def neighbour_rows(painted: Tensor, dataset: Dataset) -> list[Pixels]:
    """Return painted pictures, and behind them the training picture nearest to each."""
    training = dataset.train.take(torch.arange(len(dataset.train)))[0]
    _, places = nearest_pictures(painted, training)
    return [*pictures.to_pixels(painted), *pictures.to_pixels(training[places])]


def walk_pixels(task: Painter, model: nn.Module, stations: int, steps: int) -> list[Pixels]:
    """Return pictures on a walk between codes drawn by chance, `steps` from one to the next."""
    codes = task.draw_codes(model, stations, torch.Generator().manual_seed(PAINTING_SEED)).cpu()
    return pictures.to_pixels(paint_codes(task, model, tour(codes, steps)))


def painting_section(result: PaintingResult, evidence: Evidence) -> str:
    """Painted pictures, their nearest training pictures, a walk, and the grids of the training."""
    task = Adversarial.for_data(evidence.dataset, TaskConfig())
    painted = draw_pictures(task, evidence.model, SAMPLES_SHOWN, PAINTING_SEED)
    neighbours = picture_grid(neighbour_rows(painted[:NEIGHBOURS_SHOWN], evidence.dataset), NEIGHBOURS_SHOWN)
    walk = picture_grid(walk_pixels(task, evidence.model, WALKS_SHOWN, STEPS_SHOWN), STEPS_SHOWN)
    grids = [markup.picture(uri, title) for title, uri in (sample_grids(evidence.folder) if evidence.folder else [])]
    return markup.section(
        "answers",
        "What it paints",
        markup.picture(
            to_address(picture_grid(pictures.to_pixels(painted), 8)),
            "Painted pictures",
            "Drawn by chance, none chosen.",
        ),
        likeness_table(result.likeness),
        markup.picture(
            to_address(neighbours),
            "Is it copying?",
            "Above painted pictures, below each the training picture that is nearest to it.",
        ),
        markup.picture(
            to_address(walk),
            "A walk through the space of codes",
            "Each row leads from one painted picture to the next; what lies between should be pictures, too.",
        ),
        markup.folded("The same codes while it learned", markup.columns(*grids), is_open=True) if grids else "",
    )
