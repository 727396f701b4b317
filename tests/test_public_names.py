"""The names that others build on. A change here is a change of the interface: make it on purpose."""

from __future__ import annotations

import inspect

import layerwise
from layerwise.cli.main import COMMANDS
from layerwise.data.catalogue import SOURCES
from layerwise.models import CATALOGUE
from layerwise.recipes import RECIPES

NAMES = [
    "DataConfig",
    "Dataset",
    "LayerwiseError",
    "LinearRegression",
    "LinearSVM",
    "LogisticRegression",
    "NetworkClassifier",
    "NetworkRegressor",
    "Neuron",
    "Perceptron",
    "Run",
    "Split",
    "__version__",
    "backprop",
    "build",
    "descend",
    "embed",
    "evaluate",
    "explain",
    "load",
    "resume",
    "summarise",
    "train",
]

TRAIN = (
    "(model: 'str | nn.Module | None' = None, data: 'str | Path | Dataset' = 'digits', *, name: 'str | None' = None, "
    "runs: 'str | Path | None' = None, quiet: 'bool' = False, watchers: 'Sequence[Watcher]' = (), **options: 'Any') "
    "-> 'Run'"
)

RESUME = (
    "(reference: 'str | Path' = 'latest', *, runs: 'str | Path | None' = None, model: 'nn.Module | None' = None, "
    "data: 'Dataset | None' = None, quiet: 'bool' = False, watchers: 'Sequence[Watcher]' = ()) -> 'Run'"
)

RUN = [
    "evaluate_split",
    "experiment",
    "data_info",
    "metrics",
    "model",
    "name",
    "open",
    "outputs",
    "execution",
    "path",
    "predict",
    "preprocessing",
    "report",
    "result",
    "sample",
    "status",
    "task",
    "walk",
]

MODELS = [
    "alexnet",
    "alexnet-one-tower",
    "alexnet-small",
    "autoencoder",
    "dcgan",
    "densenet-small",
    "densenet121",
    "densenet169",
    "efficientnet-lite0",
    "gan",
    "googlenet",
    "googlenet-small",
    "lenet5",
    "lenet5-paper",
    "linear",
    "logistic",
    "mlp",
    "resnet-small",
    "resnet-tiny",
    "resnet101",
    "resnet18",
    "resnet20",
    "resnet34",
    "resnet50",
    "resnet56",
    "vae",
    "vgg-small",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
]


def test_the_exported_names_are_these_and_each_is_there() -> None:
    assert dir(layerwise) == sorted(layerwise.__all__) == NAMES
    for name in NAMES:
        assert getattr(layerwise, name) is not None


def test_training_and_resuming_take_these_arguments() -> None:
    assert str(inspect.signature(layerwise.train)) == TRAIN
    assert str(inspect.signature(layerwise.resume)) == RESUME


def test_a_run_offers_these() -> None:
    assert set(RUN) <= set(dir(layerwise.Run))


def test_the_commands_are_these() -> None:
    assert set(COMMANDS) >= {
        "code",
        "data",
        "demo",
        "evaluate",
        "explain",
        "models",
        "predict",
        "recipes",
        "resume",
        "runs",
        "sample",
        "show",
        "train",
    }


def test_no_name_of_the_catalogues_was_lost() -> None:
    assert set(CATALOGUE) >= set(MODELS)
    assert set(SOURCES) >= {
        "breast-cancer",
        "cifar10",
        "diabetes",
        "digits",
        "fashion-mnist",
        "iris",
        "mnist",
        "spam",
        "titanic",
        "wine",
    }
    assert set(RECIPES) >= {"digits-gan", "digits-lenet5", "digits-vae", "mnist-lenet5", "spam-logistic", "titanic-mlp"}
