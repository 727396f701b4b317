"""What descent goes down: any function, brought to one form (value, gradient, curvature at a point)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import UsageError
from layerwise.neuron.functions.expression import Expression, parse

Floats = NDArray[np.float64]
Point = Any  # a number, a sequence or array of numbers, a mapping of names to numbers, or a torch tensor


@dataclass(frozen=True)
class Objective:
    """A function of points of one shape, () for a single number.

    value(point) is a number, gradient(point) has the shape of the point, hessian(point) is (size, size).
    exact: the gradient is exact, not taken from differences. names: of the entries, in their order in memory.
    function: the expression, where the function was given as text.
    """

    text: str
    names: tuple[str, ...]
    value: Callable[[Floats], float] = field(repr=False)
    gradient: Callable[[Floats], Floats] = field(repr=False)
    hessian: Callable[[Floats], Floats] = field(repr=False)
    gradient_by: str = "exact differentiation"
    function: Expression | None = None


def make_objective(f: Any, start: Point, gradient: Callable[[Any], Any] | None = None) -> tuple[Objective, Floats]:
    """Return the function in one form, and the start as an array of float64.

    f: text; or a callable that takes points shaped like `start`: NumPy arrays (a NumPy number for a single number),
        or tensors where `start` is a tensor.
    gradient: of a callable on arrays; left out, it is taken by central differences.

    Raises UsageError where start and function do not fit, or the function is not a finite number at the start.
    """
    if isinstance(f, str):
        f = parse(f)
    if isinstance(f, Expression):
        objective, place = _of_expression(f, start)
    elif not callable(f):
        raise UsageError(f"descend takes a function as text or a callable, received {type(f).__name__}.")
    elif type(start).__module__.partition(".")[0] == "torch":
        objective, place = _of_tensors(f, start)
    else:
        place = _numbers(start)
        objective = _of_arrays(f, place.shape, gradient)
    value = objective.value(place)
    if not np.isfinite(value):
        where = show_point(objective.names, place)
        raise UsageError(
            f"{objective.text} is {number(value)} at the start, {where}; start where it is a finite number."
        )
    return objective, place


def number(value: float) -> str:
    """Return a number in words where it is none."""
    return "not a number" if np.isnan(value) else "infinite" if np.isinf(value) else f"{value:.6g}"


def show_point(names: Sequence[str], point: Floats) -> str:
    """Return x = 1.5, y = 2; of many entries the first few."""
    parts = [
        f"{name} = {0.0 if abs(value) < 1e-12 else value:.6g}"
        for name, value in zip(names[:4], point.ravel(), strict=False)
    ]
    return ", ".join([*parts, "..."] if point.size > 4 else parts)


def _numbers(start: Point) -> Floats:
    try:
        place = np.array(start, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"`start` takes a number for each variable, received {start!r}.") from None
    if place.size == 0 or not np.isfinite(place).all():
        raise UsageError(f"`start` takes a finite number for each variable, received {start!r}.")
    return place


def _of_expression(f: Expression, start: Point) -> tuple[Objective, Floats]:
    names = f.names
    if isinstance(start, Mapping):
        if set(start) != set(names):
            raise UsageError(
                f"{f.text} is a function of {', '.join(names)}; `start` names {', '.join(map(str, start))}."
            )
        start = [start[name] for name in names]
    place = _numbers(start).ravel()
    if place.size != len(names):
        example = ",".join("1" for _ in names)
        raise UsageError(
            f"{f.text} is a function of {', '.join(names)}: `start` takes {len(names)} "
            f"{'number' if len(names) == 1 else 'numbers'}, such as {example}, received {place.size}."
        )
    return Objective(f.text, names, f.value, f.gradient, f.hessian, function=f), place


def _of_arrays(f: Callable[[Any], Any], shape: tuple[int, ...], gradient: Callable[[Any], Any] | None) -> Objective:
    def value(point: Floats) -> float:
        return _one_number(f(point.reshape(shape)[()]), f)

    def given(point: Floats) -> Floats:
        assert gradient is not None
        found = np.asarray(gradient(point.reshape(shape)[()]), dtype=np.float64)
        if found.shape != shape:
            raise UsageError(f"The gradient must have the shape of the point, {shape}, received {found.shape}.")
        return found

    def differences(point: Floats) -> Floats:
        return central_differences(value, point)

    slope = given if gradient else differences
    by = "the given gradient" if gradient else "central differences"
    return Objective(_name(f), _entries(shape), value, slope, lambda point: _jacobian(slope, point), by)


def _of_tensors(f: Callable[[Any], Any], start: Any) -> tuple[Objective, Floats]:
    import torch

    def tensor(point: Floats) -> torch.Tensor:
        return torch.from_numpy(np.array(point)).to(start.dtype).reshape(start.shape)

    def value(point: Floats) -> float:
        with torch.no_grad():
            return _one_number(f(tensor(point)), f)

    def gradient(point: Floats) -> Floats:
        x = tensor(point).requires_grad_()
        (slope,) = torch.autograd.grad(f(x), x)
        found: Floats = slope.double().numpy()
        return found

    def hessian(point: Floats) -> Floats:
        rows = torch.autograd.functional.hessian(f, tensor(point))
        found: Floats = rows.double().numpy().reshape(point.size, point.size)
        return found

    place = _numbers(start.detach().cpu().numpy())
    return Objective(_name(f), _entries(place.shape), value, gradient, hessian, "PyTorch's autograd"), place


def _one_number(result: Any, f: Any) -> float:
    values = np.asarray(result, dtype=np.float64)
    if values.size != 1:
        raise UsageError(f"{_name(f)} must return one number, received values of shape {values.shape}.")
    return float(values.reshape(()))


def _name(f: Any) -> str:
    name = getattr(f, "__name__", type(f).__name__)
    return "f" if name == "<lambda>" else name


def _entries(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return x, or x[0], x[1], ... for an array."""
    if not shape:
        return ("x",)
    return tuple(f"x[{', '.join(map(str, place))}]" for place in np.ndindex(shape))


def central_differences(value: Callable[[Floats], float], point: Floats) -> Floats:
    """Return the gradient by (f(x + h) - f(x - h)) / 2h along each axis; its error is about 1e-10 of f's scale."""
    slope = np.empty(point.shape)
    for place in np.ndindex(point.shape):
        step = np.zeros(point.shape)
        step[place] = np.cbrt(np.finfo(np.float64).eps) * max(1.0, abs(float(point[place])))
        slope[place] = (value(point + step) - value(point - step)) / (2 * step[place])
    return slope


def _jacobian(gradient: Callable[[Floats], Floats], point: Floats) -> Floats:
    """Return the Hessian as differences of gradients, made symmetric."""
    rows = []
    for place in np.ndindex(point.shape):
        step = np.zeros(point.shape)
        step[place] = 1e-4 * max(1.0, abs(float(point[place])))
        rows.append((gradient(point + step) - gradient(point - step)).ravel() / (2 * step[place]))
    table = np.array(rows)
    return (table + table.T) / 2
