"""Train a network to give each step of a sequence its class."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.scripts.pieces.training import Figures, train

MARKS = 2
PADDING = -1

data = {  # [data]
    f"{part}_{name}": torch.randint(3, (12, 5)) for part in ("train", "valid", "test") for name in ("x", "y")
}


def loss_of(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of a step that has a class."""
    return F.cross_entropy(model(inputs).flatten(0, 1), labels.flatten(), ignore_index=PADDING)


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor) -> Figures:
    """Measure the accuracy and the cross-entropy of a step."""
    model.eval()
    nats = right = count = 0.0
    for some, truth in zip(inputs.split(512), labels.split(512), strict=True):
        scores, known = model(some)[truth != PADDING], truth[truth != PADDING]
        nats += F.cross_entropy(scores, known, reduction="none").double().sum().item()
        right += (scores.argmax(1) == known).sum().item()
        count += len(known)
    accuracy, loss = right / count, nats / count
    return (accuracy, -loss), f"accuracy {accuracy:.4f}, loss {loss:.4f}"


model: nn.Module = nn.Embedding(3, 3)  # [network]
model = train(model, data, loss_of, evaluate)
_, figures = evaluate(model, data["test_x"], data["test_y"])
print(f"test: {figures} on {len(data['test_y'])} samples")
