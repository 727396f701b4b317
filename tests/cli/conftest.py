"""Three small trained runs, and a way to say a command and hear what it answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from saying import Answer, Command

from layerwise import train
from layerwise.cli.main import main


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of bright and dark things, and with runs called pictures, table and number."""
    folder = tmp_path_factory.mktemp("world")
    chance = np.random.default_rng(0)
    for name, low in (("bright", 160), ("dark", 0)):
        (folder / "things" / name).mkdir(parents=True)
        for number in range(12):
            values = chance.integers(low, low + 90, (8, 8, 3), np.uint8)
            Image.fromarray(values).save(folder / "things" / name / f"{number}.png")
    rows = [f"{x},{'small' if x < 30 else 'large'}" for x in range(60)]
    (folder / "sizes.csv").write_text("x,size\n" + "\n".join(rows[i * 7 % 60] for i in range(60)) + "\n")
    quick = {"runs": folder / "runs", "quiet": True, "epochs": 2}
    train("mlp", folder / "things", name="pictures", hidden=(8,), **quick)
    train("mlp", folder / "sizes.csv", target="size", name="table", hidden=(8,), **quick)
    train("linear", "diabetes", name="number", **quick)
    return folder


@pytest.fixture
def command(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run `layerwise` with the words given, in an empty folder, 80 columns wide, on the runs of the world."""
    monkeypatch.setenv("LAYERWISE_RUNS", str(world / "runs"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def say(*words: object) -> Answer:
        capfd.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:  # argparse ends `--help` so
            code = int(end.code or 0)
        return Answer(code, *capfd.readouterr())

    return say
