"""Layers as the expressions that make them, and what several instances of a class have in common."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from layerwise.errors import UsageError

WIDTH = 120
SQUARE = ("kernel_size", "stride", "padding", "dilation", "output_padding", "normalized_shape")
RECURRENT = {"bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False, "nonlinearity": "tanh"}


@dataclass(frozen=True)
class Call:
    """A call, or where `name` is empty a list. arguments: (name, value, by position), a value a Call or its text."""

    name: str
    arguments: tuple[tuple[str, Call | str, bool], ...] = ()


Expression = Call | str


def text(value: Expression, indent: int = 0, before: int = 0) -> str:
    """Write an expression: on one line where it fits behind `before` characters, else an argument a line."""
    if isinstance(value, str):
        return value
    opening, closing = (f"{value.name}(", ")") if value.name else ("[", "]")
    prefixes = ["" if by_position else f"{name}=" for name, _, by_position in value.arguments]
    row = [prefix + text(one, 0, -10_000) for prefix, (_, one, _) in zip(prefixes, value.arguments, strict=True)]
    line = f"{opening}{', '.join(row)}{closing}"
    if indent + before + len(line) <= WIDTH - 1 or not value.arguments:
        return line
    if len(value.arguments) == 1 and isinstance(value.arguments[0][1], Call) and not value.arguments[0][1].name:
        return f"{opening}{text(value.arguments[0][1], indent, before + len(opening))}{closing}"
    inner = " " * (indent + 4)
    rows = [
        f"{inner}{prefix}{text(one, indent + 4, len(prefix))},\n"
        for prefix, (_, one, _) in zip(prefixes, value.arguments, strict=True)
    ]
    return f"{opening}\n{''.join(rows)}{' ' * indent}{closing}"


def row_of(name: str, values: Sequence[Expression]) -> Call:
    """Return a Sequential or a ModuleList of layers; many equal ones are made in a loop."""
    if len(values) > 2 and len(set(values)) == 1:
        loop = f"{text(values[0], 0, -10_000)} for _ in range({len(values)})"
        return Call(name, (("", loop if name == "nn.ModuleList" else f"*({loop})", True),))
    items = tuple(("", value, True) for value in values)
    return Call(name, items if name == "nn.Sequential" else (("", Call("", items), True),))


def torch_layer(layer: nn.Module, kind: type[nn.Module], name: str) -> Call:
    """Return the call that makes a layer as `kind`, a class of torch, does; only what is not the default is said.

    Raises:
        UsageError: the layer does not tell what it was made with.
    """
    parameters = inspect.signature(kind.__init__).parameters
    known = {one: given.default for one, given in parameters.items() if given.kind is not given.VAR_POSITIONAL}
    if issubclass(kind, nn.RNNBase):
        known = dict.fromkeys(("input_size", "hidden_size"), inspect.Parameter.empty) | {"num_layers": 1} | RECURRENT
    arguments: list[tuple[str, Expression, bool]] = []
    for one, default in known.items():
        value = getattr(layer, one, default)
        if one in ("self", "device", "dtype", "kwargs") or not hasattr(layer, one):
            continue
        if one == "bias" and not isinstance(value, bool):
            value = value is not None
        if one in SQUARE and isinstance(value, tuple) and len(set(value)) == 1 and not isinstance(default, tuple):
            value = value[0]
        is_pooling_step = one == "stride" and default is None and value == getattr(layer, "kernel_size", None)
        if default is inspect.Parameter.empty:
            arguments.append((one, repr(value), len(arguments) < 3))
        elif value != default and not is_pooling_step:
            arguments.append((one, repr(value), False))
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
        forms = {(call.name, tuple(argument[::2] for argument in call.arguments)) for call in calls}
        if len(calls) < len(values) or len(forms) > 1:
            return self._parameter(tuple(values), name)
        columns = zip(*(call.arguments for call in calls), strict=True)
        joined = [
            (column[0][0], self.join([argument[1] for argument in column], column[0][0] or name), column[0][2])
            for column in columns
        ]
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
