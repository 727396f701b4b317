"""Prove that a change alters no bit: short trainings of every task, compared with the hashes of earlier ones.

    python benchmarks/same_bits.py                     about a minute on one core
    python benchmarks/same_bits.py lenet5 gpt          only these
    python benchmarks/same_bits.py --record            write same_bits.json anew, before the change

Each run has two SHA-256 digests in same_bits.json: of its losses and metrics in the order of the events, and of its
final weights. Names are left out of both, so that they may change. Bits hold on one type of processor and for one
version of each library, so that the file is compared only where these are the recorded ones. The engine's kernels are
compiled at the first run in a new folder, which takes up to a minute more.

Exit status: 0 where all bits are equal, 1 where some differ, 2 where the machine or a version is another.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import describe_machine
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

from layerwise import (
    DataConfig,
    Dataset,
    LinearRegression,
    LinearSVM,
    LogisticRegression,
    NetworkClassifier,
    NetworkRegressor,
    Neuron,
    Perceptron,
    descend,
    train,
)
from layerwise.data.build import build
from layerwise.data.raw import RawTaggedText
from layerwise.training.events import Evaluated, Event, Reported

RECORDED = Path(__file__).with_suffix(".json")
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "numba")
CACHE_VARIABLE = "LAYERWISE_CACHE"

Digests = dict[str, str]  # "curve" and "weights"
Run = Callable[[Path], Digests]  # given an empty folder of its own


def training(model: str, data: str | Callable[[Path], Path | Dataset], **options: Any) -> Run:
    """Return a run of `layerwise.train`; data that is no name is made in the run's folder."""

    def run(folder: Path) -> Digests:
        curve: list[float] = []

        def watch(event: Event) -> None:
            if isinstance(event, Reported):
                curve.extend(event.losses.values())
            elif isinstance(event, Evaluated):
                curve.extend(event.metrics.values())

        source = data if isinstance(data, str) else data(folder)
        fixed = {"device": "cpu", "precision": "float32", "compile": "no", "threads": 1}
        trained = train(model, source, runs=folder / "runs", quiet=True, watchers=[watch], **fixed, **options)
        return digests(curve, (tensor.numpy() for tensor in trained.model.state_dict().values()))

    return run


def fitting(kind: type, load_data: Callable[..., Any], **parameters: Any) -> Run:
    """Return a run of an estimator on scaled columns."""

    def run(folder: Path) -> Digests:
        inputs, targets = load_data(return_X_y=True)
        fitted = kind(**parameters).fit(scale(inputs), targets)
        if hasattr(fitted, "network_"):
            return digests(fitted.loss_curve_, [array for layer in fitted.network_.weights for array in layer])
        return digests([*fitted.loss_curve_, fitted.objective_, fitted.n_iter_], [fitted.coef_, fitted.intercept_])

    return run


def descending(function: str, start: tuple[float, ...], **options: Any) -> Run:
    """Return a run of `layerwise.descend`: its values, and the points of its path."""

    def run(folder: Path) -> Digests:
        path = descend(function, start, **options)
        return digests(path.values, [path.points])

    return run


def digests(curve: Iterable[float], weights: Iterable[Any]) -> Digests:
    raw = {
        "curve": np.array(list(curve), np.float64).tobytes(),
        "weights": b"".join(np.ascontiguousarray(array).tobytes() for array in weights),
    }
    return {part: sha256(content).hexdigest() for part, content in raw.items()}


def islands(folder: Path) -> Path:
    """Draw round islands in a sea, with their masks."""
    chance, row = np.random.default_rng(0), np.arange(16)
    for side in ("pictures", "masks"):
        (folder / "islands" / side).mkdir(parents=True)
    for number in range(40):
        y, x = chance.uniform(5, 11, 2)
        mask = ((row[:, None] - y) ** 2 + (row - x) ** 2 < 20).astype(np.uint8)
        colours = np.array([[30, 60, 160], [190, 170, 60]])[mask] + chance.integers(-30, 31, (16, 16, 3))
        Image.fromarray(colours.astype(np.uint8)).save(folder / "islands" / "pictures" / f"{number}.png")
        Image.fromarray(mask).save(folder / "islands" / "masks" / f"{number}.png")
    (folder / "islands" / "classes.txt").write_text("sea\nisland\n")
    return folder / "islands"


def pairs(folder: Path) -> Path:
    """Write phrases in English and French, where adjectives come behind their nouns."""
    nouns = {"car": "voiture", "house": "maison", "door": "porte", "street": "rue", "dress": "robe"}
    adjectives = {"red": "rouge", "yellow": "jaune", "clean": "propre", "empty": "vide", "wide": "large"}
    things = [(f"the {a} {n}", f"la {nouns[n]} {adjectives[a]}") for n in nouns for a in adjectives]
    rows = [f"{a} near {b}\t{c} près de {d}" for a, c in things for b, d in things if a != b]
    chosen = np.random.default_rng(0).permutation(rows)[:300]
    path = folder / "things.pairs.tsv"
    path.write_text("\n".join(["english\tfrench", *chosen]) + "\n", encoding="utf-8")
    return path


def book(folder: Path) -> Path:
    """Write lines whose second half follows from the first."""
    chance, path = np.random.default_rng(0), folder / "book.txt"
    names = chance.choice(["Anna", "Boris", "Clara", "Dmitri"], 400)
    path.write_text("".join(f"{name} says the name {name} {chance.choice(list('+-*'))}\n" for name in names))
    return path


def sums(folder: Path) -> Dataset:
    """Make lines of digits and letters, with the kind of each character."""
    chance, kinds = np.random.default_rng(0), ("letter", "digit", "other")
    texts = {}
    for number in range(12):
        text = "".join(f"{chance.choice(list('abc'))}={chance.integers(100)}+{chance.integers(9)}\n" for _ in range(25))
        texts[f"text {number}"] = (text, [0 if c.isalpha() else 1 if c.isdigit() else 2 for c in text])
    raw = RawTaggedText(texts, kinds, "made", frozenset({"text 1", "text 6"}))
    return build(raw, "sums", DataConfig(window=32), 0)


def waves(folder: Path) -> Path:
    """Write slow and fast waves of unequal lengths."""
    chance, path = np.random.default_rng(0), folder / "waves.ts"
    lines = ["@classLabel true slow fast", "@data"]
    for number in range(120):
        label, rate = (("slow", 0.3), ("fast", 1.5))[number % 2]
        values = np.sin(rate * np.arange(chance.integers(8, 16)) + chance.normal())
        lines.append(",".join(f"{value:.4f}" for value in values) + f":{label}")
    path.write_text("\n".join(lines))
    return path


def sales(folder: Path) -> Path:
    """Write a series that rises and falls."""
    path = folder / "shop.csv"
    path.write_text("sales\n" + "\n".join(f"{1000 + 200 * np.sin(day / 4):.3f}" for day in range(200)))
    return path


RUNS: dict[str, Run] = {
    # classification of pictures
    "lenet5": training(
        "lenet5", "digits", image_size=12, limit=600, epochs=3, augment="shift:1,rotate:10", dropout=0.2,
        label_smoothing=0.1,
    ),  # nesterov, cosine with warm-up, weight decay: the model's own settings
    "lenet5-paper": training(
        "lenet5-paper", "digits", image_size=12, limit=300, epochs=2, optimizer="sgd", schedule="linear"
    ),
    "batch-innermost": training(
        "lenet5", "digits", image_size=12, limit=600, epochs=3, memory_format="batch-innermost", optimizer="momentum",
        momentum=0.8, schedule="step", mixup=0.2,
    ),
    "resnet": training(
        "resnet-tiny", "digits", limit=300, epochs=4, batch_size=32, optimizer="sgd", schedule="plateau", warmup=0.5,
        ema_decay=0.95, accumulation_steps=2, clip_norm=1.0, seed=3,
    ),
    # tables
    "mlp": training(
        "mlp", "wine", epochs=30, hidden=(24, 16), dropout=0.1, batch_norm=True, weight_decay=0.05, penalty="elastic",
        penalty_strength=1e-3, mix=0.3, learning_rate=0.01, patience=4,
    ),
    "mlp-muon": training("mlp", "iris", epochs=10, optimizer="muon", learning_rate=0.01, ema_decay=0.9, mixup=0.3),
    "dense-classes": training(  # as many steps as the engine is chosen from
        "mlp", "iris", epochs=190, batch_size=1, hidden=(8,), activation="tanh", optimizer="adam", learning_rate=1e-3,
        schedule="cosine", penalty="l1", penalty_strength=1e-4, clip_norm=1.0, label_smoothing=0.05,
    ),
    "dense-values": training(
        "mlp", "diabetes", limit=200, epochs=101, batch_size=1, hidden=(6, 5), optimizer="nesterov", learning_rate=1e-3,
        schedule="linear", weight_decay=1e-3,
    ),
    "linear": training("linear", "diabetes", epochs=30, penalty="l1", penalty_strength=0.02),
    "regression": training(
        "mlp", "diabetes", epochs=20, optimizer="rmsprop", learning_rate=0.01, schedule="plateau", penalty="l2",
        penalty_strength=1e-3, clip_norm=0.5, ema_decay=0.9, accumulation_steps=4,
    ),
    # pictures with masks
    "unet": training("unet", islands, widths=(8, 16), epochs=4, batch_size=8, augment="flip,rotate:20"),
    "segnet": training(
        "segnet", islands, widths=(8, 16), convolutions=(1, 1), epochs=4, batch_size=8, class_weights="median"
    ),
    # texts and series
    "transformer": training(
        "transformer", pairs, embed_dim=32, heads=2, encoder_layers=1, decoder_layers=1, epochs=3, batch_size=32,
        warmup=1.0
    ),  # inverse-root, average, clipping, dropout: the model's own settings
    "seq2seq": training("seq2seq", pairs, embedding=24, hidden=24, epochs=3, batch_size=32, ema_decay=0.0),
    "gpt": training(
        "gpt", book, embed_dim=32, heads=2, layers=2, window=24, vocabulary=290, epochs=2, batch_size=8, dropout=0.1
    ),
    "sequence_tagging": training("lstm", sums, hidden=16, embedding=8, epochs=4, batch_size=16, bidirectional=True),
    "forecast": training(
        "gru", sales, target="sales", window=12, horizon=3, hidden=12, from_last=True, epochs=6, batch_size=16
    ),
    "series": training(
        "gru", waves, hidden=12, layers=2, dropout=0.3, bidirectional=True, epochs=6, batch_size=16, patience=2,
        optimizer="adam", schedule="constant", learning_rate=0.02,
    ),
    # painters
    "vae": training(
        "vae", "digits", limit=200, code=3, widths=(8, 8), hidden=24, epochs=4, batch_size=16, beta=0.05
    ),
    "gan": training("gan", "digits", limit=200, noise=4, widths=(12, 8), epochs=2, batch_size=16),
    "dcgan": training("dcgan", "digits", limit=200, noise=4, widths=(12, 8), epochs=2, batch_size=16, ema_decay=0.9),
    # estimators
    "network-classifier": fitting(
        NetworkClassifier, load_breast_cancer, hidden=(16, 8), dropout=0.1, epochs=15, random_state=0
    ),
    "network-regressor": fitting(
        NetworkRegressor, load_diabetes, hidden=(12,), activation="tanh", optimizer="muon", penalty="l1",
        penalty_strength=1e-4,
        epochs=30, patience=5, random_state=1,
    ),
    "perceptron": fitting(Perceptron, load_iris, random_state=0),
    "logistic": fitting(LogisticRegression, load_breast_cancer, penalty="elastic", penalty_strength=0.01),
    "svm": fitting(LinearSVM, load_breast_cancer, penalty_strength=0.01),
    "least-squares": fitting(LinearRegression, load_diabetes),
    "lasso": fitting(LinearRegression, load_diabetes, penalty="l1", penalty_strength=1.0),
    "neuron": fitting(
        Neuron, load_iris, activation="softmax", loss="cross-entropy", solver="descent", optimizer="adam", epochs=30,
        random_state=2,
    ),
    "descend": descending("(1-x)**2 + 100*(y-x**2)**2", (-1.0, 1.5), optimizer="nesterov", learning_rate=1e-3),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {"machine": here(), "runs": {}}
    if recorded["machine"] != here() and not (options.record and options.names == list(RUNS)):
        there = said(recorded["machine"])
        print(f"The bits in {RECORDED.name} are those of another machine or version, {there}; here it is "
              f"{said(here())}. Record all runs here with the code from before the change.")  # fmt: skip
        return 2
    started, differing = time.monotonic(), 0
    found: dict[str, Digests] = {}
    for name, digests_of in take(options.names):
        found[name] = digests_of
        expected = recorded["runs"].get(name, {})
        parts = [part for part, digest in digests_of.items() if digest != expected.get(part)]
        differing += bool(parts)
        verdict = f"DIFFERS in {' and '.join(parts)}" if expected else "not recorded"
        print(f"{name:20} {verdict if parts else 'equal'}", flush=True)
    if options.record:
        runs = {name: {**recorded["runs"], **found}[name] for name in RUNS if name in found or name in recorded["runs"]}
        RECORDED.write_text(json.dumps({"machine": here(), "runs": runs}, indent=2) + "\n")
    print(f"{len(found)} runs in {time.monotonic() - started:.0f} s, {differing} not as recorded before")
    return 1 if differing and not options.record else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="RUN", help=f"some of {', '.join(RUNS)} (all)")
    parser.add_argument("--record", action="store_true", help=f"write the digests to {RECORDED.name}")
    options = parser.parse_args(arguments)
    options.names = options.names or list(RUNS)
    if unknown := [name for name in options.names if name not in RUNS]:
        parser.error(f"there is no run {unknown[0]!r}; there are {', '.join(RUNS)}")
    return options


def take(names: Sequence[str]) -> Iterator[tuple[str, Digests]]:
    """Yield the digests of each run, computed on one thread, with the files in a folder that is removed."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as work, threadpool_limits(1):
        os.environ[CACHE_VARIABLE] = str(Path(work) / "cache")
        for name in names:
            folder = Path(work) / name
            folder.mkdir()
            yield name, RUNS[name](folder)


def here() -> dict[str, str]:
    """Return what bits depend on beside the code."""
    processor = f"{describe_machine()['processor']}, {torch.backends.cpu.get_cpu_capability()}"
    return {"processor": processor, **{library: version(library) for library in LIBRARIES}}


def said(machine: dict[str, str]) -> str:
    return ", ".join(value if name == "processor" else f"{name} {value}" for name, value in machine.items())


if __name__ == "__main__":
    sys.exit(main())
