"""How well a network foretells held-out text: bits per byte, beside programs that compress the same bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from layerwise.data.dataset import Notice
from layerwise.data.text.language_modeling import TextPreprocessing
from layerwise.data.text.tokenizer import END, Tokenizer
from layerwise.errors import LayerwiseError
from layerwise.generation.config import SamplingConfig
from layerwise.generation.text import go_on
from layerwise.reports import markup, wording
from layerwise.reports.figures import BLUE, GREEN, new_chart, to_svg
from layerwise.reports.results.result import EvaluationInput, ReportContext, Rows, Tile
from layerwise.tasks.language_modeling import LanguageModeling

if TYPE_CHECKING:
    from matplotlib.figure import Figure


COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip -9": lambda data: gzip.compress(data, 9, mtime=0),
    "bzip2 -9": lambda data: bz2.compress(data, 9),
    "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
}
READ_BYTES = 4_000_000  # of the training text that xz reads first; more would take it longer than a few seconds
READER = "xz -9e after training text"
PASSAGE, PASSAGES_OF_A_KIND = 128, 2  # tokens of a passage that is shown
CONTINUATIONS, PROMPT, WRITTEN = 3, 24, 96  # texts that are gone on with, and their tokens
PALEST, DARKEST = 1.0, 12.0  # bits a token


@dataclass(frozen=True)
class Passage:
    """A piece of the held-out text. tokens: each with the bits that it cost in its place."""

    what: str
    bits_per_byte: float
    tokens: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Continuation:
    """A beginning from the held-out text, and what the network wrote behind it."""

    prompt: str
    text: str


@dataclass(frozen=True)
class LanguageModelingResult:
    """A writer on held-out text.

    count: windows. tokens, text_bytes: that were told. loss: nats a token; perplexity: its exponential.
    compressed: bits per byte that programs need for the same bytes, which they see one behind the other as one file.
    after_reading: bits per byte by which they lengthen what xz makes of training text; None where that was not at hand.
    """

    task: ClassVar[str] = "language_modeling"

    count: int
    tokens: int
    text_bytes: int
    loss: float
    bits_per_byte: float
    perplexity: float
    accuracy: float
    compressed: Mapping[str, float]
    passages: tuple[Passage, ...]
    continuations: tuple[Continuation, ...]
    after_reading: float | None = None

    @property
    def programs(self) -> dict[str, float]:
        """Bits a byte of each program, and of xz behind training text."""
        read = {} if self.after_reading is None else {READER: self.after_reading}
        return {**self.compressed, **read}

    @property
    def metrics(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("loss", "bits_per_byte", "accuracy")}

    @property
    def summary(self) -> dict[str, float]:
        names = ("count", "bits_per_byte", "perplexity", "accuracy", "loss", "text_bytes")
        programs = {program.split()[0]: bits for program, bits in self.compressed.items()}
        read = {} if self.after_reading is None else {"xz_after_reading": self.after_reading}
        return {name: getattr(self, name) for name in names} | programs | read

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LanguageModelingResult:
        passages = tuple(
            Passage(**{**item, "tokens": tuple((text, bits) for text, bits in item["tokens"])})
            for item in values["passages"]
        )
        continuations = tuple(Continuation(**item) for item in values["continuations"])
        return cls(**{**values, "passages": passages, "continuations": continuations})

    def sentence(self, samples: str, who: str = "It") -> str:
        program, best = min(self.compressed.items(), key=lambda item: item[1])
        read = "" if self.after_reading is None else f"; {READER}: {wording.decimal(self.after_reading)}"
        return (
            f"{who} reaches {wording.decimal(self.bits_per_byte)} bits per byte on "
            f"{wording.count(self.text_bytes)} bytes of unseen text "
            f"({program}, the best of three compression programs: {wording.decimal(best)}{read})."
        )

    def lines(self) -> list[str]:
        return [
            f"{wording.decimal(self.bits_per_byte)} bits per byte over {wording.count(self.text_bytes)} bytes, "
            f"perplexity {wording.decimal(self.perplexity)} per token, most probable token correct in "
            f"{wording.share(self.accuracy)}"
        ]

    def table(self) -> Rows:
        figures = {"this network": self.bits_per_byte, **self.programs}
        return ["of the same bytes", "bits per byte"], [[name, wording.decimal(bits)] for name, bits in figures.items()]

    def examples(self) -> tuple[str, list[str]]:
        return "what it writes behind beginnings that it never saw", [
            f"{one.prompt.strip()!r} -> {one.text!r}" for one in self.continuations
        ]

    def tiles(self) -> list[Tile]:
        programs = ", ".join(f"{program} {wording.decimal(bits)}" for program, bits in self.programs.items())
        return [
            (wording.decimal(self.bits_per_byte), "bits per byte", programs),
            (wording.decimal(self.perplexity), "perplexity", "a token: as if it had to choose among so many"),
            (wording.share(self.accuracy), "likeliest token right", f"of {wording.count(self.tokens)} tokens"),
        ]

    def notices(self) -> Iterator[Notice]:
        behind = [program for program, bits in self.programs.items() if bits <= self.bits_per_byte]
        if behind:
            yield Notice(
                "warning",
                f"{' and '.join(behind)} {'needs' if len(behind) == 1 else 'need'} fewer bits for this text than the "
                "network; train longer, or on more text.",
            )

    def section(self, context: ReportContext) -> str:
        return language_modeling_section(self)

    def drawings(self, evaluation_input: EvaluationInput) -> Iterator[tuple[str, Figure]]:
        yield "bits", compression_chart(self)


def measure(evaluation_input: EvaluationInput) -> LanguageModelingResult:
    """Measure a writer."""
    task, preprocessing = evaluation_input.task, evaluation_input.preprocessing
    assert isinstance(task, LanguageModeling)
    assert isinstance(preprocessing, TextPreprocessing)
    tokens, nats, is_right = task.tell(evaluation_input.model, evaluation_input.batches())
    metrics, bits = task.metrics(tokens, nats, is_right), nats / math.log(2)
    data = preprocessing.tokenizer.decode(tokens.tolist()).encode()
    return LanguageModelingResult(
        count=len(evaluation_input.split),
        tokens=len(tokens),
        text_bytes=len(data),
        **metrics,
        perplexity=math.exp(min(metrics["loss"], 100.0)),
        compressed={name: 8 * len(compress(data)) / max(len(data), 1) for name, compress in COMPRESSORS.items()},
        passages=tuple(passages_of(preprocessing.tokenizer, tokens, bits, torch.tensor(task.token_bytes))),
        continuations=tuple(continuations_of(evaluation_input.model, preprocessing, tokens)),
        after_reading=bits_after_reading(evaluation_input, preprocessing.tokenizer, data),
    )


def bits_after_reading(evaluation_input: EvaluationInput, tokenizer: Tokenizer, data: bytes) -> float | None:
    """Return the bits per byte by which `data` lengthens what xz makes of training text; None where that is gone.

    The training text is up to READ_BYTES of it, windows evenly spread over those that the network learned from.
    """
    try:
        windows = evaluation_input.data().train.inputs
    except LayerwiseError:
        return None
    assert isinstance(windows, Tensor)
    xz, sizes = COMPRESSORS["xz -9e"], torch.tensor(tokenizer.token_bytes)
    share = min(1.0, READ_BYTES / max(1, int(sizes[windows].sum())))
    chosen = torch.linspace(0, len(windows) - 1, max(1, int(share * len(windows)))).long()
    known = tokenizer.decode(windows[chosen].flatten().tolist()).encode()
    return 8 * (len(xz(known + data)) - len(xz(known))) / max(len(data), 1)


def passages_of(tokenizer: Tokenizer, tokens: Tensor, bits: Tensor, sizes: Tensor) -> Iterator[Passage]:
    """Yield the surest, the most surprising and the middling passages. tokens, bits: (tokens,) each."""
    starts = range(0, max(1, len(tokens) - PASSAGE + 1), PASSAGE)
    pieces = [slice(start, start + PASSAGE) for start in starts]
    costs = [(bits[piece].sum() / sizes[tokens[piece]].sum().clamp(min=1)).item() for piece in pieces]
    ranked = sorted(range(len(pieces)), key=costs.__getitem__)
    middle = max(0, (len(ranked) - PASSAGES_OF_A_KIND) // 2)
    chosen = {
        "the surest": ranked[:PASSAGES_OF_A_KIND],
        "as usual": ranked[middle : middle + PASSAGES_OF_A_KIND],
        "the most surprising": ranked[::-1][:PASSAGES_OF_A_KIND],
    }
    for what, numbers in chosen.items():
        for number in numbers:
            told = zip(tokens[pieces[number]].tolist(), bits[pieces[number]].tolist(), strict=True)
            shown = tuple((tokenizer.decode([token]), round(cost, 2)) for token, cost in told)
            yield Passage(what, costs[number], shown)


def continuations_of(model: nn.Module, preprocessing: TextPreprocessing, tokens: Tensor) -> Iterator[Continuation]:
    """Let a network that can write go on with the beginnings of some texts; tokens: (tokens,) of all of them."""
    if not hasattr(model, "begin"):
        return
    ends = (tokens == END).nonzero().flatten().tolist()
    begins = [start for start in (0, *(end + 1 for end in ends)) if start + PROMPT < len(tokens)]
    if len(begins) < CONTINUATIONS:
        begins = [place * len(tokens) // CONTINUATIONS for place in range(CONTINUATIONS)]
    chosen = [begins[place * len(begins) // CONTINUATIONS] for place in range(CONTINUATIONS)]
    for number, start in enumerate(chosen):
        prompt = preprocessing.tokenizer.decode(tokens[start : start + min(PROMPT, preprocessing.window)].tolist())
        if prompt.strip():
            sampling = SamplingConfig(seed=number)
            written = go_on(model, preprocessing, prompt, WRITTEN, sampling)  # type: ignore[arg-type]
            yield Continuation(prompt, "".join(written))


def compression_chart(result: LanguageModelingResult) -> Figure:
    """Draw the bits per byte of the network and of the programs."""
    figures = {"this network": result.bits_per_byte, **result.programs}
    figure, axes = new_chart("bits per byte", "", height=1.0 + 0.3 * len(figures), grid="x")
    axes.barh(list(figures), list(figures.values()), color=[GREEN, *[BLUE] * len(result.programs)], height=0.7)
    axes.invert_yaxis()
    return figure


def language_modeling_section(result: LanguageModelingResult) -> str:
    """The comparison, coloured passages, and continuations."""
    told = f"{wording.decimal(result.bits_per_byte)} bits per byte of the network beside those of programs."
    drawn = markup.chart(
        to_svg(compression_chart(result), told),
        "Bits for each byte of the held-out text",
        "A network that foretells a text well can write it down with few bits. The programs compress the same bytes as "
        "one file and know nothing beforehand; the network learned from other files. The fairer bar is what the text "
        f"adds to a file of xz that begins with what the network learned from, up to {READ_BYTES // 10**6} MB of it.",
    )
    passages = [
        markup.subtitle(f"{one.what[0].upper()}{one.what[1:]}: {wording.decimal(one.bits_per_byte)} bits per byte")
        + markup.coloured((text, _shade(bits), f"{bits:g} bits") for text, bits in one.tokens)
        for one in result.passages
    ]
    written = [
        markup.coloured([(one.prompt, "", "the beginning"), (one.text, "var(--soft)", "written by the network")])
        for one in result.continuations
    ]
    return markup.section(
        "answers",
        "Where it is right, and where not",
        drawn,
        markup.folded("Text that it never saw: the redder a token, the more it surprised", "".join(passages)),
        markup.folded("What it writes behind beginnings that it never saw", "".join(written), is_open=True),
    )


def _shade(bits: float) -> str:
    share = (bits - PALEST) / (DARKEST - PALEST)
    return f"color-mix(in srgb, var(--orange) {100 * min(max(share, 0), 0.9):.0f}%, transparent)"
