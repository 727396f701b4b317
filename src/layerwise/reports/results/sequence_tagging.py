"""A class at each step, on one split: how many steps are right, class by class, and the text in the colours given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from layerwise.data.dataset import Notice
from layerwise.data.text.characters import FIRST, CharacterPreprocessing
from layerwise.errors import LayerwiseError
from layerwise.reports import markup, wording
from layerwise.reports.figures import BLUE, new_chart
from layerwise.reports.results.classification import ClassScore, count_confusion, score_classes
from layerwise.reports.results.result import EvaluationInput, ReportContext, Rows, Tile
from layerwise.tasks.sequence_tagging import NOT_TOLD, SequenceTagging

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
class SequenceTaggingResult:
    """A labelling of one split.

    count: samples. steps: that have a class. baseline: share of the commonest class.
    by_token: share that is right where each token gets the class that it has most often in training; None where the
        training split was not at hand.
    """

    task: ClassVar[str] = "sequence_tagging"

    count: int
    steps: int
    accuracy: float
    loss: float
    baseline: float
    classes: tuple[ClassScore, ...]
    samples: tuple[LabelledSample, ...]
    by_token: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss, "accuracy": self.accuracy}

    @property
    def summary(self) -> dict[str, float]:
        by_token = {} if self.by_token is None else {"by_token": self.by_token}
        return {name: getattr(self, name) for name in ("count", "steps", "accuracy", "baseline", "loss")} | by_token

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SequenceTaggingResult:
        samples = tuple(LabelledSample(one["id"], tuple(map(tuple, one["steps"]))) for one in values["samples"])
        return cls(**{**values, "classes": tuple(ClassScore(**one) for one in values["classes"]), "samples": samples})

    def sentence(self, samples: str, who: str = "It") -> str:
        each = "" if self.by_token is None else f"; most frequent class per token: {wording.share(self.by_token)}"
        return (
            f"{who} tags {wording.share(self.accuracy)} of {wording.count(self.steps)} steps of {samples} correctly "
            f"(most frequent class: {wording.share(self.baseline)}{each})."
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

    def section(self, context: ReportContext) -> str:
        return sequence_tagging_section(self)

    def drawings(self, evaluation_input: EvaluationInput) -> Iterator[tuple[str, Figure]]:
        figure, axes = new_chart("F1", "", height=1.0 + 0.3 * len(self.classes), grid="x")
        axes.barh([one.name for one in self.classes], [one.f1 for one in self.classes], color=BLUE, height=0.7)
        axes.invert_yaxis()
        yield "classes", figure


def measure(evaluation_input: EvaluationInput) -> SequenceTaggingResult:
    """Measure a network that gives a class at each step."""
    task, preprocessing = evaluation_input.task, evaluation_input.preprocessing
    assert isinstance(task, SequenceTagging)
    truth, given, nats = task.tell(evaluation_input.model, evaluation_input.batches())
    confusion = count_confusion(truth.numpy(), given.numpy(), len(task.classes))
    rows = torch.full_like(evaluation_input.split.targets, NOT_TOLD)
    rows[evaluation_input.split.targets != NOT_TOLD] = given
    wrong = (
        (rows != evaluation_input.split.targets).sum(1).double() / (evaluation_input.split.targets != NOT_TOLD).sum(1)
    ).argsort()
    even = torch.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).long()
    chosen = dict.fromkeys([*wrong.flip(0)[:SHOWN].tolist(), *even.tolist()])
    inputs = evaluation_input.split.inputs[torch.tensor(list(chosen))]
    return SequenceTaggingResult(
        count=len(evaluation_input.split),
        steps=len(truth),
        **task.metrics(truth, given, nats),
        baseline=float(confusion.sum(1).max() / max(len(truth), 1)),
        classes=score_classes(task.classes, confusion),
        samples=tuple(
            LabelledSample(
                evaluation_input.split.ids[place],
                steps_of(
                    inputs[number].tolist(),
                    evaluation_input.split.targets[place].tolist(),
                    rows[place].tolist(),
                    evaluation_input,
                ),
            )
            for number, place in enumerate(chosen)
        )
        if isinstance(preprocessing, CharacterPreprocessing)
        else (),
        by_token=right_by_token(evaluation_input),
    )


def right_by_token(evaluation_input: EvaluationInput) -> float | None:
    """Return the accuracy of giving each token the class that it has most often in the training split.

    A token that was not seen there gets the commonest class. None where samples are no tokens, or training is not at
    hand.
    """
    try:
        training = evaluation_input.data().train
    except LayerwiseError:
        return None
    tokens, classes = training.inputs, training.targets
    inputs, targets = evaluation_input.split.inputs, evaluation_input.split.targets
    assert isinstance(tokens, Tensor)
    assert isinstance(inputs, Tensor)
    if tokens.is_floating_point():
        return None
    is_told, is_asked = classes != NOT_TOLD, targets != NOT_TOLD
    seen, asked = tokens[is_told], inputs[is_asked]
    size, kinds = int(max(seen.max(), asked.max())) + 1, int(max(classes.max(), targets.max())) + 1
    counts = torch.bincount(seen * kinds + classes[is_told], minlength=size * kinds).view(size, kinds)
    most = torch.where(counts.sum(1) > 0, counts.argmax(1), counts.sum(0).argmax())
    return (most[asked] == targets[is_asked]).double().mean().item()


def steps_of(
    tokens: Sequence[int], truth: Sequence[int], given: Sequence[int], evaluation_input: EvaluationInput
) -> tuple[Step, ...]:
    """Return each character with its class and the class that it was given."""
    task, preprocessing = evaluation_input.task, evaluation_input.preprocessing
    assert isinstance(task, SequenceTagging)
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


def sequence_tagging_section(result: SequenceTaggingResult) -> str:
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
