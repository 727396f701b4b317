"""The forward and the backward pass of a stack of dense layers, written out and compiled.

For a layer with weights W (outputs, inputs) and biases b, and a batch of signals x (inputs, lanes):

    forward                          backward, from dJ/da of this layer
    z = W x + b                      dJ/dz = dJ/da * da/dz
    a = activation(z)                dJ/dW = dJ/dz x^T,  dJ/db = sum of dJ/dz over the lanes
    a, part of it silenced, is       dJ/dx = W^T dJ/dz, which is dJ/da of the layer below
    the x of the next layer

Every sample of the batch has a lane, the last axis of all arrays: vector instructions work on several samples at once
however few neurons a layer has. Lanes without a sample have weight zero in the loss.

All parameters lie in one flat array, W, b, W, b, ..., as torch orders them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from layerwise.neuron.engine import counter_rng
from layerwise.neuron.engine.compiled import borrow, compiled, formula
from layerwise.neuron.tables import activations, elementary, losses

SMALL_PRODUCT = 4096  # multiplications below which a plain loop beats a call of BLAS (measured: 200 ns a call)


SOFTMAX, MAXOUT = (list(activations.ACTIVATIONS).index(name) for name in ("softmax", "maxout"))
CROSS_ENTROPY = list(losses.LOSSES).index("cross-entropy")


class Plan(NamedTuple):
    """The shape of the stack. Arrays have a number for each layer.

    inputs, units: signals that a layer reads, neurons that it has.
    pieces: weighted sums of a neuron, 2 for maxout, else 1.
    activations: numbers of the activations, in the order of ACTIVATIONS.
    starts: where its W begins in the flat parameters, its b follows; one more number: their count.
    sums_before, units_before: weighted sums and neurons of the layers below; one more number: of all.
    loss: number of the loss, in the order of LOSSES. on_raw: it sees the raw sums of the last layer.
    dropout: share of the hidden neurons silenced.
    """

    inputs: Any
    units: Any
    pieces: Any
    activations: Any
    starts: Any
    sums_before: Any
    units_before: Any
    loss: Any
    on_raw: Any
    dropout: Any


class Work(NamedTuple):
    """The arrays of a batch. Those of all layers lie one after the other in flat arrays, see `sums` and `neurons`.

    x: (features, lanes). y: (outputs, lanes). share: (lanes,), of each sample in the cost.
    z, dz: weighted sums and dJ/dz. a, da: values and dJ/da.
    sent: what goes to the next layer, `a` itself without dropout. mask: 0 or 1 / (1 - dropout) for each neuron.
    """

    x: Any
    y: Any
    share: Any
    z: Any
    dz: Any
    a: Any
    da: Any
    sent: Any
    mask: Any


@compiled
def work_size(plan: Any, lanes: Any) -> Any:
    """Return how many numbers the arrays of a batch take together."""
    return (plan.inputs[0] + plan.units[-1] + 1 + 2 * plan.sums_before[-1] + 4 * plan.units_before[-1]) * lanes


@compiled
def make_work(plan: Any, lanes: Any, arena: Any) -> Any:
    """Return arrays for batches of `lanes` samples, cut from `arena`, work_size zeros, which the caller keeps."""
    features, outputs = plan.inputs[0], plan.units[-1]
    sums, units = plan.sums_before[-1] * lanes, plan.units_before[-1] * lanes
    z = (features + outputs + 1) * lanes
    a = z + 2 * sums
    return Work(
        borrow(arena, 0, (features, lanes)),
        borrow(arena, features * lanes, (outputs, lanes)),
        borrow(arena, (features + outputs) * lanes, (lanes,)),
        borrow(arena, z, (sums,)),
        borrow(arena, z + sums, (sums,)),
        borrow(arena, a, (units,)),
        borrow(arena, a + units, (units,)),
        borrow(arena, a + 2 * units if plan.dropout > 0 else a, (units,)),
        borrow(arena, a + 3 * units, (units,)),
    )


@compiled
def weights(plan: Any, flat: Any, layer: Any) -> Any:
    """Return W of a layer, (sums, inputs), or what is kept for it, as a view of flat parameters."""
    return borrow(flat, plan.starts[layer], (plan.units[layer] * plan.pieces[layer], plan.inputs[layer]))


@compiled
def biases(plan: Any, flat: Any, layer: Any) -> Any:
    """Return b of a layer, (sums,), or what is kept for it, as a view of flat parameters."""
    count = plan.units[layer] * plan.pieces[layer]
    return borrow(flat, plan.starts[layer + 1] - count, (count,))


@compiled
def sums(plan: Any, flat: Any, layer: Any, lanes: Any) -> Any:
    """Return the block of a layer in z or dz, (sums, lanes)."""
    return borrow(flat, plan.sums_before[layer] * lanes, (plan.units[layer] * plan.pieces[layer], lanes))


@compiled
def neurons(plan: Any, flat: Any, layer: Any, lanes: Any) -> Any:
    """Return the block of a layer in a, da, sent or mask, (units, lanes)."""
    return borrow(flat, plan.units_before[layer] * lanes, (plan.units[layer], lanes))


@compiled
def numbers(array: Any) -> Any:
    """Return an array's numbers as they lie."""
    return borrow(array, 0, (array.size,))


@compiled
def forward(plan: Any, parameters: Any, work: Any, dropout_key: Any, first: Any) -> None:
    """Fill z, a and what is sent on, for the samples in work.x.

    dropout_key: of this step; 0 silences nobody. first: place of lane 0 in its batch.
    """
    x, lanes = work.x, work.x.shape[1]
    for layer in range(plan.units.size):
        z, a = sums(plan, work.z, layer, lanes), neurons(plan, work.a, layer, lanes)
        weigh(weights(plan, parameters, layer), x, biases(plan, parameters, layer), z)
        activate(plan.activations[layer], z, a)
        x = neurons(plan, work.sent, layer, lanes)
        if plan.dropout > 0:
            is_silenced = dropout_key != 0 and layer < plan.units.size - 1
            share = 1.0 - plan.dropout if is_silenced else 1.0
            mask = neurons(plan, work.mask, layer, lanes)
            counter_rng.keep(counter_rng.mix(dropout_key + np.uint64(layer)), first, share, 1 / share, mask)
            multiply(a, mask, x)


@compiled
def backward(plan: Any, parameters: Any, work: Any, gradient: Any) -> Any:
    """Write dJ/dW and dJ/db of all layers into `gradient` for the batch that went forward; returns its cost."""
    last, lanes = plan.units.size - 1, work.x.shape[1]
    cost = judge(plan, work)
    for layer in range(last, -1, -1):
        z, dz = sums(plan, work.z, layer, lanes), sums(plan, work.dz, layer, lanes)
        a, da = neurons(plan, work.a, layer, lanes), neurons(plan, work.da, layer, lanes)
        if plan.dropout > 0:
            multiply(da, neurons(plan, work.mask, layer, lanes), da)
        if layer < last or not plan.on_raw:
            differentiate(plan.activations[layer], z, a, da, dz)
        x = neurons(plan, work.sent, layer - 1, lanes) if layer > 0 else work.x
        outer(dz, x, weights(plan, gradient, layer))
        add_lanes(dz, biases(plan, gradient, layer))
        if layer > 0:
            pull_back(weights(plan, parameters, layer), dz, neurons(plan, work.da, layer - 1, lanes))
    return cost


@compiled
def judge(plan: Any, work: Any) -> Any:
    """Return the cost of the batch, and write its derivative by the outputs to where the loss sees them."""
    last, lanes = plan.units.size - 1, work.x.shape[1]
    seen = sums(plan, work.z, last, lanes) if plan.on_raw else neurons(plan, work.a, last, lanes)
    slopes = sums(plan, work.dz, last, lanes) if plan.on_raw else neurons(plan, work.da, last, lanes)
    if plan.loss == CROSS_ENTROPY:
        return softmax_loss(seen, work.y, work.share, slopes)
    total = 0.0
    for j in range(seen.shape[0]):
        total += judge_elementwise(plan.loss, seen[j], work.y[j], work.share, slopes[j])
    return total


# The products. Lanes are contiguous, so the inner loops become vector instructions.


@compiled
def weigh(W: Any, x: Any, b: Any, z: Any) -> None:
    """z = W x + b."""
    is_small = W.size * x.shape[1] < SMALL_PRODUCT
    if not is_small:
        np.dot(W, x, z)
    for j in range(W.shape[0]):
        out = z[j]
        if not is_small:
            for s in range(out.size):
                out[s] += b[j]
            continue
        for s in range(out.size):
            out[s] = b[j]
        for k in range(W.shape[1]):
            w, signal = W[j, k], x[k]
            for s in range(out.size):
                out[s] += w * signal[s]


@compiled
def outer(dz: Any, x: Any, dW: Any) -> None:
    """dW = dz x^T."""
    if dW.size * x.shape[1] >= SMALL_PRODUCT:
        np.dot(dz, x.T, dW)
        return
    for j in range(dW.shape[0]):
        slope = dz[j]
        for k in range(dW.shape[1]):
            signal = x[k]
            total = dz.dtype.type(0)
            for s in range(slope.size):
                total += slope[s] * signal[s]
            dW[j, k] = total


@compiled
def pull_back(W: Any, dz: Any, dx: Any) -> None:
    """dx = W^T dz."""
    if W.size * dz.shape[1] >= SMALL_PRODUCT:
        np.dot(W.T, dz, dx)
        return
    for k in range(W.shape[1]):
        out = dx[k]
        for s in range(out.size):
            out[s] = 0
        for j in range(W.shape[0]):
            w, slope = W[j, k], dz[j]
            for s in range(out.size):
                out[s] += w * slope[s]


@compiled
def add_lanes(dz: Any, db: Any) -> None:
    """db = sum of dz over the lanes."""
    for j in range(dz.shape[0]):
        slope = dz[j]
        total = dz.dtype.type(0)
        for s in range(slope.size):
            total += slope[s]
        db[j] = total


@compiled
def multiply(a: Any, b: Any, product: Any) -> None:
    """product = a * b, number by number."""
    left, right, result = numbers(a), numbers(b), numbers(product)
    for i in range(result.size):
        result[i] = left[i] * right[i]


# The formulas of the tables on whole arrays, each found by its number.


def _branches(name: str, arguments: str, rows: Mapping[str, Any], branch: str) -> Any:
    """Return a compiled function with a branch for each row that looks at one number at a time.

    The text of the function is put together from the table, so that a new row needs no second place. In `branch`,
    NUMBER is the number of the row, VALUE and SLOPE are its formulas.
    """
    lines, names = [f"def {name}(number, {arguments}):"], dict(globals())
    for number, row in enumerate(rows.values()):
        if row.elementwise:
            names |= {f"value_{number}": formula(row.value), f"slope_{number}": formula(row.slope)}
            text = branch.replace("VALUE", f"value_{number}").replace("SLOPE", f"slope_{number}")
            lines += [f"    if number == {number}:", *text.strip("\n").splitlines()]
    exec("\n".join([*lines, "    return np.nan"]), names)
    return compiled(names[name])


activate_elementwise = _branches(
    "activate",
    "z, a",
    activations.ACTIVATIONS,
    """
        for i in range(z.size):
            a[i] = VALUE(z[i])
        return 0.0
""",
)
differentiate_elementwise = _branches(
    "differentiate",
    "z, a, da, dz",
    activations.ACTIVATIONS,
    """
        for i in range(z.size):
            dz[i] = da[i] * SLOPE(z[i], a[i])
        return 0.0
""",
)
judge_elementwise = _branches(
    "judge",
    "o, y, share, slopes",
    losses.LOSSES,
    """
        total = 0.0
        for i in range(o.size):
            if share[i] != 0:
                total += share[i] * VALUE(o[i], y[i])
        for i in range(o.size):
            slopes[i] = share[i] * SLOPE(o[i], y[i])
        return total
""",
)


@compiled
def activate(number: Any, z: Any, a: Any) -> None:
    """a = activation(z)."""
    if number == SOFTMAX:
        softmax_forward(z, a)
    elif number == MAXOUT:
        maxout_forward(z, a)
    else:
        activate_elementwise(number, numbers(z), numbers(a))


@compiled
def differentiate(number: Any, z: Any, a: Any, da: Any, dz: Any) -> None:
    """dz = da * slope(z, a)."""
    if number == SOFTMAX:
        softmax_backward(a, da, dz)
    elif number == MAXOUT:
        maxout_backward(z, da, dz)
    else:
        differentiate_elementwise(number, numbers(z), numbers(a), numbers(da), numbers(dz))


# Those that look at several neurons of a sample at once, written for lanes.


@compiled
def softmax_forward(z: Any, a: Any) -> None:
    """a_i = exp(z_i) / sum_j exp(z_j), less the largest z for range."""
    for s in range(z.shape[1]):
        top = z[0, s]
        for j in range(1, z.shape[0]):
            top = max(top, z[j, s])
        total = z.dtype.type(0)
        for j in range(z.shape[0]):
            a[j, s] = elementary.exp(z[j, s] - top)
            total += a[j, s]
        for j in range(z.shape[0]):
            a[j, s] /= total


@compiled
def softmax_backward(a: Any, da: Any, dz: Any) -> None:
    """dz_j = a_j (da_j - sum_i da_i a_i)."""
    for s in range(a.shape[1]):
        mean = a.dtype.type(0)
        for j in range(a.shape[0]):
            mean += da[j, s] * a[j, s]
        for j in range(a.shape[0]):
            dz[j, s] = a[j, s] * (da[j, s] - mean)


@compiled
def maxout_forward(z: Any, a: Any) -> None:
    """A neuron's value is the largest of its pieces, which are neighbouring rows of z."""
    pieces = z.shape[0] // a.shape[0]
    for j in range(a.shape[0]):
        for s in range(a.shape[1]):
            best = z[j * pieces, s]
            for p in range(1, pieces):
                best = max(best, z[j * pieces + p, s])
            a[j, s] = best


@compiled
def maxout_backward(z: Any, da: Any, dz: Any) -> None:
    """The slope goes to the first of the largest pieces."""
    pieces = z.shape[0] // da.shape[0]
    for j in range(da.shape[0]):
        for s in range(da.shape[1]):
            best = 0
            for p in range(pieces):
                dz[j * pieces + p, s] = 0
                if z[j * pieces + p, s] > z[j * pieces + best, s]:
                    best = p
            dz[j * pieces + best, s] = da[j, s]


@compiled
def softmax_loss(o: Any, y: Any, share: Any, slopes: Any) -> Any:
    """Cross-entropy: J = -sum_i y_i log p_i, dJ/do_i = p_i sum_j y_j - y_i, with p = softmax(o)."""
    softmax_forward(o, slopes)
    total = 0.0
    for s in range(share.size):
        asked, worst = o.dtype.type(0), -np.inf
        for j in range(o.shape[0]):
            asked += y[j, s]
            worst = max(worst, o[j, s])
        if share[s] != 0:
            normaliser = 0.0
            for j in range(o.shape[0]):
                normaliser += elementary.exp(o[j, s] - worst)
            for j in range(o.shape[0]):
                if y[j, s] != 0:
                    total -= share[s] * y[j, s] * (o[j, s] - worst - np.log(normaliser))
        for j in range(o.shape[0]):
            slopes[j, s] = share[s] * (asked * slopes[j, s] - y[j, s])
    return total
