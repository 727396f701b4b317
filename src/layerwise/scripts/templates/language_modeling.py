"""Train a network to foretell the next token of a text."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.scripts.pieces.text import text_of
from layerwise.scripts.pieces.training import Figures, train

MARKS = 2
PADDING = 0

data = {  # [data]
    **{f"{part}_{name}": torch.randint(3, (12, 5)) for part in ("train", "valid", "test") for name in ("x", "y")},
    "token_bytes": torch.tensor([0, 1, 2]),
    "vocabulary": torch.tensor([97, 98, 99], dtype=torch.uint8),
}


def loss_of(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy of the next token."""
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), ignore_index=PADDING)


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, targets: Tensor) -> Figures:
    """Measure the bits per byte of text; each token counts once, and is padding in the other windows that hold it."""
    model.eval()
    nats = size = 0.0
    for some, truth in zip(inputs.split(16), targets.split(16), strict=True):
        scores, tokens = model(some)[truth != PADDING], truth[truth != PADDING]
        nats += F.cross_entropy(scores, tokens, reduction="none").double().sum().item()
        size += data["token_bytes"][tokens].sum().item()
    bits_per_byte = nats / math.log(2) / size
    return (-bits_per_byte,), f"{bits_per_byte:.4f} bits per byte of {size:.0f} bytes"


@torch.no_grad()
def generate(model: nn.Module, prompt: Tensor, count: int, temperature: float = 0.8) -> Tensor:
    """Continue a text token by token, each drawn by what stands before it."""
    model.eval()
    window = data["train_x"].shape[1]
    tokens = prompt
    for _ in range(count):
        probabilities = (model(tokens[None, -window:])[0, -1] / temperature).softmax(0)
        tokens = torch.cat((tokens, torch.multinomial(probabilities, 1)))
    return tokens


model: nn.Module = nn.Embedding(3, 3)  # [network]
model = train(model, data, loss_of, evaluate)
print(text_of(generate(model, data["test_x"][0, :8], 100), data))
_, figures = evaluate(model, data["test_x"], data["test_y"])
print(f"test: {figures}")
