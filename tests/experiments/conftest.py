"""Small data in raw files, and one trained run of each kind of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_data import QUICK, draw_fruits, write_flats

from layerwise.experiments.run import Run
from layerwise.experiments.training import train


@pytest.fixture(scope="session")
def fruits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_fruits(tmp_path_factory.mktemp("data") / "fruits", each=20)


@pytest.fixture(scope="session")
def flats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flats(tmp_path_factory.mktemp("data") / "flats.csv")


@pytest.fixture(scope="session")
def fruit_run(fruits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network that tells the fruits apart."""
    runs = tmp_path_factory.mktemp("runs")
    return train("mlp", fruits, hidden=(16,), epochs=15, batch_size=8, runs=runs, **QUICK)


@pytest.fixture(scope="session")
def flat_run(flats: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network that knows the rents."""
    runs = tmp_path_factory.mktemp("runs")
    return train("mlp", flats, target="rent", hidden=(16,), epochs=60, learning_rate=0.01, runs=runs, **QUICK)
