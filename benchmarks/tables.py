"""`mlp` by its recipe against scikit-learn's logistic regression, random forest and MLP, on the same rows.

Every seed divides the table anew (20% test), and all learn from the same prepared rows. The recipes' settings were
chosen by validation rows. Run:
    python benchmarks/tables.py [--seeds 20] [--first 0] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

import layerwise
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Split
from layerwise.recipes import options_of

TABLES = ("titanic", "breast-cancer", "wine", "diabetes")
CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "logistic regression": lambda seed: LogisticRegression(max_iter=1000),
    "random forest": lambda seed: RandomForestClassifier(n_estimators=200, random_state=seed, n_jobs=2),
    "MLPClassifier": lambda seed: MLPClassifier(hidden_layer_sizes=(64, 64), max_iter=300, random_state=seed),
}
REGRESSORS: dict[str, Callable[[int], Any]] = {
    "linear regression": lambda seed: LinearRegression(),
    "random forest": lambda seed: RandomForestRegressor(n_estimators=200, random_state=seed, n_jobs=2),
    "MLPRegressor": lambda seed: MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=300, random_state=seed),
}


def arrays(split: Split) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Return prepared columns and targets; values of a regression as one dimension."""
    inputs, targets = split.take(torch.arange(len(split)))
    return inputs.numpy(), targets.numpy().reshape(len(split))


def peers(dataset: Dataset, seed: int) -> dict[str, float]:
    """Return each peer's test score: accuracy, or R2."""
    parts = [arrays(split) for split in (dataset.train, dataset.valid)]
    inputs, targets = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    test_inputs, test_targets = arrays(dataset.test)
    makers = CLASSIFIERS if dataset.task == "classification" else REGRESSORS
    scores = {}
    for name, make in makers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            scores[name] = float(make(seed).fit(inputs, targets).score(test_inputs, test_targets))
    return scores


def ours(table: str, seed: int, runs: str, options: dict[str, Any]) -> float:
    """Return the test score of `layerwise train --recipe TABLE-mlp --seed SEED`."""
    asked = {**options_of(f"{table}-mlp"), **options}
    result = layerwise.train(**asked, seed=seed, runs=runs, quiet=True).result["test"]
    return float(result.get("accuracy", result.get("r2", float("nan"))))


def compare(table: str, seeds: range, options: dict[str, Any]) -> dict[str, list[float]]:
    """Return the scores of all by name, a score a seed."""
    scores: dict[str, list[float]] = {"layerwise mlp": []}
    with tempfile.TemporaryDirectory() as runs:
        for seed in seeds:
            scores["layerwise mlp"].append(ours(table, seed, runs, options))
            for name, score in peers(layerwise.load(DataConfig(data=table), seed), seed).items():
                scores.setdefault(name, []).append(score)
    return scores


def report(table: str, scores: dict[str, list[float]]) -> dict[str, Any]:
    """Print means with their standard errors and the paired difference to the best peer; return them."""
    means = {name: statistics.fmean(values) for name, values in scores.items()}
    best = max((name for name in means if name != "layerwise mlp"), key=lambda name: means[name])
    gaps = [mine - theirs for mine, theirs in zip(scores["layerwise mlp"], scores[best], strict=True)]
    error = statistics.stdev(scores[best]) / len(gaps) ** 0.5
    print(f"{table} (n = {len(gaps)} divisions)")
    for name, values in scores.items():
        print(f"  {name:<22} {means[name]:.4f} +- {statistics.stdev(values) / len(values) ** 0.5:.4f}")
    gap = statistics.fmean(gaps)
    print(f"  ours - {best}: {gap:+.4f}, one standard error of the best: {error:.4f} -> {gap >= -error}", flush=True)
    return {"means": means, "best": best, "gap": gap, "standard_error": error, "scores": scores}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--tables", nargs="*", default=TABLES)
    parser.add_argument("--options", type=json.loads, default={}, help="options of layerwise.train as JSON")
    parser.add_argument("--json", metavar="FILE")
    args = parser.parse_args()
    print(f"layerwise {layerwise.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}")
    seeds = range(args.first, args.first + args.seeds)
    found = {table: report(table, compare(table, seeds, args.options)) for table in args.tables}
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
