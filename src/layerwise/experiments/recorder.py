"""Writes what a training tells into its run folder, so that a run killed at any moment has each metric once."""

from __future__ import annotations

import time
from typing import Any

from layerwise.errors import CheckpointError
from layerwise.runs.folder import METRICS, RunFolder
from layerwise.training.events import Evaluated, Event, Finished, Reported, Started, Stepped


class Recorder:
    """A watcher of one training. elapsed_s counts the time of all sessions of a resumed run."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.earlier_s = 0.0
        self.started = time.monotonic()

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self._begin(event)
            case Reported():
                self._write(event, kind="report", losses=dict(event.losses), learning_rate=event.learning_rate)
            case Evaluated():
                self._write(event, kind="evaluation", metrics=dict(event.metrics), best=event.best)
            case Finished():
                self.folder.write_json("result.json", {"valid": dict(event.metrics), **_facts(event)})

    @property
    def elapsed_s(self) -> float:
        """Seconds of training so far."""
        return self.earlier_s + time.monotonic() - self.started

    def _begin(self, event: Started) -> None:
        """Drop what was written after the checkpoint that the training goes on from: it comes again."""
        try:
            kept = [record for record in self.folder.metrics() if _is_done(record, event)]
        except KeyError as error:
            raise CheckpointError(
                f"{self.folder.path / METRICS} is damaged (a record tells no {error}); put back a copy of this file."
            ) from error
        self.folder.replace_metrics(kept)
        self.earlier_s = kept[-1]["elapsed_s"] if kept else 0.0
        self.started = time.monotonic()

    def _write(self, event: Reported | Evaluated | Stepped, **values: Any) -> None:
        record = {"step": event.step, "epoch": event.epoch, "elapsed_s": round(self.elapsed_s, 3), **values}
        self.folder.append_metrics([record])


def _is_done(record: dict[str, Any], event: Started) -> bool:
    if record["kind"] == "evaluation":
        return bool(record["epoch"] < event.epoch)
    return bool(record["step"] <= event.step)


def _facts(event: Finished) -> dict[str, Any]:
    return {"steps": event.step, "reason": event.reason, "best_epoch": event.best_epoch}
