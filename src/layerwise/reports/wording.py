"""Numbers in words and figures that people read: durations, counts, shares, metrics."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from layerwise.tasks.metrics import is_share, label_of


def duration(seconds: float) -> str:
    """Return 0.04 s, 4.1 s, 1 min 12 s or 2 h 05 min."""
    if seconds < 0.1:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def clock(seconds: float) -> str:
    """Return 0:12, 3:04 or 1:02:03."""
    minutes, rest = divmod(math.ceil(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def count(number: float) -> str:
    """Return a whole number with commas: 61,706."""
    return f"{round(number):,}"


def compact(number: float) -> str:
    """Return a large number shortly: 950, 61.7 k, 416 k, 25.6 M, 4.09 G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= 0.9995 * size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


def share(fraction: float) -> str:
    """Return a share of 1 as per cent: 98.2 %, and 99.96 % where one digit would round to 100."""
    per_cent = 100 * fraction
    rounds_to_an_end = 99.95 <= per_cent < 100 or 0 < per_cent < 0.05
    return f"{per_cent:.2f} %" if rounds_to_an_end else f"{per_cent:.1f} %".replace(".0 %", " %")


def decimal(value: float) -> str:
    """Return a number with four significant digits, without exponent where that stays short."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "not a number")
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude >= 1e6 or 0 < magnitude < 1e-3:
        return f"{value:.3g}"
    if magnitude >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if magnitude >= 1 else f"{value:.3f}"


def metric(name: str, value: float) -> str:
    """Return a metric with its name: accuracy 97.2 %, R² 0.481."""
    text = share(value) if is_share(name) else decimal(value)
    return f"{label_of(name)} {text}"


def losses(values: Mapping[str, float]) -> str:
    """Return the training loss, or the loss of each part where a task has several."""
    if set(values) == {"model"}:
        return f"train loss {decimal(values['model'])}"
    return " · ".join(f"{part} loss {decimal(value)}" for part, value in values.items())


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return 1 picture, 360 pictures."""
    return f"{count(number)} {one if number == 1 else many or several(one)}"


def several(one: str) -> str:
    """Return the plural of a noun: pictures, and series as it is."""
    return one if one.endswith("s") else f"{one}s"


NOUNS = {
    "images": "image",
    "table": "row",
    "bag_of_words": "text",
    "series": "series",
    "characters": "text",
    "pairs": "sentence",
    "text": "passage",
}


EXAMPLE_TEXT = '"text editor"'
EXAMPLE_FILES = {
    "images": "picture.png",
    "table": "table.csv",
    "bag_of_words": "letter.txt",
    "series": "series.ts",
    "characters": "names.txt",
    "pairs": "sentences.txt",
    "text": "beginning.txt",
}


LEARNED = {  # by the name of the task, for 'run x learned ...'
    "classification": "classification",
    "regression": "regression",
    "segmentation": "semantic segmentation",
    "sequence_tagging": "sequence tagging",
    "translation": "translation",
    "language_modeling": "language modelling",
    "reconstruction": "reconstruction of images from latents",
    "adversarial": "generation of images",
}


class Use(NamedTuple):
    """What a finished run is for: a command without its first word, its purpose, and the same as a line of Python."""

    command: str
    purpose: str
    python: str


USES = {  # by the name of the task; the others answer for files
    "segmentation": Use(
        "predict {run} picture.png --overlay out.png",
        "segment an image",
        "run.segment('picture.png').save_overlay('out.png')",
    ),
    "translation": Use("translate {run} 'text'", "translate a text", "print(run.translate('text'))"),
    "language_modeling": Use("write {run} {example}", "generate text", "print(run.write({example}))"),
    "adversarial": Use("sample {run} --count 64", "generate images", "pictures = run.sample(64)"),
}


def example_of(task: str, kind: str, data: str, result: object = None) -> str:
    """Return what can be given to a run that learned `task` from `data`: a beginning of a text, or a file.

    A file of the user's own stands for itself. result: of a writer, whose held-out text has a beginning.
    """
    if task == "language_modeling":
        written = getattr(result, "continuations", ())
        return " ".join(written[0].prompt.split()[:3]) if written else "The"
    if kind in ("table", "series", "characters") and Path(data).is_file():
        return data
    if kind == "series" and task == "regression":
        return EXAMPLE_FILES["table"]
    return EXAMPLE_FILES.get(kind, "file")


def use_of(task: str, example: str) -> Use:
    """Return what a run that learned `task` is for; the command still lacks {run}. example: see `example_of`."""
    typed = shlex.quote(example).replace("{", "{{").replace("}", "}}")
    if task not in USES:
        answers = f"for answer in run.predict({example!r}):\n    print(answer)"
        return Use(f"predict {{run}} {typed}", "predict for your own files", answers)
    use = USES[task]
    command, python = use.command.replace("{example}", typed), use.python.replace("{example}", repr(example))
    return use._replace(command=command, python=python)


def samples_in_words(count: int, kind: str, split_name: str = "test") -> str:
    """Return '360 unseen test images', or '60 rows of the valid split'."""
    noun = NOUNS.get(kind, "sample")
    if split_name == "test":
        return plural(count, f"unseen test {noun}")
    return f"{plural(count, noun)} of the {split_name} split"
