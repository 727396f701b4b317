"""One pass over the data: outputs, loss and gradient together, while a row is in the cache.

A solver that computes z = X w and then X' r reads the inputs twice; here each row is read once and used for both. The
rows are cut into a fixed number of pieces that the threads take up; the pieces' sums are added in their order, so the
result does not depend on the number of threads.

The rows of sparse data are cut out before the loops over them, which compiles to half the time of counting from the
first number of all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from layerwise.neuron.solvers.compiled import compiled, compiled_fast
from layerwise.neuron.solvers.losses import KINDS, loss_terms
from layerwise.neuron.solvers.problem import Problem

PIECES = 8
WORTH_THREADS = 200_000  # numbers in the inputs, from which on threads pay
TOGETHER = 16  # rows whose outputs, losses and gradient are computed before the next ones are read
FLUSH = 64  # rows after which the gradient in the inputs' precision is added to the one in float64

Vector = NDArray[np.float64]
Answer = TypeVar("Answer")


@compiled_fast
def dots(inputs: Any, first: int, last: int, w: Any, bias: float, z: Any) -> None:
    """Write z = inputs . w + bias for the rows from first to before last, four at a time."""
    columns = inputs.shape[1]
    zero = inputs.dtype.type(0)
    i = first
    while i + 4 <= last:
        a, b, c, d = zero, zero, zero, zero
        for j in range(columns):
            a += inputs[i, j] * w[j]
            b += inputs[i + 1, j] * w[j]
            c += inputs[i + 2, j] * w[j]
            d += inputs[i + 3, j] * w[j]
        z[i], z[i + 1], z[i + 2], z[i + 3] = a + bias, b + bias, c + bias, d + bias
        i += 4
    for k in range(i, last):
        a = zero
        for j in range(columns):
            a += inputs[k, j] * w[j]
        z[k] = a + bias


@compiled_fast
def add_rows(inputs: Any, first: int, last: int, factors: Any, total: Any) -> None:
    """Add factors[i - first] * inputs[i] to total (d,) for the rows from first to before last."""
    columns = inputs.shape[1]
    i = first
    while i + 4 <= last:
        a, b, c, d = factors[i - first], factors[i - first + 1], factors[i - first + 2], factors[i - first + 3]
        if a != 0 or b != 0 or c != 0 or d != 0:
            for j in range(columns):
                total[j] += a * inputs[i, j] + b * inputs[i + 1, j] + c * inputs[i + 2, j] + d * inputs[i + 3, j]
        i += 4
    for k in range(i, last):
        a = factors[k - first]
        if a != 0:
            for j in range(columns):
                total[j] += a * inputs[k, j]


@compiled
def gather_products(inputs: Any, first: int, last: int, factors: Any, total: Any) -> None:
    """Add factors[i] * inputs[i] to total (d,) in float64, by way of short sums in the inputs' precision."""
    part = np.zeros(inputs.shape[1], inputs.dtype)
    cast = factors[first:last].astype(inputs.dtype)
    for start in range(first, last, FLUSH):
        end = min(start + FLUSH, last)
        part[:] = 0
        add_rows(inputs, start, end, cast[start - first : end - first], part)
        for j in range(len(part)):
            total[j] += part[j]


@compiled
def gather_products_sparse(
    data: Any, indices: Any, starts: Any, first: int, last: int, factors: Any, total: Any
) -> None:
    """Do what gather_products does for rows in CSR form."""
    for i in range(first, last):
        factor, numbers, places = factors[i], data[starts[i] : starts[i + 1]], indices[starts[i] : starts[i + 1]]
        for k in range(len(places)):
            total[places[k]] += factor * numbers[k]


@compiled
def gather(inputs: Any, first: int, last: int, index: Any, shift: Any, chosen: Any) -> None:
    """Write the columns of `index`, less shift, to chosen (n, len(index)), from row first to before last."""
    for i in range(first, last):
        for k in range(len(index)):
            chosen[i, k] = inputs[i, index[k]] - shift[k]


@compiled
def gather_sparse(
    data: Any, indices: Any, starts: Any, first: int, last: int, slots: Any, shift: Any, chosen: Any
) -> None:
    """Write the columns with a slot (d,), -1 for none, less shift (slots,), to chosen (n, slots)."""
    for i in range(first, last):
        for slot in range(len(shift)):
            chosen[i, slot] = -shift[slot]
        numbers, places = data[starts[i] : starts[i + 1]], indices[starts[i] : starts[i + 1]]
        for k in range(len(places)):
            slot = slots[places[k]]
            if slot >= 0:
                chosen[i, slot] += numbers[k]


@compiled
def terms(
    kind: int, width: float, first: int, last: int, z: Any, targets: Any, shares: Any, curvature: Any, factors: Any
) -> tuple[float, float]:
    """Write share * slope to factors (from 0) and the curvatures; return the loss and the sum of the factors."""
    loss, total = 0.0, 0.0
    for i in range(first, last):
        value, slope, bend = loss_terms(kind, z[i], targets[i], width)
        loss += shares[i] * value
        curvature[i] = bend
        factors[i - first] = shares[i] * slope
        total += shares[i] * slope
    return loss, total


@compiled
def pass_dense(
    inputs: Any,
    targets: Any,
    shares: Any,
    w: Any,
    bias: float,
    kind: int,
    width: float,
    z: Any,
    curvature: Any,
    gradient: Any,
) -> tuple[float, float]:
    """Write z and curvature (n,), add to gradient (d,); return the loss and its slope by the bias."""
    rows, columns = inputs.shape
    loss, slope = 0.0, 0.0
    part = np.zeros(columns, inputs.dtype)
    factors = np.empty(TOGETHER, inputs.dtype)
    for first in range(0, rows, TOGETHER):
        last = min(first + TOGETHER, rows)
        dots(inputs, first, last, w, bias, z)
        block_loss, block_slope = terms(kind, width, first, last, z, targets, shares, curvature, factors)
        loss += block_loss
        slope += block_slope
        add_rows(inputs, first, last, factors, part)
        if last % FLUSH == 0 or last == rows:
            for j in range(columns):
                gradient[j] += part[j]
                part[j] = 0
    return loss, slope


@compiled_fast
def dots_sparse(data: Any, indices: Any, starts: Any, first: int, last: int, w: Any, bias: float, z: Any) -> None:
    """Write z = inputs . w + bias for rows in CSR form."""
    for i in range(first, last):
        output = bias
        numbers, places = data[starts[i] : starts[i + 1]], indices[starts[i] : starts[i + 1]]
        for k in range(len(places)):
            output += numbers[k] * w[places[k]]
        z[i] = output


@compiled
def pass_sparse(
    data: Any,
    indices: Any,
    starts: Any,
    targets: Any,
    shares: Any,
    w: Any,
    bias: float,
    kind: int,
    width: float,
    z: Any,
    curvature: Any,
    gradient: Any,
) -> tuple[float, float]:
    """Do what pass_dense does for rows in CSR form."""
    rows = len(targets)
    loss, slope = 0.0, 0.0
    factors = np.empty(TOGETHER)
    for first in range(0, rows, TOGETHER):
        last = min(first + TOGETHER, rows)
        dots_sparse(data, indices, starts, first, last, w, bias, z)
        block_loss, block_slope = terms(kind, width, first, last, z, targets, shares, curvature, factors)
        loss += block_loss
        slope += block_slope
        for i in range(first, last):
            factor = factors[i - first]
            if factor != 0:
                numbers, places = data[starts[i] : starts[i + 1]], indices[starts[i] : starts[i + 1]]
                for k in range(len(places)):
                    gradient[places[k]] += factor * numbers[k]
    return loss, slope


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Passes:
    """The data of a problem, ready to be passed over with other weights.

    Weights are w (d,) and the output at the columns' means, so that the bias and the weights do not pull at each
    other: z = (x - means) . w + level. z and curvature (n,) are those of the last pass.
    """

    def __init__(self, problem: Problem, targets: Vector | None = None, threads: int = 0) -> None:
        self.problem = problem
        self.inputs = problem.inputs
        chosen = problem.targets if targets is None else targets
        self.targets = np.ascontiguousarray(chosen, np.float64).reshape(problem.rows)
        self.shares = problem.shares
        self.kind = KINDS[problem.loss]
        self.z: Vector = np.zeros(problem.rows)
        self.curvature: Vector = np.zeros(problem.rows)
        numbers = problem.inputs.nnz if problem.sparse else problem.rows * problem.columns
        wanted = threads or min(cores(), 4)
        pieces = PIECES if numbers >= WORTH_THREADS else 1
        self.cuts = np.linspace(0, problem.rows, pieces + 1).astype(int)
        self.threads = wanted if pieces > 1 else 1

    @cached_property
    def means(self) -> Vector:
        return self.problem.means

    def evaluate(self, w: Vector, level: float, width: float = 1.0) -> tuple[float, Vector, float]:
        """Return the objective without L1, its gradient by w (d,) and by the level."""
        bias = self.bias(w, level)
        parts = self._each(lambda first, last: self._piece(w, bias, width, first, last))
        gradient = np.sum([part[2] for part in parts], axis=0)
        slope = sum(part[1] for part in parts)
        if self.problem.intercept:
            gradient -= slope * self.means
        l2 = self.problem.l2
        loss = sum(part[0] for part in parts) + l2 * float(w @ w)
        return loss, gradient + 2 * l2 * w, slope if self.problem.intercept else 0.0

    def outputs(self, w: Vector, level: float) -> Vector:
        """Return X w + bias (n,) without touching z."""
        bias, z = self.bias(w, level), np.empty(self.problem.rows)
        x = self.inputs
        if self.problem.sparse:
            self._each(lambda first, last: dots_sparse(x.data, x.indices, x.indptr, first, last, w, bias, z))
        else:
            cast = w.astype(x.dtype)
            self._each(lambda first, last: dots(x, first, last, cast, bias, z))
        return z

    def bias(self, w: Vector, level: float) -> float:
        """Return the bias that gives `level` at the columns' means."""
        return level - float(w @ self.means) if self.problem.intercept else 0.0

    def _piece(self, w: Vector, bias: float, width: float, first: int, last: int) -> tuple[float, float, Vector]:
        gradient = np.zeros(self.problem.columns)
        rows = slice(first, last)
        given = (self.targets[rows], self.shares[rows])
        written = (self.z[rows], self.curvature[rows], gradient)
        x = self.inputs
        if self.problem.sparse:
            starts = x.indptr[first : last + 1]
            loss, slope = pass_sparse(x.data, x.indices, starts, *given, w, bias, self.kind, width, *written)
        else:
            loss, slope = pass_dense(x[rows], *given, w.astype(x.dtype), bias, self.kind, width, *written)
        return loss, slope, gradient

    def _each(self, work: Callable[[int, int], Answer]) -> list[Answer]:
        pairs = list(zip(self.cuts[:-1].tolist(), self.cuts[1:].tolist(), strict=True))
        if self.threads == 1:
            return [work(*pair) for pair in pairs]
        return list(self._pool.map(lambda pair: work(*pair), pairs))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads)

    def hessian(self, most: int, turn: int = 0) -> NDArray[np.float64]:
        """Return the second derivatives of the objective by (w, level), (d + 1, d + 1).

        Taken from the rows that the loss bends at, or where these are more than `most` from every k-th of them, the
        first one by `turn`. The products are those of the inputs' precision.
        """
        weights = self.shares * self.curvature
        chosen = np.flatnonzero(weights)
        stride = max(1, -(-len(chosen) // most))
        index = chosen[turn % stride :: stride]
        roots = np.sqrt(weights[index] * stride)
        x = self.inputs[index]
        columns = self.problem.columns
        full = np.zeros((columns + 1, columns + 1))
        if self.problem.sparse:
            scaled = sp.diags(roots) @ x
            full[:-1, :-1] = (scaled.T @ scaled).todense()
            edge = np.asarray(scaled.T @ roots)
        else:
            scaled = x * roots[:, None].astype(x.dtype)
            full[:-1, :-1] = scaled.T @ scaled
            edge = np.asarray(scaled.T @ roots.astype(x.dtype), np.float64)
        total = float(roots @ roots)
        if self.problem.intercept:
            means = self.means
            mixed = np.outer(edge, means)
            full[:-1, :-1] += total * np.outer(means, means) - mixed - mixed.T
            full[:-1, -1] = full[-1, :-1] = edge - total * means
            full[-1, -1] = total
        full[np.arange(columns), np.arange(columns)] += 2 * self.problem.l2
        return full

    def products(self, factors: Vector) -> Vector:
        """Return (X - means)' factors (d,) for factors (n,)."""
        x = self.inputs

        def piece(first: int, last: int) -> Vector:
            total = np.zeros(self.problem.columns)
            if self.problem.sparse:
                gather_products_sparse(x.data, x.indices, x.indptr, first, last, factors, total)
            else:
                gather_products(x, first, last, factors, total)
            return total

        total: Vector = np.sum(self._each(piece), axis=0) - self.means * factors.sum()
        return total

    def columns(self, index: NDArray[np.intp]) -> NDArray[Any]:
        """Return the columns of `index` less their means, (n, len(index))."""
        x = self.inputs
        chosen = np.empty((self.problem.rows, len(index)), x.dtype)
        shift = self.means[index].astype(x.dtype)
        if self.problem.sparse:
            slots = np.full(self.problem.columns, -1)
            slots[index] = np.arange(len(index))
            self._each(lambda a, b: gather_sparse(x.data, x.indices, x.indptr, a, b, slots, shift, chosen))
        else:
            self._each(lambda a, b: gather(x, a, b, index, shift, chosen))
        return chosen
