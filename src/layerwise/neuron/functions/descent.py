"""Gradient descent on any function, step by step, with a verdict on how it went.

descend("x**2", 9, learning_rate=0.1, steps=3).points        # 9, 7.2, 5.76, 4.608
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import UsageError
from layerwise.neuron.engine.updates import Optimizer, Settings
from layerwise.neuron.functions.curvature import Curvature, nearest_minimum
from layerwise.neuron.functions.objective import Objective, make_objective, number, show_point

Floats = NDArray[np.float64]
Kind = Literal["converged", "descending", "oscillating", "diverging", "unbounded", "outside"]

STEPS_AT_MOST = 1_000_000
FAR = 1e100  # values beyond this have left for good
FLAT = 1e-6  # a gradient this much shorter than the first one counts as none
LEFT = 1e6  # a value that is none, after values and at places smaller than this, lies outside the domain
TURNS_SEEN = 10  # last steps that are looked at for jumps across the minimum


@dataclass(frozen=True)
class Verdict:
    """How a descent went. step: where it went wrong, from 1, or None."""

    kind: Kind
    step: int | None
    sentence: str


@dataclass(frozen=True)
class Descent:
    """The whole path of a descent over n steps.

    points: (n + 1, *shape of a point), the start first. values: (n + 1,). gradients: of the shape of `points`, not
    a number where the descent ended outside the function's domain.
    """

    objective: Objective = field(repr=False)
    optimizer: str
    settings: Settings
    points: Floats
    values: Floats
    gradients: Floats
    verdict: Verdict

    @cached_property
    def curvature(self) -> Curvature | None:
        """The minimum nearest to the lowest point of the path, with its curvatures; None where there is none."""
        lowest = int(np.nanargmin(self.values)) if self.verdict.kind != "diverging" else 0
        return nearest_minimum(self.objective, self.points[lowest])

    @property
    def largest_stable_rate(self) -> float | None:
        """The rate from which this optimiser no longer comes closer to that minimum, where such a bound exists."""
        if self.curvature is None:
            return None
        return self.curvature.largest_stable_rate(self.optimizer, self.settings.momentum)

    @property
    def label(self) -> str:
        """The optimiser and its rate in a few words."""
        return f"{self.optimizer}, rate {self.settings.learning_rate:g}"

    def to_json(self) -> dict[str, Any]:
        """Return the path and what is said about it as plain JSON values; numbers that are none become null."""
        return {
            "function": self.objective.text,
            "variables": list(self.objective.names),
            "optimizer": self.optimizer,
            "learning_rate": self.settings.learning_rate,
            "momentum": self.settings.momentum,
            "gradient_by": self.objective.gradient_by,
            "points": _plain(self.points.reshape(len(self.points), -1)),
            "values": _plain(self.values),
            "gradients": _plain(self.gradients.reshape(len(self.points), -1)),
            "verdict": self.verdict.kind,
            "verdict_step": self.verdict.step,
            "sentence": self.verdict.sentence,
            "minimum": None if self.curvature is None else _plain(self.curvature.minimum.ravel()),
            "largest_curvature": None if self.curvature is None else self.curvature.largest,
            "largest_stable_rate": self.largest_stable_rate,
        }


def _plain(values: Floats) -> list[Any]:
    return [_plain(row) if isinstance(row, np.ndarray) else float(row) if np.isfinite(row) else None for row in values]


def descend(
    f: Any,
    start: Any,
    optimizer: str = "sgd",
    *,
    learning_rate: float = 0.1,
    steps: int = 100,
    momentum: float = 0.9,
    weight_decay: float | None = None,
    gradient: Callable[[Any], Any] | None = None,
) -> Descent:
    """Walk `steps` steps downhill from `start`.

    Args:
        f: a function as text, "(1-x)**2 + 100*(y-x**2)**2"; or a callable on points shaped like `start`, of NumPy
            arrays, or of tensors where `start` is a tensor.
        start: a number, numbers in the order of the variables, {"x": 1, "y": 2}, an array of any shape or a tensor.
        optimizer: sgd, momentum, nesterov, rmsprop, adam, adamw, or muon, which makes the step of a matrix
            orthogonal and moves anything else as adam does.
        gradient: of a callable on arrays; left out, it is taken by central differences.

    The walk ends early where the value is no finite number any more or beyond 1e100; the verdict says so.
    Raises UsageError for a function, start or setting that cannot work.
    """
    settings = Settings(float(learning_rate), float(momentum), weight_decay)
    objective, start_point = make_objective(f, start, gradient)
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= STEPS_AT_MOST:
        raise UsageError(f"`steps` must be a whole number from 1 to {STEPS_AT_MOST:,}, received {steps}.")
    stepper = Optimizer(optimizer, settings, start_point.shape)
    points, values = [start_point], [objective.value(start_point)]
    with np.errstate(all="ignore"):
        gradients = [objective.gradient(start_point)]
        for _ in range(steps):
            if not np.isfinite(gradients[-1]).all():
                break
            points.append(stepper.step(points[-1], gradients[-1]))
            values.append(objective.value(points[-1]))
            if not abs(values[-1]) <= FAR:
                gradients.append(np.full(start_point.shape, np.nan))
                break
            gradients.append(objective.gradient(points[-1]))
    path = np.array(points), np.array(values), np.array(gradients)
    return Descent(objective, optimizer, settings, *path, judge(objective.names, *path))


def compare(
    f: Any, start: Any, rates: Sequence[float], optimizers: Sequence[str] = ("sgd",), **options: Any
) -> list[Descent]:
    """Return a descent for every optimiser at every rate, all from the same start. options: as of `descend`."""
    return [descend(f, start, optimizer, learning_rate=rate, **options) for optimizer in optimizers for rate in rates]


def judge(names: Sequence[str], points: Floats, values: Floats, gradients: Floats) -> Verdict:
    """Say how a descent went, from its path alone.

    It diverges from the step from which its value stays above that of the start. It oscillates where the gradient
    turns against the one before at each of the last steps.
    """
    last = len(values) - 1
    where = show_point(names, points[-1])
    slopes = np.linalg.norm(gradients.reshape(last + 1, -1), axis=1)
    has_left = not np.isfinite(values[-1]) and np.abs(points[-1]).max() < LEFT
    if has_left and abs(values[-2]) < LEFT:
        return Verdict("outside", last, f"leaves the domain at step {last}: {number(values[-1])} at {where}")
    if not np.isfinite(slopes[-1]) and abs(values[-1]) <= FAR:
        return Verdict("outside", last, f"stops at step {last}: the gradient is no finite number at {where}")
    if values[-1] < -FAR:
        return Verdict("unbounded", None, "falls without end: the function has no minimum along this path")
    jumps = _jumps(gradients)
    if not values[-1] <= values[0]:
        first = int(np.flatnonzero(values <= values[0])[-1]) + 1
        how = ", jumping across the minimum at each step" if jumps else ""
        stays = f"the value stays above that of the start{how} ({number(values[-1])} at step {last})"
        return Verdict("diverging", first, f"diverges from step {first}: {stays}")
    if slopes[-1] <= FLAT * max(1.0, slopes[0]):
        return Verdict("converged", None, f"arrived: at {where} the gradient has length {slopes[-1]:.2g}")
    if jumps:
        how = "comes closer" if slopes[-1] < slopes[-2] * (1 - 1e-9) else "comes no closer"
        return Verdict("oscillating", last, f"jumps across the minimum at each step and {how}")
    return Verdict("descending", None, f"still on its way: after {last} steps the gradient has length {slopes[-1]:.4g}")


def _jumps(gradients: Floats) -> bool:
    """Whether the gradient turned around at each of the last steps, of at least two."""
    rows = gradients.reshape(len(gradients), -1)
    rows = rows[np.isfinite(rows).all(1)][-TURNS_SEEN - 1 :]
    return len(rows) > 2 and bool(((rows[1:] * rows[:-1]).sum(1) < 0).all())
