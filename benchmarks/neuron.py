"""One neuron to within 1e-3 and 1e-6 of its optimal objective: Layerwise against scikit-learn, celer and skglm.

    pip install -e '.[benchmarks]' celer skglm
    python benchmarks/neuron.py                             about half an hour on two cores
    python benchmarks/neuron.py --only lasso --data tall    one row
    python benchmarks/neuron.py --cpu                       processor seconds on one thread, for a busy machine

Data: 100,000 x 50 and 20,000 x 1,000 float32 numbers with correlated columns, and the counts of 4,000 words in 6,046
e-mails (sparse). No bias, so that all minimise the same objective. Each solver's tolerance is lowered until it reaches
the distance, with the data in the form that it likes best; that setting is timed, all taking turns. The optimum is the
lowest objective that anybody found. Ratios are medians of pairs that stood next to each other.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import scipy.sparse as sp
from machine import describe_machine
from table import format_table

from layerwise.neuron.solvers import solve
from layerwise.neuron.solvers.problem import Problem

MODELS = ("least squares", "ridge", "lasso", "elastic net", "logistic", "linear svm")
DATA = ("tall", "wide", "spam")
DISTANCES = (1e-3, 1e-6)
OURS = "layerwise"
TOLERANCES = [10.0**-k for k in range(11)]
LIMIT_S = 30.0  # a solver that takes longer without reaching the distance has not reached it


@dataclass(frozen=True)
class Task:
    """inputs in row order (float32), y numbers or -1 and 1, and the penalty: mean loss + l1 |w| + l2 w^2."""

    data: str
    model: str
    inputs: Any
    y: np.ndarray
    l1: float
    l2: float

    @property
    def loss(self) -> str:
        return {"logistic": "logistic", "linear svm": "hinge"}.get(self.model, "squared")

    def objective(self, w: np.ndarray) -> float:
        w = np.asarray(w, np.float64).ravel()
        z = self.inputs @ w if sp.issparse(self.inputs) else self.inputs.astype(np.float64) @ w
        y = self.y.astype(np.float64)
        losses = {
            "squared": lambda: (z - y) ** 2,
            "logistic": lambda: np.logaddexp(0, -y * z),
            "hinge": lambda: np.maximum(1 - y * z, 0),
        }[self.loss]()
        return float(losses.mean() + self.l1 * np.abs(w).sum() + self.l2 * w @ w)


Fit = Callable[[float], np.ndarray]


def make_task(data: str, model: str, shrink: int = 1) -> Task:
    """Return the data of one row; the same every time."""
    random = np.random.default_rng(0)
    if data == "spam":
        inputs, labels = spam()
        inputs, labels = inputs[::shrink], labels[::shrink]
        y = labels
    else:
        rows, columns = (100_000 // shrink, 50) if data == "tall" else (20_000 // shrink, 1000)
        inputs = random.standard_normal((rows, columns), dtype=np.float32)
        for column in range(1, columns):
            inputs[:, column] = 0.5 * inputs[:, column - 1] + 0.75**0.5 * inputs[:, column]
        truth = np.where(random.random(columns) < 0.2, random.standard_normal(columns), 0) / (0.2 * columns) ** 0.5
        z = inputs @ truth
        labels = np.where(random.random(rows) < 1 / (1 + np.exp(-3 * z)), 1.0, -1.0).astype(np.float32)
        y = (z + 0.5 * random.standard_normal(rows)).astype(np.float32)
    if model in ("logistic", "linear svm"):
        return Task(data, model, inputs, labels, 0.0, 1e-4)
    steepest = 2 * float(np.abs(inputs.T @ y).max()) / len(y)
    l1 = {"lasso": 0.1, "elastic net": 0.05}.get(model, 0.0) * steepest
    l2 = {"ridge": 1e-3, "elastic net": 0.05 * steepest}.get(model, 0.0)
    return Task(data, model, inputs, y, l1, l2)


def spam() -> tuple[Any, np.ndarray]:
    """Return word counts (n, 4000) as the text preprocessing chooses the words, and -1 for ham, 1 for spam."""
    from collections import Counter

    from layerwise.data.sources.spam import spam as read
    from layerwise.data.text import fit_text, tokenise

    mails = read()
    words = {word: place for place, word in enumerate(fit_text(mails.texts).vocabulary)}
    counts = [Counter(words[token] for token in tokenise(text) if token in words) for text in mails.texts]
    starts = np.cumsum([0, *(len(each) for each in counts)])
    places = np.concatenate([sorted(each) for each in counts]).astype(np.int32)
    numbers = np.concatenate([[each[place] for place in sorted(each)] for each in counts]).astype(np.float32)
    inputs = sp.csr_matrix((numbers, places, starts.astype(np.int32)), shape=(len(counts), len(words)))
    return inputs, np.where(np.array(mails.labels) == "spam", 1, -1).astype(np.float32)


def contenders(task: Task) -> dict[str, Fit]:
    """Return who takes part, as functions from a tolerance to weights, on data prepared for each."""
    x, y, n = task.inputs, task.y, len(task.y)
    by_columns = x.tocsc() if sp.issparse(x) else np.asfortranarray(x)
    found: dict[str, Fit] = {
        OURS: lambda tolerance: solve(
            Problem(x, y, task.loss, task.l1, task.l2, intercept=False, tolerance=tolerance)
        ).weights[0]
    }
    from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge, SGDClassifier
    from sklearn.svm import LinearSVC

    def fitted(make: Callable[[float], Any], inputs: Any = x) -> Fit:
        return lambda tolerance: np.ravel(make(tolerance).fit(inputs, y).coef_)

    plain = {"fit_intercept": False}
    match task.model:
        case "least squares":
            found["LinearRegression"] = fitted(lambda tol: LinearRegression(**plain, tol=tol))
            for solver in ("lsqr", "sparse_cg", *(() if sp.issparse(x) else ("cholesky",))):
                found[f"Ridge {solver}"] = fitted(
                    lambda tol, solver=solver: Ridge(1e-12, **plain, solver=solver, tol=tol, max_iter=1000)
                )
        case "ridge":
            for solver in ("lsqr", "sparse_cg", *(() if sp.issparse(x) else ("cholesky",))):
                found[f"Ridge {solver}"] = fitted(
                    lambda tol, solver=solver: Ridge(task.l2 * n, **plain, solver=solver, tol=tol, max_iter=1000)
                )
        case "lasso" | "elastic net":
            alpha = task.l1 / 2 + task.l2
            share = task.l1 / 2 / alpha
            if task.model == "lasso":
                found["Lasso"] = fitted(lambda tol: Lasso(alpha, **plain, tol=tol, max_iter=10_000), by_columns)
            else:
                make_net = lambda tol: ElasticNet(alpha, l1_ratio=share, **plain, tol=tol, max_iter=10_000)  # noqa: E731
                found["ElasticNet"] = fitted(make_net, by_columns)
            if find_spec("celer"):
                import celer

                make_celer = lambda tol: celer.ElasticNet(alpha, l1_ratio=share, **plain, tol=tol)  # noqa: E731
                if task.model == "lasso":
                    make_celer = lambda tol: celer.Lasso(alpha, **plain, tol=tol)  # noqa: E731
                found["celer"] = fitted(make_celer, by_columns)
            if find_spec("skglm"):
                import skglm

                make_skglm = lambda tol: skglm.ElasticNet(alpha, l1_ratio=share, **plain, tol=tol)  # noqa: E731
                if task.model == "lasso":
                    make_skglm = lambda tol: skglm.Lasso(alpha, **plain, tol=tol)  # noqa: E731
                found["skglm"] = fitted(make_skglm, by_columns)
        case "logistic":
            strength = 1 / (2 * task.l2 * n)
            solvers = ["lbfgs", "newton-cg", "liblinear"]
            for solver in [*solvers, *(["newton-cholesky"] if task.data == "tall" else [])]:
                found[f"LogisticRegression {solver}"] = fitted(
                    lambda tol, solver=solver: LogisticRegression(
                        C=strength, **plain, solver=solver, tol=tol, max_iter=500
                    )
                )
        case "linear svm":
            strength = 1 / (2 * task.l2 * n)
            found["LinearSVC"] = fitted(
                lambda tol: LinearSVC(C=strength, loss="hinge", dual=True, **plain, tol=tol, max_iter=1000)
            )
            found["SGDClassifier"] = fitted(
                lambda tol: SGDClassifier(alpha=2 * task.l2, **plain, tol=tol, max_iter=300, random_state=0)
            )
            if find_spec("skglm"):
                import skglm

                found["skglm"] = fitted(lambda tol: skglm.LinearSVC(C=strength, tol=tol, max_iter=100), x)
    return found


@dataclass
class Row:
    """Seconds of each contender that reached the distance, one a round, and the tolerance it needed."""

    task: str
    distance: float
    seconds: dict[str, list[float]] = field(default_factory=dict)
    tolerances: dict[str, float] = field(default_factory=dict)

    def cells(self) -> dict[str, str]:
        ours = self.seconds.get(OURS)
        peers = {name: seconds for name, seconds in self.seconds.items() if name != OURS}
        cells = {
            "task": self.task,
            "to": f"{self.distance:g}",
            "ms": "not met",
            "min..max": "",
            "best peer": "none met it",
        }
        if ours:
            cells |= {"ms": f"{1e3 * median(ours):.1f}", "min..max": f"{1e3 * min(ours):.1f}..{1e3 * max(ours):.1f}"}
        cells |= {"peer ms": "", "x peer": ""}
        if peers:
            best = min(peers, key=lambda name: median(peers[name]))
            cells |= {"best peer": best, "peer ms": f"{1e3 * median(peers[best]):.1f}"}
            if ours:
                cells["x peer"] = f"{median(b / a for a, b in zip(ours, peers[best], strict=True)):.2f}"
        return cells


def compare(task: Task, rounds: int, clock: Callable[[], float]) -> list[Row]:
    fits = contenders(task)
    reached: dict[str, list[tuple[float, float]]] = {}
    for name, fit in fits.items():
        reached[name] = ladder(task, fit, clock)
    optimum = min(value for steps in reached.values() for _, value in steps)
    rows = []
    for distance in DISTANCES:
        row = Row(f"{task.model}, {task.data}", distance)
        for name, steps in reached.items():
            enough = [tolerance for tolerance, value in steps if value <= optimum * (1 + distance)]
            if enough:
                row.tolerances[name] = enough[0]
        for _ in range(rounds):
            for name, tolerance in row.tolerances.items():
                started = clock()
                fits[name](tolerance)
                row.seconds.setdefault(name, []).append(clock() - started)
        rows.append(row)
    return rows


def ladder(task: Task, fit: Fit, clock: Callable[[], float]) -> list[tuple[float, float]]:
    """Return (tolerance, objective) from loose to tight, until it takes too long or nothing is gained any more."""
    steps: list[tuple[float, float]] = []
    fit(1.0)  # compiles
    for tolerance in TOLERANCES:
        started = clock()
        value = task.objective(fit(tolerance))
        steps.append((tolerance, value))
        flat = len(steps) > 5 and tolerance < 1e-6 and steps[-3][1] - value <= 1e-9 * abs(value)
        if clock() - started > LIMIT_S / 10 or flat:
            break
    return steps


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS, metavar="MODEL")
    parser.add_argument("--data", nargs="+", choices=DATA, default=DATA)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shrink", type=int, default=1, help="take every so-many-th row, for a look")
    parser.add_argument("--cpu", action="store_true", help="processor seconds instead of seconds on the wall")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    clock = time.process_time if options.cpu else time.perf_counter
    print(json.dumps(describe_machine()))
    rows = []
    for data in options.data:
        for model in options.only:
            rows += compare(make_task(data, model, options.shrink), options.rounds, clock)
            print(format_table([row.cells() for row in rows[-2:]]), flush=True)
    print(format_table([row.cells() for row in rows]))
    if options.json:
        options.json.write_text(json.dumps([row.__dict__ for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
