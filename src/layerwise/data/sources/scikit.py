"""The small data sets that come with scikit-learn, read from its own files, without a network."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from layerwise.data.dataset import Split
from layerwise.data.raw import Progress, RawImages, RawTable

DIGIT_MAXIMUM = 16


def digits(progress: Progress | None = None) -> RawImages:
    """1,797 handwritten digits of 8x8, their values 0 to 16 scaled to 0 to 255."""
    bunch = load_digits()
    values = np.rint(bunch.images * (255 / DIGIT_MAXIMUM)).astype(np.uint8)
    pictures = torch.from_numpy(values).unsqueeze(1)  # (n, 1, height, width)
    targets = torch.from_numpy(bunch.target.astype(np.int64))
    ids = [f"digit {number}" for number in range(len(targets))]
    source = "Optical Recognition of Handwritten Digits (UCI, 1998), the test part, from scikit-learn, CC BY 4.0"
    return RawImages(Split(pictures, targets, ids), tuple("0123456789"), source)


def iris(progress: Progress | None = None) -> RawTable:
    """150 irises of three species."""
    return _classes(load_iris(), "species", "Iris (Fisher 1936), from scikit-learn")


def wine(progress: Progress | None = None) -> RawTable:
    """178 wines of three growers."""
    return _classes(load_wine(), "cultivar", "Wine recognition (UCI, 1991), from scikit-learn, CC BY 4.0")


def breast_cancer(progress: Progress | None = None) -> RawTable:
    """569 tumours, malignant or benign."""
    source = "Breast Cancer Wisconsin, Diagnostic (UCI, 1995), from scikit-learn, CC BY 4.0"
    return _classes(load_breast_cancer(), "diagnosis", source)


def diabetes(progress: Progress | None = None) -> RawTable:
    """442 patients and how far their disease went in a year."""
    bunch = load_diabetes(scaled=False)
    frame = _frame(bunch.data, bunch.feature_names).with_columns(pl.Series("progression", bunch.target))
    source = "Diabetes (Efron, Hastie, Johnstone and Tibshirani 2004), from scikit-learn"
    return RawTable(frame, "progression", "regression", source)


def _classes(bunch: object, target: str, source: str) -> RawTable:
    data, names, labels, classes = (
        getattr(bunch, name) for name in ("data", "feature_names", "target", "target_names")
    )
    column = pl.Series(target, [str(classes[label]) for label in labels])
    return RawTable(_frame(data, names).with_columns(column), target, "classification", source)


def _frame(values: NDArray[np.float64], names: list[str]) -> pl.DataFrame:
    return pl.DataFrame({str(name): values[:, number] for number, name in enumerate(names)})
