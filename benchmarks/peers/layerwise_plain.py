"""Layerwise's loop with PyTorch's own kernels alone, as short runs and machines without Numba have it."""

from __future__ import annotations

from peers import layerwise


class Loop(layerwise.Loop):
    batch_innermost = False
