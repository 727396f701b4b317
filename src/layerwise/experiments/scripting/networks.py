"""The network of a run as source text that builds it with the same first weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from layerwise.errors import UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts, names_used
from layerwise.experiments.scripting.specialise import Specialiser
from layerwise.layers.activations import ACTIVATIONS
from layerwise.models import CATALOGUE, build, config_of, entry_of

ACTIVATIONS_FILE = "layerwise.layers.activations"


def network(run: Run, excerpts: Excerpts) -> tuple[str, str, nn.Module]:
    """Return the definitions of the network, the expression that builds it, and the network, untrained.

    Raises:
        UsageError: the network is the user's own and its source does not tell how it was made.
    """
    own = own_module(run)
    if own is not None:
        return own_network(own, excerpts)
    experiment, facts = run.experiment, run.facts
    shape = tuple(facts["input_shape"])
    reads_tokens = facts["kind"] in ("tokens", "pairs", "prose")
    options = experiment.model_options
    return catalogue_network(experiment.model, options, shape, facts["output_count"], excerpts, reads_tokens)


def own_module(run: Run) -> nn.Module | None:
    """Return the module that the user brought, None for a network of the catalogue."""
    module = run._module
    if module is not None and type(module).__module__.startswith("layerwise.models."):
        return None
    if module is None and run.experiment.model not in CATALOGUE:
        raise UsageError(
            f"run {run.name} trained a network of your own, and its folder does not hold the source; "
            "open the run in Python with the network, Run.open(..., model=network), to write its script."
        )
    return module


def catalogue_network(
    name: str,
    options: Mapping[str, Any],
    shape: tuple[int, ...],
    count: int,
    excerpts: Excerpts,
    reads_tokens: bool | None = None,
) -> tuple[str, str, nn.Module]:
    """Take the definitions out of the model file, rewritten for these options."""
    with torch.random.fork_rng(devices=[]):
        model = build(name, shape, count, **options)
    kind = type(model).__name__
    rules = Specialiser(config_of(name, **options), model, shape[1:], reads_tokens)
    text = excerpts.take(f"layerwise.models.{entry_of(name).file}", kind, rewrite=rules)
    own = {layer.__name__ for layer in ACTIVATIONS.values() if not layer.__module__.startswith("torch.")}
    needed = excerpts.take(ACTIVATIONS_FILE, *sorted(own.intersection(names_used(text))))
    return f"{needed}\n{text}", f"{kind}({shape}, {count})", model


def own_network(module: nn.Module, excerpts: Excerpts) -> tuple[str, str, nn.Module]:
    """Take the definitions out of the user's file; layers of torch itself are written out."""
    kind = type(module)
    if kind.__module__.startswith("torch.nn"):
        return "", expression(module), module
    try:
        with torch.random.fork_rng(devices=[]):
            again = kind()
    except TypeError:
        raise UsageError(
            f"the class {kind.__name__} of your network takes arguments that the run does not know, so no script can "
            "be written of it; give its parameters defaults."
        ) from None
    if shapes(again) != shapes(module):
        raise UsageError(
            f"{kind.__name__}() makes another network than the one that was trained, so no script can be written of "
            "it; give its parameters the defaults that were used."
        )
    return excerpts.take(kind.__module__, kind.__name__), f"{kind.__name__}()", module


def expression(module: nn.Module) -> str:
    """Return the expression that makes a layer of torch, or a row of such layers.

    Raises:
        UsageError: there is a layer of another kind.
    """
    kind = type(module)
    if not kind.__module__.startswith("torch.nn"):
        raise UsageError(
            f"the network holds a {kind.__name__}, whose arguments the run does not know, so no script can be written "
            "of it; make the network a class of its own without arguments."
        )
    if isinstance(module, nn.Sequential):
        layers = "".join(f"    {line}\n" for layer in module for line in f"{expression(layer)},".splitlines())
        return f"nn.Sequential(\n{layers})"
    return f"nn.{kind.__name__}({module.extra_repr()})"


def shapes(module: nn.Module) -> dict[str, Any]:
    """Return the shape of every weight by its name."""
    return {name: tuple(weight.shape) for name, weight in module.state_dict().items()}
