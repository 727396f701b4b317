"""A segmenter on one split: how many pixels are right, how far regions overlap the true ones, the worst pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.batches import Batches
from layerwise.data.dataset import UNLABELLED, Notice, Preprocessing, Split
from layerwise.reports import charts, markup, pictures, wording
from layerwise.reports.figures import to_svg
from layerwise.reports.overlays import class_colours, generated
from layerwise.reports.results.result import EvaluationInput, ReportContext, Rows, Tile
from layerwise.tasks.segmentation import Segmentation, count_pixels, overlap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from layerwise.reports.pictures import Pixels

PIXELS_AT_ONCE = 2**20
WORST_COUNT = 12
EXAMPLES_PRINTED = 5
WEAK_BY = 0.15  # an overlap below the mean by this much is worth a sentence


@dataclass(frozen=True)
class MaskScore:
    """One class. accuracy: how many of its pixels are found. precision: how many of those given to it are its own.

    iou: pixels that are of it and are given to it, over those of which one of the two is true; a class without pixels
    has 0, and no part in the means. pixels: how many are of it. given: how many are given to it.
    """

    name: str
    accuracy: float
    precision: float
    iou: float
    pixels: int
    given: int


@dataclass(frozen=True)
class WorstPicture:
    """A picture with many wrong pixels. position: its row in the split; wrong: share of its judged pixels."""

    position: int
    id: str
    wrong: float


@dataclass(frozen=True)
class SegmentationResult:
    """A segmenter on one split.

    pixels: how many were judged. loss: mean cross-entropy of a pixel, nats.
    pixel_accuracy, class_accuracy, mean_iou: as in Badrinarayanan et al. 2015, section 4.
    baseline, baseline_iou: pixel accuracy and mean overlap of giving every pixel the split's commonest class.
    confusion: pixels of class `row` that were given class `column`.
    worst: the pictures with the largest share of wrong pixels, the worst first.
    """

    task: ClassVar[str] = "segmentation"

    count: int
    pixels: int
    loss: float
    pixel_accuracy: float
    class_accuracy: float
    mean_iou: float
    baseline: float
    baseline_iou: float
    classes: tuple[MaskScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    worst: tuple[WorstPicture, ...]

    @property
    def metrics(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("loss", "pixel_accuracy", "class_accuracy", "mean_iou")}

    @property
    def summary(self) -> dict[str, float]:
        names = ("count", "pixel_accuracy", "class_accuracy", "mean_iou", "baseline", "baseline_iou", "loss")
        return {name: getattr(self, name) for name in names}

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SegmentationResult:
        rebuilt: dict[str, Any] = {
            "classes": tuple(MaskScore(**item) for item in values["classes"]),
            "confusion": tuple(tuple(row) for row in values["confusion"]),
            "worst": tuple(WorstPicture(**item) for item in values["worst"]),
        }
        return cls(**{**values, **rebuilt})

    def sentence(self, samples: str, who: str = "It") -> str:
        commonest = max(self.classes, key=lambda score: score.pixels)
        return (
            f"{who} reaches a mean IoU of {wording.share(self.mean_iou)} and a pixel accuracy of "
            f"{wording.share(self.pixel_accuracy)} on {samples} (predicting ‘{commonest.name}’ everywhere: "
            f"{wording.share(self.baseline_iou)} and {wording.share(self.baseline)})."
        )

    def lines(self) -> list[str]:
        return [
            f"mean IoU {wording.share(self.mean_iou)} over {wording.plural(self.count, 'image')} "
            f"(all one class: {wording.share(self.baseline_iou)}), pixel accuracy {wording.share(self.pixel_accuracy)} "
            f"(all one class: {wording.share(self.baseline)}), class accuracy {wording.share(self.class_accuracy)}"
        ]

    def table(self) -> Rows:
        rows = [
            [one.name, *(wording.share(value) for value in (one.iou, one.accuracy, one.precision)), one.pixels]
            for one in self.classes
        ]
        return ["class", "IoU", "found", "precision", "pixels"], rows

    def examples(self) -> tuple[str, list[str]]:
        return "the pictures with most wrong pixels", [
            f"{one.id}: {wording.share(one.wrong)} wrong" for one in self.worst[:EXAMPLES_PRINTED]
        ]

    def tiles(self) -> list[Tile]:
        return [
            (wording.share(self.mean_iou), "mean IoU", f"all one class: {wording.share(self.baseline_iou)}"),
            (wording.share(self.pixel_accuracy), "of the pixels", f"all one class: {wording.share(self.baseline)}"),
            (wording.share(self.class_accuracy), "class average", "mean share of a class's pixels that is found"),
        ]

    def notices(self) -> Iterator[Notice]:
        if self.mean_iou <= self.baseline_iou:
            yield Notice(
                "warning",
                f"The regions overlap the true ones by {wording.share(self.mean_iou)}, no more than if all pixels were "
                "called the commonest class.",
            )
        for score in self.classes:
            if score.pixels and score.iou < self.mean_iou - WEAK_BY:
                yield Notice(
                    "info",
                    f"‘{score.name}’ is hard: {wording.share(score.accuracy)} of its pixels are found, "
                    f"{wording.share(score.precision)} of those called so are (IoU {wording.share(score.iou)}); it is "
                    f"{wording.share(score.pixels / self.pixels)} of all pixels.",
                )

    def section(self, context: ReportContext) -> str:
        return segmentation_section(self, context)

    def draw_confusion(self) -> Figure:
        """Draw the confusion matrix with the names of the classes."""
        return charts.confusion_chart(self.confusion, [score.name for score in self.classes])

    def drawings(self, evaluation_input: EvaluationInput) -> Iterator[tuple[str, Figure]]:
        yield "confusion", self.draw_confusion()
        if self.worst:
            shown = trios(evaluation_input.model, evaluation_input.preprocessing, evaluation_input.split, self)
            captions = [
                caption
                for one in self.worst
                for caption in (one.id, "truth", f"given\n{wording.share(one.wrong)} wrong")
            ]
            title = "The pictures with most wrong pixels"
            yield "worst", pictures.picture_page(shown, captions, columns=6, title=title)


def measure(evaluation_input: EvaluationInput) -> SegmentationResult:
    """Measure a segmenter."""
    task, split = evaluation_input.task, evaluation_input.split
    assert isinstance(task, Segmentation)
    height, width = evaluation_input.preprocessing.input_shape[-2:]
    batches = Batches(split, evaluation_input.preprocessing, max(1, PIXELS_AT_ONCE // (height * width)))
    confusion = torch.zeros(len(task.classes), len(task.classes), dtype=torch.int64)
    loss, wrong = 0.0, []
    for batch in batches.epoch(0):
        scores, truth = evaluation_input.model(batch.inputs).float(), batch.targets.long()
        judged, given = truth != UNLABELLED, scores.argmax(1)
        loss += F.cross_entropy(scores, truth, ignore_index=UNLABELLED, reduction="sum").item()
        confusion += count_pixels(truth, given, len(task.classes))
        wrong.append(((given != truth) & judged).sum((1, 2)).double() / judged.sum((1, 2)).clamp(min=1))
    return mask_result(task.classes, confusion, loss, torch.cat(wrong), split.ids)


def mask_result(
    names: Sequence[str], confusion: Tensor, loss: float, wrong: Tensor, ids: Sequence[str]
) -> SegmentationResult:
    """Return the figures of a confusion of pixels. loss: summed over pixels; wrong: share of each picture's pixels."""
    pixels = int(confusion.sum())
    truth, given, hits = confusion.sum(1), confusion.sum(0), confusion.diagonal()
    constant = torch.zeros_like(confusion)
    constant[:, int(truth.argmax())] = truth
    baseline = overlap(constant)
    columns = (
        values.tolist()
        for values in (
            hits / truth.clamp(min=1),
            hits / given.clamp(min=1),
            hits / (truth + given - hits).clamp(min=1),
            truth,
            given,
        )
    )
    order = wrong.argsort(descending=True, stable=True)[:WORST_COUNT].tolist()
    return SegmentationResult(
        count=len(wrong),
        pixels=pixels,
        loss=loss / max(pixels, 1),
        **overlap(confusion),
        baseline=baseline["pixel_accuracy"],
        baseline_iou=baseline["mean_iou"],
        classes=tuple(MaskScore(*row) for row in zip(names, *columns, strict=True)),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        worst=tuple(WorstPicture(place, str(ids[place]), float(wrong[place])) for place in order if wrong[place] > 0),
    )


def trios(model: nn.Module, preprocessing: Preprocessing, split: Split, result: SegmentationResult) -> list[Pixels]:
    """Return the worst pictures, each followed by its true mask and the one that the network gives."""
    inputs, truth = split.take(torch.tensor([one.position for one in result.worst]))
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    with torch.inference_mode():
        given = model(preprocessing.transform(inputs.to(device))).argmax(1).cpu().numpy().astype(np.uint8)
    masks = [[generated(mask, len(result.classes)) for mask in side] for side in (truth.numpy(), given)]
    return [pixels for trio in zip(pictures.to_pixels(inputs), *masks, strict=True) for pixels in trio]


def segmentation_section(result: SegmentationResult, context: ReportContext) -> str:
    """Which class is taken for which, class by class, and the worst pictures beside their masks."""
    right = sum(result.confusion[place][place] for place in range(len(result.confusion)))
    confusion = markup.chart(
        to_svg(
            result.draw_confusion(),
            f"Confusion matrix of {len(result.classes)} classes: {right} of {result.pixels} pixels on the diagonal.",
        ),
        "Which class is taken for which",
        "Pixels. A row is what they are, a column what the network says. Blue is right, orange is wrong; the fuller "
        "the colour, the larger the share of the row.",
    )
    return markup.section(
        "answers",
        "Where it is right, and where not",
        markup.columns(confusion, f"<div>{_class_table(result)}</div>"),
        _worst_pictures(result, context),
    )


def _class_table(result: SegmentationResult) -> str:
    rows = [
        [score.name, *(wording.share(value) for value in (score.iou, score.accuracy, score.precision)),
         wording.count(score.pixels)]
        for score in result.classes
    ]  # fmt: skip
    means = [wording.share(result.mean_iou), wording.share(result.class_accuracy), "", wording.count(result.pixels)]
    rows.append(["mean of the classes", *means])
    return markup.table(
        ["class", "IoU", "found", "precision", "pixels"],
        rows,
        caption="Class by class. IoU: the pixels on which truth and answer agree, over those that one of them says.",
    )


def _worst_pictures(result: SegmentationResult, context: ReportContext) -> str:
    if not result.worst or len(context.split) != result.count:
        return ""
    shown = trios(context.model, context.dataset.preprocessing, context.split, result)
    captions = [
        caption
        for one in result.worst
        for caption in ((one.id, "picture"), ("truth", ""), ("given", f"{wording.share(one.wrong)} wrong"))
    ]
    colours = [f"rgb({red}, {green}, {blue})" for red, green, blue in class_colours(len(result.classes)).tolist()]
    legend = markup.legend(zip([score.name for score in result.classes], colours, strict=True))
    title = markup.subtitle("The pictures with most wrong pixels, each beside its true mask and the one given")
    return title + legend + markup.gallery(shown, captions)
