"""Tensors to bytes and back, bit for bit, as safetensors: nothing in such a file can be executed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from layerwise.errors import CheckpointError

# What safetensors both writes and reads; it would write float8_e8m0fnu and then not read it.
TYPES = frozenset(
    {torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.bool}
    | {torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64}
    | {torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz}
)


def tensors_to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Return named dense tensors of any shape, memory layout and device as one safetensors file.

    Tensors that share memory are written out each for itself.

    Raises:
        CheckpointError: a tensor is sparse or of a type that safetensors does not know.
    """
    plain: dict[str, Tensor] = {}
    memory: set[int] = set()
    for name, tensor in tensors.items():
        if tensor.dtype not in TYPES or tensor.layout is not torch.strided:
            kind = f"{tensor.layout} {tensor.dtype}".replace("torch.", "")
            raise CheckpointError(f"tensor '{name}' is {kind}; a checkpoint takes dense tensors of the usual types")
        values = tensor.detach().cpu().resolve_conj().resolve_neg()
        if values.untyped_storage().data_ptr() in memory:
            values = values.clone()
        plain[name] = values.contiguous()
        memory.add(plain[name].untyped_storage().data_ptr())
    return save(plain)


def tensors_from_bytes(data: bytes) -> dict[str, Tensor]:
    """Return what `tensors_to_bytes` wrote, on the CPU.

    Raises:
        ValueError: the bytes are not a safetensors file.
    """
    try:
        tensors: dict[str, Tensor] = load(data)
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"not a safetensors file ({error})") from error
    return tensors
