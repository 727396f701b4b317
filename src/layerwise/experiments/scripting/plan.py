"""What a script trains, and how: what the writers of its parts read of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts
from layerwise.experiments.scripting.section import Section
from layerwise.tasks.adversarial import Adversarial
from layerwise.tasks.segmentation import Segmentation

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """A run and what was found out about it.

    build: the expression that makes the network. data: the section that reads the samples.
    varied: whether `vary` changes the training samples. device: 'cpu' or another kind.
    """

    run: Run
    model: nn.Module
    build: str
    data: Section
    varied: bool
    device: str
    excerpts: Excerpts = field(repr=False)

    @property
    def training(self) -> Any:
        return self.run.experiment.training

    @property
    def has_valid(self) -> bool:
        """Whether an epoch is judged by samples that are held out."""
        return bool(self.run.facts["sizes"]["valid"])

    @property
    def is_full(self) -> bool:
        """Whether a step sees all samples."""
        return bool(self.training.batch_size == "full")

    @property
    def draws(self) -> bool:
        """Whether the network draws numbers while it learns: dropout, or codes."""
        if getattr(self.model, "variational", False) or hasattr(self.model, "draw_noise"):
            return True
        return any(_silences(layer) for layer in self.model.modules())

    @property
    def same_steps(self) -> bool:
        """Whether the steps are those of the run, but for rounding at most: nothing is drawn in a way of its own."""
        experiment = self.run.experiment
        return self.device == "cpu" and not self.varied and not experiment.data.mixup and not self.run.pace.compile

    @property
    def is_rounded(self) -> bool:
        """Whether the run computed the same steps in another order of the sums, as by kernels of its own."""
        pace = self.run.pace
        own_kernels = pace.dense or pace.batch_innermost or self.training.optimizer == "muon"
        return bool(own_kernels or isinstance(self.run.task, Adversarial) or getattr(self.run.task, "weights", ()))

    @property
    def is_grey(self) -> bool:
        """Whether pictures have one colour, and so one mean."""
        return int(self.run.facts["input_shape"][0]) == 1

    @property
    def moves_masks(self) -> bool:
        """Whether targets are changed as their samples are."""
        return self.varied and isinstance(self.run.task, Segmentation)

    @property
    def chosen(self) -> str:
        """The network that is measured and kept."""
        return "average" if self.training.average else "model"

    @property
    def decay(self) -> float:
        """The weight decay of the optimiser."""
        return float(self.run.experiment.penalty.decay(self.training.optimizer))


def _silences(layer: nn.Module) -> bool:
    """Whether a layer silences numbers by chance; recurrent layers do between each other."""
    if isinstance(layer, nn.modules.dropout._DropoutNd):
        return layer.p > 0
    return isinstance(layer, nn.RNNBase) and layer.dropout > 0
