"""Few pictures a class: published weights, frozen or fine-tuned, against training from scratch.

    python benchmarks/transfer.py                       about 20 minutes of one core
    python benchmarks/transfer.py --each 5 --seeds 1    one row

Every seed draws so many pictures a class of Fashion-MNIST, and all learn from the same ones. All are measured on the
same 1,000 pictures of the test part, evenly spread over it. EfficientNet-lite0 reads them at 112x112 pixels;
resnet-small reads them as they are, 28x28.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from typing import Any

import torch
from machine import describe_machine
from torch.nn import functional as F

import layerwise
from layerwise.data.dataset import Dataset, Split

TEST_PICTURES, SIDE_PX = 1000, 112
LEAST_EPOCHS, PICTURES_A_CLASS = 12, 300  # epochs are more where pictures are few, so that steps are enough
COMMON: dict[str, Any] = {"quiet": True, "threads": 1, "compile": "no"}
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "frozen": ("efficientnet-lite0", {"pretrained": "frozen", "epochs": 60}),
    "fine-tuned": ("efficientnet-lite0", {"pretrained": "fine-tune"}),
    "resnet-small from scratch": ("resnet-small", {"epochs": 60, "augment": "shift:2,flip"}),
}


def draw(pictures: Dataset, each: int, seed: int, side_px: int) -> Dataset:
    """Return so many training pictures of each class, and the common test pictures, at one size."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(pictures.train), generator=generator)
    targets = pictures.train.targets[order]
    chosen = torch.cat([order[targets == number][:each] for number in range(len(pictures.classes))])
    tested = torch.linspace(0, len(pictures.test) - 1, TEST_PICTURES).long()
    train = resized(part(pictures.train, chosen), side_px)
    preprocessing = type(pictures.preprocessing).fit(train.inputs)
    nothing = part(pictures.train, chosen[:0])
    return replace(
        pictures,
        train=train,
        valid=resized(nothing, side_px),
        test=resized(part(pictures.test, tested), side_px),
        preprocessing=preprocessing,
    )


def part(split: Split, positions: torch.Tensor) -> Split:
    """Return the samples at `positions`."""
    return Split(split.inputs[positions], split.targets[positions], [split.ids[n] for n in positions.tolist()])


def resized(split: Split, side_px: int) -> Split:
    """Return a split with its pictures at another size, as Pillow's bicubic."""
    if not len(split):
        return replace(split, inputs=torch.empty(0, 1, side_px, side_px, dtype=torch.uint8))
    size = (side_px, side_px)
    return replace(split, inputs=F.interpolate(split.inputs, size=size, mode="bicubic", antialias=True))


def accuracy(way: str, dataset: Dataset, seed: int, runs: str) -> tuple[float, float]:
    """Return the share of test pictures that are named right, and the processor seconds of all."""
    model, options = WAYS[way]
    epochs = max(LEAST_EPOCHS, PICTURES_A_CLASS * len(dataset.classes) // len(dataset.train))
    started = time.process_time()
    run = layerwise.train(model, dataset, seed=seed, runs=runs, **{**COMMON, "epochs": epochs, **options})
    return float(run.result["test"]["accuracy"]), time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, nargs="*", default=[5, 10, 50], help="training pictures a class")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    print(json.dumps(describe_machine()))
    pictures = layerwise.load(layerwise.DataConfig(data="fashion-mnist", valid=0.0))
    found: dict[str, dict[str, list[float]]] = {}
    for each in args.each:
        for way in args.ways:
            side_px = SIDE_PX if WAYS[way][0] == "efficientnet-lite0" else 28
            with tempfile.TemporaryDirectory() as runs:
                rows = [accuracy(way, draw(pictures, each, s, side_px), s, runs) for s in range(args.seeds)]
            shares, seconds = zip(*rows, strict=True)
            found.setdefault(str(each), {})[way] = list(shares)
            spread = statistics.stdev(shares) if args.seeds > 1 else 0.0
            print(
                f"{each:>3} a class, {way:<26} {100 * statistics.fmean(shares):.1f} +- {100 * spread:.1f} % over "
                f"{args.seeds} seeds, {statistics.median(seconds):.0f} s of one core",
                flush=True,
            )
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
