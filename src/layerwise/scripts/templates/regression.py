"""Train a network to predict numbers."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.scripts.pieces.training import Figures, train

MARKS = 2
DEVIATIONS = (1.0, 1.0)

data = {  # [data]
    f"{part}_{name}": torch.randn(12, size)
    for part in ("train", "valid", "test")
    for name, size in (("x", 4), ("y", 2))
}


def loss_of(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error of the standardised values."""
    return F.mse_loss(model(inputs), targets)


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, targets: Tensor) -> Figures:
    """Measure R2, the root mean squared error in the units of the data, and the loss."""
    model.eval()
    outputs = torch.cat([model(some) for some in inputs.split(512)])
    loss = F.mse_loss(outputs, targets).item()
    deviations = torch.tensor(DEVIATIONS, dtype=torch.float64)
    residuals = (outputs - targets).double().cpu() * deviations  # (samples, outputs)
    spread = (targets - targets.mean(0)).double().cpu() * deviations
    r2 = (1 - residuals.square().sum(0) / spread.square().sum(0)).mean()
    rmse = residuals.square().mean(0).sqrt().mean()
    return (-loss,), f"R2 {r2:.4f}, root mean squared error {rmse:.4f}, loss {loss:.4f}"


model: nn.Module = nn.Linear(4, 2)  # [network]
model = train(model, data, loss_of, evaluate)
_, figures = evaluate(model, data["test_x"], data["test_y"])
print(f"test: {figures} on {len(data['test_y'])} samples")
