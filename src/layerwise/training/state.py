"""All that a training has to remember: what a checkpoint holds, and nothing that it could work out again.

Order, augmentation and dropout are functions of (seed, epoch, step), so no random state is among it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from layerwise.errors import CheckpointError
from layerwise.runs.checkpoints import Checkpoint, CheckpointStore
from layerwise.training.averaging import WeightAverage
from layerwise.training.config import TrainingConfig
from layerwise.training.schedules import PlateauState

Tensors = dict[str, Tensor]


@dataclass
class Progress:
    """Where the training stands.

    step: optimiser steps taken. evaluated: epochs that were run and measured.
    best_epoch, best_score, best_metrics: the best evaluation so far. plateau: the memory of reduce-on-plateau.
    unreported: steps whose losses are gathered and not reported yet.
    """

    step: int = 0
    evaluated: int = 0
    best_epoch: int = -1
    best_score: tuple[float, ...] = ()
    best_metrics: dict[str, float] = field(default_factory=dict)
    plateau: PlateauState = field(default_factory=PlateauState)
    unreported: int = 0

    def out_of_patience(self, patience: int) -> bool:
        """Whether the last `patience` epochs brought nothing better; 0 is endless patience."""
        return bool(patience) and self.evaluated - 1 - self.best_epoch >= patience

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Progress:
        fields = {
            **values,
            "best_score": tuple(values["best_score"]),
            "plateau": PlateauState(**values["plateau"]),
        }
        return Progress(**fields)


class TrainingState:
    """The model, its optimisers, the average of its weights, the best weights so far, and the progress."""

    def __init__(self, model: nn.Module, optimizers: Mapping[str, Optimizer], average: WeightAverage | None) -> None:
        self.model = model
        self.optimizers = optimizers
        self.average = average
        self.progress = Progress()
        self.gathered: Tensors = {}
        self.best: Tensors = {}

    def gather(self, losses: Mapping[str, Tensor]) -> None:
        """Count a step and keep its losses on the device until they are reported."""
        self.progress.step += 1
        self.progress.unreported += 1
        for part, loss in losses.items():
            self.gathered[part] = self.gathered[part] + loss if part in self.gathered else loss
        if self.average:
            self.average.update()

    def mean_losses(self) -> dict[str, float]:
        """Fetch the mean loss of each part since the last call, and begin anew."""
        means = {part: total.item() / self.progress.unreported for part, total in self.gathered.items()}
        self.gathered, self.progress.unreported = {}, 0
        return means

    def chosen_weights(self) -> AbstractContextManager[None]:
        """Within it the model has the weights to be measured: the averaged ones where an average is kept."""
        return self.average.applied() if self.average else nullcontext()

    def update_best(self, metrics: Mapping[str, float], score: tuple[float, ...], training: TrainingConfig) -> bool:
        """Close an epoch: compare its score, keep the weights the model has now if it is the best; say whether."""
        progress = self.progress
        best = not progress.best_score or score > progress.best_score
        if best:
            progress.best_epoch, progress.best_score = progress.evaluated, score
            progress.best_metrics = dict(metrics)
            self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        if training.schedule == "plateau":
            progress.plateau = progress.plateau.after(best)
        progress.evaluated += 1
        return best

    def resume(self, checkpoints: CheckpointStore | None) -> tuple[str, ...]:
        """Go on from the newest whole checkpoint where there is one; return what its reading had to say."""
        checkpoint = checkpoints.newest() if checkpoints else None
        if checkpoint is None:
            return ()
        self.restore(checkpoint)
        return checkpoint.notices

    def load_best(self) -> None:
        """Give the model the weights of the best epoch, where one was measured."""
        if self.best:
            self.model.load_state_dict(self.best)

    def capture(self) -> tuple[dict[str, Tensors], dict[str, Any]]:
        """Return everything as groups of tensors and plain JSON values."""
        groups: dict[str, Tensors] = {
            "model": dict(self.model.state_dict()),
            "gathered": self.gathered,
            "best": self.best,
            "average": self.average.tensors() if self.average else {},
        }
        settings: dict[str, Any] = {}
        for part, optimizer in self.optimizers.items():
            groups[f"optimizer-{part}"], settings[part] = flatten_optimizer(optimizer)
        return groups, {"progress": asdict(self.progress), "optimizers": settings}

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take everything back from a checkpoint.

        Raises:
            CheckpointError: the checkpoint is of another model or optimiser.
        """
        groups = checkpoint.tensors
        try:
            self.model.load_state_dict(groups["model"])
            for part, optimizer in self.optimizers.items():
                load_optimizer(optimizer, groups[f"optimizer-{part}"], checkpoint.state["optimizers"][part])
        except (RuntimeError, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise CheckpointError(
                f"{checkpoint.path}: the checkpoint does not belong to this model ({reason}); "
                "resume with the model and optimiser that the run was started with"
            ) from error
        if self.average:
            self.average.load(groups["average"])
        device = next(self.model.parameters()).device
        self.gathered = {part: total.to(device) for part, total in groups["gathered"].items()}
        self.best = {name: tensor.to(device) for name, tensor in groups["best"].items()}
        self.progress = Progress.from_json(checkpoint.state["progress"])


def flatten_optimizer(optimizer: Optimizer) -> tuple[Tensors, dict[str, Any]]:
    """Divide an optimiser's state into tensors named 'parameter.entry' and plain JSON values."""
    state = optimizer.state_dict()
    tensors: Tensors = {}
    numbers: dict[str, Any] = {}
    for parameter, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{parameter}.{name}"] = value
            elif value is not None:
                numbers[f"{parameter}.{name}"] = value
    return tensors, {"numbers": numbers, "groups": state["param_groups"]}


def load_optimizer(optimizer: Optimizer, tensors: Tensors, settings: Mapping[str, Any]) -> None:
    """Put back what `flatten_optimizer` took apart."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in [*tensors.items(), *settings["numbers"].items()]:
        parameter, name = key.split(".", 1)
        state.setdefault(int(parameter), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": settings["groups"]})
