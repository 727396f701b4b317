"""The perceptron's rule (Rosenblatt 1958): whenever a sample is on the wrong side, w <- w + y x and b <- b + y.

It ends after a pass without a mistake, which comes where the classes can be told apart (Novikoff 1962). Where they
cannot, the mean of the weights over all the samples seen is the answer (Freund and Schapire 1999).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from layerwise.neuron.solvers.compiled import compiled
from layerwise.neuron.solvers.problem import Problem, Solution


@compiled
def learn_dense(inputs: Any, y: Any, sizes: Any, order: Any, intercept: bool, w: Any, mean: Any, state: Any) -> int:
    """Take one pass in `order`, changing w (d + 1,) with the bias last; return the mistakes.

    mean (d + 1,) gathers each change times the number of samples seen before it: w - mean / seen is the mean of the
    weights. state[0] is the number of samples seen. sizes (n,) are the steps.
    """
    columns = inputs.shape[1]
    mistakes = 0
    for i in order:
        output = w[columns]
        for j in range(columns):
            output += w[j] * inputs[i, j]
        if y[i] * output <= 0 and sizes[i] > 0:
            mistakes += 1
            step = sizes[i] * y[i]
            for j in range(columns):
                w[j] += step * inputs[i, j]
                mean[j] += state[0] * step * inputs[i, j]
            if intercept:
                w[columns] += step
                mean[columns] += state[0] * step
        state[0] += 1
    return mistakes


@compiled
def learn_sparse(
    data: Any, indices: Any, starts: Any, y: Any, sizes: Any, order: Any, intercept: bool, w: Any, mean: Any, state: Any
) -> int:
    """Do what learn_dense does for rows in CSR form."""
    columns = len(w) - 1
    mistakes = 0
    for i in order:
        output = w[columns]
        for k in range(starts[i], starts[i + 1]):
            output += w[indices[k]] * data[k]
        if y[i] * output <= 0 and sizes[i] > 0:
            mistakes += 1
            step = sizes[i] * y[i]
            for k in range(starts[i], starts[i + 1]):
                w[indices[k]] += step * data[k]
                mean[indices[k]] += state[0] * step * data[k]
            if intercept:
                w[columns] += step
                mean[columns] += state[0] * step
        state[0] += 1
    return mistakes


def merged(problem: Problem) -> Problem:
    """Return the problem with equal samples as one that has the sum of their weights, in an order of their own.

    So a weight of two is the same as a sample that comes twice, whatever the order of the samples.
    """
    x, y = problem.inputs, np.ascontiguousarray(problem.targets, np.float64)
    probe = np.random.default_rng(0).normal(size=problem.columns)
    if problem.sparse:
        x.sort_indices()
        marks = marks_sparse(x.data, x.indices, x.indptr, probe)
    else:
        marks = marks_dense(x, probe)
    weights = np.ones(problem.rows) if problem.weights is None else np.asarray(problem.weights, np.float64)
    _, first, groups = np.unique(np.column_stack([marks, y]), axis=0, return_index=True, return_inverse=True)
    sums = np.bincount(groups.ravel(), weights).astype(np.float64)
    kept = first[sums > 0]
    return replace(problem, inputs=x[kept], targets=y[kept], weights=sums[sums > 0])


@compiled
def marks_dense(inputs: Any, probe: Any) -> Any:
    """Return a number for each row (n,) that is equal for equal rows, and as good as never for others."""
    rows, columns = inputs.shape
    marks = np.zeros(rows)
    for i in range(rows):
        for j in range(columns):
            marks[i] += inputs[i, j] * probe[j]
    return marks


@compiled
def marks_sparse(data: Any, indices: Any, starts: Any, probe: Any) -> Any:
    """Do what marks_dense does for rows in CSR form."""
    marks = np.zeros(len(starts) - 1)
    for i in range(len(marks)):
        for k in range(starts[i], starts[i + 1]):
            marks[i] += data[k] * probe[indices[k]]
    return marks


def solve_perceptron(problem: Problem, seed: int = 0) -> Solution:
    """Learn until a pass over all samples makes no mistake, or for `limit` passes; targets are -1 and 1."""
    problem = merged(problem)
    columns, rows, x = problem.columns, problem.rows, problem.inputs
    y = np.ascontiguousarray(problem.targets, np.float64)
    sizes = problem.shares * rows
    w, mean, state = np.zeros(columns + 1), np.zeros(columns + 1), np.ones(1)
    if problem.start is not None:
        w[:-1], w[-1] = problem.start, problem.start_bias
    first = w.copy()
    random = np.random.default_rng(seed)
    passes, mistakes = 0, rows
    while mistakes and passes < problem.limit:
        passes += 1
        order = random.permutation(rows)
        given = (y, sizes, order, problem.intercept, w, mean, state)
        if problem.sparse:
            mistakes = learn_sparse(x.data, x.indices, x.indptr, *given)
        else:
            mistakes = learn_dense(x, *given)
    if mistakes:
        w = w - mean / state[0]
    bias = w[-1:].copy()
    outputs = y * (np.asarray(x @ w[:-1]).ravel() + bias[0])
    objective = float(problem.shares @ np.maximum(-outputs, 0))
    wrong = float(problem.shares[outputs <= 0].sum())
    name = "perceptron rule" if not mistakes else "perceptron rule, averaged"
    moved = bool((w != first).any()) or not mistakes
    return Solution(w[None, :-1].copy(), bias, name, passes, objective, wrong, "share of mistakes", moved)
