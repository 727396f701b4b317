"""Train a network to tell classes apart."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.scripts.pieces.pictures import scale
from layerwise.scripts.pieces.training import Figures, train

MARKS = 6
LABEL_SMOOTHING = 0.1

data = {  # [data]
    **{f"{part}_x": torch.rand(12, 1, 4, 4) for part in ("train", "valid", "test")},
    **{f"{part}_y": torch.randint(3, (12,)) for part in ("train", "valid", "test")},
}


def loss_of(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy."""
    return F.cross_entropy(model(inputs), labels)  # [not smoothing]
    return F.cross_entropy(model(inputs), labels, label_smoothing=LABEL_SMOOTHING)  # [smoothing]


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor) -> Figures:
    """Measure the accuracy and the mean cross-entropy."""
    model.eval()
    outputs = [model(some) for some in inputs.split(512)]  # [not pictures]
    outputs = [model(scale(some / 255)) for some in inputs.split(512)]  # [pictures]
    logits = torch.cat(outputs)
    accuracy = (logits.argmax(1) == labels).float().mean().item()
    loss = F.cross_entropy(logits, labels).item()
    return (accuracy, -loss), f"accuracy {accuracy:.4f}, loss {loss:.4f}"


model: nn.Module = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))  # [network]
model = train(model, data, loss_of, evaluate)
_, figures = evaluate(model, data["test_x"], data["test_y"])
print(f"test: {figures} on {len(data['test_y'])} samples")
