"""The same network and the same training in PyTorch: autograd, torch's losses, our optimisers made by `training/`."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from layerwise.neuron.engine.configs import StackConfig
from layerwise.neuron.engine.network import DenseStack
from layerwise.neuron.tables.activations import MAXOUT_PIECES
from layerwise.neuron.tables.losses import LOSSES
from layerwise.training.config import PenaltyConfig, TrainingConfig
from layerwise.training.optimizers import make_optimizer
from layerwise.training.penalties import proximal_step


def samples_for(config: StackConfig, count: int, seed: int = 0):
    """Return inputs and targets that the loss of `config` takes."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(count, config.sizes[0])).astype(np.float32)
    shape = (count, config.sizes[-1])
    match LOSSES[config.loss].targets:
        case "classes":
            return inputs, random.integers(config.sizes[-1], size=count)
        case "signs":
            return inputs, random.choice([-1.0, 1.0], size=shape).astype(np.float32)
        case "bits":
            return inputs, random.choice([0.0, 1.0], size=shape).astype(np.float32)
        case _:
            return inputs, random.normal(size=shape).astype(np.float32)


class Maxout(nn.Module):
    def forward(self, z):
        return z.unflatten(-1, (-1, MAXOUT_PIECES)).max(-1).values


class ScaledTanh(nn.Module):
    def forward(self, z):
        return 1.7159 * torch.tanh(z * (2 / 3))


# At its usual threshold of 20, torch's softplus is z itself, which is 2e-9 from log(1 + exp(z)).
MODULES = {
    "identity": nn.Identity, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "scaled-tanh": ScaledTanh, "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU, "elu": nn.ELU, "selu": nn.SELU, "gelu": nn.GELU,
    "softplus": lambda: nn.Softplus(threshold=40),
    "silu": nn.SiLU, "maxout": Maxout, "softmax": lambda: nn.Softmax(-1),
}  # fmt: skip


def torch_network(network: DenseStack) -> nn.Sequential:
    """Return the stack as modules with the same weights; the last activation is left out where the loss contains it."""
    parts: list[nn.Module] = []
    for number, (layer, (W, b)) in enumerate(zip(network.layers, network.weights, strict=True)):
        linear = nn.Linear(layer.inputs, layer.sums, dtype=torch.from_numpy(W).dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W))
            linear.bias.copy_(torch.from_numpy(b))
        is_last = number == len(network.layers) - 1
        hides = is_last and network.config.is_loss_on_raw
        parts += [linear, nn.Identity() if hides else MODULES[layer.activation]()]
    return nn.Sequential(*parts)


def losses_of(loss: str, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the loss of each sample, (samples,), by torch's own functions where it has one."""
    if loss == "cross-entropy":
        return F.cross_entropy(outputs, targets, reduction="none")
    each = {
        "squared": lambda: F.mse_loss(outputs, targets, reduction="none"),
        "absolute": lambda: F.l1_loss(outputs, targets, reduction="none"),
        "huber": lambda: F.huber_loss(outputs, targets, reduction="none"),
        "perceptron": lambda: (-targets * outputs).clamp(min=0),
        "hinge": lambda: (1 - targets * outputs).relu(),
        "squared-hinge": lambda: (1 - targets * outputs).relu().square(),
        "logistic": lambda: F.binary_cross_entropy_with_logits(outputs, targets, reduction="none"),
    }[loss]()
    return each.mean(1)


def torch_targets(loss: str, targets: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    return torch.from_numpy(targets) if loss == "cross-entropy" else torch.from_numpy(targets).to(dtype)


def train_in_torch(network: DenseStack, orders, inputs, targets, weights=None, epochs=1) -> nn.Sequential:
    """Train a copy of `network` as its config says, over batches in the given orders of the samples."""
    module, descent = torch_network(network), network.descent
    dtype = next(module.parameters()).dtype
    x, y = torch.from_numpy(inputs).to(dtype), torch_targets(network.config.loss, targets, dtype)
    share = torch.ones(len(x), dtype=dtype) if weights is None else torch.from_numpy(weights / weights.mean()).to(dtype)
    training = TrainingConfig(
        optimizer=descent.optimizer, learning_rate=descent.learning_rate, momentum=descent.momentum
    )
    penalty = PenaltyConfig(
        weight_decay=descent.weight_decay,
        penalty=descent.penalty,
        penalty_strength=descent.penalty_strength,
        mix=descent.mix,
    )
    optimizer = make_optimizer(module, training, penalty)
    size = len(x) if descent.batch_size == "full" else descent.batch_size
    for epoch in range(epochs):
        for chosen in torch.from_numpy(orders[epoch]).split(size):
            optimizer.zero_grad()
            (share[chosen] * losses_of(network.config.loss, module(x[chosen]), y[chosen])).mean().backward()
            optimizer.step()
            proximal_step(optimizer, penalty)
    return module


def flat(module: nn.Module) -> np.ndarray:
    return torch.cat([p.detach().ravel() for p in module.parameters()]).numpy()
