"""Going on with a text by a trained network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from layerwise.data.text.language_modeling import TextPreprocessing
from layerwise.errors import UsageError
from layerwise.experiments.trained import Trained
from layerwise.generation.config import SamplingConfig
from layerwise.generation.decoding import Writer
from layerwise.generation.text import go_on
from layerwise.reports import wording


def stream(
    run: Trained,
    prompt: str,
    *,
    tokens: int = 200,
    temperature: float = 0.8,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
) -> Iterator[str]:
    """Return an iterator over what `run` writes behind `prompt`, each piece as soon as it is there.

    Args:
        tokens: to write at most; it stops where the text ends.
        temperature, top_k, top_p, seed: how each token is drawn, see `SamplingConfig`.

    Raises:
        UsageError: the run was not trained to write, the prompt is empty or too long, or a value cannot work.
    """
    sampling = SamplingConfig(temperature, top_k, top_p, seed)
    preprocessing, model = run.preprocessing, run.model
    if not isinstance(preprocessing, TextPreprocessing):
        learned = wording.LEARNED[run.data_info["task"]["name"]]
        raise UsageError(
            f"run {run.name} was trained for {learned}, not for language modelling; "
            "train gpt on a text, such as book.txt."
        )
    if not hasattr(model, "begin"):
        raise UsageError(f"{type(model).__name__} has no `begin` and `step` to write by; gpt, rnn, lstm and gru do.")
    writer: Any = model
    return go_on(cast("Writer", writer), preprocessing, prompt, tokens, sampling)
