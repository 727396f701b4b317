"""The benchmark of loops runs, and whoever takes part trains the same network to the same loss."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize("net", ["mlp", "lenet5"])
def test_layerwise_and_the_hand_written_loop_train_the_same_network_to_the_same_loss(tmp_path: Path, net: str) -> None:
    record = tmp_path / "record.json"
    options = ["--quick", "--threads", "1", "--rounds", "1", "--net", net, "--json", str(record)]
    command = [sys.executable, str(BENCHMARKS / "loop.py"), *options, "--only", "layerwise", "handwritten"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    ours, theirs = json.loads(record.read_text())["results"][net]

    assert "best hand-written PyTorch loop" in printed
    assert (ours["peer"], theirs["peer"]) == ("layerwise", "handwritten")
    assert ours["losses"][0] == pytest.approx(theirs["losses"][0], rel=0.15)
    assert ours["losses"][0] < 1.0  # from 2.3 for a network that knows nothing
    assert len(ours["seconds"]) == 1
