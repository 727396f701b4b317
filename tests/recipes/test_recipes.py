"""The recipes: each describes a training that can be had, repeats itself from its command, and learns."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from layerwise.cli.arguments import Parser, read_model_options
from layerwise.cli.train import OWN, add_arguments
from layerwise.data.catalogue import SOURCES
from layerwise.errors import UnavailableError, UsageError
from layerwise.experiments.experiment import Experiment
from layerwise.experiments.training import train
from layerwise.models import CATALOGUE
from layerwise.recipes import RECIPES, Recipe, options_of
from layerwise.tasks.metrics import METRICS

# Writers learn from the chapters of the guide, whose bytes by their frequencies alone take 4.9 bits, and tokens 4.1.
GUIDE = {"data": str(Path(__file__).parents[2] / "docs" / "guide"), "valid": 0.1, "precision": "float32"}
SMALL_STEPS = {"batch_size": 8, "epochs": 4}

# A shorter form of each small recipe, and a bound that no network reaches that does not learn: guessing reaches
# 0.1, 0.69, 0.18 twice, 0.12, 0.4 (what was a year before), 0.09, 0.68, 0.63, 0.4 and R2 = 0; the mean picture's error
# is 0.52, an untaught generator's distance above 400.
SHORT: dict[str, tuple[dict[str, Any], float]] = {
    "digits-lenet5": ({"epochs": 4}, 0.85),
    "spam-logistic": ({"limit": 1000, "epochs": 8}, 0.85),
    "land-sea-segnet": ({"limit": 160, "epochs": 3}, 0.4),
    "land-sea-unet": ({"limit": 160, "epochs": 3}, 0.4),
    "cut-outs-unet": ({"limit": 400, "epochs": 4, "widths": (8, 16)}, 0.2),
    "python-syntax-gru": ({"limit": 600, "hidden": 32, "epochs": 3, "learning_rate": 0.02}, 0.6),
    "vowels-gru": ({"epochs": 8}, 0.7),
    "airline-gru": ({"epochs": 15}, 0.8),
    "fashion-vit": ({"limit": 2000, "epochs": 4}, 0.4),
    "fashion-resnet-tiny": ({"limit": 1500, "epochs": 2, "warmup": 0.5}, 0.4),
    "names-gru": ({"limit": 1500, "epochs": 4}, 0.2),
    "digits-autoencoder": ({"epochs": 6}, 0.3),
    "digits-vae": ({"epochs": 8}, 0.35),
    "digits-gan": ({"epochs": 8}, 40.0),
    "digits-dcgan": ({"epochs": 8}, 100.0),
    "python-gpt": (
        {**GUIDE, "vocabulary": 512, "window": 64, "embed_dim": 64, "layers": 2, **SMALL_STEPS, "learning_rate": 0.01},
        3.3,
    ),
    "python-characters": ({**GUIDE, "hidden": 64, "window": 64, **SMALL_STEPS}, 4.3),
    "titanic-mlp": ({"epochs": 10}, 0.73),
    "breast-cancer-mlp": ({"epochs": 10}, 0.85),
    "wine-mlp": ({"epochs": 25}, 0.75),
    "diabetes-mlp": ({"epochs": 30}, 0.2),
}
METRIC_OF_TASK = {
    "classification": "accuracy",
    "regression": "r2",
    "segmentation": "mean_iou",
    "translation": "bleu",
    "reconstruction": "squared_error",
    "adversarial": "frechet",
    "language_modeling": "bits_per_byte",
    "sequence_tagging": "accuracy",
}
NAMES = list(RECIPES)


def described(name: str) -> Experiment:
    options = options_of(name)
    return Experiment.of(options.pop("model"), options)


def read_command(command: str) -> Experiment:
    """Read a command line as the program does."""
    program, verb, *words = shlex.split(command)
    assert (program, verb) == ("layerwise", "train")
    parser = Parser(prog="layerwise train")
    add_arguments(parser)
    args = parser.parse(words)
    asked = {name: value for name, value in vars(args).items() if name not in OWN}
    return Experiment.of(args.model, asked | read_model_options(args.model, args.model_options))


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_describes_a_training_of_models_and_data_that_there_are(name: str) -> None:
    experiment = described(name)
    assert experiment.model in CATALOGUE
    assert experiment.data.data in SOURCES
    task = SOURCES[experiment.data.data].task
    task = CATALOGUE[experiment.model].task or task
    assert RECIPES[name].metric == METRIC_OF_TASK[task]
    metric = METRICS[METRIC_OF_TASK[task]]
    assert 0 < RECIPES[name].bound < 1 or not (metric.is_share or metric.label == "R²")


@pytest.mark.parametrize("name", NAMES)
def test_the_command_that_a_recipes_run_prints_describes_the_same_training(name: str) -> None:
    experiment = described(name)
    again = read_command(experiment.command())
    assert again == experiment


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_told_in_words(name: str) -> None:
    recipe = RECIPES[name]
    assert 10 < len(recipe.summary) < 90
    assert not recipe.summary.endswith(".")
    if recipe.figure:
        assert re.search(r"\d", recipe.figure), "a figure has a number"
        assert "seed" in recipe.figure, "and says over how many seeds"
    assert re.search(r"\d", recipe.reaches)


def test_a_recipe_without_a_measurement_says_what_it_is_held_to() -> None:
    assert Recipe("", {}, "accuracy", 0.9955, "").reaches == "accuracy 99.55 % or more"
    assert Recipe("", {}, "mean_iou", 0.6, "").reaches == "mean IoU 60 % or more"
    assert Recipe("", {}, "bleu", 27.0, "").reaches == "BLEU 27 or more"
    assert Recipe("", {}, "r2", 0.3, "").reaches == "R² 0.3 or more"
    assert Recipe("", {}, "frechet", 3.0, "").reaches == "Fréchet distance 3 or less"
    assert Recipe("", {}, "squared_error", 0.1, "").reaches == "squared error 0.1 per pixel or less"
    assert Recipe("", {}, "r2", 0.3, "R² 0.4 over 3 seeds").reaches == "R² 0.4 over 3 seeds"


def test_a_bound_is_reached_from_above_or_below() -> None:
    assert Recipe("", {}, "accuracy", 0.9, "").is_reached(0.95)
    assert not Recipe("", {}, "accuracy", 0.9, "").is_reached(0.85)
    assert Recipe("", {}, "frechet", 3.0, "").is_reached(2.5)
    assert not Recipe("", {}, "frechet", 3.0, "").is_reached(3.5)


def test_options_are_a_copy_and_an_unknown_name_suggests_the_nearest() -> None:
    options_of("wine-mlp")["epochs"] = 1
    assert options_of("wine-mlp")["epochs"] == 60
    with pytest.raises(UsageError, match="Did you mean 'mnist-lenet5'"):
        options_of("mnist-lenet")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SHORT))
def test_a_shorter_form_of_a_recipe_learns(name: str, tmp_path: Path) -> None:
    changes, bound = SHORT[name]
    try:
        run = train(**(options_of(name) | changes | {"threads": 1}), runs=tmp_path, quiet=True)
    except UnavailableError as error:
        pytest.skip(str(error))
    figure = run.result["test"][RECIPES[name].metric]
    assert METRICS[RECIPES[name].metric].is_at_least_as_good(figure, bound)
    assert run.report.stat().st_size > 10_000
