"""The benchmark of the convex solvers runs, and all who take part come to the same optimum."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ridge", "lasso"])
def test_each_row_names_who_reached_the_optimum_with_the_seconds_of_every_round(tmp_path: Path, model: str) -> None:
    record = tmp_path / "record.json"
    options = ["--only", model, "--data", "tall", "--shrink", "50", "--rounds", "3", "--json", str(record)]
    command = [sys.executable, str(BENCHMARKS / "neuron.py"), *options]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    rows = json.loads(record.read_text())

    assert [row["distance"] for row in rows] == [1e-3, 1e-6]
    assert f"{model}, tall" in printed
    for row in rows:
        assert len(row["seconds"]["layerwise"]) == 3
        assert len(row["seconds"]) > 1
        assert not row["missed"]
