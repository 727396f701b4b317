"""Small convolutions with the batch innermost: the same model, its stages computed by the kernels in stage_kernels.py.

A stage is a Conv2d of 5x5, a ReLU and a MaxPool2d of 2x2, one after the other in a Sequential, as in LeNet-5. The
modules stay as they are: `arranged` returns a shallow copy of the model around the very same parameters, in which a
chain of stages is one module. Results differ from torch's by the rounding of float32 and do not depend on the number
of threads.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

MOST_CHANNELS = 16  # of a stage's input; with more, torch's kernels fill their registers, too
Stages = list[list[nn.Module]]  # [convolution, ReLU, pooling] of each


def suits(model: nn.Module) -> bool:
    """Whether every convolution of `model` belongs to a stage of few channels, in float32 on the processor."""
    convolutions = sum(isinstance(part, nn.modules.conv._ConvNd) for part in model.modules())
    in_stages = sum(len(part.stages) for part in arranged(model).modules() if isinstance(part, BatchInnermost))
    is_plain = all(p.device.type == "cpu" and p.dtype == torch.float32 for p in model.parameters())
    return is_plain and convolutions > 0 and convolutions == in_stages


def arranged(model: nn.Module) -> nn.Module:
    """Return `model` with its chains of stages in one module each: a shallow copy, or itself where there are none."""
    children = {name: arranged(child) for name, child in model.named_children()}
    if type(model) is nn.Sequential:
        children = _with_chains(children)
    if list(children.values()) == list(model.children()):
        return model
    twin = copy.copy(model)
    twin._modules = dict(children)
    twin.training = True
    return twin


def _with_chains(children: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """Put a BatchInnermost in the place of each chain of stages; only its first convolution may pad."""
    names, parts = list(children), list(children.values())
    result: dict[str, nn.Module] = {}
    at = 0
    while at < len(parts):
        stages: Stages = []
        while _is_stage(parts[at : at + 3]) and not (stages and parts[at].padding != (0, 0)):
            stages.append(parts[at : at + 3])
            at += 3
        if stages:
            result[names[at - 3]] = BatchInnermost(stages)
        else:
            result[names[at]] = parts[at]
            at += 1
    return result


def _is_stage(parts: list[nn.Module]) -> bool:
    if [type(part) for part in parts] != [nn.Conv2d, nn.ReLU, nn.MaxPool2d]:
        return False
    convolution, _, pooling = parts
    wanted = {"kernel_size": (5, 5), "stride": (1, 1), "dilation": (1, 1), "groups": 1, "padding_mode": "zeros"}
    pools = {"kernel_size": 2, "stride": 2, "padding": 0, "dilation": 1, "return_indices": False, "ceil_mode": False}
    return (
        all(getattr(convolution, name) == value for name, value in wanted.items())
        and all(getattr(pooling, name) == value for name, value in pools.items())
        and isinstance(convolution.padding, tuple)
        and convolution.bias is not None
        and int(convolution.in_channels) <= MOST_CHANNELS  # type: ignore[arg-type]
    )


class BatchInnermost(nn.Module):
    """A chain of stages. Takes (batch, channels, height, width), returns (batch, maps, height, width).

    Where somebody watches a module inside (a hook), the modules themselves are called instead.
    """

    def __init__(self, stages: Stages) -> None:
        super().__init__()
        self.stages = [nn.Sequential(*stage) for stage in stages]  # a list: the parameters stay the model's

    def forward(self, x: Tensor) -> Tensor:
        if any(_is_watched(part) for stage in self.stages for part in stage):
            for stage in self.stages:
                x = stage(x)
            return x
        convolutions = [stage[0] for stage in self.stages]
        weights = [tensor for layer in convolutions for tensor in (layer.weight, layer.bias)]
        apply: Callable[..., Tensor] = _Chain.apply
        return apply(x, convolutions[0].padding, *weights)


def _is_watched(part: nn.Module) -> bool:
    return bool(part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks)


class _Chain(torch.autograd.Function):
    """The chain and its gradients. weights: weight, bias, weight, bias, ... of its convolutions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, padding: tuple[int, int], *weights: Tensor) -> Tensor:
        kernels = _kernels()
        signals, winners = [_to_blocks(x, padding)], []
        for weight, bias in zip(weights[::2], weights[1::2], strict=True):
            blocks, _, height, width = signals[-1].shape
            shape = (blocks, len(bias), (height - 4) // 2, (width // kernels.LANES - 4) // 2 * kernels.LANES)
            out, winner = torch.empty(shape), torch.empty(shape, dtype=torch.uint8)
            _in_threads(kernels.forward, signals[-1], weight.contiguous(), bias, out, winner)
            signals.append(out)
            winners.append(winner)
        ctx.save_for_backward(*signals[:-1], *winners, *weights)
        ctx.padding, ctx.batch_size = padding, len(x)
        return _from_blocks(signals[-1], len(x))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        count = len(ctx.saved_tensors) // 4
        signals, winners = ctx.saved_tensors[:count], ctx.saved_tensors[count : 2 * count]
        weights, biases = ctx.saved_tensors[2 * count :: 2], ctx.saved_tensors[2 * count + 1 :: 2]
        above = _to_blocks(gradient, (0, 0))
        gradients: list[Tensor] = []
        for at in reversed(range(count)):
            x, weight = signals[at], weights[at]
            d_weight, d_bias = x.new_zeros(len(x), *weight.shape), x.new_zeros(len(x), *biases[at].shape)
            is_wanted = at > 0 or ctx.needs_input_grad[0]
            d_x = torch.zeros_like(x) if is_wanted else x.new_zeros(len(x), 0, 0, 0)
            _in_threads(_kernels().backward, x, weight.contiguous(), winners[at], above, d_weight, d_bias, d_x)
            gradients = [d_weight.sum(0), d_bias.sum(0), *gradients]
            above = d_x
        if not ctx.needs_input_grad[0]:
            return None, None, *gradients
        (rows, columns), d_input = ctx.padding, _from_blocks(above, ctx.batch_size)
        return F.pad(d_input, (-columns, -columns, -rows, -rows)), None, *gradients


def _to_blocks(x: Tensor, padding: tuple[int, int]) -> Tensor:
    """(batch, channels, height, width) -> (blocks, channels, rows, columns * LANES), with zeros around"""
    lanes = _kernels().LANES
    blocks = -(-len(x) // lanes)
    if len(x) % lanes:
        x = F.pad(x, (0, 0, 0, 0, 0, 0, 0, blocks * lanes - len(x)))
    _, channels, height, width = x.shape
    top, left = padding
    result = x.new_zeros(blocks, channels, height + 2 * top, width + 2 * left, lanes)
    inner = result[:, :, top : top + height, left : left + width]
    inner.copy_(x.reshape(blocks, lanes, channels, height, width).permute(0, 2, 3, 4, 1))
    return result.flatten(3)


def _from_blocks(blocks: Tensor, batch_size: int) -> Tensor:
    """(blocks, channels, height, width * LANES) -> (batch, channels, height, width)"""
    samples: Tensor = blocks.unflatten(3, (-1, _kernels().LANES)).permute(0, 4, 1, 2, 3).flatten(0, 1)
    return samples[:batch_size]


def _in_threads(kernel: Callable[..., None], *tensors: Tensor) -> None:
    """Let each of torch's threads do its share of the blocks of the first tensor."""
    blocks = len(tensors[0])
    threads = min(torch.get_num_threads(), blocks)
    own, *others = pairwise(blocks * thread // threads for thread in range(threads + 1))
    arrays = [tensor.detach().numpy() for tensor in tensors]
    waiting = [_pool(threads - 1).submit(kernel, *arrays, *share) for share in others]
    kernel(*arrays, *own)
    for share in waiting:
        share.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="batch-innermost")


def _kernels() -> Any:
    """Import the kernels when they are needed: Numba takes a second to load."""
    from layerwise.training import stage_kernels

    return stage_kernels
