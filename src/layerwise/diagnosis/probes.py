"""Probes: what happens inside a network while it computes, seen through PyTorch's own hooks.

Each is a context manager that works on any module, changes no output, and costs nothing once it is left. On, it costs
the memory of what it keeps; the attention weights are computed once more beside the fused kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.layers.attention import Attention
from layerwise.layers.sequences import Embedding

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


def convolutions(model: nn.Module) -> dict[str, nn.Conv2d]:
    """Return the convolutions over pictures, by their names in the model, in its order."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)}


def first_filters(model: nn.Module) -> Tensor:
    """Return the weights of the first convolution over pictures, (filters, channels, height, width).

    Raises:
        UsageError: there is none.
    """
    found = convolutions(model)
    if not found:
        raise UsageError(f"{type(model).__name__} has no convolution over pictures, so it has no filters to show.")
    return next(iter(found.values())).weight.detach().cpu().float()


@contextmanager
def feature_maps(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Keep what each of the named layers gives in the block, as it gave it last.

    Raises:
        UsageError: there is no layer of this name.
    """
    known, kept = dict(model.named_modules()), dict[str, Tensor]()

    def keeper(name: str) -> Any:
        def keep(layer: nn.Module, inputs: Any, output: Any) -> None:
            kept[name] = (output[0] if isinstance(output, tuple) else output).detach()

        return keep

    unknown = [name for name in layers if name not in known or not name]
    if unknown:
        raise UsageError(
            f"the network has no layer '{unknown[0]}'; its convolutions are {', '.join(convolutions(model)) or 'none'}."
        )
    handles = [known[name].register_forward_hook(keeper(name)) for name in layers]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def attention(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Keep the weights of every attention in the block, by its name: (batch, heads, queries, keys).

    Layerwise's own attention and PyTorch's nn.MultiheadAttention are seen.
    """
    kept: dict[str, Tensor] = {}
    handles: list[Any] = []
    for name, layer in model.named_modules():
        if isinstance(layer, Attention):
            handles.append(layer.register_forward_pre_hook(_own_weights(name, kept), with_kwargs=True))
        elif isinstance(layer, nn.MultiheadAttention):
            handles.append(layer.register_forward_pre_hook(_ask_for_weights, with_kwargs=True))
            handles.append(layer.register_forward_hook(_given_weights(name, kept)))
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def _own_weights(name: str, kept: dict[str, Tensor]) -> Any:
    def keep(layer: Attention, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        with torch.no_grad():
            kept[name] = layer.weights(*inputs, **options).detach()

    return keep


def _ask_for_weights(layer: nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return inputs, {**options, "need_weights": True, "average_attn_weights": False}


def _given_weights(name: str, kept: dict[str, Tensor]) -> Any:
    def keep(layer: nn.Module, inputs: Any, output: tuple[Tensor, Tensor]) -> None:
        kept[name] = output[1].detach()

    return keep


def rollout(weights: Sequence[Tensor]) -> Tensor:
    """Return how much of each input reaches each output through all blocks, (batch, steps, steps).

    Abnar and Zuidema 2020, "Quantifying attention flow in transformers", https://arxiv.org/abs/2005.00928, section 3:
    the product of the layers' weights, means over heads, each half attention and half the sum that goes around it.

    weights: of each layer from the first on, (batch, heads, steps, steps).
    """
    flow = torch.eye(weights[0].shape[-1])
    for layer in weights:
        flow = (0.5 * layer.float().cpu().mean(1) + 0.5 * torch.eye(layer.shape[-1])) @ flow
    return flow


@contextmanager
def embedded_as(layer: nn.Module, vectors: Tensor, *, once: bool = False) -> Iterator[None]:
    """Let an embedding give `vectors` in place of its own in the block, or the first time that it is asked there."""

    def give(*_: Any) -> Tensor:
        if once:
            handle.remove()
        return vectors

    handle = layer.register_forward_hook(give)
    try:
        yield
    finally:
        handle.remove()


def embedding_of(model: nn.Module) -> nn.Module:
    """Return the layer that turns tokens into vectors. Raises UsageError where there is none."""
    for layer in model.modules():
        if isinstance(layer, Embedding | nn.Embedding):
            return layer
    raise UsageError(f"{type(model).__name__} has no embedding, so its tokens have no gradients; use `occlusion`.")


@contextmanager
def before_the_last(model: nn.Module) -> Iterator[list[Tensor]]:
    """Keep what the last dense layer reads in the block, a tensor a pass: the features that the answer is made of.

    Raises:
        UsageError: there is no dense layer.
    """
    dense = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if not dense:
        raise UsageError(f"{type(model).__name__} has no dense layer, so it has no features before its last one.")
    kept: list[Tensor] = []
    handle = dense[-1].register_forward_pre_hook(lambda layer, inputs: kept.append(inputs[0].detach().cpu().float()))
    try:
        yield kept
    finally:
        handle.remove()
