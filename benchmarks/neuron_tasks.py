"""The tasks of neuron.py and who takes part in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sp

from layerwise.neuron.solvers import solve
from layerwise.neuron.solvers.problem import Problem

MODELS = ("least squares", "ridge", "lasso", "elastic net", "logistic", "linear svm")
DATA = ("tall", "wide", "spam")
OURS = "layerwise"


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
    from layerwise.data.text.bag_of_words import fit_bag_of_words, tokenise

    mails = read()
    words = {word: place for place, word in enumerate(fit_bag_of_words(mails.texts).vocabulary)}
    counts = [Counter(words[token] for token in tokenise(text) if token in words) for text in mails.texts]
    starts = np.cumsum([0, *(len(each) for each in counts)])
    places = np.concatenate([sorted(each) for each in counts]).astype(np.int32)
    numbers = np.concatenate([[each[place] for place in sorted(each)] for each in counts]).astype(np.float32)
    inputs = sp.csr_matrix((numbers, places, starts.astype(np.int32)), shape=(len(counts), len(words)))
    return inputs, np.where(np.array(mails.labels) == "spam", 1, -1).astype(np.float32)


Makers = dict[str, Callable[[float], Any]]  # a peer's estimator by its name, made for a tolerance

PLAIN = {"fit_intercept": False}
STEPS = 10_000  # at most


def contenders(task: Task) -> dict[str, Fit]:
    """Return who takes part, as functions from a tolerance to weights, on data prepared for each."""
    found: dict[str, Fit] = {
        OURS: lambda tolerance: solve(
            Problem(task.inputs, task.y, task.loss, task.l1, task.l2, intercept=False, tolerance=tolerance)
        ).weights[0]
    }
    inputs = task.inputs
    if task.l1:  # coordinate descent reads columns
        inputs = inputs.tocsc() if sp.issparse(inputs) else np.asfortranarray(inputs)
    for name, make in PEERS[task.model](task).items():
        found[name] = lambda tolerance, make=make: np.ravel(make(tolerance).fit(inputs, task.y).coef_)
    return found


def least_squares_peers(task: Task) -> Makers:
    from sklearn.linear_model import LinearRegression

    return {"LinearRegression": lambda tol: LinearRegression(**PLAIN, tol=tol), **_ridges(1e-12)}


def ridge_peers(task: Task) -> Makers:
    return _ridges(task.l2 * len(task.y))


def _ridges(alpha: float) -> Makers:
    from sklearn.linear_model import Ridge

    return {
        f"Ridge {solver}": lambda tol, solver=solver: Ridge(alpha, **PLAIN, solver=solver, tol=tol, max_iter=STEPS)
        for solver in ("lsqr", "sparse_cg", "cholesky")
    }


def lasso_peers(task: Task) -> Makers:
    from sklearn.linear_model import Lasso

    alpha = task.l1 / 2
    makers: Makers = {"Lasso": lambda tol: Lasso(alpha, **PLAIN, tol=tol, max_iter=STEPS)}
    for name, package in _installed("celer", "skglm"):
        makers[name] = lambda tol, package=package: package.Lasso(alpha, **PLAIN, tol=tol)
    return makers


def elastic_net_peers(task: Task) -> Makers:
    from sklearn.linear_model import ElasticNet

    alpha = task.l1 / 2 + task.l2
    net = {"l1_ratio": task.l1 / 2 / alpha, **PLAIN}
    makers: Makers = {"ElasticNet": lambda tol: ElasticNet(alpha, **net, tol=tol, max_iter=STEPS)}
    for name, package in _installed("celer", "skglm"):
        makers[name] = lambda tol, package=package: package.ElasticNet(alpha, **net, tol=tol)
    return makers


def logistic_peers(task: Task) -> Makers:
    from sklearn.linear_model import LogisticRegression

    strength = 1 / (2 * task.l2 * len(task.y))
    return {
        f"LogisticRegression {solver}": lambda tol, solver=solver: LogisticRegression(
            C=strength, **PLAIN, solver=solver, tol=tol, max_iter=1000
        )
        for solver in ("lbfgs", "newton-cg", "liblinear", "newton-cholesky")
    }


def svm_peers(task: Task) -> Makers:
    from sklearn.linear_model import SGDClassifier
    from sklearn.svm import LinearSVC

    strength, alpha = 1 / (2 * task.l2 * len(task.y)), 2 * task.l2
    makers: Makers = {
        "LinearSVC": lambda tol: LinearSVC(C=strength, loss="hinge", **PLAIN, dual=True, tol=tol, max_iter=100_000),
        "SGDClassifier": lambda tol: SGDClassifier(alpha=alpha, **PLAIN, tol=tol, max_iter=300, random_state=0),
    }
    for name, package in _installed("skglm"):
        makers[name] = lambda tol, package=package: package.LinearSVC(C=strength, tol=tol, max_iter=100)
    return makers


def _installed(*names: str) -> list[tuple[str, Any]]:
    return [(name, import_module(name)) for name in names if find_spec(name)]


PEERS: dict[str, Callable[[Task], Makers]] = {
    "least squares": least_squares_peers,
    "ridge": ridge_peers,
    "lasso": lasso_peers,
    "elastic net": elastic_net_peers,
    "logistic": logistic_peers,
    "linear svm": svm_peers,
}
