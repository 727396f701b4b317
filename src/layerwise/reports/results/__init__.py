"""What is said of a trained network on one split: a file for each kind of result, called by the name of its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from torch import Tensor

from layerwise.errors import DataError
from layerwise.reports.results.classification import ClassificationResult, evaluate_classes
from layerwise.reports.results.regression import RegressionResult, evaluate_values
from layerwise.reports.results.result import EvaluationInput, Result
from layerwise.tasks import Classification, Regression, Task, task_name

__all__ = [
    "RESULTS",
    "ClassificationResult",
    "EvaluationInput",
    "RegressionResult",
    "Result",
    "evaluate_outputs",
    "measure",
]

RESULTS: dict[str, tuple[str, str]] = {  # the task's name: the module of this folder and the class in it
    "classification": ("classification", "ClassificationResult"),
    "regression": ("regression", "RegressionResult"),
    "language_modeling": ("language_modeling", "LanguageModelingResult"),
    "sequence_tagging": ("sequence_tagging", "SequenceTaggingResult"),
    "segmentation": ("segmentation", "SegmentationResult"),
    "translation": ("translation", "TranslationResult"),
    "reconstruction": ("reconstruction", "ReconstructionResult"),
    "adversarial": ("adversarial", "AdversarialResult"),
}


def measure(evaluation_input: EvaluationInput) -> Result:
    """Measure a trained network.

    Raises:
        DataError: there is no sample to measure on.
    """
    if len(evaluation_input.split) == 0:
        raise DataError("there is no sample to evaluate on; give data with at least one labelled sample.")
    module, _ = RESULTS[task_name(evaluation_input.task)]
    result: Result = import_module(f"layerwise.reports.results.{module}").measure(evaluation_input)
    return result


def result_from_json(values: Mapping[str, Any]) -> Result:
    """Rebuild the result that its `to_json` described. Raises KeyError or TypeError for anything else."""
    module, name = RESULTS[values["task"]]
    kind: type[Result] = getattr(import_module(f"layerwise.reports.results.{module}"), name)
    return kind.from_json({field: value for field, value in values.items() if field != "task"})


def evaluate_outputs(
    task: Task, outputs: Tensor, targets: Tensor, ids: Sequence[str]
) -> ClassificationResult | RegressionResult:
    """Measure raw outputs against targets.

    Args:
        task: says what outputs mean; a Classification or a Regression.
        outputs: (n, classes) logits or (n, targets) standardised values.
        targets: (n,) int64 classes or (n, targets) standardised values.
        ids: a name of each sample, for the list of the worst.

    Raises:
        DataError: there is no sample, or the three disagree in length.
        TypeError: this kind of task is measured with its network, by `measure`.
    """
    if not len(outputs) == len(targets) == len(ids):
        raise DataError(
            f"an evaluation needs as many outputs as targets and ids, "
            f"received {len(outputs)}, {len(targets)} and {len(ids)}."
        )
    if len(targets) == 0:
        raise DataError("there is no sample to evaluate on; give data with at least one labelled sample.")
    outputs, targets = outputs.detach().cpu(), targets.cpu()
    if isinstance(task, Classification):
        return evaluate_classes(task.classes, outputs, targets, ids)
    if isinstance(task, Regression):
        return evaluate_values(task, outputs, targets, ids)
    raise TypeError(f"outputs alone do not measure a {type(task).__name__}; a Classification or Regression, they do")
