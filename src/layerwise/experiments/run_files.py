"""The first and the last page of a run folder: what is written before the first step and after the last."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from layerwise.data.dataset import Dataset
from layerwise.experiments.environment import environment
from layerwise.experiments.experiment import SECTIONS
from layerwise.experiments.run import Run
from layerwise.experiments.setup import Setup, fingerprint
from layerwise.models.summary import summarise
from layerwise.reports.facts import ReportFacts, Summary
from layerwise.reports.page import write_report
from layerwise.reports.results import Result
from layerwise.runs.folder import RunFolder
from layerwise.runs.index import Index
from layerwise.tasks import task_to_json


def begin(setup: Setup, parent: Path, name: str | None, reason: str) -> RunFolder:
    """Make the run folder and write what is known before the first step."""
    experiment, dataset = setup.experiment, setup.dataset
    folder = RunFolder.create(parent, name or f"{experiment.model}-{dataset.name}")
    folder.write_json("experiment.json", experiment.to_json())
    folder.write_json("execution.json", setup.execution.to_json())
    folder.write_json("environment.json", environment(setup.device))
    folder.write_json("preprocessing.json", dataset.preprocessing.to_json())
    folder.write_json("findings.json", [asdict(notice) for notice in dataset.notices])
    folder.write_json(
        "data.json",
        {
            "name": dataset.name,
            "kind": dataset.kind,
            "data_task": dataset.task,
            "source": dataset.source,
            "sizes": dataset.sizes,
            "input_shape": list(dataset.input_shape),
            "output_count": dataset.output_count,
            "task": task_to_json(setup.task),
            "fingerprint": fingerprint(dataset),
            "why_this_model": reason,
        },
    )
    Index(parent).put(folder)
    return folder


def finish(setup: Setup, folder: RunFolder, elapsed_s: float) -> Run:
    """Write the chosen weights, measure them on the test split (the only use of it), and write the report."""
    dataset = setup.dataset
    folder.save_weights(setup.network.state_dict())
    run = Run(folder, setup.network, dataset)
    evaluation = run.evaluate_split(dataset.test)
    summary = summarise(run.model, dataset.input_shape)
    result: dict[str, Any] = {
        **folder.read_json("result.json"),
        "test": dict(evaluation.summary),
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "elapsed_s": round(elapsed_s, 2),
    }
    folder.write_json("result.json", result)
    folder.write_json("evaluation.json", evaluation.to_json())
    write_report(run.report, report_context(run, dataset, evaluation, summary))
    folder.set_status("finished")
    Index(folder.path.parent).put(folder)
    return run


def report_context(run: Run, dataset: Dataset, evaluation: Result, summary: Summary) -> ReportFacts:
    """Gather what the report shows."""
    experiment = run.experiment
    description = experiment.to_json()
    return ReportFacts(
        title=f"{experiment.model} on {dataset.name}",
        run=run.name,
        command=experiment.command(),
        dataset=dataset,
        model=run.model,
        summary=summary,
        experiment={name: description[name] for name in SECTIONS} | {"model": dict(experiment.model_options)},
        options=experiment.options,
        evaluation=evaluation,
        records=run.metrics,
        environment=run.folder.read_json("environment.json") | {"execution": "; ".join(run.execution.reasons)},
        files=FILES,
        reason=run.data_info["why_this_model"],
        elapsed_s=run.result["elapsed_s"],
        folder=run.path,
    )


FILES = {
    "report.html": "this page",
    "model.safetensors": "the trained weights",
    "experiment.json": "what was asked, every setting",
    "preprocessing.json": "from a raw file to the network's input",
    "metrics.jsonl": "every loss and figure of the training",
    "evaluation.json": "the figures of the test split",
    "environment.json": "versions and hardware",
    "checkpoints/": "where the training can go on from",
}
