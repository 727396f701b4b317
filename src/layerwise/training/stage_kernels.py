"""A stage (5x5 convolution, ReLU, maximum of 2x2) and its gradients, with the batch innermost in memory.

A register holds one unit of 16 samples. So few channels, which leave the registers of other layouts half empty, cost
nothing here, and every inner loop runs along a row of contiguous numbers, which is all that the compiler (Numba) needs
to fill the registers. Kernels are cached on the disk. LANES samples make a block, so that what a stage reads of a block
fits a core's own cache.

Shapes: x (blocks, inputs, height, width * LANES), of a block (inputs, height, width * LANES),
weight (outputs, inputs, 5, 5), bias (outputs,), out (outputs, (height - 4) // 2, (width - 4) // 2 * LANES).
`winner` has the shape of `out` and says which of the 2x2 units was the largest, NOBODY where none is above zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Decorator = Callable[[Callable[..., None]], Callable[..., None]]

LANES = 32  # 64 and 128 are slower: a block no longer fits the cache
TAPS = 5
NOBODY = 4
ZERO = np.float32(0)

# Sums in any order, products and sums fused, and the sign of zero does not matter; NaN and infinity do.
jit: Any = numba.njit
options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}}
compiled: Decorator = jit(cache=True, **options)
inlined: Decorator = jit(inline="always", **options)


@compiled
def forward(x: Array, weight: Array, bias: Array, out: Array, winner: Array, first: int, last: int) -> None:
    """Fill `out` and `winner` of the blocks from `first` to before `last`."""
    width = x.shape[3] - (TAPS - 1) * LANES
    upper, lower = np.empty(width, np.float32), np.empty(width, np.float32)
    for block in range(first, last):
        for o in range(weight.shape[0]):
            for row in range(out.shape[2]):
                upper[:] = bias[o]
                lower[:] = bias[o]
                for i in range(weight.shape[1]):
                    for u in range(TAPS):
                        add_taps(upper, weight[o, i, u], x[block, i, 2 * row + u])
                        add_taps(lower, weight[o, i, u], x[block, i, 2 * row + 1 + u])
                take_largest(upper, lower, out[block, o, row], winner[block, o, row])


@compiled
def backward(
    x: Array,
    weight: Array,
    winner: Array,
    gradient: Array,
    d_weight: Array,
    d_bias: Array,
    d_x: Array,
    first: int,
    last: int,
) -> None:
    """Add the gradients of the blocks from `first` to before `last`, given that of `out`, to arrays of zeros.

    d_weight and d_bias: of each block by itself, (blocks, ...). d_x: like x, or empty (blocks, 0, 0, 0) if not needed.
    """
    height, width = x.shape[2] - TAPS + 1, x.shape[3] - (TAPS - 1) * LANES
    margin = (TAPS - 1) * LANES  # zeros to the left and right, so that taps may reach over the border
    d_map = np.zeros((height, margin + width + margin), np.float32)
    for block in range(first, last):
        for o in range(weight.shape[0]):
            for row in range(gradient.shape[2]):
                give_to_winners(gradient[block, o, row], winner[block, o, row], d_map[2 * row], d_map[2 * row + 1])
            for y in range(height):
                d_row = d_map[y, margin : margin + width]
                d_bias[block, o] += d_row.sum()
                for i in range(weight.shape[1]):
                    for u in range(TAPS):
                        add_dots(d_weight[block, o, i, u], d_row, x[block, i, y + u])
            for i in range(d_x.shape[1]):
                for y in range(d_x.shape[2]):
                    for u in range(max(0, y - height + 1), min(TAPS, y + 1)):
                        add_taps(d_x[block, i, y], weight[o, i, u, ::-1], d_map[y - u])


@inlined
def add_taps(row: Array, weight: Array, x: Array) -> None:
    """row[n] += sum over v of weight[v] * x[n + v * LANES]"""
    w0, w1, w2, w3, w4 = weight[0], weight[1], weight[2], weight[3], weight[4]
    x0, x1, x2, x3, x4 = x, x[LANES:], x[2 * LANES :], x[3 * LANES :], x[4 * LANES :]
    for n in range(row.shape[0]):
        row[n] += w0 * x0[n] + w1 * x1[n] + w2 * x2[n] + w3 * x3[n] + w4 * x4[n]


@inlined
def add_dots(d_weight: Array, d_row: Array, x: Array) -> None:
    """d_weight[v] += sum over n of d_row[n] * x[n + v * LANES]"""
    x0, x1, x2, x3, x4 = x, x[LANES:], x[2 * LANES :], x[3 * LANES :], x[4 * LANES :]
    s0 = s1 = s2 = s3 = s4 = ZERO
    for n in range(d_row.shape[0]):
        s0 += d_row[n] * x0[n]
        s1 += d_row[n] * x1[n]
        s2 += d_row[n] * x2[n]
        s3 += d_row[n] * x3[n]
        s4 += d_row[n] * x4[n]
    d_weight[0] += s0
    d_weight[1] += s1
    d_weight[2] += s2
    d_weight[3] += s3
    d_weight[4] += s4


@inlined
def take_largest(upper: Array, lower: Array, out: Array, winner: Array) -> None:
    """Keep the largest of 2x2 units and zero, and which it was."""
    out[:] = ZERO
    winner[:] = NOBODY
    for start in range(0, out.shape[0], LANES):
        best, who = out[start : start + LANES], winner[start : start + LANES]
        keep_larger(best, who, upper[2 * start :], 0)
        keep_larger(best, who, upper[2 * start + LANES :], 1)
        keep_larger(best, who, lower[2 * start :], 2)
        keep_larger(best, who, lower[2 * start + LANES :], 3)


@inlined
def keep_larger(best: Array, who: Array, unit: Array, place: int) -> None:
    """Among equals the first stays, and NaN wins over all, as in torch."""
    for n in range(best.shape[0]):
        is_larger = unit[n] > best[n] or unit[n] != unit[n]
        best[n] = unit[n] if is_larger else best[n]
        who[n] = place if is_larger else who[n]


@inlined
def give_to_winners(gradient: Array, winner: Array, upper: Array, lower: Array) -> None:
    """Give each of 2x2 units the gradient if it was the largest, else zero; rows begin with a margin of zeros."""
    for start in range(0, gradient.shape[0], LANES):
        given, who = gradient[start : start + LANES], winner[start : start + LANES]
        left = (TAPS - 1) * LANES + 2 * start
        give_if(upper[left:], given, who, 0)
        give_if(upper[left + LANES :], given, who, 1)
        give_if(lower[left:], given, who, 2)
        give_if(lower[left + LANES :], given, who, 3)


@inlined
def give_if(unit: Array, given: Array, who: Array, place: int) -> None:
    for n in range(given.shape[0]):
        unit[n] = given[n] if who[n] == place else ZERO
