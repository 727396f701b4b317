"""What a network is made of: layer by layer its output, parameters, multiply-adds and receptive field."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from layerwise.layers.sizes import window_of


@dataclass(frozen=True)
class Row:
    """One layer.

    name: its path in the network. kind: its class. output_shape: without the batch.
    parameters: its own, counted at its first use.
    multiply_adds: of convolutions, products of matrices and recurrent layers, for one sample.
    receptive_field: pixels a side of the input that an output can see, None where outputs have no place in the picture.
    stride: pixels of the input between neighbouring outputs, None likewise.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    receptive_field: int | None
    stride: int | None


@dataclass(frozen=True)
class Summary:
    """The layers of a network in the order in which they compute, for samples of `input_shape`."""

    input_shape: tuple[int, ...]
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """All parameters, shared ones once."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiplications with an addition, for one sample."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def receptive_field(self) -> int | None:
        """The widest receptive field, in pixels a side; None for a network that does not see pictures."""
        return max((row.receptive_field for row in self.rows if row.receptive_field is not None), default=None)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        totals = {name: getattr(self, name) for name in ("parameters", "multiply_adds", "receptive_field")}
        return {**asdict(self), **totals}


def summarise(model: nn.Module, input_shape: tuple[int, ...]) -> Summary:
    """Describe `model`, which is left as it is, for samples of `input_shape` (without the batch).

    A copy without numbers (on the meta device) computes two samples in evaluation mode. A model that takes something
    else than one tensor of samples gives what it takes by a method `example(device)`, for a batch of two; one of
    several networks gives what each of them takes, by their names, by a method `examples(device)`.
    """
    trace = _Trace()
    try:
        trace.run(_copy_without_numbers(model), _examples(model, input_shape, torch.device("meta")))
    except (NotImplementedError, RuntimeError):  # the model looks at its numbers: let it have some
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        trace = _Trace()
        trace.run(copy.deepcopy(model), _examples(model, input_shape, device))
    return Summary(tuple(input_shape), tuple(trace.rows))


def _examples(model: Any, input_shape: tuple[int, ...], device: torch.device) -> Mapping[str, tuple[Tensor, ...]]:
    """Return what each network in `model` takes, for a batch of two, by its path; '' is the model itself."""
    if hasattr(model, "examples"):
        examples: Mapping[str, tuple[Tensor, ...]] = model.examples(device)
        return examples
    if hasattr(model, "example"):
        return {"": model.example(device)}
    return {"": (torch.zeros(2, *input_shape, device=device),)}


class _Field(NamedTuple):
    """What one element of a map sees of the input: `size` pixels a side, `stride` pixels from its neighbour's."""

    size: int
    stride: int


class _Trace(TorchFunctionMode):
    """Follows the operations of one forward pass.

    A tensor sees what the widest of the tensors sees from which it was computed; a layer with a window widens that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._fields: dict[int, tuple[Tensor, _Field]] = {}  # holds the tensors, so that their ids stay theirs
        self._work: list[int] = []  # multiply-adds of the layers that are computing, the innermost last
        self._counted: set[int] = set()  # ids of parameters that a row has counted

    def run(self, model: nn.Module, examples: Mapping[str, tuple[Tensor, ...]]) -> None:
        """Let each network compute its example, and fill `rows`."""
        for samples in (tensor for inputs in examples.values() for tensor in inputs):
            if samples.ndim == 4:
                self._fields[id(samples)] = samples, _Field(1, 1)
        for name, layer in model.named_modules():
            is_leaf = next(layer.children(), None) is None
            if (is_leaf or layer._parameters) and not isinstance(layer, nn.Identity):
                layer.register_forward_pre_hook(lambda *_: self._work.append(0))
                layer.register_forward_hook(self._add_row(name))
        with torch.no_grad(), self:
            for path, inputs in examples.items():
                model.eval().get_submodule(path)(*inputs)

    def _add_row(self, name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def add(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            work, batch = self._work.pop(), 2
            output = next(_tensors([output]), None)  # of several, such as the steps and the last state, the first
            if output is None:
                return
            window, seen = window_of(layer), self._widest(inputs)
            if window and seen:
                seen = _Field(seen.size + (window.kernel - 1) * seen.stride, seen.stride * window.stride)
                self._fields[id(output)] = output, seen
            field = self._widest([output])
            parameters = self._new_parameters(layer)
            kind, shape = type(layer).__name__, tuple(output.shape[1:])
            size, stride = field or (None, None)
            self.rows.append(Row(name or kind, kind, shape, parameters, work // batch, size, stride))

        return add

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            seen = self._widest(_tensors(args))
            if result.ndim == 4 and seen and "adaptive" not in func.__name__:
                self._fields.setdefault(id(result), (result, seen))
        if self._work:
            self._work[-1] += _products(func.__name__, args, result)
        return result

    def _widest(self, tensors: Iterable[Any]) -> _Field | None:
        return max((self._fields[id(t)][1] for t in tensors if id(t) in self._fields), default=None)

    def _new_parameters(self, layer: nn.Module) -> int:
        new = [p for p in layer.parameters(recurse=False) if id(p) not in self._counted]
        self._counted.update(map(id, new))
        return sum(p.numel() for p in new)


def _products(name: str, args: tuple[Any, ...], result: Any) -> int:
    """Return the multiply-adds of one operation, for the whole batch."""
    if name in ("conv1d", "conv2d", "conv3d", "linear"):
        weight = args[1]  # (outputs, inputs) or (outputs, inputs / groups, kernel height, kernel width)
        return int(result.numel() * weight[0].numel())
    if name in ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"):
        weight = args[1]  # (inputs, outputs / groups, kernel height, kernel width)
        return int(args[0].numel() * weight[0].numel())
    if name in ("matmul", "__matmul__", "bmm"):
        return int(result.numel() * args[0].shape[-1])
    if name == "scaled_dot_product_attention":
        queries, keys, values = args[:3]  # (batch, heads, time, part)
        return int(queries.shape[:-1].numel() * keys.shape[-2] * (keys.shape[-1] + values.shape[-1]))
    if name in ("rnn_tanh", "lstm", "gru"):
        steps = result[0].shape[:-1].numel()  # every matrix of every layer and direction is used once a step
        weights = args[3] if isinstance(args[3], list) else args[2]  # packed sequences tell their lengths before
        return int(steps * sum(weight.numel() for weight in weights if weight.ndim == 2))
    return 0


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)


def _copy_without_numbers(model: nn.Module) -> nn.Module:
    """Return a copy whose parameters and buffers have shapes only; nothing of their size is allocated."""
    stand_ins: dict[int, Any] = {}
    for parameter in model.parameters():
        stand_ins[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)
    for buffer in model.buffers():
        stand_ins[id(buffer)] = buffer.detach().to("meta")
    return copy.deepcopy(model, stand_ins)
