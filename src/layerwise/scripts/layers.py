"""Layers as the expressions that make them, and what several instances of a class have in common."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from layerwise.errors import UsageError

WIDTH = 120
SQUARE = ("kernel_size", "stride", "padding", "dilation", "output_padding", "normalized_shape")
RECURRENT = {"bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False, "nonlinearity": "tanh"}


class Argument(NamedTuple):
    """An argument of a call; it is not written where its value is the default."""

    name: str
    value: Call | str
    by_position: bool = True
    default: str = ""


@dataclass(frozen=True)
class Call:
    """A call, or where `name` is empty a list. What is no call stands as its text."""

    name: str
    arguments: tuple[Argument, ...] = ()


Expression = Call | str


def text(value: Expression, indent: int = 0, before: int = 0) -> str:
    """Write an expression: on one line where it fits behind `before` characters, else an argument a line."""
    if isinstance(value, str):
        return value
    opening, closing = (f"{value.name}(", ")") if value.name else ("[", "]")
    said = [
        ("" if one.by_position else f"{one.name}=", one.value) for one in value.arguments if one.value != one.default
    ]
    line = f"{opening}{', '.join(prefix + text(one, 0, -10_000) for prefix, one in said)}{closing}"
    if indent + before + len(line) <= WIDTH - 1 or not said:
        return line
    inner = " " * (indent + 4)
    rows = [f"{inner}{prefix}{text(one, indent + 4, len(prefix))},\n" for prefix, one in said]
    return f"{opening}\n{''.join(rows)}{' ' * indent}{closing}"


def row_of(name: str, values: Sequence[Expression]) -> Call:
    """Return a Sequential or a ModuleList of layers; many equal ones are made in a loop."""
    if len(values) > 2 and len(set(values)) == 1:
        loop = f"{text(values[0], 0, -10_000)} for _ in range({len(values)})"
        return Call(name, (Argument("", loop if name == "nn.ModuleList" else f"*({loop})"),))
    items = tuple(Argument("", value) for value in values)
    return Call(name, items if name == "nn.Sequential" else (Argument("", Call("", items)),))


def torch_layer(layer: nn.Module, kind: type[nn.Module], name: str) -> Call:
    """Return the call that makes a layer as `kind`, a class of torch, does; only what is not the default is said.

    Raises:
        UsageError: the layer does not tell what it was made with.
    """
    parameters = inspect.signature(kind.__init__).parameters
    known = {one: given.default for one, given in parameters.items()}
    if issubclass(kind, nn.RNNBase):
        known = dict.fromkeys(("input_size", "hidden_size"), inspect.Parameter.empty) | {"num_layers": 1} | RECURRENT
    arguments: list[Argument] = []
    for one, default in known.items():
        value = getattr(layer, one, None)
        if one in ("self", "device", "dtype") or not hasattr(layer, one):
            continue
        if one == "bias" and not isinstance(value, bool):
            value = value is not None
        if one in SQUARE and isinstance(value, tuple) and len(set(value)) == 1 and not isinstance(default, tuple):
            value = value[0]
        if one == "stride" and default is None:
            default = getattr(layer, "kernel_size", None)  # of pooling
        is_needed = default is inspect.Parameter.empty
        is_first = is_needed and len(arguments) < 3 and all(argument.by_position for argument in arguments)
        arguments.append(Argument(one, repr(value), is_first, "" if is_needed else repr(default)))
    made = Call(name, tuple(arguments))
    if type(layer) is kind and not is_made_by(text(made), layer):
        raise UsageError(
            f"no script can be written of the network, which holds a {kind.__name__}: it does not tell all that it "
            "was made with."
        )
    return made


def is_made_by(expression: str, layer: nn.Module) -> bool:
    """Tell whether an expression makes such a layer."""
    try:
        with torch.random.fork_rng(devices=[]):
            again: nn.Module = eval(expression, {"nn": nn})
    except Exception:  # whatever is wrong with it, it does not make the layer
        return False
    return repr(again) == repr(layer) and shapes(again) == shapes(layer)


def shapes(module: nn.Module) -> dict[str, Any]:
    """Return the shape of every weight by its name."""
    return {name: tuple(weight.shape) for name, weight in module.state_dict().items()}


class Generaliser:
    """Finds what expressions have in common; where they differ stands a parameter (Plotkin 1970).

    parameters: the values of each, one an instance, by its name.
    """

    def __init__(self) -> None:
        self.parameters: dict[str, tuple[Expression, ...]] = {}

    def join(self, values: Sequence[Expression], name: str) -> Expression:
        """Return the most special expression that all of the values are instances of."""
        first = values[0]
        if all(value == first for value in values):
            return first
        calls = [value for value in values if isinstance(value, Call)]
        forms = {(call.name, *(one._replace(value="") for one in call.arguments)) for call in calls}
        if len(calls) < len(values) or len(forms) > 1:
            return self._parameter(tuple(values), name)
        columns = zip(*(call.arguments for call in calls), strict=True)
        joined = [one[0]._replace(value=self.join([own.value for own in one], one[0].name or name)) for one in columns]
        return Call(calls[0].name, tuple(joined))

    def _parameter(self, values: tuple[Expression, ...], name: str) -> str:
        for known, others in self.parameters.items():
            if others == values:
                return known
        free = name
        while free in self.parameters:
            free = f"{name}{sum(known.rstrip('0123456789') == name for known in self.parameters) + 1}"
        self.parameters[free] = values
        return free
