"""The recipes of translators in a short form, which learns more than how often each token is written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.data.config import DataConfig
from layerwise.data.loading import load
from layerwise.errors import UnavailableError
from layerwise.experiments.training import train
from layerwise.recipes import options_of

LIMIT = 2500
SHORT: dict[str, dict[str, Any]] = {
    "english-french-seq2seq": {"embedding": 96, "hidden": 96, "epochs": 5, "learning_rate": 4e-3},
    "english-french-transformer": {"embed_dim": 96, "encoder_layers": 1, "decoder_layers": 1, "epochs": 5},
}


def nats_of_frequencies(data: str) -> float:
    """Return what a token of the test part costs where each is told by how often it is in the training part."""
    dataset = load(DataConfig(data=data, limit=LIMIT, vocabulary=1000))
    train_tokens = dataset.train.targets[dataset.train.targets != 0].tolist()
    test_tokens = dataset.test.targets[dataset.test.targets != 0].tolist()
    counts = Counter(train_tokens)
    total = len(train_tokens) + dataset.output_count
    return float(np.mean([-np.log((counts[token] + 1) / total) for token in test_tokens]))


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("name", list(SHORT))
def test_a_short_training_knows_more_than_how_often_each_token_is(name: str, tmp_path: Path) -> None:
    options = options_of(name) | SHORT[name] | {"limit": LIMIT, "vocabulary": 1000, "ema_decay": 0.9, "batch_size": 32}
    try:
        bound = nats_of_frequencies(options["data"])
    except UnavailableError as error:
        pytest.skip(str(error))
    run = train(**options, runs=tmp_path, quiet=True, threads=1)
    assert run.result["test"]["loss"] < bound - 1  # nats a token
