"""What Layerwise costs beside the steps of a training: starting up, events, saving. Ratios where ratios can be had.

    python benchmarks/overheads.py            about two minutes

Start-up: the shortest of several processes, and a bare Python beside it. Events: one epoch by `train`, whose events
nobody uses, against the same steps taken by the Stepper alone, in turns. Saving: a training of about RUN_S with a
checkpoint every second (30 times as often as by default) against one without, in turns; and the time of one save as a
share of the 30 s between two.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from machine import describe_machine
from torch import nn

from layerwise.data.batches import Batches
from layerwise.data.dataset import Split
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.models import build
from layerwise.runs.checkpoints import CheckpointStore
from layerwise.tasks import Classification
from layerwise.training.config import PenaltyConfig, TrainingConfig
from layerwise.training.events import Saved
from layerwise.training.execution import ExecutionPlan
from layerwise.training.loop import train
from layerwise.training.parallel import Ranks
from layerwise.training.step import Stepper

CLASSES = tuple("0123456789")
RUN_S = 8.0
INTERVAL_S = 30.0  # between checkpoints by default
TRAINING = TrainingConfig(epochs=1, learning_rate=1e-3)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each side of a comparison (7)")
    rounds = parser.parse_args().rounds
    machine = describe_machine()
    print(f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, torch {torch.__version__}; "
          f"load {machine['load']:.1f} at the start")  # fmt: skip
    measure_start(rounds)
    measure_events(rounds)
    for name, samples in (("lenet5", 12_800), ("resnet-small", 640)):
        measure_saving(name, samples, max(1, rounds // 2))


def measure_start(rounds: int) -> None:
    bare_s = process_s(["-c", "pass"], rounds)
    for what, limit_s, arguments in (
        ("import layerwise", 0.1, ["-c", "import layerwise"]),
        ("layerwise --help", 0.3, ["-m", "layerwise.cli.main", "--help"]),
    ):
        seconds = process_s(arguments, rounds)
        print(f"{what}: {seconds:.3f} s (allowed {limit_s} s), of which bare Python {bare_s:.3f} s")


def process_s(arguments: list[str], rounds: int) -> float:
    """Return the seconds of the shortest of `rounds` processes of this Python."""
    shortest = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        shortest = min(shortest, time.perf_counter() - started)
    return shortest


def measure_events(rounds: int) -> None:
    """A small network, where there is least to hide behind: LeNet-5 is ten times slower a step."""
    batches = make_batches(25_600, (1, 28, 28))
    task = Classification(CLASSES)

    def by_events() -> float:
        model = make_model("mlp", (784,))
        return seconds_of(lambda: sum(1 for _ in train(model, task, batches, TRAINING)))

    def by_steps() -> float:
        stepper = Stepper(make_model("mlp", (784,)), task, TRAINING, PenaltyConfig(), ExecutionPlan(), Ranks())

        def steps() -> None:
            for step, batch in enumerate(batches.epoch(0)):
                stepper.take(batch, step, 1e-3)

        return seconds_of(steps)

    ratios = in_turns(by_events, by_steps, rounds)
    print(f"events that nobody uses, MLP 784-64-64-10: {spread(ratios)} times the steps alone")


def measure_saving(name: str, samples: int, rounds: int) -> None:
    batches = make_batches(samples, (1, 28, 28))
    task = Classification(CLASSES)
    saves: list[float] = []

    def run(epochs: int, checkpoints: CheckpointStore | None = None) -> float:
        model = make_model(name, (1, 28, 28))
        training = replace(TRAINING, epochs=epochs)

        def steps() -> None:
            for event in train(model, task, batches, training, checkpoints=checkpoints, checkpoint_every_s=1.0):
                if isinstance(event, Saved):
                    saves.append(event.seconds)

        return seconds_of(steps)

    epochs = max(1, round(RUN_S / min(run(1), run(1))))

    def saving() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return run(epochs, CheckpointStore(Path(folder)))

    ratios = [saving() / run(epochs) for _ in range(rounds)]
    save_s = median(saves) if saves else float("nan")
    print(
        f"saving, {name}: {1e3 * save_s:.0f} ms a save (median of {len(saves)}), {save_s / INTERVAL_S:.2%} of the "
        f"{INTERVAL_S:.0f} s between two; saving every second costs {spread(ratios)} times the steps alone"
    )


def make_batches(samples: int, shape: tuple[int, int, int]) -> Batches:
    pictures = torch.randint(0, 256, (samples, *shape), dtype=torch.uint8)
    split = Split(pictures, torch.randint(0, len(CLASSES), (samples,)), range(samples))
    return Batches(split, ImagePreprocessing(*shape, (0.5,), (0.3,)), 128, shuffle=True)


def make_model(name: str, shape: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(0)
    return build(name, shape, len(CLASSES))


def seconds_of(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def in_turns(first: Callable[[], float], second: Callable[[], float], rounds: int) -> list[float]:
    """Return first / second of each round, after one round to warm up."""
    first(), second()
    return [first() / second() for _ in range(rounds)]


def spread(ratios: list[float]) -> str:
    return f"{median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f})"


if __name__ == "__main__":
    if importlib.util.find_spec("layerwise") is None:
        sys.exit("Layerwise is not installed for this Python; run: pip install -e .")
    main()
