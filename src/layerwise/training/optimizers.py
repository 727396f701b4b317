"""From a config to an optimiser: torch's fused kernels where the device has them, Muon from muon.py.

One optimiser holds two groups: the weights, which decay and are penalised ('penalised': True), and the rest
(biases, normalisation), which are not: a bias does not make a function less smooth, and the layers around a
normalisation undo what shrinks its scale. Muon has a third group, the orthogonalised matrices.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from layerwise.errors import UsageError
from layerwise.layers.sequences import Embedding
from layerwise.training.adam import QuickAdamW
from layerwise.training.config import OPTIMIZERS, PenaltyConfig, TrainingConfig
from layerwise.training.muon import Muon

__all__ = ["OPTIMIZERS", "make_optimizer", "weights_of"]

NORMALISATIONS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
FUSED_DEVICES = ("cpu", "cuda", "mps")  # where torch has fused SGD, Adam and AdamW


def weights_of(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that connect units: matrices and filters, no bias, no normalisation."""
    found: dict[nn.Parameter, None] = {}  # a dict, because tied weights appear more than once
    for part in module.modules():
        if not isinstance(part, NORMALISATIONS):
            own = part.named_parameters(recurse=False)
            found.update({p: None for name, p in own if p.requires_grad and p.ndim >= 2 and name != "bias"})
    return list(found)


def make_optimizer(
    module: nn.Module, training: TrainingConfig, penalty: PenaltyConfig, precision: str = "float32"
) -> Optimizer:
    """Return the optimiser that `training` names over the trainable parameters of `module`.

    precision: of the products that Muon orthogonalises by, as planned; on a GPU they are always in bfloat16.
    Within a group the order is that of `module.parameters()`, so that a saved state fits the same module.
    Raises UsageError where nothing is to be trained.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        raise UsageError("The model has no trainable parameter; unfreeze some or use a model with weights.")
    if training.optimizer == "muon":
        optimizer: Optimizer = _make_muon(module, parameters, training, penalty, precision)
    else:
        optimizer = _make_torch(module, parameters, training, penalty)
    optimizer.register_load_state_dict_post_hook(_match_layout)
    return optimizer


def _make_torch(
    module: nn.Module, parameters: list[nn.Parameter], training: TrainingConfig, penalty: PenaltyConfig
) -> Optimizer:
    decay = penalty.decay(training.optimizer)
    is_weight = set(weights_of(module))
    groups = _groups(parameters, is_weight, decay)
    rate = training.learning_rate
    is_fused = all(p.device.type in FUSED_DEVICES and p.is_floating_point() for p in parameters)
    fast: dict[str, Any] = {"fused": True} if is_fused else {"foreach": True}
    match training.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, **fast)
        case "momentum":
            return torch.optim.SGD(groups, lr=rate, momentum=training.momentum, **fast)
        case "nesterov":
            return torch.optim.SGD(groups, lr=rate, momentum=training.momentum, nesterov=True, **fast)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, foreach=True)
        case _:  # adam and adamw differ in their default decay only, which is decoupled for both
            if all(p.device.type == "cpu" and p.dtype == torch.float32 for p in parameters):
                return QuickAdamW(groups, rate)
            return torch.optim.AdamW(groups, lr=rate, **fast)


def _groups(parameters: list[nn.Parameter], is_weight: set[nn.Parameter], decay: float) -> list[dict[str, Any]]:
    weights = [p for p in parameters if p in is_weight]
    others = [p for p in parameters if p not in is_weight]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": decay, "penalised": True},
        {"params": others, "weight_decay": 0.0, "penalised": False},
    ]
    return [group for group in groups if group["params"]]


def _make_muon(
    module: nn.Module,
    parameters: list[nn.Parameter],
    training: TrainingConfig,
    penalty: PenaltyConfig,
    precision: str,
) -> Muon:
    """Orthogonalise every weight but embeddings and the last layer, as Jordan advises: those go by AdamW."""
    decay = penalty.decay("muon")
    weights = weights_of(module)
    embeddings = {part.weight for part in module.modules() if isinstance(part, nn.Embedding | Embedding)}
    own = [p for part in module.modules() for p in part.parameters(recurse=False)]  # tied weights more than once
    last = next((p for p in reversed(own) if p in set(weights)), None)
    matrices = set(weights) - embeddings - {last}
    hidden = [p for p in parameters if p in matrices]
    groups = _groups([p for p in parameters if p not in matrices], set(weights), decay)
    if hidden:
        groups.insert(0, {"params": hidden, "weight_decay": decay, "penalised": True, "orthogonal": True})
    is_gpu = all(p.device.type == "cuda" for p in parameters)
    dtype = torch.bfloat16 if is_gpu or precision == "bfloat16" else torch.float32
    return Muon(groups, lr=training.learning_rate, momentum=training.momentum, dtype=dtype)


def _match_layout(optimizer: Optimizer) -> None:
    """Give loaded state the order in memory of its parameter.

    Files hold tensors in plain order, while filters may lie channels-last. Fused kernels walk through memory
    and would pair the wrong numbers, without an error.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
