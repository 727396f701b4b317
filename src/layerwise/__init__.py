"""Layerwise: from one artificial neuron to networks for images, text and time series. Names load at first use."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from layerwise.version import __version__

# Read when torch is first imported. Threads that wait for work give their core away; spinning, they can slow a busy
# machine a hundredfold.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from layerwise.data.config import DataConfig as DataConfig
    from layerwise.data.dataset import Dataset as Dataset
    from layerwise.data.dataset import Split as Split
    from layerwise.data.loading import load as load
    from layerwise.errors import LayerwiseError as LayerwiseError
    from layerwise.estimators.classics import LinearRegression as LinearRegression
    from layerwise.estimators.classics import LinearSVM as LinearSVM
    from layerwise.estimators.classics import LogisticRegression as LogisticRegression
    from layerwise.estimators.classics import Perceptron as Perceptron
    from layerwise.estimators.networks import NetworkClassifier as NetworkClassifier
    from layerwise.estimators.networks import NetworkRegressor as NetworkRegressor
    from layerwise.estimators.neuron import Neuron as Neuron
    from layerwise.experiments.evaluation import evaluate as evaluate
    from layerwise.experiments.explain import embed as embed
    from layerwise.experiments.explain import explain as explain
    from layerwise.experiments.run import Run as Run
    from layerwise.experiments.training import resume as resume
    from layerwise.experiments.training import train as train
    from layerwise.lessons.backprop import backprop as backprop
    from layerwise.models import build as build
    from layerwise.models.summary import summarise as summarise
    from layerwise.neuron.functions.descent import descend as descend

_HOMES = {
    "DataConfig": "layerwise.data.config",
    "Dataset": "layerwise.data.dataset",
    "LayerwiseError": "layerwise.errors",
    "LinearRegression": "layerwise.estimators.classics",
    "LinearSVM": "layerwise.estimators.classics",
    "LogisticRegression": "layerwise.estimators.classics",
    "NetworkClassifier": "layerwise.estimators.networks",
    "NetworkRegressor": "layerwise.estimators.networks",
    "Neuron": "layerwise.estimators.neuron",
    "Perceptron": "layerwise.estimators.classics",
    "Run": "layerwise.experiments.run",
    "Split": "layerwise.data.dataset",
    "backprop": "layerwise.lessons.backprop",
    "build": "layerwise.models",
    "descend": "layerwise.neuron.functions.descent",
    "embed": "layerwise.experiments.explain",
    "evaluate": "layerwise.experiments.evaluation",
    "explain": "layerwise.experiments.explain",
    "load": "layerwise.data.loading",
    "resume": "layerwise.experiments.training",
    "summarise": "layerwise.models.summary",
    "train": "layerwise.experiments.training",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'layerwise' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
