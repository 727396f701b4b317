"""Backpropagation of one sample through any model that is a chain of layers, held against PyTorch's autograd."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from layerwise.errors import UsageError, nearest
from layerwise.layers.activations import ACTIVATIONS as MODULES
from layerwise.layers.activations import activation
from layerwise.neuron.functions.chain import Chain, Step, activation_step, backpropagate, dense_step, loss_of
from layerwise.neuron.tables.losses import LOSSES

Floats = NDArray[np.float64]
Loss = str | Callable[[Tensor, Tensor], Tensor]

FACTOR_LIMIT = 250_000  # entries up to which the Jacobian of another layer is written down
WIDTHS_AT_MOST = 1000


def backprop(model: nn.Module, x: Any, y: Any, loss: Loss = "squared") -> Chain:
    """Walk one sample forward and back and return every factor of the chain rule.

    Args:
        model: nn.Sequential, nested ones too, or any module that passes its layers' outputs on one to the next. It is
            copied, taken in float64 and as in evaluation: dropout passes everything on.
        x: one sample without a batch dimension. y: its target; a class number for cross-entropy.
        loss: a name of `layerwise losses`, or a callable on (outputs, targets) such as nn.CrossEntropyLoss().

    Raises UsageError where the model is no chain, or x, y and the loss do not fit.
    """
    frozen = copy.deepcopy(model).double().eval().cpu()
    parameters = dict(frozen.named_parameters())
    for parameter in parameters.values():
        parameter.requires_grad_()
    sample = torch.as_tensor(np.asarray(x), dtype=torch.float64).detach()[None].clone().requires_grad_()
    layers, seen, output = _record(frozen, sample)
    target, cost, slope = _loss(loss, output, y)
    wanted = [sample, *seen, *parameters.values()]
    found = torch.autograd.grad(cost, wanted, retain_graph=True, allow_unused=True)
    by_tensor = {id(tensor): slope for tensor, slope in zip(wanted, found, strict=True) if slope is not None}
    steps = _steps(layers, seen, sample, by_tensor)
    value = float(cost.detach())
    if isinstance(loss, str):
        value, slope = loss_of(loss, steps[-1].output, target)
    chain = Chain(backpropagate(steps, slope), loss if isinstance(loss, str) else _name(loss), target, value, slope)
    return replace(chain, difference=_difference(chain, layers, by_tensor, sample))


def small_network(widths: Sequence[int], hidden: str, output: str, seed: int) -> nn.Sequential:
    """Return a stack of dense layers with PyTorch's initial weights for this seed.

    Raises UsageError, naming the argument, for sizes and names that cannot work.
    """
    if len(widths) < 2 or not all(1 <= width <= WIDTHS_AT_MOST for width in widths):
        raise UsageError(
            f"`layers` takes at least two sizes from 1 to {WIDTHS_AT_MOST} with commas between them, inputs first, "
            f"such as 2,3,1, received {','.join(map(str, widths))}."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for place, (before, after) in enumerate(pairwise(widths)):
            is_last = place == len(widths) - 2
            layers += [nn.Linear(before, after), activation(output if is_last else hidden)]
    if output == "identity":
        layers.pop()
    return nn.Sequential(*layers)


def _record(model: nn.Module, sample: Tensor) -> tuple[list[nn.Module], list[Tensor], Tensor]:
    """Run the model and return its layers in the order they ran, and what each gave. Raises UsageError: no chain."""
    layers: list[nn.Module] = []
    seen: list[Tensor] = []
    current = sample

    def note(layer: nn.Module, inputs: tuple[Any, ...], given: Any) -> Tensor:
        nonlocal current
        is_next = isinstance(given, Tensor) and len(inputs) == 1 and isinstance(inputs[0], Tensor)
        if not is_next or inputs[0].data_ptr() != current.data_ptr() or inputs[0].numel() != current.numel():
            raise UsageError(
                f"{type(model).__name__} is no chain of layers: {type(layer).__name__} takes something else than the "
                "layer before it gave; backprop explains models whose layers follow one another."
            )
        layers.append(layer)
        kept: Tensor = given.clone()  # in-place layers that follow must not change what is kept
        seen.append(kept)
        current = kept
        return kept

    leaves = [layer for layer in model.modules() if not list(layer.children())]
    for layer in leaves:
        if hasattr(layer, "inplace"):
            layer.inplace = False  # type: ignore[assignment]
    hooks = [layer.register_forward_hook(note) for layer in leaves]
    try:
        output = model(sample)
    except (RuntimeError, IndexError, ValueError) as error:
        shape = tuple(sample.shape[1:])
        reason = str(error).splitlines()[0]
        raise UsageError(f"The model does not take an input of shape {shape}: {reason}.") from None
    finally:
        for hook in hooks:
            hook.remove()
    if not layers or output.numel() != current.numel() or output.data_ptr() != current.data_ptr():
        raise UsageError(f"{type(model).__name__} is no chain of layers: it changes what its last layer gave.")
    return layers, seen, output


def _loss(loss: Loss, output: Tensor, y: Any) -> tuple[Floats, Tensor, Floats]:
    """Return the target (outputs,) as numbers, J as a tensor, and dJ/do."""
    flat = output.reshape(1, -1)
    if not isinstance(loss, str):
        target = torch.as_tensor(y)[None]
        cost = loss(output, target)
        (slope,) = torch.autograd.grad(cost, output, retain_graph=True)
        return np.asarray(y, dtype=np.float64).reshape(-1), cost, _flat(slope)
    if loss not in LOSSES:
        raise UsageError(f"`loss` must be one of {', '.join(LOSSES)}, received '{loss}'.{nearest(loss, LOSSES)}")
    numbers = _target(loss, y, flat.shape[1])
    return numbers, _torch_loss(loss, flat, torch.from_numpy(numbers)[None]), np.zeros(0)


def _target(loss: str, y: Any, count: int) -> Floats:
    """Return the target of each output. Raises UsageError where y is not what the loss asks for."""
    given = np.asarray(y, dtype=np.float64).reshape(-1)
    if not np.isfinite(given).all():
        raise UsageError(f"`target` must be finite numbers, received {_said(given)}.")
    if not LOSSES[loss].elementwise:
        if given.size != 1 or given[0] != int(given[0]) or not 0 <= given[0] < count:
            raise UsageError(f"`target` of {loss} is a class number from 0 to {count - 1}, received {_said(given)}.")
        shares: Floats = np.eye(count)[int(given[0])]
        return shares
    if given.size != count:
        raise UsageError(f"`target` takes a number for each of the {count} outputs, received {given.size}.")
    allowed = {"signs": (-1, 1), "bits": (0, 1)}.get(LOSSES[loss].targets)
    if allowed and not np.isin(given, allowed).all():
        raise UsageError(f"`target` of {loss} is {allowed[0]} or {allowed[1]}, received {_said(given)}.")
    return given


def _said(values: Floats) -> str:
    return ",".join(f"{value:g}" for value in values)


def _torch_loss(loss: str, o: Tensor, y: Tensor) -> Tensor:
    """The losses of the table once more, in PyTorch, so that autograd is an independent witness."""
    F = nn.functional
    match loss:
        case "squared":
            return F.mse_loss(o, y)
        case "absolute":
            return F.l1_loss(o, y)
        case "huber":
            return F.huber_loss(o, y)
        case "perceptron":
            return F.relu(-y * o).mean()
        case "hinge":
            return F.relu(1 - y * o).mean()
        case "squared-hinge":
            return F.relu(1 - y * o).square().mean()
        case "logistic":
            return F.binary_cross_entropy_with_logits(o, y)
    return F.cross_entropy(o, y)


def _steps(
    layers: Sequence[nn.Module], seen: Sequence[Tensor], sample: Tensor, slopes: dict[int, Tensor]
) -> list[Step]:
    """Turn layers and what they gave into steps, numbered by the layers that have weights."""
    steps: list[Step] = []
    number, source, before = 0, "x", sample
    names = {kind: name for name, kind in MODULES.items()}
    for layer, after in zip(layers, seen, strict=True):
        weights = dict(layer.named_parameters())
        number += bool(weights) or not number
        if isinstance(layer, nn.Linear) and before.numel() == layer.in_features:
            bias = None if layer.bias is None else _flat(layer.bias)
            weight = layer.weight.detach().numpy()
            steps.append(dense_step(number, source, _flat(before), weight, bias))
        elif type(layer) in names and _is_as_in_table(layer):
            step = activation_step(number, source, names[type(layer)], _flat(before))
            steps.append(replace(step, input_shape=tuple(before.shape[1:]), output_shape=tuple(after.shape[1:])))
        else:
            steps.append(_other(layer, f"u{len(steps) + 1}", number, source, before, after, slopes))
        source, before = steps[-1].name, after
    return steps


def _is_as_in_table(layer: nn.Module) -> bool:
    """Whether a layer has the constants of the table: a leaky ReLU may leak more than 0.01, a GELU be approximate."""
    own = {"negative_slope": 0.01, "alpha": 1.0, "approximate": "none"}
    return all(getattr(layer, name, value) == value for name, value in own.items())


def _other(
    layer: nn.Module, name: str, number: int, source: str, before: Tensor, after: Tensor, slopes: dict[int, Tensor]
) -> Step:
    """A layer that is neither dense nor an activation of the table: its factor by autograd, if it is small enough."""
    is_small = before.numel() * after.numel() <= FACTOR_LIMIT
    start = before.detach()
    factor = None
    if is_small:
        table = torch.autograd.functional.jacobian(layer, start)
        factor = table.detach().numpy().reshape(after.numel(), before.numel())
    weights = dict(layer.named_parameters())
    return Step(
        name=f"z{number}" if weights else name,
        source=source,
        kind="other",
        label=type(layer).__name__,
        input=_flat(before),
        output=_flat(after),
        input_shape=tuple(before.shape[1:]),
        output_shape=tuple(after.shape[1:]),
        factor=factor,
        parameters={f"{key}{number}": value.detach().numpy() for key, value in weights.items()},
        slope_out=_flat(slopes[id(after)]),
        slope_in=_flat(slopes[id(before)]),
        parameter_slopes={f"{key}{number}": slopes[id(value)].numpy() for key, value in weights.items()},
    )


def _difference(chain: Chain, layers: Sequence[nn.Module], slopes: dict[int, Tensor], sample: Tensor) -> float:
    """Return the largest distance of a gradient from autograd's, as a share of the largest gradient."""
    pairs = [(chain.steps[0].slope_in, _flat(slopes[id(sample)]))]
    for step, layer in zip(chain.steps, layers, strict=True):
        ours = step.parameter_slopes.values()
        pairs += [(mine.ravel(), _flat(slopes[id(p)])) for mine, p in zip(ours, layer.parameters(), strict=True)]
    largest = max(float(np.abs(theirs).max(initial=0.0)) for _, theirs in pairs)
    return max(float(np.abs(mine - theirs).max(initial=0.0)) for mine, theirs in pairs) / (largest or 1.0)


def _flat(tensor: Tensor) -> Floats:
    result: Floats = tensor.detach().numpy().reshape(-1)
    return result


def _name(loss: Any) -> str:
    return getattr(loss, "__name__", type(loss).__name__)
