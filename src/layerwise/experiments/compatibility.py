"""Whether a network can read some data at all, said before anything is trained."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from layerwise.data.dataset import Dataset, Split
from layerwise.errors import UsageError
from layerwise.experiments.default_model import suitable_models
from layerwise.experiments.experiment import Experiment
from layerwise.models import Entry, config_of, entry_of

ANSWERS = ("classification", "regression")
GOALS: dict[str, tuple[str, ...]] = {  # what networks learn, by what they take
    "images": ANSWERS,
    "features": ANSWERS,
    "any": ANSWERS,
    "sequences": (*ANSWERS, "sequence_tagging", "language_modeling"),
    "masks": ("segmentation",),
    "pairs": ("translation",),
    "text": ("language_modeling",),
}
EACH_STEP = ("sequence_tagging", "language_modeling")  # goals with a target at every step
WORDS = {"series": "series", "characters": "characters"}


def check_suits(experiment: Experiment, dataset: Dataset) -> None:
    """Raise UsageError where a network of the catalogue, or an option, cannot work on data of this kind.

    Shapes are the networks' own to refuse; here is what a shape does not tell.
    """
    name, data = experiment.model, dataset.name
    if dataset.kind == "characters" and experiment.data.mixup:
        raise UsageError(f"`mixup` blends numbers, and {data} is characters; leave it out.")
    if experiment.options.get("beta") and not getattr(
        config_of(name, **experiment.model_options), "variational", False
    ):
        raise UsageError(
            f"`beta` weighs the divergence of a VAE's codes, and {name} has none; use vae, or leave it out."
        )
    entry = entry_of(name)
    _check_goal(entry, name, dataset)
    takes = entry.takes
    if takes == "sequences":
        _check_recurrent(experiment, dataset)
    elif takes == "images" and dataset.kind in WORDS:
        raise UsageError(f"{name} takes pictures, and {data} is {WORDS[dataset.kind]}; {hint_of(dataset)}.")
    elif dataset.kind == "characters":
        raise UsageError(f"{name} takes numbers, and {data} is characters; {hint_of(dataset)}.")
    elif dataset.kind == "series" and not _of_one_length(dataset):
        raise UsageError(f"{name} takes samples of one length, and the series of {data} differ; {hint_of(dataset)}.")


def fitted(experiment: Experiment, dataset: Dataset) -> Experiment:
    """Return the experiment with outputs at every step where the data asks for them and the network has the option."""
    if dataset.task in EACH_STEP and entry_of(experiment.model).takes == "sequences":
        return replace(experiment, model_options={**experiment.model_options, "each_step": True})
    return experiment


def _check_goal(entry: Entry, name: str, dataset: Dataset) -> None:
    """A network that gives a mask or a text learns no classes, and the other way round."""
    if entry.task or dataset.task in GOALS[entry.takes]:
        return
    raise UsageError(
        f"{name} is for {' or '.join(GOALS[entry.takes])}, and {dataset.name} is for {dataset.task}; "
        f"{hint_of(dataset)}."
    )


def hint_of(dataset: Dataset) -> str:
    """Say which networks to use for this data."""
    *most, last = suitable_models(dataset) or ("",)
    if not last:
        return "name other data"
    return f"use {', '.join(most)} or {last}" if most else f"use {last}"


def _check_recurrent(experiment: Experiment, dataset: Dataset) -> None:
    name, data, options = experiment.model, dataset.name, experiment.model_options
    if experiment.machine.compile == "yes":
        raise UsageError(f"`compile` yes: PyTorch's compiler cannot take {name}; leave it out.")
    if dataset.task == "language_modeling" and options.get("bidirectional"):
        raise UsageError(f"`bidirectional` shows {name} the token that it is to guess; leave it out.")
    if options.get("each_step") and dataset.task not in EACH_STEP:
        raise UsageError(f"`each_step` gives outputs at every step, and {data} has one target a sample; leave it out.")
    for option in ("from_last", "season"):
        if options.get(option) and dataset.task != "regression":
            what = "has classes" if dataset.task == "classification" else f"is for {dataset.task}"
            raise UsageError(f"`{option}` is for forecasts, and {data} {what}; leave it out.")


def _of_one_length(dataset: Dataset) -> bool:
    """Whether all series of all splits are as long as the network is made for."""

    def fits(split: Split) -> bool:
        inputs = split.inputs
        return not isinstance(inputs, Tensor) or (
            inputs.shape[1] == dataset.input_shape[0] and not bool(inputs.isnan().any())
        )

    return all(fits(split) for split in (dataset.train, dataset.valid, dataset.test) if len(split))
