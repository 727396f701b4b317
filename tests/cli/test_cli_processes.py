"""The command as a process: what it imports, how it ends at a signal, and what a closed pipe does to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from layerwise.cli.main import COMMANDS, main

HEAVY = ("torch", "numpy", "polars", "pandas", "sklearn", "scipy", "matplotlib", "PIL", "safetensors")
LIST = "import sys; print(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
TRAINING = ("train", "mlp", "--data", "iris", "--hidden", "8", "--epochs", "300", "--patience", "0")


def modules_after(code: str) -> set[str]:
    """Return the top-level modules of a fresh process that has run `code`."""
    done = subprocess.run([sys.executable, "-c", f"{code}\n{LIST}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert not modules_after("import layerwise") & {*HEAVY, "rich", "argparse", "sqlite3"}


def test_the_overview_needs_nothing_heavy() -> None:
    said = modules_after("from layerwise.cli.main import main; main(['--help'])")
    assert not said & {*HEAVY, "rich", "sqlite3"}


def test_the_help_of_no_command_needs_torch() -> None:
    lines = ["from layerwise.cli.main import main"]
    for name in COMMANDS:
        lines += ["try:", f"    main(['{name}', '--help'])", "except SystemExit:", "    pass"]
    assert not modules_after("\n".join(lines)) & set(HEAVY)


@pytest.mark.parametrize("words", [["models"], ["data"], ["recipes"], ["runs"], ["trian"], ["train", "--epochs", "x"]])
def test_lists_and_mistyped_words_are_answered_without_torch(words: list[str]) -> None:
    said = modules_after(f"from layerwise.cli.main import main; main({words!r})")
    assert not said & set(HEAVY)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights of the training that no signal stops."""
    runs = tmp_path_factory.mktemp("undisturbed")
    assert main([*TRAINING, "--name", "whole", "--runs", str(runs), "--quiet"]) == 0
    return (runs / "whole" / "model.safetensors").read_bytes()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_a_checkpoint_and_resume_finishes_with_the_same_bits(
    number: signal.Signals, code: int, tmp_path: Path, undisturbed: bytes
) -> None:
    words = [sys.executable, "-m", "layerwise.cli.main", *TRAINING, "--name", "stopped", "--runs", str(tmp_path)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch"):
                process.send_signal(number)
                break
        said = process.stderr.read()
        assert process.wait(timeout=60) == code
    assert said.splitlines()[-1].startswith("layerwise: stopped after a whole step; go on with `layerwise resume stop")
    assert "Traceback" not in said
    assert json.loads((tmp_path / "stopped" / "status.json").read_text())["status"] == "paused"
    assert list((tmp_path / "stopped" / "checkpoints").glob("step-*"))
    assert not (tmp_path / "stopped" / "model.safetensors").exists()
    assert main(["resume", "stopped", "--runs", str(tmp_path), "--quiet"]) == 0
    assert (tmp_path / "stopped" / "model.safetensors").read_bytes() == undisturbed


def test_a_reader_that_stops_early_is_no_error() -> None:
    words = [sys.executable, "-m", "layerwise.cli.main", "models", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0


def test_a_fault_of_the_program_shows_its_traceback_only_to_those_who_ask(tmp_path: Path) -> None:
    """A run whose metrics name a figure that is no number meets no check: an honest fault."""
    words = [
        sys.executable,
        "-c",
        "from layerwise.cli import main as m; m.COMMANDS['arguments'] = ''; m.main(['arguments'])",
    ]
    quiet = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in quiet.stderr
    assert quiet.stderr.startswith("layerwise: unexpected AttributeError")
    loud = subprocess.run(
        words, capture_output=True, text=True, timeout=60, env={**os.environ, "LAYERWISE_TRACEBACK": "1"}
    )
    assert "Traceback" in loud.stderr
