"""Compare the step of each recipe, as `layerwise.train` takes it, with one written by hand in PyTorch.

    python benchmarks/steps.py                     about 15 minutes
    python benchmarks/steps.py --only fashion-vit python-gpt
    python benchmarks/steps.py --turns 3 --block 0.2

Each recipe runs in a process of its own on one thread. Both sides train the catalogue's network from the same first
weights on the same batches in the recipe's order of memory and precision, with the same optimiser, schedule, clipping
and average, and take blocks of steps in turns. Layerwise's side is the whole loop with its run folder, without the
evaluations and checkpoints between steps; the other side is steps_by_hand.py. Times are of the processor; the ratio is
the median over turns, and the mean losses of both have to agree.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from machine import describe_machine
from table import format_table

from layerwise.recipes import RECIPES

LEFT_OUT = ("fashion-resnet",)  # PyTorch's Muon takes no filters
LOSSES_AGREE = 0.1  # of the hand-written loop's: dropout and augmentation are drawn apart
BUSY = 0.5


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    machine = describe_machine()
    print(f"{machine['processor']}, one thread, {machine['system']}, Python {machine['python']}, "
          f"torch {torch.__version__}; load {machine['load']:.1f} at the start")  # fmt: skip
    if machine["load"] > BUSY:
        print("The machine is busy: times are of the processor, and only ratios mean anything.")
    results = []
    for name in options.only:
        if result := measure(name, options):
            results.append(result)
            print(", ".join(f"{key} {value}" for key, value in row(result).items()), file=sys.stderr, flush=True)
    print(format_table([row(result) for result in results]))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = [name for name in RECIPES if name not in LEFT_OUT]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="RECIPE", help="some recipes (all)")
    parser.add_argument("--turns", type=int, default=9, help="blocks of steps of each side (9)")
    parser.add_argument("--block", type=float, default=0.7, help="processor seconds of a block (0.7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    return parser.parse_args(arguments)


def measure(name: str, options: argparse.Namespace) -> dict[str, Any] | None:
    """Return what the worker measured; None, said on the way, where it failed."""
    worker = str(Path(__file__).with_name("steps_worker.py"))
    command = [sys.executable, worker, name, str(options.turns), str(options.block)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        print(f"{name} is left out, it failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
        return None
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def row(result: dict[str, Any]) -> dict[str, str]:
    """Return a row of the table."""
    ours, hand = ([cpu_s for cpu_s, _ in result["seconds"][side]] for side in ("ours", "hand"))
    ratios = [a / b for a, b in zip(ours, hand, strict=True)]
    clock = [a[1] / b[1] for a, b in zip(result["seconds"]["ours"], result["seconds"]["hand"], strict=True)]
    speed = result["multiply_adds"] / median(ours)
    return {
        "recipe": result["recipe"],
        "precision": result["precision"],
        "batch": str(result["batch_size"]),
        "ms by hand": f"{1e3 * median(hand):.2f}",
        "ms": f"{1e3 * median(ours):.2f}",
        "x hand-written": f"{median(ratios):.2f}",
        "min..max": f"{min(ratios):.2f}..{max(ratios):.2f}",
        "by the clock": f"{median(clock):.2f}",
        "loss": losses(result["losses"]["ours"], result["losses"]["hand"]),
        "million multiply-adds": f"{result['multiply_adds'] / 1e6:,.1f}",
        "GFLOP/s": f"{2 * speed / 1e9:.1f}",
        "of a large product": f"{100 * speed / result['peak']:.0f} %",
    }


def losses(ours: list[float], hand: list[float]) -> str:
    """Return the mean losses of both sides, and whether they differ by more than chance."""
    texts = [f"{a:.4g}/{b:.4g}" for a, b in zip(ours, hand, strict=True)]
    agree = all(abs(a - b) <= LOSSES_AGREE * abs(b) for a, b in zip(ours, hand, strict=True))
    return ", ".join(texts) + ("" if agree else " DIFFERS")


if __name__ == "__main__":
    main()
