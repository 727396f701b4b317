"""One description of a training: the Python arguments, the flags and the saved JSON are the same words.

No torch is needed to write or read one.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from layerwise.data.config import DataConfig
from layerwise.errors import UsageError, in_backticks, nearest
from layerwise.fields import from_json
from layerwise.models import CATALOGUE, option_names
from layerwise.tasks.config import TaskConfig
from layerwise.training.config import MachineConfig, PenaltyConfig, StartConfig, TrainingConfig

SECTIONS: dict[str, type] = {
    "data": DataConfig,
    "task": TaskConfig,
    "training": TrainingConfig,
    "penalty": PenaltyConfig,
    "machine": MachineConfig,
    "start": StartConfig,
}


def section_of(option: str) -> str | None:
    """Return the name of the section that has the field `option`, or None (it may be the model's)."""
    return next((name for name, kind in SECTIONS.items() if option in {f.name for f in fields(kind)}), None)


@dataclass(frozen=True)
class Experiment:
    """A model on data, trained in a certain way.

    model: a name of the catalogue. model_options: fields of its config that differ from the named variant.
    options: what the user said, as opposed to defaults; shown in the report and repeated in commands.
    """

    model: str
    model_options: Mapping[str, Any]
    data: DataConfig
    task: TaskConfig
    training: TrainingConfig
    penalty: PenaltyConfig
    machine: MachineConfig
    options: Mapping[str, Any]
    start: StartConfig = field(default_factory=StartConfig)

    @staticmethod
    def of(model: str, given: Mapping[str, Any]) -> Experiment:
        """Describe the training of `model` with the options that were asked for, its own defaults for the rest.

        Raises:
            UsageError: a name is unknown (the nearest one is suggested) or a value cannot work.
        """
        own_options = option_names(model)
        chosen: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
        model_options: dict[str, Any] = {}
        for option, value in {**CATALOGUE[model].training, **given}.items():
            section = section_of(option)
            if section:
                chosen[section][option] = value
            elif option in own_options:
                model_options[option] = value
            else:
                raise unknown_option(option, model, own_options)
        chosen["training"] |= fitting_warmup(CATALOGUE[model].training, given)
        sections = {name: kind(**chosen[name]) for name, kind in SECTIONS.items()}
        return Experiment(model=model, model_options=model_options, options=dict(given), **sections)

    @staticmethod
    def of_module(module: object, given: Mapping[str, Any]) -> Experiment:
        """Describe the training of a module of the user's own, called by the name of its class."""
        chosen: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
        for option, value in given.items():
            section = section_of(option)
            if section is None:
                raise unknown_option(option, type(module).__name__, ())
            chosen[section][option] = value
        sections = {name: kind(**chosen[name]) for name, kind in SECTIONS.items()}
        return Experiment(model=type(module).__name__.lower(), model_options={}, options=dict(given), **sections)

    def command(self) -> str:
        """Return the command line that repeats this training."""
        words = ["layerwise", "train", self.model]
        for option, value in self.options.items():
            text = ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
            words += ["--" + option.replace("_", "-"), shlex.quote(text)]
        return " ".join(words)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Experiment:
        """Rebuild what `to_json` described. Raises UsageError, KeyError or TypeError for anything else."""
        if not isinstance(values["options"], Mapping):
            raise TypeError(f"'options' is {values['options']!r:.50}")
        values = {"start": {}, **values}  # runs of before there were published weights
        sections: dict[str, Any] = {name: from_json(kind, values[name]) for name, kind in SECTIONS.items()}
        options = {name: tuple(v) if isinstance(v, list) else v for name, v in values["model_options"].items()}
        return Experiment(model=values["model"], model_options=options, options=values["options"], **sections)


def fitting_warmup(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, float]:
    """Return a model's own warm-up, shorter where fewer epochs were asked for: `epochs=1` has to work."""
    epochs = given.get("epochs")
    if "warmup" in given or "warmup" not in defaults or not isinstance(epochs, int) or epochs >= defaults["epochs"]:
        return {}
    return {"warmup": defaults["warmup"] * max(epochs, 0) / defaults["epochs"]}


def unknown_option(option: str, model: str, own_options: Sequence[str]) -> UsageError:
    """Say that neither the training nor the model has such an option, and which is the nearest."""
    known = [one.name for kind in SECTIONS.values() for one in fields(kind)]
    hint = nearest(option, [*known, *own_options]).replace("'", "`")
    return UsageError(
        f"`{option}` is no option of training {model}.{hint} Options of {model} itself: {in_backticks(own_options)}."
    )
