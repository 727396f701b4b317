"""Classes of pixels weighed by how frequent they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from layerwise.data.batches import Batch
from layerwise.data.dataset import UNLABELLED
from layerwise.errors import UsageError
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.segmentation import Segmentation, median_frequency_weights


def test_weights_are_the_median_frequency_over_each_class_in_the_pictures_that_show_it() -> None:
    masks = torch.zeros(3, 4, 5, dtype=torch.uint8)
    masks[0, 0] = 1  # 5 of 20 pixels
    masks[1, :, :2] = 1  # 8 of 20
    masks[1, 3, 3:] = 2  # 2 of 20
    masks[2, :2] = UNLABELLED  # 10 pixels are judged here
    frequencies = [(15 + 10 + 10) / 50, 13 / 40, 2 / 20, 0]
    weights = median_frequency_weights(masks, 4)
    assert weights == pytest.approx([frequencies[1] / share if share else 0 for share in frequencies])


def test_weights_count_in_the_training_loss_alone() -> None:
    scores, targets = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4)).to(torch.uint8)
    targets[0, 0] = UNLABELLED

    class Says(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs

    batch = Batch(scores, targets, torch.arange(2))
    task = Segmentation(("a", "b", "c"), (0.5, 1.0, 4.0))
    [(_, loss)] = task.losses(Says(), batch)
    logs, truth = F.log_softmax(scores, 1).movedim(1, -1)[targets != UNLABELLED], targets[targets != UNLABELLED].long()
    own = torch.tensor(task.weights)[truth]
    assert loss.item() == pytest.approx((-(own * logs.gather(1, truth[:, None])[:, 0]).sum() / own.sum()).item())
    plain = Segmentation(task.classes).evaluate(Says(), [batch])
    assert task.evaluate(Says(), [batch]) == plain


def test_a_balance_that_there_is_not_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        UsageError, match=r"`class_weights` must be one of none, median, received 'medium'\. Did you mean"
    ):
        TaskConfig(class_weights="medium")
