"""A translation explained: what was looked at, what each word brought, and the vectors of the tokens as a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from layerwise.diagnosis.attribution import Explanation
from layerwise.diagnosis.embeddings import in_the_plane
from layerwise.diagnosis.probes import embedding_of
from layerwise.diagnosis.translation import log_probabilities, token_gradients
from layerwise.errors import UsageError
from layerwise.experiments.translating import attention, translate, translator_of
from layerwise.reports.alignments import END_NAME, teach
from layerwise.reports.explanation_page import Labels
from layerwise.tasks.translation import END

if TYPE_CHECKING:
    from layerwise.experiments.run import Run

PARTS = ("gradients", "attention")


def explain_translation(run: Run, text: str, parts: Sequence[str]) -> tuple[Explanation, Labels]:
    """Explain the translation of a text by the likeliest tokens; return what was found, and its words.

    Raises UsageError for a part that translations do not have, DataError for a text that cannot be translated.
    """
    _, preprocessing = translator_of(run)
    unfit = [part for part in parts if part not in PARTS]
    if unfit:
        raise UsageError(
            f"`{unfit[0]}` is for answers of one class or value; a translation has `gradients` and `attention`."
        )
    model = run.model  # loaded here and not where no gradients can be had of it
    (translation,) = translate(run, [text], 1)
    source, previous, written = teach(preprocessing, text, translation)
    with torch.inference_mode():
        score = log_probabilities(model, source, previous, written).sum().item()
    weights = {}
    if "attention" in (parts or PARTS) and (parts or hasattr(model, "attention")):
        weights["translation"] = torch.from_numpy(attention(run, text, translation).weights)[None]
    found = Explanation(
        kind="translation",
        sample=source[0],
        output=0,
        score=score,
        gradients=token_gradients(model, source, previous, written) if "gradients" in (parts or PARTS) else None,
        attention=weights,
    )
    read, pieces = preprocessing.pieces(source[0].tolist()), preprocessing.pieces(written[0, :-1].tolist())
    return found, Labels(f"‘{text}’ by {run.name}", f"‘{translation}’", read, written=(*pieces, END_NAME))


def token_map(run: Run, limit: int, seed: int) -> tuple[NDArray[np.float64], list[str]]:
    """Return places in a plane of the tokens that training sources use most, and the tokens, the commonest first.

    Raises DataError where there are too few.
    """
    _, preprocessing = translator_of(run)
    sources = run.dataset().train.inputs
    assert isinstance(sources, Tensor)
    counts = torch.bincount(sources.flatten())
    counts[: END + 1] = 0  # marks
    chosen = counts.argsort(descending=True, stable=True)[: min(limit, int((counts > 0).sum()))]
    with torch.no_grad():
        vectors = embedding_of(run.model)(chosen[None])[0]  # (tokens, depth)
    return in_the_plane(F.normalize(vectors, dim=1), seed), preprocessing.pieces(chosen.tolist())
