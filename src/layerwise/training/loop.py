"""The training loop. Read it from top to bottom: this is all that happens."""

from __future__ import annotations

import math
import time
from collections.abc import Generator

import torch
from torch import nn

from layerwise.data.batches import Batches
from layerwise.errors import DivergedError
from layerwise.runs.checkpoints import CheckpointStore
from layerwise.tasks import Task
from layerwise.training.averaging import WeightAverage
from layerwise.training.config import PenaltyConfig, TrainingConfig
from layerwise.training.events import Evaluated, Event, Finished, Reported, Saved, Started, Stepped
from layerwise.training.execution import ExecutionPlan
from layerwise.training.parallel import Ranks
from layerwise.training.schedules import rate_at
from layerwise.training.state import TrainingState
from layerwise.training.step import Stepper

REPORTS_PER_EPOCH = 20
STEPS_PER_REPORT = 10  # at least, but at the end of an epoch; a report takes as long as a step of a small network
SAVES_AT_MOST = 0.01  # of the time; a slow disk stretches the interval between saves


def train(
    model: nn.Module,
    task: Task,
    batches: Batches,
    training: TrainingConfig,
    *,
    penalty: PenaltyConfig | None = None,
    valid: Batches | None = None,
    checkpoints: CheckpointStore | None = None,
    checkpoint_every_s: float = 30.0,
    execution: ExecutionPlan | None = None,
    ranks: Ranks | None = None,
) -> Generator[Event]:
    """Train `model` and yield what happens; to stop is to leave the loop over the events.

    Args:
        model: any module that gives raw outputs; trained in place, on the device where it is.
        task: yields the losses, measures the model.
        batches: the training batches, a function of (seed, epoch).
        training: epochs, optimiser, learning rate and its schedule, and what else shapes the descent.
        penalty: weight decay, and L1, L2 or elastic net as proximal steps.
        valid: batches to measure the model on after each epoch; without them the last weights are kept.
        checkpoints: where to save. If it holds a checkpoint, the training goes on from there, with the same bits
            as if it had never stopped. Leaving early saves one, too.
        checkpoint_every_s: least seconds between two saves, stretched where saving is slow; 0 saves at every step.
        execution: precision, compilation and memory format.
        ranks: this process among several that share every batch.

    Raises:
        DivergedError: a loss or a gradient is not finite; the weights from before that step are kept.
    """
    ranks = ranks or Ranks()
    ranks.broadcast(model)
    stepper = Stepper(model, task, training, penalty or PenaltyConfig(), execution or ExecutionPlan(), ranks)
    average = WeightAverage(model, training.ema_decay) if training.ema_decay else None
    state = TrainingState(model, stepper.optimizers, average)
    notices = state.resume(checkpoints)
    progress = state.progress
    saver = Saver(state, checkpoints if ranks.is_first else None, checkpoint_every_s)
    steps_per_epoch = len(batches)
    steps = training.epochs * steps_per_epoch
    reports_per_epoch = min(REPORTS_PER_EPOCH, max(1, steps_per_epoch // STEPS_PER_REPORT))
    report_every = math.ceil(steps_per_epoch / reports_per_epoch)

    yield Started(progress.step, progress.evaluated, steps, steps_per_epoch, notices)
    try:
        while progress.evaluated < training.epochs and not progress.out_of_patience(training.patience):
            epoch = progress.evaluated
            model.train()
            for batch in batches.epoch(epoch, start=progress.step - epoch * steps_per_epoch):
                rate = progress.plateau.factor * rate_at(progress.step, steps, steps_per_epoch, training)
                losses = stepper.take(batch, progress.step, rate)
                state.gather(losses)
                if progress.step % steps_per_epoch % report_every == 0:  # and at the end of the epoch
                    stepper.guard.look()
                    yield Reported(progress.step, epoch, ranks.mean(state.mean_losses()), rate)
                yield Stepped(progress.step, epoch, len(batch) * ranks.world)
                if saver.is_due() and (saved := saver.save()):
                    yield saved
            ranks.average_statistics(model)
            with state.chosen_weights():
                metrics = measure(model, task, valid) if valid else {}
                best = state.update_best(metrics, task.score(metrics) if valid else (float(epoch),), training)
            yield Evaluated(progress.step, epoch, metrics, best)
        state.load_best()
        reason = "epochs" if progress.evaluated >= training.epochs else "patience"
        yield Finished(progress.step, reason, progress.best_epoch, progress.best_metrics)
    except DivergedError as error:
        samples = ", ".join(batches.names(batch.samples[:3]))
        raise DivergedError(
            f"{error} (epoch {epoch + 1}, batch of {samples}, ...); the weights from before this step are kept. "
            f"Lower `learning_rate` (now {rate:g}), set `clip_norm` 1, or look at these samples."
        ) from None
    except GeneratorExit:
        saver.save()
        raise


def measure(model: nn.Module, task: Task, batches: Batches) -> dict[str, float]:
    """Return the task's metrics of `model` on `batches`, in evaluation mode and without gradients."""
    model.eval()
    with torch.inference_mode():
        return task.evaluate(model, batches.epoch(0))


class Saver:
    """Saves checkpoints when they are due, and as rarely as saving is slow."""

    def __init__(self, state: TrainingState, checkpoints: CheckpointStore | None, every_s: float) -> None:
        self.state = state
        self.checkpoints = checkpoints
        self.wait_s = self.every_s = every_s
        self.last = time.monotonic()

    def is_due(self) -> bool:
        return self.checkpoints is not None and time.monotonic() - self.last >= self.wait_s

    def save(self) -> Saved | None:
        """Write a checkpoint of the present step; None where there is nowhere to save."""
        if self.checkpoints is None:
            return None
        started = time.monotonic()
        path = self.checkpoints.save(self.state.progress.step, *self.state.capture())
        self.last = time.monotonic()
        cost_s = self.last - started
        self.wait_s = max(self.every_s, cost_s / SAVES_AT_MOST) if self.every_s else 0.0
        return Saved(self.state.progress.step, path, cost_s)
