"""The benchmark of the dense engine runs, and whoever takes part trains the same network to the same loss."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_the_engine_and_a_pytorch_loop_train_to_the_same_loss_and_the_engine_is_faster(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    options = ["--only", "tiny", "--peers", "engine", "handwritten", "--rounds", "3", "--seconds", "0.05"]
    command = [sys.executable, str(BENCHMARKS / "dense.py"), *options, "--json", str(record)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    measured = json.loads(record.read_text())["tiny"]
    engine, loop = measured["engine"], measured["handwritten"]

    assert "DIFFERS" not in printed
    assert engine["loss"] == pytest.approx(loop["loss"], rel=0.2)
    assert 10 * min(engine["seconds_a_step"]) < min(loop["seconds_a_step"])
