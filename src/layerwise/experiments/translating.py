"""Texts through a trained translator, and what it looked at on the way."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from layerwise.data.text.translation import PairPreprocessing
from layerwise.errors import UsageError
from layerwise.experiments.trained import Trained
from layerwise.generation.config import BeamConfig
from layerwise.reports import wording
from layerwise.reports.alignments import Alignment, align
from layerwise.tasks.translation import Translation


def translate(run: Trained, texts: Sequence[str], beam: int, names: Sequence[str] = ()) -> list[str]:
    """Return the translation of each text, called by its name in messages. Raises as `Run.translate` says."""
    task, preprocessing = translator_of(run)
    if not texts:
        raise UsageError('nothing to translate; name at least one text, such as "text editor".')
    for text in texts:
        if not isinstance(text, str):
            raise UsageError(f"each text is a string of its own, as in run.translate('a', 'b'), received {text!r:.60}.")
    BeamConfig(beam)
    names = names or [f"text {number + 1}" if len(texts) > 1 else "the text" for number in range(len(texts))]
    inputs = preprocessing.encode(texts, names)
    with torch.inference_mode():
        return [preprocessing.decode(tokens) for tokens in task.translate(run.model, inputs, beam)]


def attention(run: Trained, text: str, translation: str | None) -> Alignment:
    """Return what was looked at. Raises as `translate`, and UsageError for a module of one's own that cannot tell."""
    _, preprocessing = translator_of(run)
    if not hasattr(run.model, "attention"):
        raise UsageError(f"the network of run {run.name} has no method 'attention' that tells what it looks at.")
    written = translate(run, [text], 1)[0] if translation is None else translation
    return align(run.model, preprocessing, text, written)


def translator_of(run: Trained) -> tuple[Translation, PairPreprocessing]:
    """Return the task and the preprocessing of a run that translates. Raises UsageError for any other run."""
    task, preprocessing = run.task, run.preprocessing
    if not isinstance(task, Translation) or not isinstance(preprocessing, PairPreprocessing):
        learned = wording.LEARNED[run.data_info["task"]["name"]]
        raise UsageError(
            f"run {run.name} was trained for {learned}, not for translation; name another, or train one, such as "
            "transformer on english-french."
        )
    return task, preprocessing
