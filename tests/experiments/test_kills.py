"""A training that is killed at any instant ends as if nothing had happened. `make soak` raises the count to 1,000."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("kill_harness.py")
KILLS = int(os.environ.get("LAYERWISE_KILLS", "25"))


@pytest.mark.slow
def test_a_training_killed_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    command = [sys.executable, str(HARNESS), str(tmp_path), str(KILLS), "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120 + 20 * KILLS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{KILLS} kills over" in done.stdout
    assert "0 differing bits" in done.stdout
