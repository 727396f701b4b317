"""The catalogue of networks: a literal table, and building by name. Listing needs no torch."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from layerwise.errors import UsageError, nearest

if TYPE_CHECKING:
    from torch import nn

SGD = {"optimizer": "nesterov", "learning_rate": 0.1, "weight_decay": 5e-4, "schedule": "cosine", "warmup": 1.0}


@dataclass(frozen=True)
class Entry:
    """A network by name.

    file, model: where it is in this folder. variant: which of the file's VARIANTS it is.
    takes: 'pictures', or 'any' samples. usual_input, usual_outputs: what the paper's network sees and says.
    training: options that train it well where the user says nothing.
    """

    file: str
    model: str
    variant: str
    summary: str
    paper: str
    takes: str = "pictures"
    usual_input: tuple[int, ...] = (3, 224, 224)
    usual_outputs: int = 1000
    training: Mapping[str, Any] = field(default_factory=dict)


CATALOGUE: dict[str, Entry] = {
    "linear": Entry(
        file="linear",
        model="Linear",
        variant="linear",
        summary="one linear neuron an output: linear regression",
        paper="Gauss 1809; Widrow and Hoff 1960",
        takes="any",
        usual_input=(10,),
        usual_outputs=1,
        training={"epochs": 60, "batch_size": 32, "learning_rate": 0.02, "schedule": "cosine"},
    ),
    "logistic": Entry(
        file="linear",
        model="Linear",
        variant="linear",
        summary="one linear neuron a class under softmax: logistic regression",
        paper="Cox 1958",
        takes="any",
        usual_input=(10,),
        usual_outputs=2,
        training={"epochs": 60, "batch_size": 32, "learning_rate": 0.02, "schedule": "cosine"},
    ),
    "mlp": Entry(
        file="mlp",
        model="MLP",
        variant="mlp",
        summary="dense layers, 64 and 64 hidden neurons",
        paper="Rumelhart, Hinton and Williams 1986",
        takes="any",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training={"epochs": 40, "batch_size": 32, "optimizer": "adamw", "learning_rate": 2e-3, "schedule": "one-cycle"},
    ),
    "lenet5": Entry(
        file="lenet",
        model="LeNet5",
        variant="lenet5",
        summary="two convolutions and three dense layers; the modern reading",
        paper="LeCun, Bottou, Bengio and Haffner 1998",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training={**SGD, "weight_decay": 1e-4, "epochs": 10, "warmup": 2.0},
    ),
    "resnet-small": Entry(
        file="resnet",
        model="ResNet",
        variant="resnet-small",
        summary="three residual blocks for pictures of 8 to 64 pixels",
        paper="He, Zhang, Ren and Sun 2015",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training={**SGD, "epochs": 10, "warmup": 2.0},
    ),
    "resnet-tiny": Entry(
        file="resnet",
        model="ResNet",
        variant="resnet-tiny",
        summary="as resnet-small, with a stride in place of the first pooling: a quarter faster",
        paper="He, Zhang, Ren and Sun 2015",
        usual_input=(1, 28, 28),
        usual_outputs=10,
        training={**SGD, "epochs": 10, "warmup": 2.0},
    ),
    "resnet18": Entry(
        file="resnet",
        model="ResNet",
        variant="resnet18",
        summary="18 layers in residual blocks of two",
        paper="He, Zhang, Ren and Sun 2015",
        training={**SGD, "epochs": 30},
    ),
}


def build(name: str, input_shape: tuple[int, ...], output_count: int, **options: Any) -> nn.Module:
    """Build the network `name` for samples of `input_shape` (without the batch) and so many raw outputs.

    Raises:
        UsageError: the name or an option is unknown, or the network cannot take such samples.
    """
    entry = entry_of(name)
    network: nn.Module = getattr(_module(entry), entry.model)(input_shape, output_count, config_of(name, **options))
    return network


def config_of(name: str, **options: Any) -> Any:
    """Return the config of the variant `name`, a frozen dataclass, with some fields changed.

    Raises:
        UsageError: there is no such field, or no such value for it.
    """
    hints = option_hints(name)
    for option, value in options.items():
        if option not in hints:
            known = ", ".join(hints) or "none"
            raise UsageError(f"'{option}' is no option of {name}.{nearest(option, hints)} Its options: {known}.")
        choices = typing.get_args(hints[option]) if typing.get_origin(hints[option]) is typing.Literal else (value,)
        if value not in choices:
            raise UsageError(
                f"--{option.replace('_', '-')} of {name} must be one of {', '.join(map(str, choices))}, "
                f"received '{value}'.{nearest(str(value), map(str, choices))}"
            )
    return replace(_variant(name), **options)


def option_names(name: str) -> tuple[str, ...]:
    """Return the fields of the network's config."""
    return tuple(option.name for option in fields(_variant(name)))


def option_hints(name: str) -> dict[str, Any]:
    """Return the type of each option, for reading it from text."""
    return typing.get_type_hints(type(_variant(name)))


def option_help(name: str) -> dict[str, str]:
    """Return a sentence for each option."""
    return {option.name: option.metadata.get("help", "") for option in fields(_variant(name))}


def entry_of(name: str) -> Entry:
    """Return the entry of a name. Raises UsageError with the nearest name where there is none."""
    if name not in CATALOGUE:
        raise UsageError(
            f"model '{name}' is not in the catalogue.{nearest(name, CATALOGUE)} `layerwise models` lists them."
        )
    return CATALOGUE[name]


def _module(entry: Entry) -> ModuleType:
    return import_module(f"layerwise.models.{entry.file}")


def _variant(name: str) -> Any:
    entry = entry_of(name)
    return _module(entry).VARIANTS[entry.variant]
