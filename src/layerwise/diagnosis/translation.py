"""Which parts of a text a translation hangs on: gradients along a path, for each token that was written."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from layerwise.diagnosis import probes
from layerwise.diagnosis.attribution import evaluating
from layerwise.diagnosis.attribution_methods import Attribution, integrated_gradients


def log_probabilities(model: Any, source: Tensor, previous: Tensor, written: Tensor) -> Tensor:
    """Return the logarithm of the probability of each written token, the true ones before it given, (batch, written).

    source: (batch, read). previous: what stands before each place, the start mark first, (batch, written).
    """
    scores = model(source, previous).log_softmax(2)  # (batch, written, tokens)
    likely: Tensor = scores.gather(2, written[:, :, None])[:, :, 0]
    return likely


def token_gradients(model: Any, source: Tensor, previous: Tensor, written: Tensor) -> Attribution:
    """Return what each token that was read adds to the logarithm of the probability of each that was written.

    The vectors of the source's tokens come from vectors of zeros; what they bring is summed for each token. Values are
    (written, read), their sum is to be the logarithm for the whole translation less that without a source.

    source: (1, read). previous, written: (1, written).
    """
    layer = probes.embedding_of(model)
    with evaluating(model):
        with torch.no_grad():
            vectors = layer(source)[0]  # (read, depth)

        def score_at(place: int) -> Attribution:
            def score(rows: Tensor) -> Tensor:
                sizes = (len(rows), -1)
                with probes.embedded_as(layer, rows, once=True):  # the source is embedded first, then the target
                    likely = log_probabilities(
                        model, source.expand(sizes), previous.expand(sizes), written.expand(sizes)
                    )
                return likely[:, place]

            return integrated_gradients(score, vectors, torch.zeros_like(vectors))

        found = [score_at(place) for place in range(written.shape[1])]
    values = torch.stack([one.values.sum(1) for one in found])  # (written, read)
    return Attribution(values, sum(one.difference for one in found), max(one.points for one in found))
