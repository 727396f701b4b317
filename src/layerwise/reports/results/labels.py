"""A class at each step, on one split: how many steps are right, class by class, and the text in the colours given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from layerwise.data.characters import FIRST, CharacterPreprocessing
from layerwise.data.dataset import Notice
from layerwise.reports import markup, wording
from layerwise.reports.figures import BLUE, new_chart
from layerwise.reports.results.classes import ClassScore, count_confusion, score_classes
from layerwise.reports.results.result import Evidence, Rows, Subject, Tile
from layerwise.tasks.labelling import NOT_TOLD, Labelling

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SHOWN = 6  # samples: the worst, and as many evenly from all
COLOURS = ("blue", "orange", "green", "pink", "sky", "muted", "grid")

Step = tuple[str, str, str]  # a character, its class, and the class that it was given


@dataclass(frozen=True)
class LabelledSample:
    """A sample with what each of its steps is and was given."""

    id: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class LabelResult:
    """A labelling of one split. count: samples. steps: that have a class. baseline: share of the commonest class."""

    goal: ClassVar[str] = "labelling"

    count: int
    steps: int
    accuracy: float
    loss: float
    baseline: float
    classes: tuple[ClassScore, ...]
    samples: tuple[LabelledSample, ...]

    @property
    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss, "accuracy": self.accuracy}

    @property
    def summary(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("count", "steps", "accuracy", "baseline", "loss")}

    def to_json(self) -> dict[str, Any]:
        return {"goal": self.goal, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LabelResult:
        samples = tuple(LabelledSample(one["id"], tuple(map(tuple, one["steps"]))) for one in values["samples"])
        return cls(**{**values, "classes": tuple(ClassScore(**one) for one in values["classes"]), "samples": samples})

    def sentence(self, samples: str, who: str = "It") -> str:
        return (
            f"{who} names {wording.share(self.accuracy)} of {wording.count(self.steps)} steps of {samples} correctly; "
            f"always giving the commonest class is right in {wording.share(self.baseline)}."
        )

    def lines(self) -> list[str]:
        return [
            f"accuracy {wording.share(self.accuracy)} of {wording.count(self.steps)} steps, "
            f"loss {wording.decimal(self.loss)}"
        ]

    def table(self) -> Rows:
        rows = [
            [one.name, *(wording.share(value) for value in (one.precision, one.recall, one.f1)), one.support]
            for one in self.classes
        ]
        return ["class", "precision", "recall", "F1", "steps"], rows

    def examples(self) -> tuple[str, list[str]]:
        return "", []

    def tiles(self) -> list[Tile]:
        return [(wording.share(self.accuracy), "accuracy", f"of {wording.count(self.steps)} steps")]

    def notices(self) -> Iterator[Notice]:
        yield from ()

    def section(self, evidence: Evidence) -> str:
        return label_section(self)

    def drawings(self, subject: Subject) -> Iterator[tuple[str, Figure]]:
        figure, axes = new_chart("F1", "", height=1.0 + 0.3 * len(self.classes), grid="x")
        axes.barh([one.name for one in self.classes], [one.f1 for one in self.classes], color=BLUE, height=0.7)
        axes.invert_yaxis()
        yield "classes", figure


def measure(subject: Subject) -> LabelResult:
    """Measure a network that gives a class at each step."""
    task, preprocessing = subject.task, subject.preprocessing
    assert isinstance(task, Labelling)
    truth, given, nats = task.tell(subject.model, subject.batches())
    confusion = count_confusion(truth.numpy(), given.numpy(), len(task.classes))
    rows = torch.full_like(subject.split.targets, NOT_TOLD)
    rows[subject.split.targets != NOT_TOLD] = given
    wrong = ((rows != subject.split.targets).sum(1).double() / (subject.split.targets != NOT_TOLD).sum(1)).argsort()
    even = torch.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).long()
    chosen = dict.fromkeys([*wrong.flip(0)[:SHOWN].tolist(), *even.tolist()])
    inputs = subject.split.inputs[torch.tensor(list(chosen))]
    return LabelResult(
        count=len(subject.split),
        steps=len(truth),
        **task.metrics(truth, given, nats),
        baseline=float(confusion.sum(1).max() / max(len(truth), 1)),
        classes=score_classes(task.classes, confusion),
        samples=tuple(
            LabelledSample(
                subject.split.ids[place],
                steps_of(inputs[number].tolist(), subject.split.targets[place].tolist(), rows[place].tolist(), subject),
            )
            for number, place in enumerate(chosen)
        )
        if isinstance(preprocessing, CharacterPreprocessing)
        else (),
    )


def steps_of(tokens: Sequence[int], truth: Sequence[int], given: Sequence[int], subject: Subject) -> tuple[Step, ...]:
    """Return each character with its class and the class that it was given."""
    task, preprocessing = subject.task, subject.preprocessing
    assert isinstance(task, Labelling)
    assert isinstance(preprocessing, CharacterPreprocessing)
    return tuple(
        (
            preprocessing.characters[token - FIRST] if token >= FIRST else "\ufffd",
            task.classes[is_],
            task.classes[said],
        )
        for token, is_, said in zip(tokens, truth, given, strict=True)
        if is_ != NOT_TOLD
    )


def label_section(result: LabelResult) -> str:
    """Class by class, and samples in the colours of what was given."""
    columns, rows = result.table()
    names = [one.name for one in result.classes]
    colours = {
        name: f"color-mix(in srgb, var(--{COLOURS[n % len(COLOURS)]}) 35%, transparent)" for n, name in enumerate(names)
    }
    shown = "".join(
        markup.subtitle(sample.id)
        + markup.coloured(
            (character, colours[said], said if said == is_ else f"given {said}, is {is_}")
            for character, is_, said in sample.steps
        )
        for sample in result.samples
    )
    legend = markup.coloured((f" {name} ", colours[name], name) for name in names)
    return markup.section(
        "answers",
        "Where it is right, and where not",
        markup.table(columns, [[str(cell) for cell in row] for row in rows], caption="Class by class"),
        legend,
        markup.folded("Samples in the colours of what was given, the worst first", shown, is_open=True),
    )
