"""Steps of a small stack of dense layers on the compiled engine (neuron/), instead of by autograd.

For a small network nearly all the time of a step is overhead between kernels. Here a step, from the batch to the new
weights, is one call. The module and torch's optimiser keep the weights and the memory: their tensors become views of
the flat arrays that the engine works on, so that evaluations, averages and checkpoints see what they always see, and
any single step can as well be taken by torch. Results differ from torch's by the rounding of float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from layerwise.data.batches import Batch
from layerwise.errors import DivergedError
from layerwise.layers.activations import ACTIVATIONS
from layerwise.models.linear import LinearNeurons
from layerwise.models.mlp import MLP
from layerwise.neuron.engine.network import Layer, one_thread_for, plan_of
from layerwise.neuron.engine.targets import Samples
from layerwise.tasks import Classification, Regression, Task
from layerwise.training.config import PenaltyConfig, TrainingConfig

NAMES = {kind: name for name, kind in ACTIVATIONS.items()}
DEFAULTS = {"negative_slope": 0.01, "alpha": 1.0, "approximate": "none"}  # the engine knows activations with these
LOSSES = {Classification: "cross-entropy", Regression: "squared"}
MOMENTS = {  # names of what torch's optimisers remember: the engine's m and v
    "sgd": (None, None),
    "momentum": ("momentum_buffer", None),
    "nesterov": ("momentum_buffer", None),
    "rmsprop": (None, "square_avg"),
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
}


def unsupported_reason(model: nn.Module, task: Task, training: TrainingConfig) -> str | None:
    """Return what keeps the engine from training a stack of dense layers, '' for nothing; None for other networks."""
    parts = list(_parts(model))
    linear = [part for part in parts if isinstance(part, nn.Linear)]
    if not linear or any(p.ndim > 2 for p in model.parameters()):
        return None
    others = [type(part).__name__ for part in parts if type(part) not in (nn.Linear, nn.Flatten, *NAMES)]
    if others:
        return f"the engine has no {others[0]}"
    if type(task) not in LOSSES:
        return f"the engine has no loss for {type(task).__name__}"
    if training.optimizer not in MOMENTS:
        return f"the engine's {training.optimizer} is not that of PyTorch"
    if training.accumulation_steps > 1:
        return "the engine does not accumulate"
    if _layers(parts) is None:
        return "the engine knows no such order of layers"
    parameters = list(model.parameters())
    is_plain = all(p.device.type == "cpu" and p.dtype == torch.float32 and p.requires_grad for p in parameters)
    return "" if is_plain else "the engine is for float32 on the processor, with every weight trained"


def _parts(model: nn.Module) -> Iterator[nn.Module]:
    """Yield what works on the signal, in order."""
    if type(model) in (MLP, LinearNeurons, nn.Sequential):
        for child in model.children():
            yield from _parts(child)
    else:
        yield model


def _layers(parts: list[nn.Module]) -> list[Layer] | None:
    """Return the layers as the engine has them; None where they do not fit."""
    while parts and type(parts[0]) is nn.Flatten:
        parts = parts[1:]
    if not parts or type(parts[-1]) is not nn.Linear:
        return None
    layers = []
    for part, after in pairwise([*parts, parts[-1]]):
        if isinstance(part, nn.Linear):
            name = NAMES.get(type(after), "identity")
            layers.append(Layer(part.in_features, part.out_features, part.out_features, name, "he"))
        elif type(after) is not nn.Linear or any(getattr(part, k, v) != v for k, v in DEFAULTS.items()):
            return None
    linear = [part for part in parts if isinstance(part, nn.Linear)]
    is_own = len({id(part) for part in linear}) == len(linear) and all(part.bias is not None for part in linear)
    return layers if is_own and all(a.units == b.inputs for a, b in pairwise(layers)) else None


class DenseStep:
    """Takes the steps of a stack of dense layers that it supports; one optimiser, all of the model.

    flat: the parameters, W, b, W, b, ...; m, v: what the optimiser remembers of them, as the engine names it.
    """

    def __init__(
        self, model: nn.Module, task: Task, optimizer: torch.optim.Optimizer, training: TrainingConfig,
        penalty: PenaltyConfig,
    ) -> None:  # fmt: skip
        from layerwise.neuron.engine import optimizers

        parts = list(_parts(model))
        self.layers = _layers(parts) or []
        self.modules = list(model.modules())
        linear = [part for part in parts if isinstance(part, nn.Linear)]
        self.parameters = [p for part in linear for p in (part.weight, part.bias)]
        self.optimizer, self.training = optimizer, training
        self.plan = plan_of(self.layers, LOSSES[type(task)], True)
        self.smoothing = float(getattr(task, "label_smoothing", 0.0))
        self.settings = optimizers.Settings(
            optimizers.OPTIMIZERS[training.optimizer], float(training.momentum),
            float(penalty.decay(training.optimizer)), float(penalty.l1), float(penalty.l2),
        )  # fmt: skip
        self.flat, self.m, self.v = (torch.zeros(int(self.plan.starts[-1])) for _ in range(3))
        self.counts = torch.zeros(len(self.parameters))
        self.learner = optimizers.Learner(self.flat.numpy(), self.m.numpy(), self.v.numpy())
        self.most_samples, self.arena = 0, np.zeros(0, np.float32)
        for parameter, view in zip(self.parameters, self._views(self.flat), strict=True):
            view.copy_(parameter.detach())
            parameter.data = view
        self._share_memory(optimizer)
        optimizer.register_load_state_dict_post_hook(self._share_memory)

    def _views(self, flat: Tensor) -> list[Tensor]:
        """Return a view of a flat tensor for each parameter."""
        pieces = flat.split([p.numel() for p in self.parameters])
        return [piece.view_as(p) for piece, p in zip(pieces, self.parameters, strict=True)]

    @torch.no_grad()
    def _share_memory(self, optimizer: torch.optim.Optimizer) -> None:
        """Let the optimiser remember in the engine's arrays, beginning with what it remembers now."""
        for name, flat in zip(MOMENTS[self.training.optimizer], (self.m, self.v), strict=True):
            for parameter, view in zip(self.parameters, self._views(flat), strict=True) if name else ():
                state = optimizer.state[parameter]
                view.copy_(state[name]) if state.get(name) is not None else view.zero_()
                state[name] = view
        for parameter, count in zip(self.parameters, self.counts, strict=True):
            if MOMENTS[self.training.optimizer][1]:
                state = optimizer.state[parameter]
                count.fill_(float(state.get("step", 0)))
                state["step"] = count

    def can_take(self, batch: Batch) -> bool:
        """Whether nobody looks into the module by a hook, so that it had to be called, and the batch is plain rows."""
        is_watched = any(
            part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks
            for part in self.modules
        )
        return not is_watched and batch.inputs.numel() == len(batch) * self.layers[0].inputs

    def take(self, part: str, batch: Batch, step: int, learning_rate: float) -> Tensor:
        """Take a step; return its loss.

        Raises DivergedError where the loss or a gradient is not finite; nothing is changed then.
        """
        from layerwise.neuron.engine import epochs

        labels, targets = self._targets(batch.targets)
        samples = Samples(batch.inputs.flatten(1).numpy(), targets, np.ones(len(batch), np.float32))
        if len(batch) > self.most_samples:
            self.most_samples, self.arena = len(batch), epochs.new_arena(self.plan, len(batch), self.learner.m)
        number = int(self.counts[0]) + 1
        with one_thread_for(self.layers, len(batch)):
            loss, norm = epochs.take_step(
                self.plan, self.settings, self.learner, samples, labels, self.smoothing, learning_rate, number,
                float(self.training.clip_norm), self.arena,
            )  # fmt: skip
        if not math.isfinite(loss) or not math.isfinite(norm):
            what, value = ("a gradient", norm) if math.isfinite(loss) else ("the loss", loss)
            raise DivergedError(f"{what} of '{part}' became {value} at step {step + 1}")
        self.counts += 1
        return torch.tensor(loss)

    def _targets(self, targets: Tensor) -> tuple[Any, Any]:
        """Return class numbers to be written into the targets, and the targets, (batch, outputs)."""
        if targets.dtype == torch.int64:
            return targets.numpy(), np.empty((len(targets), self.layers[-1].units), np.float32)
        targets = targets.view(len(targets), -1)
        if self.smoothing:
            targets = targets * (1 - self.smoothing) + self.smoothing / targets.shape[1]
        return np.empty(0, np.int64), targets.numpy()
