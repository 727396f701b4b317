"""A translator on one split: how near its texts come to those of people, and to those of plainer translators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from layerwise.data.dataset import Notice
from layerwise.data.text.ibm_model1 import word_by_word
from layerwise.data.text.translation import PairPreprocessing
from layerwise.errors import UsageError
from layerwise.reports import markup, wording
from layerwise.reports.alignments import align, alignment_chart
from layerwise.reports.figures import to_svg
from layerwise.reports.results.result import EvaluationInput, ReportContext, Rows, Tile
from layerwise.tasks.translation import Translation

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SHOWN = 12
WORST_COUNT = 24
PRINTED = 5
DRAWN = 3


@dataclass(frozen=True)
class Translated:
    """One text. score: chrF of the given translation against the reference, 0 to 100 (Popovic 2015)."""

    position: int
    source: str
    reference: str
    given: str
    score: float


@dataclass(frozen=True)
class TranslationResult:
    """A translator on one split.

    bleu, copied_bleu, word_bleu: of the network, of the source as it is, and of the likeliest translation of each word
        (IBM model 1), 0 to 100 (Papineni et al. 2002; sacrebleu, tokenised as 13a).
    exact: share of the texts that are the reference, letter by letter. beam: beginnings that were kept; 1 is greedy.
    loss, accuracy: nats a token and share of the likeliest tokens that are right, the true ones before them given.
    examples: texts spread evenly over the split. worst: those with the lowest score.
    """

    task: ClassVar[str] = "translation"

    count: int
    languages: tuple[str, ...]
    bleu: float
    copied_bleu: float
    word_bleu: float
    exact: float
    beam: int
    loss: float
    accuracy: float
    examples_shown: tuple[Translated, ...]
    worst: tuple[Translated, ...]

    @property
    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss, "accuracy": self.accuracy, "bleu": self.bleu}

    @property
    def summary(self) -> dict[str, float]:
        names = ("count", "bleu", "copied_bleu", "word_bleu", "exact", "accuracy", "loss")
        return {name: getattr(self, name) for name in names}

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TranslationResult:
        texts = {name: tuple(Translated(**item) for item in values[name]) for name in ("examples_shown", "worst")}
        return cls(**{**values, "languages": tuple(values["languages"]), **texts})

    def sentence(self, samples: str, who: str = "It") -> str:
        first, second = (name.capitalize() for name in self.languages)
        return (
            f"{who} translates {samples} from {first} to {second} with a BLEU score of {self.bleu:.1f} "
            f"(word-by-word dictionary: {self.word_bleu:.1f}; source copied: {self.copied_bleu:.1f})."
        )

    def lines(self) -> list[str]:
        how = f"a beam of {self.beam}" if self.beam > 1 else "greedy"
        return [
            f"BLEU {self.bleu:.1f} ({how}) over {wording.count(self.count)} texts; word by word {self.word_bleu:.1f}, "
            f"copied {self.copied_bleu:.1f}",
            f"exact matches {wording.share(self.exact)}, token accuracy {wording.share(self.accuracy)}, "
            f"loss {wording.decimal(self.loss)} nats a token",
        ]

    def table(self) -> Rows | None:
        return None

    def examples(self) -> tuple[str, list[str]]:
        return "some translations", [f"{one.source} -> {one.given}" for one in self.examples_shown[:PRINTED]]

    def tiles(self) -> list[Tile]:
        return [
            (f"{self.bleu:.1f}", "BLEU", "0 to 100, against one reference"),
            (f"{self.word_bleu:.1f}", "BLEU word by word", "the likeliest translation of each word"),
            (wording.share(self.exact), "exact matches", "letter by letter"),
        ]

    def notices(self) -> Iterator[Notice]:
        if self.bleu <= self.word_bleu:
            yield Notice(
                "warning",
                f"The network is no better than translating word by word ({self.bleu:.1f} and {self.word_bleu:.1f} "
                "BLEU); train it longer, or on more pairs.",
            )

    def section(self, context: ReportContext) -> str:
        drawn = [
            markup.chart(to_svg(figure, f"Attention while writing: {one.given}"), one.source, one.given, wide=True)
            for one, figure in _alignments(self, context.model, context.dataset.preprocessing)
        ]
        return markup.section(
            "answers",
            "Where it is right, and where not",
            _texts(self.examples_shown),
            markup.folded("The furthest from their references", _texts(self.worst)),
            markup.subtitle("What it looked at") if drawn else "",
            *drawn,
        )

    def drawings(self, evaluation_input: EvaluationInput) -> Iterator[tuple[str, Figure]]:
        for number, (_, figure) in enumerate(_alignments(self, evaluation_input.model, evaluation_input.preprocessing)):
            yield f"attention-{number + 1}", figure


def measure(evaluation_input: EvaluationInput) -> TranslationResult:
    """Let a translator write every text of a split, and compare. Raises UsageError where sacrebleu is missing."""
    task, preprocessing = evaluation_input.task, evaluation_input.preprocessing
    assert isinstance(task, Translation)
    assert isinstance(preprocessing, PairPreprocessing)
    metrics = task.evaluate(evaluation_input.model, evaluation_input.batches())
    sources, references, given = [], [], []
    for batch in evaluation_input.batches():
        sources += [preprocessing.decode(row) for row in batch.inputs.tolist()]
        references += [preprocessing.decode(row) for row in batch.targets.tolist()]
        written = task.translate(evaluation_input.model, batch.inputs, evaluation_input.beam)
        given += [preprocessing.decode(row) for row in written]
    texts = _scored(sources, references, given)
    spread = torch.linspace(0, len(texts) - 1, min(SHOWN, len(texts))).long().unique().tolist()
    return TranslationResult(
        count=len(texts),
        languages=preprocessing.languages,
        bleu=bleu(given, references),
        copied_bleu=bleu(sources, references),
        word_bleu=bleu([word_by_word(source, preprocessing.words) for source in sources], references),
        exact=sum(one.given == one.reference for one in texts) / len(texts),
        beam=evaluation_input.beam,
        loss=metrics["loss"],
        accuracy=metrics["accuracy"],
        examples_shown=tuple(texts[place] for place in spread),
        worst=tuple(sorted(texts, key=lambda one: one.score)[:WORST_COUNT]),
    )


def bleu(given: Sequence[str], references: Sequence[str]) -> float:
    """Return sacrebleu's BLEU of texts against one reference each, 0 to 100."""
    return float(_sacrebleu().corpus_bleu(list(given), [list(references)]).score)


def _scored(sources: Sequence[str], references: Sequence[str], given: Sequence[str]) -> list[Translated]:
    library = _sacrebleu()
    rows = zip(sources, references, given, strict=True)
    return [
        Translated(position, source, reference, text, round(library.sentence_chrf(text, [reference]).score, 2))
        for position, (source, reference, text) in enumerate(rows)
    ]


def _sacrebleu() -> Any:
    try:
        import sacrebleu
    except ImportError as error:
        raise UsageError(
            "Translations are measured by the package sacrebleu, which is not installed; run pip install "
            "'layerwise[text]'."
        ) from error
    return sacrebleu


def _alignments(result: TranslationResult, model: Any, preprocessing: Any) -> Iterator[tuple[Translated, Figure]]:
    """Yield some of the texts with a picture of the network's attention, if it can tell that."""
    if hasattr(model, "attention"):
        for one in [one for one in result.examples_shown if one.given][:DRAWN]:
            yield one, alignment_chart(align(model, preprocessing, one.source, one.given))


def _texts(texts: Sequence[Translated]) -> str:
    rows = [[one.source, one.given, one.reference, f"{one.score:.0f}"] for one in texts]
    return markup.table(["source", "translation", "reference", "chrF"], rows, words=3)
