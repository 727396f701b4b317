"""The linear SVM with L2 on sparse inputs: coordinate descent on the dual (Hsieh et al. 2008).

Each sample has a weight between 0 and share / (2 l2) in w = sum alpha y x, and is moved to the best place for it alone.
Samples that rest at a bound are passed over until the others rest, too. The bias bears no penalty, which couples all
samples; it is held near its last value by a square that moves along with it (proximal point method), so that in the end
nothing is held. The gap between both objectives says when to stop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layerwise.neuron.solvers.compiled import compiled
from layerwise.neuron.solvers.passes import Passes
from layerwise.neuron.solvers.problem import Problem, Solution

EPOCHS_TOGETHER = 5  # before the gap is looked at


@compiled
def epochs(
    data: Any,
    indices: Any,
    starts: Any,
    y: Any,
    squares: Any,
    bounds: Any,
    alpha: Any,
    w: Any,
    bias: Any,
    kappa: float,
    count: int,
    state: int,
) -> int:
    """Take passes over the samples in random orders, changing alpha (n,), w (d,), bias (1,); return the new state."""
    rows = len(y)
    order = np.arange(rows)
    active = rows
    top, bottom = np.inf, -np.inf
    for _ in range(count):
        highest, lowest = -np.inf, np.inf
        for k in range(active):  # shuffle: xorshift, so that the order is the same everywhere
            state ^= (state << 13) & 0xFFFFFFFF
            state ^= state >> 17
            state ^= (state << 5) & 0xFFFFFFFF
            other = k + state % (active - k)
            order[k], order[other] = order[other], order[k]
        k = 0
        while k < active:
            i = order[k]
            output = bias[0]
            for m in range(starts[i], starts[i + 1]):
                output += w[indices[m]] * data[m]
            slope = y[i] * output - 1.0
            wanted = slope
            if alpha[i] == 0.0:
                if slope > top:
                    active -= 1
                    order[k], order[active] = order[active], order[k]
                    continue
                wanted = min(slope, 0.0)
            elif alpha[i] == bounds[i]:
                if slope < bottom:
                    active -= 1
                    order[k], order[active] = order[active], order[k]
                    continue
                wanted = max(slope, 0.0)
            highest, lowest = max(highest, wanted), min(lowest, wanted)
            if wanted != 0.0 and squares[i] > 0.0:
                new = min(max(alpha[i] - slope / squares[i], 0.0), bounds[i])
                change = (new - alpha[i]) * y[i]
                alpha[i] = new
                if change != 0.0:
                    for m in range(starts[i], starts[i + 1]):
                        w[indices[m]] += change * data[m]
                    bias[0] += kappa * change
            k += 1
        if active == 0:
            active, top, bottom = rows, np.inf, -np.inf
            continue
        top = highest if highest > 0 else np.inf
        bottom = lowest if lowest < 0 else -np.inf
    return state


def solve_dual(problem: Problem) -> Solution:
    """Minimise sum share hinge(z, y) + l2 sum w^2 for one output; l2 must not be 0."""
    x, l2 = problem.inputs, problem.l2
    passes = Passes(problem)
    y, shares = passes.targets, problem.shares
    bounds = shares / (2 * l2)
    squares = np.asarray(x.multiply(x).sum(1), np.float64).ravel()
    kappa = float(squares.mean()) if problem.intercept else 0.0
    alpha, w, bias = np.zeros(problem.rows), np.zeros(problem.columns), np.zeros(1)
    best, best_w, best_bias, gap, done, state = np.inf, w.copy(), 0.0, np.inf, 0, 88172645
    while done < problem.limit:
        state = epochs(
            x.data, x.indices, x.indptr, y, squares + kappa, bounds, alpha, w, bias, kappa, EPOCHS_TOGETHER, state
        )
        done += EPOCHS_TOGETHER
        level = float(bias[0] + w @ passes.means) if problem.intercept else 0.0
        z = passes.outputs(w, level)
        price = l2 * float(w @ w)
        value = float(shares @ np.maximum(1 - y * z, 0)) + price
        balance = float(alpha @ y) if problem.intercept else 0.0
        dual = 2 * l2 * float(alpha.sum()) - price
        gap = value - dual + 2 * l2 * abs(balance) * max(1.0, abs(float(bias[0])))
        if value < best:
            best, best_w, best_bias = value, w.copy(), float(bias[0])
        if gap <= problem.tolerance * value:
            break
        bias[0] += kappa * balance  # the square now holds the bias at where it has come to
    return Solution(
        best_w[None], np.array([best_bias]), "dual coordinate descent", done, best,
        max(gap, 0.0) / best if best > 0 else 0.0, "duality gap", bool(gap <= problem.tolerance * best),
    )  # fmt: skip
