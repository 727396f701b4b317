"""Two real processes that share every batch take the same steps as one, within rounding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

OPTIONS = [
    "mlp", "--data", "digits", "--hidden", "32", "--epochs", "3", "--batch-size", "50", "--optimizer", "momentum",
    "--learning-rate", "0.05", "--schedule", "cosine", "--precision", "float32", "--compile", "no", "--threads", "1",
]  # fmt: skip


def launch(ranks: int, runs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in so many processes, started by torchrun."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    command = [*start, "-m", "layerwise.cli.main", *words, "--runs", str(runs), "--quiet"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)


def weights(path: Path) -> dict[str, torch.Tensor]:
    from layerwise.experiments.run import Run

    return Run.open(path).folder.load_weights()


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_train_as_one_within_rounding(tmp_path: Path) -> None:
    for ranks in (1, 2):
        done = launch(ranks, tmp_path, "train", *OPTIONS, "--name", f"ranks{ranks}")
        assert done.returncode == 0, done.stderr
    one, two = tmp_path / "ranks1", tmp_path / "ranks2"
    for name, tensor in weights(one).items():
        torch.testing.assert_close(weights(two)[name], tensor, rtol=1e-4, atol=1e-5)
    for first, second in zip(records(one), records(two), strict=True):
        if first["kind"] == "report":
            assert second["losses"]["model"] == pytest.approx(first["losses"]["model"], rel=1e-3)  # type: ignore[index]
    assert not (tmp_path / "ranks2-2").exists(), "only the first process writes"
