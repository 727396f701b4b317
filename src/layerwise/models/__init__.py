"""The networks there are: one architecture a file, with its paper, its options and its named variants.

`catalogue.py` lists them. Importing this costs nothing; a network's file, and with it torch, is imported when the
network is built.
"""

from __future__ import annotations

from dataclasses import fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_type_hints

from layerwise.errors import UsageError, in_backticks, nearest
from layerwise.fields import fields_of
from layerwise.models.catalogue import CATALOGUE as CATALOGUE
from layerwise.models.catalogue import Entry as Entry

if TYPE_CHECKING:
    from torch import nn


def build(name: str, input_shape: tuple[int, ...], output_count: int, **options: Any) -> nn.Module:
    """Return the network `name`, freshly initialised, for samples of `input_shape` (without the batch).

    options: fields of its config that differ from the named variant.

    Raises:
        UsageError: the name or an option is unknown, a value cannot work, or the samples do not fit the network.
    """
    config = config_of(name, **options)
    if output_count < 1:
        raise UsageError(f"{name} needs at least one output, received {output_count}.")
    entry = CATALOGUE[name]
    model: nn.Module = getattr(_file(entry), entry.model)(tuple(input_shape), output_count, config)
    return model


def entry_of(name: str) -> Entry:
    """Return the entry of the network `name`.

    Raises:
        UsageError: there is no such name (the nearest one is suggested).
    """
    if name not in CATALOGUE:
        raise UsageError(
            f"model '{name}' is not in the catalogue.{nearest(name, CATALOGUE)} `layerwise models` lists them."
        )
    return CATALOGUE[name]


def config_of(name: str, **options: Any) -> Any:
    """Return the options of the network `name`, a frozen dataclass, with `options` in place of the variant's.

    Raises:
        UsageError: the name or an option is unknown (the nearest one is suggested), or a value cannot work.
    """
    config = _variant(name)
    known = [option.name for option in fields(config)]
    for option in options:
        if option not in known:
            hint = nearest(option, known).replace("'", "`")
            raise UsageError(f"`{option}` is no option of {name}.{hint} It has: {in_backticks(known)}.")
    return replace(config, **options)


def option_names(name: str) -> tuple[str, ...]:
    """Return the names of the options of the network `name`."""
    return tuple(option.name for option in fields(_variant(name)))


def option_hints(name: str) -> dict[str, Any]:
    """Return the type of each option of the network `name`, as written in its config."""
    return get_type_hints(type(_variant(name)))


def option_help(name: str) -> dict[str, str]:
    """Return what each option of the network `name` means."""
    return {option.name: option.help for option in fields_of(type(_variant(name)))}


def _variant(name: str) -> Any:
    entry = entry_of(name)
    return _file(entry).VARIANTS[entry.variant]


def _file(entry: Entry) -> Any:
    return import_module(f"layerwise.models.{entry.file}")
