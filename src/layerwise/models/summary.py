"""A network layer by layer: output shapes, parameters, multiply-adds, receptive field. Works on any module."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
POOLINGS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)


@dataclass(frozen=True)
class Row:
    """One layer.

    output_shape: of one sample. multiply_adds: of products with its weights, a sample.
    receptive_field: pixels a side of the input that one output value sees, along the path with the largest; None
    once an output sees everything (dense layers), or where the input has no sides.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    receptive_field: int | None


@dataclass(frozen=True)
class Summary:
    """The layers in the order in which they compute."""

    rows: tuple[Row, ...]
    parameters: int

    @property
    def multiply_adds(self) -> int:
        """Of one sample, over all layers."""
        return sum(row.multiply_adds for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "layers": [asdict(row) for row in self.rows],
        }


@dataclass(frozen=True)
class Field:
    """What a value sees of the input: `size` pixels a side, neighbours `stride` pixels apart. None: everything."""

    size: int | None
    stride: int = 1

    def through(self, layer: nn.Module) -> Field:
        """Return the field behind `layer` (Araujo, Norris and Sim 2019, 'Computing receptive fields', equation 1)."""
        if isinstance(layer, nn.Linear | nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
            return Field(None)
        if self.size is None or not isinstance(layer, (*CONVOLUTIONS, *POOLINGS)):
            return self
        kernel, stride, dilation = (
            _side(getattr(layer, name, 1)) for name in ("kernel_size", "stride", "dilation")
        )
        return Field(self.size + (kernel - 1) * dilation * self.stride, self.stride * stride)


def summarise(model: nn.Module, input_shape: tuple[int, ...]) -> Summary:
    """Run a sample of zeros through a copy of `model` and return what each layer made of it."""
    rows: list[Row] = []
    fields: dict[int, Field] = {}
    twin = copy.deepcopy(model).cpu().eval()
    names = {part: name for name, part in twin.named_modules()}
    kept: list[Tensor] = []  # so that no address is used twice

    def look(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not isinstance(output, Tensor):
            return
        kept.append(output)
        before = _largest([fields.get(id(value)) for value in inputs if isinstance(value, Tensor)])
        before = before or (rows_field[-1] if rows_field else start)
        after = before.through(layer)
        fields[id(output)] = after
        rows_field.append(after)
        rows.append(
            Row(
                name=names[layer],
                kind=type(layer).__name__,
                output_shape=tuple(output.shape[1:]),
                parameters=sum(parameter.numel() for parameter in layer.parameters()),
                multiply_adds=multiply_adds_of(layer, output),
                receptive_field=after.size if len(input_shape) > 1 else None,
            )
        )

    start = Field(1 if len(input_shape) > 1 else None)
    rows_field: list[Field] = []
    leaves = [part for part in twin.modules() if not list(part.children())]
    handles = [leaf.register_forward_hook(look) for leaf in leaves]
    try:
        with torch.no_grad():
            twin(torch.zeros(1, *input_shape))
    finally:
        for handle in handles:
            handle.remove()
    return Summary(tuple(rows), sum(parameter.numel() for parameter in model.parameters()))


def multiply_adds_of(layer: nn.Module, output: Tensor) -> int:
    """Return the multiply-adds that a layer's weights take part in for one sample."""
    if isinstance(layer, CONVOLUTIONS):
        return output[0].numel() * layer.weight[0].numel()
    if isinstance(layer, nn.Linear):
        return output[0].numel() * layer.in_features
    return 0


def _largest(candidates: list[Field | None]) -> Field | None:
    found = [field for field in candidates if field]
    return max(found, key=lambda field: (field.size is None, field.size or 0)) if found else None


def _side(value: Any) -> int:
    return int(value[0]) if isinstance(value, tuple) else int(value)
