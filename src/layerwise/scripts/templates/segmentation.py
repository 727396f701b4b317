"""Train a network to tell for each pixel what it belongs to."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.scripts.pieces.pictures import scale
from layerwise.scripts.pieces.training import Figures, train

MARKS = 7
CLASSES = 3
CLASS_WEIGHTS = (1.0, 1.0, 1.0)
AT_ONCE = 4

data = {  # [data]
    **{f"{part}_x": torch.rand(12, 3, 4, 4) for part in ("train", "valid", "test")},
    **{f"{part}_y": torch.randint(3, (12, 4, 4), dtype=torch.uint8) for part in ("train", "valid", "test")},
}


def loss_of(model: nn.Module, inputs: Tensor, masks: Tensor) -> Tensor:
    """Return the mean cross-entropy of a pixel; pixels of 255 have no class."""
    labelled = (masks != 255).sum().clamp(min=1)  # [not weighted]
    weights = torch.tensor(CLASS_WEIGHTS, device=masks.device)  # [weighted]
    labelled = weights[masks[masks != 255].long()].sum().clamp(min=1e-6)  # [weighted]
    scores = model(inputs)
    total = F.cross_entropy(scores, masks.long(), ignore_index=255, reduction="sum")  # [not weighted]
    total = F.cross_entropy(scores, masks.long(), weights, ignore_index=255, reduction="sum")  # [weighted]
    return total / labelled


@torch.no_grad()
def evaluate(model: nn.Module, pictures: Tensor, masks: Tensor) -> Figures:
    """Measure the mean intersection over union of the classes, and the mean cross-entropy of a pixel."""
    model.eval()
    confusion, loss = torch.zeros(CLASSES, CLASSES, dtype=torch.int64), 0.0  # (truth, prediction)
    for some, truth in zip(pictures.split(AT_ONCE), masks.long().split(AT_ONCE), strict=True):
        scores = model(scale(some / 255))
        loss += F.cross_entropy(scores, truth, ignore_index=255).item() * len(truth) / len(masks)
        cells = (truth * CLASSES + scores.argmax(1))[truth != 255]
        confusion += cells.bincount(minlength=CLASSES**2).view(CLASSES, CLASSES).cpu()
    hits, true, predicted = confusion.diagonal().double(), confusion.sum(1), confusion.sum(0)
    iou = (hits / (true + predicted - hits))[true > 0].mean().item()
    return (iou, -loss), f"mean IoU {iou:.4f}, loss {loss:.4f}"


model: nn.Module = nn.Conv2d(3, 3, 1)  # [network]
model = train(model, data, loss_of, evaluate)
_, figures = evaluate(model, data["test_x"], data["test_y"])
print(f"test: {figures} on {len(data['test_y'])} samples")
