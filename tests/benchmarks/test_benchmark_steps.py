"""The benchmark of the recipes' steps runs, and the loop and the hand-written steps come to the same losses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

STEPS = Path(__file__).parents[2] / "benchmarks" / "steps.py"


@pytest.mark.slow
def test_recipes_and_hand_written_steps_come_to_the_same_losses(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    recipes = ["breast-cancer-mlp", "digits-gan"]
    command = [sys.executable, str(STEPS), "--turns", "2", "--block", "0.05", "--json", str(record), "--only", *recipes]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    tables, game = json.loads(record.read_text())["results"]

    assert "x hand-written" in printed
    assert "left out" not in printed
    assert [tables["recipe"], game["recipe"]] == recipes
    assert len(tables["seconds"]["ours"]) == len(tables["seconds"]["hand"]) == 2
    assert tables["losses"]["ours"] == pytest.approx(tables["losses"]["hand"], rel=1e-3)  # nothing is drawn
    assert len(game["losses"]["ours"]) == 2  # discriminator and generator
    assert game["losses"]["ours"] == pytest.approx(game["losses"]["hand"], rel=0.5)
    assert tables["multiply_adds"] == pytest.approx(32 * (30 * 64 + 64 * 64 + 64 * 2) * 3 - 32 * 30 * 64, rel=0.5)
