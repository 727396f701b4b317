"""The pieces of a batch, each with its weight, add up to the loss and the gradients of the whole batch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from layerwise.data.batches import Batch, Batches
from layerwise.data.config import DataConfig
from layerwise.data.dataset import UNLABELLED, Split
from layerwise.data.loading import load
from layerwise.tasks.classification import Classification
from layerwise.tasks.language_modeling import LanguageModeling
from layerwise.tasks.regression import Regression
from layerwise.tasks.segmentation import Segmentation
from layerwise.tasks.sequence_tagging import SequenceTagging
from layerwise.tasks.task import Task
from layerwise.tasks.translation import Translation
from layerwise.training.config import TrainingConfig
from layerwise.training.loop import train

CLASSES = ("a", "b", "c")
TIME = 6


class Steps(nn.Module):
    """Scores at each step from the token that is read, and of a translator from the one before, too."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.written = nn.Embedding(8, 5), nn.Embedding(8, 5)
        self.output = nn.Linear(5, 8)

    def forward(self, inputs: Tensor, previous: Tensor | None = None) -> Tensor:
        scores: Tensor = self.output(self.read(inputs) + (0 if previous is None else self.written(previous)))
        return scores


def of_values(count: int) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 4), torch.randn(count, 2)


def of_classes(count: int) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 4), torch.randint(0, 3, (count,))


def of_masks(count: int) -> tuple[Tensor, Tensor]:
    targets = torch.randint(0, 3, (count, 4, 5), dtype=torch.uint8)
    targets[torch.rand(count, 4, 5) < torch.rand(count, 1, 1)] = UNLABELLED
    targets[0] = UNLABELLED
    return torch.randn(count, 2, 4, 5), targets


def of_steps(nothing: int) -> Callable[[int], tuple[Tensor, Tensor]]:
    """Return what draws tokens and targets of unequal lengths, with `nothing` behind the ends."""

    def draw(count: int) -> tuple[Tensor, Tensor]:
        lengths = torch.randint(1, TIME + 1, (count, 1))
        targets = torch.where(torch.arange(TIME) < lengths, torch.randint(1, 8, (count, TIME)), nothing)
        return torch.randint(1, 8, (count, TIME)), targets

    return draw


CASES: dict[str, tuple[Task, Callable[[], nn.Module], Callable[[int], tuple[Tensor, Tensor]]]] = {
    "classes": (Classification(CLASSES, 0.1), lambda: nn.Linear(4, 3), of_classes),
    "values": (Regression(("x", "y"), (0.0, 0.0), (1.0, 1.0)), lambda: nn.Linear(4, 2), of_values),
    "masks": (Segmentation(CLASSES), lambda: nn.Conv2d(2, 3, 1), of_masks),
    "balanced masks": (Segmentation(CLASSES, (0.1, 1.0, 7.0)), lambda: nn.Conv2d(2, 3, 1), of_masks),
    "labels": (SequenceTagging(tuple("abcdefgh")), Steps, of_steps(-1)),
    "prose": (LanguageModeling((0, *[1] * 7)), Steps, of_steps(0)),
    "translations": (Translation(0.1), Steps, of_steps(0)),
}


def loss_of(task: Task, model: nn.Module, batch: Batch) -> Tensor:
    [(_, loss)] = task.losses(model, batch)
    return loss


@pytest.mark.parametrize("name", CASES)
@given(seed=st.integers(0, 1000), count=st.integers(2, 9), pieces=st.integers(2, 5))
@settings(max_examples=15, deadline=None)
def test_pieces_add_up_to_the_whole_batch(name: str, seed: int, count: int, pieces: int) -> None:
    task, make, draw = CASES[name]
    torch.manual_seed(seed)
    model, (inputs, targets) = make(), draw(count)
    whole = Batch(inputs, targets, torch.arange(count))
    parts = whole.pieces(pieces)
    weights = [float(task.weight(part)) for part in parts]
    gathered = sum(w * loss_of(task, model, part) for w, part in zip(weights, parts, strict=True)) / sum(weights)
    loss = loss_of(task, model, whole)
    torch.testing.assert_close(gathered, loss, atol=1e-6, rtol=1e-5)
    own = list(model.parameters())
    expected = torch.autograd.grad(loss, own, allow_unused=True)
    for ours, theirs in zip(torch.autograd.grad(gathered, own, allow_unused=True), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_a_batch_without_a_pixel_that_has_a_class_moves_nothing() -> None:
    model, targets = nn.Conv2d(2, 3, 1), torch.full((2, 4, 4), UNLABELLED, dtype=torch.uint8)
    batch = Batch(torch.randn(2, 2, 4, 4), targets, torch.arange(2))
    for task in (Segmentation(CLASSES), Segmentation(CLASSES, (1.0, 2.0, 3.0))):
        loss = loss_of(task, model, batch)
        loss.backward()
        assert loss.item() == 0
        assert not model.weight.grad.any()


@pytest.mark.parametrize("weights", [(), (0.2, 5.0)])
def test_masks_are_learned_alike_however_batches_are_cut(weights: tuple[float, ...]) -> None:
    digits = load(DataConfig(data="digits", limit=60))
    inputs = digits.train.inputs
    masks = (inputs[:, 0] > 200).to(torch.uint8)
    masks[::3, :5] = UNLABELLED
    split = Split(inputs, masks, digits.train.ids)

    def final(accumulate: int) -> Tensor:
        torch.manual_seed(0)
        model = nn.Conv2d(1, 2, 3, padding=1)
        config = TrainingConfig(
            epochs=2, accumulation_steps=accumulate, optimizer="sgd", learning_rate=0.5, batch_size=20
        )
        list(train(model, Segmentation(("off", "on"), weights), Batches(split, digits.preprocessing, 20), config))
        return model.weight.detach()

    torch.testing.assert_close(final(1), final(4))
