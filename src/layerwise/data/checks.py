"""What is suspicious about a data set before anything is trained: leakage, repeats, conflicts and imbalance.

Every finding carries its evidence. Thresholds follow deepchecks (duplicates above 5%, conflicting labels
above 0, one feature that predicts the target) and SageMaker Debugger (imbalance above 10 to 1), except
one: deepchecks warns from a predictive power of 0.8, which honest features such as the petal width of
irises reach; here it takes 0.98, measured on rows that the rule was not made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from layerwise.data.dataset import Dataset, Notice, Split
from layerwise.data.tables.preprocessing import TablePreprocessing

EXAMINED_LIMIT = 100_000  # samples of a split that are looked at
RULE_ROWS = 2000  # training rows that a rule of one column is measured on
RULE_LEAVES = 32
COPY_SCORE = 0.98
FEWEST_FOR_RULE = 30
DUPLICATE_SHARE = 0.05
NATURAL_REPEATS = 0.2  # a table that repeats itself so much has few possible rows; meeting one again says little
IMBALANCE = 10
SHOWN = 3
HASHED_ROWS = 4096


@dataclass(frozen=True)
class _Fingerprints:
    """A hash of each examined sample of a split, with the samples' positions in it."""

    split: Split
    hashes: NDArray[np.uint64]
    positions: NDArray[np.int64]

    @property
    def targets(self) -> NDArray[np.float64]:
        return self.split.targets.numpy()[self.positions].astype(np.float64).reshape(len(self.positions))

    def name(self, index: int) -> str:
        return self.split.ids[int(self.positions[index])]


def check_splits(dataset: Dataset) -> tuple[Notice, ...]:
    """Look for samples in two splits, repeats, contradicting targets and imbalance, in any kind of data."""
    train, valid, test = (_fingerprints(part) for part in (dataset.train, dataset.valid, dataset.test))
    repeats = 1 - len(np.unique(train.hashes)) / max(len(train.hashes), 1)
    natural = dataset.kind == "table" and repeats > NATURAL_REPEATS
    findings = [
        *_shared(train, test, "test", natural),
        *_shared(train, valid, "validation", natural),
        *_repeated(train, repeats, natural),
        *_contradicting(train, dataset, natural),
        *_imbalanced(dataset),
    ]
    return tuple(findings)


def check_table(dataset: Dataset, clock: str | None = None) -> tuple[Notice, ...]:
    """Look for columns of a table that give the target away or count its rows.

    clock: the column that the table was split by in time; it may rise.
    """
    preprocessing = dataset.preprocessing
    if not isinstance(preprocessing, TablePreprocessing) or len(dataset.train) < FEWEST_FOR_RULE:
        return ()
    positions = _spread(len(dataset.train), RULE_ROWS)
    inputs, targets = dataset.train.take(torch.from_numpy(positions))
    features, answers = inputs.numpy(), targets.numpy().reshape(len(targets))
    findings = []
    for name, span in preprocessing.spans().items():
        score = one_column_score(features[:, span], answers, dataset.task == "classification")
        if score >= COPY_SCORE:
            findings.append(_copy_notice(name, score, len(positions), dataset))
        elif name != clock and _rises(features[:, span]):
            findings.append(_rising_notice(name, len(positions)))
    return tuple(findings)


def one_column_score(features: NDArray[np.float32], answers: NDArray[np.generic], is_classification: bool) -> float:
    """Return how well a small tree on the features of one column predicts rows that it was not fitted to.

    Classes: balanced accuracy, so that a rare class counts. Values: R2 of their ranks, so that a copy in
    another unit or on another scale counts. The cross-validation runs only where the tree fits its own
    rows that well.
    """
    from scipy.stats import rankdata  # here, because these take a second to import
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if is_classification:
        counts = np.bincount(answers.astype(np.int64))
        folds = int(min(5, counts[counts > 0].min()))
        tree = DecisionTreeClassifier(max_leaf_nodes=RULE_LEAVES, class_weight="balanced", random_state=0)
        measure = balanced_accuracy_score
    else:
        answers, folds = rankdata(answers), 5
        tree = DecisionTreeRegressor(max_leaf_nodes=RULE_LEAVES, random_state=0)
        measure = r2_score
    own = float(measure(answers, tree.fit(features, answers).predict(features)))
    if own < COPY_SCORE or folds < 2:
        return min(own, COPY_SCORE / 2)
    return float(measure(answers, cross_val_predict(tree, features, answers, cv=folds)))


def _copy_notice(name: str, score: float, rows: int, dataset: Dataset) -> Notice:
    measure = "balanced accuracy" if dataset.task == "classification" else "R2 of ranks"
    text = (
        f"Column '{name}' alone gives the target away: {measure} {score:.3f} on {rows} training rows, each "
        "predicted "
        "by a rule of the others. Unless it is known before the answer is, take it out of the table."
    )
    return Notice("warning", text)


def _rises(features: NDArray[np.float32]) -> bool:
    """Whether a column of numbers gets larger with every row of the table, as an identifier does."""
    return features.shape[1] == 1 and bool((np.diff(features[:, 0]) > 0).all())


def _rising_notice(name: str, rows: int) -> Notice:
    text = (
        f"Column '{name}' rises with every one of {rows} training rows, as an identifier or a clock does; "
        "take it out of the table, or split by time with it."
    )
    return Notice("warning", text)


def _shared(train: _Fingerprints, other: _Fingerprints, name: str, natural: bool) -> Iterator[Notice]:
    shared = np.flatnonzero(np.isin(other.hashes, train.hashes))
    if not len(shared):
        return
    first_seen = {int(value): index for index, value in reversed(list(enumerate(train.hashes.tolist())))}
    pairs = [(other.name(i), train.name(first_seen[int(other.hashes[i])])) for i in shared[:SHOWN].tolist()]
    shown = ", ".join(f"{mine} equals {theirs}" for mine, theirs in pairs)
    text = f"{len(shared)} of {len(other.hashes)} {name} samples are in the training split too ({shown}"
    text += ", ..." if len(shared) > SHOWN else ""
    if natural:
        yield Notice("info", f"{text}); rows of this table repeat naturally.")
    else:
        yield Notice("warning", f"{text}); figures on them flatter the model, so remove the repeats.")


def _repeated(train: _Fingerprints, repeats: float, natural: bool) -> Iterator[Notice]:
    if repeats > DUPLICATE_SHARE:
        count = round(repeats * len(train.hashes))
        text = f"{count} of {len(train.hashes)} training samples ({repeats:.0%}) repeat another one exactly."
        yield Notice("info" if natural else "warning", text)


def _contradicting(train: _Fingerprints, dataset: Dataset, natural: bool) -> Iterator[Notice]:
    """Equal samples with different classes: no model can get all of them right."""
    if dataset.task != "classification" or not len(train.hashes):
        return
    _, group, sizes = np.unique(train.hashes, return_inverse=True, return_counts=True)
    highest, lowest = np.full(len(sizes), -np.inf), np.full(len(sizes), np.inf)
    np.maximum.at(highest, group, train.targets)
    np.minimum.at(lowest, group, train.targets)
    contradicting = np.flatnonzero((highest != lowest)[group])
    if not len(contradicting):
        return
    same = np.flatnonzero(group == group[contradicting[0]])
    first = int(same[0])
    second = int(same[train.targets[same] != train.targets[first]][0])
    classes = [dataset.classes[int(train.targets[index])] for index in (first, second)]
    text = (
        f"{len(contradicting)} training samples equal one of another class, for example {train.name(first)} "
        f"('{classes[0]}') and {train.name(second)} ('{classes[1]}'); no model can get all of them right."
    )
    yield Notice("info" if natural else "warning", text)


def _imbalanced(dataset: Dataset) -> Iterator[Notice]:
    if dataset.task != "classification":
        return
    counts = dataset.class_counts(dataset.train)
    most, least = max(counts), min(counts)
    if most > IMBALANCE * least:
        names = dataset.classes[counts.index(most)], dataset.classes[counts.index(least)]
        text = (
            f"The classes are unbalanced: {most} training samples are '{names[0]}' and {least} "
            f"'{names[1]}'; judge by "
            f"precision and recall of each class, because always answering '{names[0]}' is right in "
            f"{most / sum(counts):.1%}."
        )
        yield Notice("warning", text)


def _spread(count: int, limit: int) -> NDArray[np.int64]:
    """Return at most `limit` positions, evenly spread, in order."""
    return np.unique(np.linspace(0, count - 1, min(count, limit)).astype(np.int64)) if count else np.empty(0, np.int64)


def _fingerprints(split: Split) -> _Fingerprints:
    positions = _spread(len(split), EXAMINED_LIMIT)
    hashes: list[int] = []
    for start in range(0, len(positions), HASHED_ROWS):
        inputs = split.inputs[torch.from_numpy(positions[start : start + HASHED_ROWS])]
        hashes.extend(_hash_rows(inputs))
    return _Fingerprints(split, np.asarray(hashes, np.uint64), positions)


def _hash_rows(inputs: torch.Tensor) -> Sequence[int]:
    rows = inputs.reshape(len(inputs), -1).contiguous().numpy()
    data, width = rows.tobytes(), rows.shape[1] * rows.itemsize
    starts = range(0, len(data), width)
    digests = (hashlib.blake2b(data[start : start + width], digest_size=8).digest() for start in starts)
    return [int.from_bytes(digest, "little") for digest in digests]
