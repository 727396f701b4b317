"""Runs beside each other: the list, what differs between some of them, and removal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerwise.reports import wording
from layerwise.runs.folder import runs_parent
from layerwise.runs.index import Index
from layerwise.tasks.metrics import headline

if TYPE_CHECKING:  # listing runs needs no torch
    from layerwise.experiments.run import Run


def list_runs(runs: str | Path | None = None) -> list[dict[str, Any]]:
    """Return a row a run, the newest first: name, path, model, data, status, times, metrics and one figure in words."""
    parent = runs_parent(runs)
    if not parent.is_dir():
        return []
    rows = [asdict(row) | {"path": str(row.path)} for row in Index(parent).runs()]
    return [row | {"figure": figure(row["metrics"], row["status"] == "finished")} for row in rows]


def figure(metrics: Mapping[str, float], is_test: bool) -> str:
    """Return the one metric that says most, in words; an empty string where there is none.

    is_test: it is of the test split; an unfinished run has figures of the validation split alone.
    """
    name = headline(metrics)
    return ("" if is_test else "valid ") + wording.metric(name, metrics[name]) if name else ""


def differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Return the settings and figures in which runs differ, by name, a value a run."""
    columns = [flat({**settings_of(run), **figures_of(run)}) for run in runs]
    names = list(dict.fromkeys(name for column in columns for name in column))
    table = {name: [column.get(name) for column in columns] for name in names}
    return {name: values for name, values in table.items() if any(value != values[0] for value in values)}


def settings_of(run: Run) -> dict[str, Any]:
    """Return what was decided before the first step."""
    description = run.experiment.to_json()
    asked = description.pop("options")
    return {"model": description.pop("model"), **description, "data": {**description["data"], "data": asked["data"]}}


def figures_of(run: Run) -> dict[str, Any]:
    """Return what came out, as far as the run came."""
    has_result = (run.path / "result.json").is_file()
    return {"status": run.status, **(run.result if has_result else {})}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn {'test': {'loss': 1}} into {'test loss': 1}."""
    rows: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{prefix}{name.replace('_', ' ')}"
        rows |= flat(value, key + " ") if isinstance(value, Mapping) else {key: value}
    return rows


def remove(run: Run) -> None:
    """Remove a run for good. Raises BusyError while a process owns it."""
    Index(run.path.parent).remove(run.folder)
