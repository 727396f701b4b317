"""Train a network to give pictures back from a code of few numbers."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from layerwise.scripts.pieces.pictures import save_grid, scale, unscale
from layerwise.scripts.pieces.training import Figures, train

MARKS = 11
BETA = 1.0

data = {  # [data]
    **{f"{part}_x": torch.rand(12, 1, 4, 4) for part in ("train", "valid", "test")},
    **{f"{part}_y": torch.randint(3, (12,)) for part in ("train", "valid", "test")},
}


class Coded(NamedTuple):  # [stand_in]
    picture: Tensor
    mean: Tensor
    log_variance: Tensor


class Network(nn.Linear):  # [stand_in]
    """A row of each picture is its code."""

    latent_dim = 4

    def forward(self, x: Tensor) -> Any:
        return Coded(super().forward(x), x[:, 0, 0], x[:, 0, 1])

    def decode(self, codes: Tensor) -> Tensor:
        return codes[:, None, None].expand(-1, 1, 4, 4)


def losses_of(model: nn.Module, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss and the squared error of each picture."""
    coded = model(pictures)
    error = (coded.picture - pictures).square().flatten(1).sum(1)
    loss = error / 2  # [not variational]
    kl = (coded.log_variance.exp() + coded.mean.square() - 1 - coded.log_variance).sum(1) / 2  # [variational]
    loss = error / 2 + BETA * kl  # Kingma and Welling 2013, equation 10 [variational]
    return loss, error


def loss_of(model: nn.Module, pictures: Tensor, classes: Tensor) -> Tensor:
    """Return the mean loss of a picture; its class plays no part."""
    return losses_of(model, pictures)[0].mean()


@torch.no_grad()
def evaluate(model: nn.Module, pictures: Tensor, classes: Tensor) -> Figures:
    """Measure the mean squared error of a pixel and the mean loss of a picture."""
    model.eval()
    parts = [losses_of(model, scale(some / 255)) for some in pictures.split(512)]
    loss, error = (torch.cat(column).double().mean().item() for column in zip(*parts, strict=True))
    error /= pictures[0].numel()
    return (-loss,), f"squared error {error:.4f} per pixel, loss {loss:.4f}"


model: Any = Network(4, 4)  # [network]
model = train(model, data, loss_of, evaluate)
model.eval()
with torch.no_grad():
    codes = torch.randn(64, model.latent_dim, generator=torch.Generator().manual_seed(0))  # [variational]
    save_grid(unscale(model.decode(codes.to(data["train_x"].device))), "samples.png")  # [variational]
    shown = scale(data["test_x"][:32] / 255)  # [not variational]
    save_grid(unscale(torch.cat((shown, model(shown).picture))), "samples.png")  # [not variational]
_, figures = evaluate(model, data["test_x"], data["test_y"])
print(f"test: {figures} on {len(data['test_y'])} samples")
