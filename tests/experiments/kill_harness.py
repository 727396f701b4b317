"""Kills a small training by SIGKILL at random moments, resumes it, and compares the end with an undisturbed run.

Run as a program, so that the process that forks the trainings has imported torch but computed nothing with it:
    python kill_harness.py FOLDER KILLS SEED
It prints one line a finished run and ends with exit code 1 at the first difference.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from layerwise.experiments.run import Run
from layerwise.experiments.training import resume, train

# Everything that draws random numbers or carries state from step to step.
SETTINGS: list[dict[str, Any]] = [
    {"model": "lenet5", "data": "digits", "image_size": 28, "limit": 200, "augment": "shift:2,rotate:10",
     "optimizer": "adamw", "schedule": "one-cycle", "ema_decay": 0.9, "batch_size": 32, "epochs": 3},
    {"model": "mlp", "data": "digits", "dropout": 0.3, "hidden": (32, 32), "optimizer": "nesterov",
     "schedule": "plateau", "accumulation_steps": 2, "mixup": 0.2, "batch_size": 64, "epochs": 4},
    {"model": "mlp", "data": "wine", "hidden": (16,), "optimizer": "muon", "learning_rate": 0.01, "batch_size": 16,
     "penalty": "elastic", "penalty_strength": 1e-3, "label_smoothing": 0.1, "epochs": 6},
]  # fmt: skip


def start(settings: dict[str, Any], runs: Path, name: str) -> None:
    """Begin the run `name`, or go on with it; checkpoints after every step."""
    torch.set_num_threads(1)
    if (runs / name / "data.json").exists():
        resume(str(runs / name), quiet=True)
    else:
        shutil.rmtree(runs / name, ignore_errors=True)  # killed before the run was described: nothing to go on with
        train(**settings, name=name, runs=runs, quiet=True, checkpoint_every_s=0.0, threads=1)


def in_child(work: Callable[[], None]) -> int:
    """Fork a process that does `work` and ends; return its number."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException as error:
        print(f"child failed: {type(error).__name__}: {error}", flush=True)
        os._exit(1)
    os._exit(0)


def wait_for(child: int) -> None:
    """Wait for the end of a child that nothing disturbs."""
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"an undisturbed process ended with status {status}")


def outcome(path: Path) -> dict[str, Any]:
    """Return all of a finished run that must be the same: weights, metrics without times, figures."""
    run = Run.open(path)
    assert run.status == "finished", run.status
    records = [{key: value for key, value in record.items() if key != "elapsed_s"} for record in run.metrics]
    weights = (path / "model.safetensors").read_bytes().hex()
    return {"weights": weights, "records": records, "test": run.result["test"]}


def kill_until_done(settings: dict[str, Any], runs: Path, whole_s: float, chance: random.Random, kills: int) -> int:
    """Start, kill and resume one run until it finishes or `kills` are used up; return how many it took."""
    used = 0
    while True:
        began = time.monotonic()
        child = in_child(lambda: start(settings, runs, "killed"))
        if used == kills:
            wait_for(child)
            return used
        limit_s = chance.uniform(0.0, 1.2 * whole_s)
        while time.monotonic() - began < limit_s:
            finished, status = os.waitpid(child, os.WNOHANG)
            if finished:
                if status:
                    sys.exit(f"a resumed process ended with status {status}")
                return used
            time.sleep(0.0005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        used += 1


def main(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    expected, durations = [], []
    for number, settings in enumerate(SETTINGS):
        began = time.monotonic()
        wait_for(in_child(lambda settings=settings, number=number: start(settings, folder / "whole", f"run{number}")))
        durations.append(time.monotonic() - began)
        expected.append(outcome(folder / "whole" / f"run{number}"))
    left, trainings = kills, 0
    while left:
        number = trainings % len(SETTINGS)
        runs = folder / f"killed{trainings}"
        used = kill_until_done(SETTINGS[number], runs, durations[number], chance, left)
        found = outcome(runs / "killed")
        if different := [key for key, value in expected[number].items() if found[key] != value]:
            sys.exit(f"training {trainings} in {runs} differs after {used} kills: {', '.join(different)}")
        left -= used
        trainings += 1
        print(json.dumps({"training": trainings, "kills": used, "left": left}), flush=True)
    print(f"{kills} kills over {trainings} trainings, 0 differing bits", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
