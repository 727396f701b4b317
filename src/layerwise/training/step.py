"""One optimiser step of every part of a model: forward, loss, backward, check, update."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from layerwise.data.batches import Batch
from layerwise.data.counter_rng import derive_seed
from layerwise.errors import DivergedError
from layerwise.tasks import Task
from layerwise.training.config import PenaltyConfig, TrainingConfig
from layerwise.training.dense_step import DenseStep, unsupported_reason
from layerwise.training.execution import ExecutionPlan
from layerwise.training.optimizers import make_optimizer
from layerwise.training.parallel import Ranks
from layerwise.training.penalties import proximal_step


class Stepper:
    """Takes the steps of one training.

    A step is a function of the weights, the optimisers' state, the batch and the step's number: dropout and every
    other chance draw from generators that are seeded by (seed, step, rank), so nothing random has to be saved.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        training: TrainingConfig,
        penalty: PenaltyConfig,
        execution: ExecutionPlan,
        ranks: Ranks,
    ) -> None:
        self.task = task
        self.training = training
        self.penalty = penalty
        self.execution = execution
        self.ranks = ranks
        self.runner = execution.wrap(model)
        self.device = next(model.parameters()).device
        parts = task.parts(model)
        self.parameters = {name: [p for p in part.parameters() if p.requires_grad] for name, part in parts.items()}
        self.optimizers = {
            name: make_optimizer(part, training, penalty, execution.precision) for name, part in parts.items()
        }
        self.dense: DenseStep | None = None
        if execution.dense and unsupported_reason(model, task, training) == "":
            self.dense = DenseStep(model, task, self.optimizers["model"], training, penalty)
        self.guard = FiniteGuard(self.device)
        self.buffers = list(model.buffers()) if self.guard.waits else []
        self.buffers_before = [buffer.clone() for buffer in self.buffers]
        trainable = {p for p in model.parameters() if p.requires_grad}
        # A part that owns all weights needs no list of those that its loss may move, and such a list takes time.
        self.movable = {name: None if trainable <= set(own) else own for name, own in self.parameters.items()}

    def take(self, batch: Batch, step: int, learning_rate: float) -> Mapping[str, Tensor]:
        """Take one step; return the loss of each part, still on the device.

        Raises:
            DivergedError: a loss or gradient is not finite; the weights are as they were before the step, and on
                the CPU so are the running statistics of normalisation, which the forward pass has spoiled.
        """
        if self.dense and self.dense.can_take(batch):
            return {"model": self.dense.take("model", batch, step, learning_rate)}
        seed_rng(derive_seed(self.training.seed, step, self.ranks.rank), self.device)
        copy_all(self.buffers, self.buffers_before)
        try:
            return self._take(batch, step, learning_rate)
        except DivergedError:
            copy_all(self.buffers_before, self.buffers)
            raise

    def _take(self, batch: Batch, step: int, learning_rate: float) -> Mapping[str, Tensor]:
        losses: dict[str, Tensor] = {}
        for part, loss in self._backward_passes(batch):
            parameters, optimizer = self.parameters[part], self.optimizers[part]
            weight = float(self.task.weight(batch)) if self.ranks.world > 1 else 1.0
            self.ranks.average_gradients(parameters, weight)
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            watched = [clip(gradients, self.training.clip_norm)] if self.training.clip_norm else gradients
            self.guard.check(part, loss, watched, step, optimizer)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            optimizer.step()
            proximal_step(optimizer, self.penalty)
            for parameter in parameters:
                parameter.grad = None
            losses[part] = loss
        return losses

    def _backward_passes(self, batch: Batch) -> Iterator[tuple[str, Tensor]]:
        """Yield each part with its loss once its gradients are there, gathered over the pieces of the batch."""
        pieces = batch.pieces(self.training.accumulation_steps)
        weights = [self.task.weight(piece) for piece in pieces] if len(pieces) > 1 else [1.0]
        total = sum(weights)
        streams = [self.task.losses(self.runner, piece) for piece in pieces]
        while True:
            totals: list[Tensor] = []
            for stream, weight in zip(streams, weights, strict=True):
                with self.execution.autocast(self.device):
                    yielded = next(stream, None)
                if yielded is None:
                    return
                part, loss = yielded
                loss = loss * (weight / total) if len(pieces) > 1 else loss
                loss.backward(inputs=self.movable[part])
                totals.append(loss.detach())
            yield part, sum(totals[1:], start=totals[0])


class FiniteGuard:
    """Stops a training before a step that would spoil the weights.

    On the CPU each step is looked at when it comes. On an accelerator looking means waiting, so there the verdict
    stays on the device: fused optimisers skip every step from the first bad one on, and `look` tells of it when
    the numbers are fetched anyway.
    """

    def __init__(self, device: torch.device) -> None:
        self.waits = device.type == "cpu"
        self.found = torch.zeros((), device=device)
        self.first_bad_step = torch.full((), -1, device=device)
        self._one = torch.ones((), device=device)

    def check(
        self, part: str, loss: Tensor, gradients: list[Tensor], step: int, optimizer: torch.optim.Optimizer
    ) -> None:
        """Look at the loss and the gradients (or their norm) of `step` before the optimiser uses them."""
        self._find_unfinite(gradients)
        if self.waits or not optimizer.defaults.get("fused"):
            is_finite = math.isfinite(loss.item())
            if self.found.item() or not is_finite:
                what = "a gradient" if is_finite else "the loss"
                value = float(nn.utils.get_total_norm(gradients) if is_finite else loss)
                raise DivergedError(f"{what} of '{part}' became {value} at step {step + 1}")
            return
        self.found = torch.maximum(self.found, (~torch.isfinite(loss)).float())
        self.first_bad_step = torch.where((self.first_bad_step < 0) & (self.found > 0), step, self.first_bad_step)
        optimizer.found_inf = self.found  # type: ignore[attr-defined]

    def look(self) -> None:
        """Fetch the verdict from the device.

        Raises:
            DivergedError: a step since the last look was not finite.
        """
        if not self.waits and self.found:
            raise DivergedError(f"the loss or a gradient became infinite or NaN at step {int(self.first_bad_step) + 1}")

    def _find_unfinite(self, tensors: list[Tensor]) -> None:
        """Set `found` to 1 where a number is infinite or NaN."""
        if self.found.device.type not in ("cpu", "cuda"):
            is_finite = torch.isfinite(nn.utils.get_total_norm(tensors))
            self.found = torch.maximum(self.found, (~is_finite).float())
        elif tensors:  # one kernel of torch's gradient scaler, which also scales, here by one
            real = [torch.view_as_real(tensor) if tensor.is_complex() else tensor for tensor in tensors]
            torch._amp_foreach_non_finite_check_and_unscale_(real, self.found, self._one)


@torch.no_grad()
def copy_all(sources: list[Tensor], targets: list[Tensor]) -> None:
    """Copy the values of tensors into others of the same shapes."""
    if sources:
        torch._foreach_copy_(targets, sources)


def clip(gradients: list[Tensor], limit: float) -> Tensor:
    """Scale the gradients down to the 2-norm `limit` of all together; return the norm that they had."""
    norm = nn.utils.get_total_norm(gradients)
    torch._foreach_mul_(gradients, (limit / (norm + 1e-6)).clamp(max=1.0))
    return norm


def seed_rng(seed: int, device: torch.device) -> None:
    """Seed the generators that dropout and the like draw from."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
