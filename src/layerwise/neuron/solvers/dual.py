"""The linear SVM with L2 on sparse inputs, by its dual: w = sum alpha y x with 0 <= alpha <= share / (2 l2).

A few passes of coordinate descent (Hsieh et al. 2008) tell most samples apart: those without a say (alpha = 0) and
those on the wrong side of their margin (alpha at its bound). On data whose rows differ a thousandfold in length it
then crawls. So the samples that are not at rest, the working set, become a quadratic programme with a matrix (m, m)
that an interior point method solves whatever the scales; samples that rest wrongly for its solution join, and it is
solved again.

A working set that is too large is left to coordinate descent. The bias, which bears no penalty, couples all samples
there; it is held near its last value by a square that moves along with it (proximal point method), so that in the end
nothing is held. The gap between both objectives says when to stop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.solvers.compiled import compiled
from layerwise.neuron.solvers.interior import Box, solve_box
from layerwise.neuron.solvers.passes import Passes
from layerwise.neuron.solvers.problem import Problem, Solution

Vector = NDArray[np.float64]

EPOCHS_TOGETHER = 5  # before the gap is looked at
EPOCHS_FIRST = 40  # before the working set is taken
MOST_SAMPLES = 3000  # in a working set


@compiled
def shuffle(order: Any, count: int, state: int) -> int:
    """Put the first `count` places of `order` in a random order by xorshift, the same everywhere; return its state."""
    for k in range(count):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        other = k + state % (count - k)
        order[k], order[other] = order[other], order[k]
    return state


@compiled
def output_of(numbers: Any, places: Any, w: Any, bias: float) -> float:
    """Return the output of a row, given by its numbers and their places."""
    output = bias
    for m in range(len(places)):
        output += w[places[m]] * numbers[m]
    return output


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
        state = shuffle(order, active, state)
        k = 0
        while k < active:
            i = order[k]
            numbers, places = data[starts[i] : starts[i + 1]], indices[starts[i] : starts[i + 1]]
            slope = y[i] * output_of(numbers, places, w, bias[0]) - 1.0
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
                    for m in range(len(places)):
                        w[places[m]] += change * numbers[m]
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
    dual = _Dual(problem)
    name = "dual coordinate descent"
    while dual.steps < problem.limit and not dual.rests:
        dual.descend(EPOCHS_TOGETHER)
        if dual.steps % EPOCHS_FIRST == 0 and not dual.rests and dual.minimize():
            name += ", interior point"
            break
    return Solution(
        dual.best_w[None], np.array([dual.best_bias]), name, dual.steps, dual.best,
        max(dual.gap, 0.0) / dual.best if dual.best > 0 else 0.0, "duality gap", dual.rests,
    )  # fmt: skip


class _Dual:
    """The multipliers alpha (n,) on their way, with the best weights that were met."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.passes = problem, Passes(problem)
        x = problem.inputs
        self.bounds = problem.shares / (2 * problem.l2)
        self.squares = np.asarray(x.multiply(x).sum(1), np.float64).ravel()
        self.kappa = float(self.squares.mean()) if problem.intercept else 0.0
        self.alpha, self.w = np.zeros(problem.rows), np.zeros(problem.columns)
        self.bias = np.zeros(1)
        self.best, self.best_w, self.best_bias = np.inf, self.w.copy(), 0.0
        self.gap, self.steps, self.state = np.inf, 0, 88172645
        self.margins: Vector = np.zeros(problem.rows)

    @property
    def rests(self) -> bool:
        return bool(self.steps and self.gap <= self.problem.tolerance * self.best)

    def descend(self, count: int) -> None:
        """Take so many passes of coordinate descent."""
        x, y = self.problem.inputs, self.passes.targets
        self.state = epochs(
            x.data, x.indices, x.indptr, y, self.squares + self.kappa, self.bounds, self.alpha, self.w, self.bias,
            self.kappa, count, self.state,
        )  # fmt: skip
        self.steps += count
        self._compare()
        if self.problem.intercept:  # the square now holds the bias at where it has come to
            self.bias[0] += self.kappa * float(self.alpha @ y)

    def minimize(self) -> bool:
        """Solve the working set and let join what rests wrongly, until nothing does; False where it is too large."""
        problem, y = self.problem, self.passes.targets
        self._margins()
        chosen = (self.alpha > 0) & (self.alpha < self.bounds) | self._wrong()
        accuracy = 0.3 * problem.tolerance
        while self.steps < problem.limit:
            if problem.intercept:
                chosen |= self._counterweights(chosen)
            if not 0 < chosen.sum() <= MOST_SAMPLES:
                return False
            members = np.flatnonzero(chosen)
            rows = problem.inputs[members].astype(np.float64)
            signed = rows.multiply(y[members, None]).tocsr()
            self.alpha[members] = 0
            rest = self._weights()
            box = Box((signed @ signed.T).toarray(), signed @ rest - 1, self.bounds[members])
            if problem.intercept:
                box.signs, box.total = y[members], -float(self.alpha @ y)
            self.alpha[members], self.bias[0], steps = solve_box(box, accuracy)
            self.w = rest + signed.T @ self.alpha[members]
            self.steps += steps
            self._compare()
            wrong = self._wrong() & ~chosen
            if self.rests:
                return True
            if not wrong.any():
                if accuracy < 1e-3 * problem.tolerance:
                    return True
                accuracy /= 10
            chosen |= wrong
        return True

    def _weights(self) -> Vector:
        return np.asarray(self.problem.inputs.T @ (self.alpha * self.passes.targets), np.float64)

    def _wrong(self) -> NDArray[np.bool_]:
        """Return which samples rest at the bound that their margin speaks against, (n,)."""
        wrong: NDArray[np.bool_] = np.where(self.margins < 1, self.alpha == 0, self.alpha == self.bounds)
        return wrong & (self.bounds > 0)

    def _counterweights(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the samples at their bounds, should those chosen not be able to balance them; else none."""
        y = self.passes.targets
        fixed = -float(self.alpha[~chosen] @ y[~chosen])
        up, down = self.bounds[chosen & (y > 0)].sum(), self.bounds[chosen & (y < 0)].sum()
        held: NDArray[np.bool_] = (self.alpha == self.bounds) & (self.bounds > 0)
        return held if not -down < fixed < up else np.zeros_like(held)

    def _margins(self) -> None:
        """Bring the margins (n,) up to date."""
        level = float(self.bias[0] + self.w @ self.passes.means) if self.problem.intercept else 0.0
        self.margins = self.passes.targets * self.passes.outputs(self.w, level)

    def _compare(self) -> None:
        """Compute both objectives, keep the weights if they are the best so far, and the gap."""
        problem, y, l2 = self.problem, self.passes.targets, self.problem.l2
        self._margins()
        price = l2 * float(self.w @ self.w)
        value = float(problem.shares @ np.maximum(1 - self.margins, 0)) + price
        balance = float(self.alpha @ y) if problem.intercept else 0.0
        dual = 2 * l2 * float(self.alpha.sum()) - price
        self.gap = value - dual + 2 * l2 * abs(balance) * max(1.0, abs(float(self.bias[0])))
        if value < self.best:
            self.best, self.best_w, self.best_bias = value, self.w.copy(), float(self.bias[0])
