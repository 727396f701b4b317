"""Solvers for one neuron with a convex loss, chosen by loss, penalty and the shape of the data.

| loss | without L1 | with L1 |
|---|---|---|
| squared | squared.py: singular values, Gram matrix or conjugate gradients | lasso.py: coordinate descent |
| logistic, squared hinge, Huber | smooth.py: Newton or L-BFGS | proximal.py: a lasso at each step |
| the same with L2, sparse and wide | truncated.py: Newton by conjugate gradients | proximal.py |
| hinge, absolute | cornered.py: Newton on a corner that is rounded less and less | proximal.py |
| hinge with L2, sparse and wide | dual.py: coordinate descent on the dual, then interior.py | proximal.py |
| cross-entropy | softmax.py: L-BFGS | softmax.py: accelerated proximal gradient |
| perceptron | perceptron.py: its own rule | |
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from layerwise.neuron.solvers.dual import solve_dual
from layerwise.neuron.solvers.lasso import solve_lasso
from layerwise.neuron.solvers.nonsmooth import solve_smoothed
from layerwise.neuron.solvers.perceptron import solve_perceptron
from layerwise.neuron.solvers.problem import Problem, Solution
from layerwise.neuron.solvers.proximal import solve_proximal
from layerwise.neuron.solvers.smooth import solve_smooth
from layerwise.neuron.solvers.softmax import solve_softmax
from layerwise.neuron.solvers.squared import solve_squared
from layerwise.neuron.solvers.truncated import solve_truncated

SPARSE_COLUMNS = 300  # from so many on a matrix of second derivatives costs more than sparse passes
SOLVABLE = ("squared", "absolute", "huber", "hinge", "squared-hinge", "logistic", "cross-entropy", "perceptron")


def solve(problem: Problem, classes: int = 0, seed: int = 0) -> Solution:
    """Fit one neuron, or one for each column of the targets, to the optimum of its convex objective.

    Targets are numbers, or -1 and 1 for hinge, squared-hinge, logistic and perceptron, or for cross-entropy the numbers
    of `classes` classes.
    """
    if problem.loss == "cross-entropy":
        return solve_softmax(problem, classes)
    if problem.loss == "squared" and not problem.l1:
        return solve_squared(problem)
    if problem.targets.ndim == 2:
        columns = problem.targets.T
        return joined([solve(replace(problem, targets=np.ascontiguousarray(each)), seed=seed) for each in columns])
    if problem.loss == "perceptron":
        return solve_perceptron(problem, seed)
    if problem.loss == "squared":
        return solve_lasso(problem)
    if problem.l1:
        return solve_proximal(problem)
    if problem.sparse and problem.l2 and problem.columns > SPARSE_COLUMNS and problem.loss != "absolute":
        return solve_dual(problem) if problem.loss == "hinge" else solve_truncated(problem)
    return solve_smoothed(problem) if problem.loss in ("hinge", "absolute") else solve_smooth(problem)


def joined(solutions: list[Solution]) -> Solution:
    """Return several neurons' solutions as one: sums of the objectives, the worst of the rest."""
    worst = max(solutions, key=lambda solution: (bool(solution.note), solution.distance))
    return replace(
        worst,
        weights=np.concatenate([solution.weights for solution in solutions]),
        biases=np.concatenate([solution.biases for solution in solutions]),
        iterations=max(solution.iterations for solution in solutions),
        objective=sum(solution.objective for solution in solutions),
        converged=all(solution.converged for solution in solutions),
    )
