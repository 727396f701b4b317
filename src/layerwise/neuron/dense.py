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

from layerwise.neuron import activations, chance, elementary, losses
from layerwise.neuron.compiled import compiled, formula

SMALL_PRODUCT = 4096  # multiplications below which a plain loop beats a call of BLAS (measured: 200 ns a call)


SOFTMAX, MAXOUT = (list(activations.ACTIVATIONS).index(name) for name in ("softmax", "maxout"))
CROSS_ENTROPY = list(losses.LOSSES).index("cross-entropy")


class Plan(NamedTuple):
    """The shape of the stack. The first five have a number for each layer.

    inputs, units: signals that a layer reads, neurons that it has.
    pieces: weighted sums of a neuron, 2 for maxout, else 1.
    activations: numbers of the activations, in the order of ACTIVATIONS.
    starts: where its W begins in the flat parameters, its b follows; one more number: their count.
    loss: number of the loss, in the order of LOSSES. on_raw: it sees the raw sums of the last layer.
    dropout: share of the hidden neurons silenced.
    """

    inputs: Any
    units: Any
    pieces: Any
    activations: Any
    starts: Any
    loss: Any
    on_raw: Any
    dropout: Any


class Layers(NamedTuple):
    """Views of flat parameters (or of their gradient): lists of W (sums, inputs) and b (sums,)."""

    W: Any
    b: Any


class Work(NamedTuple):
    """The arrays of a batch: of the samples, and lists with one array (rows, lanes) a layer.

    x: (features, lanes). y: (outputs, lanes). share: (lanes,), of each sample in the cost.
    z, a: weighted sums and values. sent: what goes to the next layer, `a` itself without dropout.
    mask: 0 or 1 / (1 - dropout) for each neuron. dz, da: dJ/dz and dJ/da.
    """

    x: Any
    y: Any
    share: Any
    z: Any
    a: Any
    sent: Any
    mask: Any
    dz: Any
    da: Any


@compiled
def in_layers(plan: Any, flat: Any) -> Any:
    """Return W and b of every layer as views of a flat array."""
    W = []
    b = []
    for layer in range(plan.units.size):
        sums, inputs = plan.units[layer] * plan.pieces[layer], plan.inputs[layer]
        start, end = plan.starts[layer], plan.starts[layer + 1]
        W.append(flat[start : end - sums].reshape((sums, inputs)))
        b.append(flat[end - sums : end])
    return Layers(W, b)


@compiled
def make_work(plan: Any, lanes: Any, flat: Any) -> Any:
    """Return arrays for batches of `lanes` samples, in the type of `flat`."""
    z, dz = _blocks(plan, lanes, flat, True), _blocks(plan, lanes, flat, True)
    a, da = _blocks(plan, lanes, flat, False), _blocks(plan, lanes, flat, False)
    mask = [np.zeros((0, lanes), flat.dtype) for _ in a]
    sent = [values for values in a]  # noqa: C416 (Numba has no list())
    if plan.dropout > 0:
        for layer in range(len(a) - 1):
            mask[layer], sent[layer] = np.zeros_like(a[layer]), np.zeros_like(a[layer])
    x, y = np.zeros((plan.inputs[0], lanes), flat.dtype), np.zeros((plan.units[-1], lanes), flat.dtype)
    return Work(x, y, np.zeros(lanes, flat.dtype), z, a, sent, mask, dz, da)


@compiled
def _blocks(plan: Any, lanes: Any, flat: Any, for_sums: Any) -> Any:
    """Return an array for each layer, with a row for each of its neurons or of its weighted sums."""
    found = []
    for layer in range(plan.units.size):
        rows = plan.units[layer] * (plan.pieces[layer] if for_sums else 1)
        found.append(np.zeros((rows, lanes), flat.dtype))
    return found


@compiled
def forward(plan: Any, layers: Any, work: Any, dropout_key: Any, first: Any) -> None:
    """Fill z, a and what is sent on, for the samples in work.x.

    dropout_key: of this step; 0 silences nobody. first: place of lane 0 in its batch.
    """
    x = work.x
    for layer in range(plan.units.size):
        z, a = work.z[layer], work.a[layer]
        weigh(layers.W[layer], x, layers.b[layer], z)
        activate(plan.activations[layer], z, a)
        x = work.sent[layer]
        mask = work.mask[layer]
        if mask.size:
            share = 1.0 - plan.dropout if dropout_key != 0 else 1.0
            chance.keep(chance.mix(dropout_key + np.uint64(layer)), first, share, 1 / share, mask)
            multiply(a, mask, x)


@compiled
def backward(plan: Any, layers: Any, work: Any, gradient: Any) -> Any:
    """Write dJ/dW and dJ/db of all layers into `gradient` for the batch that went forward; returns its cost."""
    last = plan.units.size - 1
    cost = judge(plan, work)
    for layer in range(last, -1, -1):
        dz, da = work.dz[layer], work.da[layer]
        if work.mask[layer].size:
            multiply(da, work.mask[layer], da)
        if layer < last or not plan.on_raw:
            differentiate(plan.activations[layer], work.z[layer], work.a[layer], da, dz)
        outer(dz, work.sent[layer - 1] if layer > 0 else work.x, gradient.W[layer])
        add_lanes(dz, gradient.b[layer])
        if layer > 0:
            pull_back(layers.W[layer], dz, work.da[layer - 1])
    return cost


@compiled
def judge(plan: Any, work: Any) -> Any:
    """Return the cost of the batch, and write its derivative by the outputs to where the loss sees them."""
    seen = work.z[-1] if plan.on_raw else work.a[-1]
    slopes = work.dz[-1] if plan.on_raw else work.da[-1]
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
    left, right, result = a.ravel(), b.ravel(), product.ravel()
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
        activate_elementwise(number, z.ravel(), a.ravel())


@compiled
def differentiate(number: Any, z: Any, a: Any, da: Any, dz: Any) -> None:
    """dz = da * slope(z, a)."""
    if number == SOFTMAX:
        softmax_backward(a, da, dz)
    elif number == MAXOUT:
        maxout_backward(z, da, dz)
    else:
        differentiate_elementwise(number, z.ravel(), a.ravel(), da.ravel(), dz.ravel())


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
