"""Run folders that were damaged, mixed up, or are no run folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from case import Case, Maker, refused, text, works

GOOD_RUNS = "good-runs"
Change = Callable[[Path], object]
PREDICT = "predict {it} {picture} --json"
RESUME = "resume {it}"
EVALUATE = "evaluate {it} --json"


def run(*changes: Change, kind: str = "pictures") -> Maker:
    """Copy a good run and damage the copy."""

    def make(path: Path) -> None:
        shutil.copytree(path.parent / GOOD_RUNS / kind, path)
        for change in changes:
            change(path)

    return make


def remove(name: str) -> Change:
    """Remove a file."""
    return lambda path: (path / name).unlink()


def cut(name: str, keep: float = 0.5) -> Change:
    """Keep the first part of a file alone."""

    def change(path: Path) -> None:
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[: int(keep * len(data))])

    return change


def flip(name: str) -> Change:
    """Flip one bit in the middle of a file."""

    def change(path: Path) -> None:
        data = bytearray((path / name).read_bytes())
        data[len(data) // 2] ^= 1
        (path / name).write_bytes(bytes(data))

    return change


def write(name: str, content: bytes) -> Change:
    """Put other content into a file."""
    return lambda path: (path / name).write_bytes(content)


def edit(name: str, change: Callable[[Any], object]) -> Change:
    """Change the value in a JSON file."""

    def apply(path: Path) -> None:
        values = json.loads((path / name).read_bytes())
        change(values)
        (path / name).write_text(json.dumps(values), encoding="utf-8")

    return apply


def paused(path: Path) -> None:
    """Make a finished run one that has to go on."""
    edit("status.json", lambda values: values.update(status="paused", reason="signal 15"))(path)
    for name in ("result.json", "model.safetensors", "model.sha256.json"):
        (path / name).unlink()


def checkpoints(*damages: Callable[[str], Change]) -> Change:
    """Damage the newest checkpoint by the first of `damages`, the one before by the second, and so on."""

    def change(path: Path) -> None:
        names = sorted((folder.name for folder in (path / "checkpoints").glob("step-*")), reverse=True)
        for name, damage in zip(names, damages, strict=False):
            damage(f"checkpoints/{name}")(path)

    return change


def broken(file: str) -> Callable[[str], Change]:
    """Flip a bit of a file of a checkpoint."""
    return lambda folder: flip(f"{folder}/{file}")


def foreign_weights(path: Path) -> None:
    """Put the weights of the other good run in place, with their sums."""
    for name in ("model.safetensors", "model.sha256.json"):
        shutil.copy(path.parent / GOOD_RUNS / "table" / name, path / name)


def no_run(path: Path) -> None:
    """Write a folder with files that belong to no run."""
    path.mkdir()
    (path / "notes.txt").write_text("no run", encoding="utf-8")


WEIGHTS, STATE, MANIFEST = "model.safetensors", "state.json", "manifest.json"

RUNS: tuple[Case, ...] = (
    # --- what is no run
    refused("no-run", no_run, 66, "no-run", "no run", command=PREDICT),
    refused("no-run.txt", text("no run"), 66, "no-run.txt", "status.json", command=PREDICT),
    refused("nothing-there", None, 66, "nothing-there", "no run", command="predict {folder}/nothing-there {picture}"),
    refused("no-run-to-resume", no_run, 66, "no-run-to-resume", command=RESUME),
    # --- the weights
    refused("weights-cut", run(cut(WEIGHTS)), 70, "model.safetensors", "damaged", "train again", command=PREDICT),
    refused("weights-flipped", run(flip(WEIGHTS)), 70, "model.safetensors", "SHA-256", command=PREDICT),
    refused("weights-empty", run(write(WEIGHTS, b"")), 70, "model.safetensors", "damaged", command=PREDICT),
    refused("weights-gone", run(remove(WEIGHTS)), 66, "model.safetensors", "layerwise resume", command=PREDICT),
    refused("weights-foreign", run(foreign_weights), 70, "weights of another network", command=PREDICT),
    refused("sums-gone", run(remove("model.sha256.json")), 66, "model.sha256.json", command=PREDICT),
    refused("sums-empty", run(write("model.sha256.json", b"{}")), 70, "model.safetensors", command=PREDICT),
    refused("pickle", run(write(WEIGHTS, b"\x80\x04cos\nsystem\n.")), 70, "model.safetensors", command=PREDICT),
    # --- the descriptions
    refused("status-cut", run(cut("status.json")), 70, "status.json", "damaged", command=RESUME),
    refused("status-list", run(write("status.json", b"[]")), 70, "status.json", "damaged", command=RESUME),
    refused("status-noise", run(write("status.json", b"\xff\xfe\x00")), 70, "status.json", "damaged", command=RESUME),
    refused("experiment-cut", run(cut("experiment.json")), 70, "experiment.json", "damaged", command=PREDICT),
    refused("experiment-gone", run(remove("experiment.json")), 66, "experiment.json", command=PREDICT),
    refused("experiment-list", run(write("experiment.json", b"[1]")), 70, "experiment.json", command=PREDICT),
    refused(
        "experiment-of-tomorrow",
        run(edit("experiment.json", lambda values: values["training"].update(cleverness=2))),
        70,
        "experiment.json",
        "cleverness",
        command=PREDICT,
    ),
    refused(
        "experiment-with-other-model",
        run(edit("experiment.json", lambda values: values.update(model="os.system"))),
        2,
        "'os.system'",
        command=PREDICT,
    ),
    refused(
        "experiment-with-bad-value",
        run(edit("experiment.json", lambda values: values["training"].update(learning_rate=-1))),
        70,
        "experiment.json",
        "`learning_rate`",
        command=PREDICT,
    ),
    refused("preprocessing-cut", run(cut("preprocessing.json")), 70, "preprocessing.json", command=PREDICT),
    refused("preprocessing-gone", run(remove("preprocessing.json")), 66, "preprocessing.json", command=PREDICT),
    refused("preprocessing-empty", run(write("preprocessing.json", b"{}")), 70, "preprocessing.json", command=PREDICT),
    refused(
        "preprocessing-of-another-kind",
        run(edit("preprocessing.json", lambda values: values.update(kind="sounds"))),
        2,
        "preprocessing.json",
        "'sounds'",
        command=PREDICT,
    ),
    refused("facts-cut", run(cut("data.json")), 70, "data.json", "damaged", command=PREDICT),
    refused("facts-gone", run(remove("data.json")), 66, "data.json", command=PREDICT),
    refused("facts-empty", run(write("data.json", b"{}")), 70, "data.json", command=PREDICT),
    refused("pace-empty", run(paused, write("execution.json", b"{}")), 70, "execution.json", command=RESUME),
    refused(
        "other-shape",
        run(edit("data.json", lambda values: values.update(input_shape=[3, 9, 9]))),
        70,
        "weights of another network",
        command=PREDICT,
    ),
    refused(
        "metrics-cut-in-the-middle",
        run(paused, write("metrics.jsonl", b'{"step": 1, "kind"\n{"step": 2, "kind": "report"}\n')),
        70,
        "metrics.jsonl",
        "line 1",
        command=RESUME,
    ),
    refused(
        "metrics-of-another-program",
        run(paused, write("metrics.jsonl", b'{"loss": 1}\n')),
        70,
        "metrics.jsonl",
        command=RESUME,
    ),
    refused(
        "height-in-words",
        run(edit("preprocessing.json", lambda values: values.update(height="eight"))),
        70,
        "preprocessing.json",
        "'height'",
        command=PREDICT,
    ),
    refused(
        "mean-of-nothing",
        run(edit("preprocessing.json", lambda values: values.update(mean=[]))),
        70,
        "preprocessing.json",
        command=PREDICT,
    ),
    refused(
        "class-lost",
        run(edit("data.json", lambda values: values["task"].update(classes=["cats"]))),
        70,
        "data.json",
        "1 classes for 2 outputs",
        command=PREDICT,
    ),
    refused(
        "outputs-in-words",
        run(edit("data.json", lambda values: values.update(output_count="two"))),
        70,
        "data.json",
        command=PREDICT,
    ),
    works(
        "created-never",
        run(edit("status.json", lambda values: values.update(created=None))),
        "created-never",
        "weights-flipped",
        "damaged",
        command="runs --runs {folder}",
    ),
    # --- the checkpoints
    works("paused", run(paused), "classifies", command=RESUME),
    works("newest-flipped", run(paused, checkpoints(broken(WEIGHTS))), "SHA-256 differs", "going back", command=RESUME),
    works(
        "newest-without-manifest",
        run(paused, checkpoints(lambda folder: remove(f"{folder}/{MANIFEST}"))),
        "going back",
        command=RESUME,
    ),
    works(
        "newest-without-state",
        run(paused, checkpoints(lambda folder: remove(f"{folder}/{STATE}"))),
        "going back",
        command=RESUME,
    ),
    works(
        "newest-cut", run(paused, checkpoints(lambda folder: cut(f"{folder}/{WEIGHTS}"))), "going back", command=RESUME
    ),
    refused(
        "all-flipped",
        run(paused, checkpoints(broken(WEIGHTS), broken(STATE))),
        70,
        "no whole checkpoint is left",
        "put back a copy",
        command=RESUME,
    ),
    refused(
        "all-manifests-damaged",
        run(paused, checkpoints(*[lambda folder: write(f"{folder}/{MANIFEST}", b"{")] * 2)),
        70,
        "no whole checkpoint is left",
        command=RESUME,
    ),
    refused(
        "data-changed",
        run(paused, edit("data.json", lambda values: values.update(fingerprint="0" * 64))),
        65,
        "put the old data back",
        command=RESUME,
    ),
    refused(
        "data-gone",
        run(paused, edit("experiment.json", lambda values: values["data"].update(data="/nothing/here"))),
        66,
        "/nothing/here",
        command=RESUME,
    ),
    # --- what was asked of a run that is there
    refused("unfinished", run(paused), 66, "layerwise resume", command=PREDICT),
    works("no-result", run(remove("result.json")), "test accuracy", command="runs compare {it} {table}"),
    works("finished", run(), "is already finished", command=RESUME),
    works("measured", run(), '"accuracy"', command=EVALUATE),
)
