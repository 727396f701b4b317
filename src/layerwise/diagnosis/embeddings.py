"""Many samples as points in a plane: those that a network finds alike stand near each other."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from layerwise.diagnosis.probes import before_the_last
from layerwise.errors import DataError

COMPONENTS = 50  # kept for t-SNE, which is slow and noisy in more
LEAST = 5


def features_of(model: nn.Module, samples: Tensor, at_once: int = 512) -> Tensor:
    """Return what the last dense layer reads of prepared samples, (n, features)."""
    with torch.no_grad(), before_the_last(model) as kept:
        for part in samples.split(at_once):
            model(part)
    return torch.cat(kept)


def in_the_plane(features: Tensor, seed: int = 0) -> NDArray[np.float64]:
    """Return places in a plane, (n, 2): principal components, then t-SNE.

    van der Maaten and Hinton 2008, "Visualizing data using t-SNE", started from the first two components.
    Raises DataError for fewer than five samples.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(features) < LEAST:
        raise DataError(f"a map needs at least {LEAST} samples, received {len(features)}; give more of them.")
    rows = features.flatten(1).double().numpy()
    components = min(COMPONENTS, *rows.shape)
    reduced = PCA(components, random_state=seed).fit_transform(rows) if components > 2 else rows
    perplexity = min(30.0, (len(rows) - 1) / 3)
    begin = "pca" if reduced.shape[1] >= 2 else "random"
    places = TSNE(2, perplexity=perplexity, init=begin, random_state=seed, n_jobs=1).fit_transform(reduced)
    return np.asarray(places, dtype=np.float64)
