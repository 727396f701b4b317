"""Small networks of dense layers as scikit-learn estimators, on the dense engine."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from layerwise.estimators.checks import FLOATS, check_data, class_numbers, warn_of_constant_columns, weights_of
from layerwise.estimators.descent import seed_of
from layerwise.estimators.errors import InputError, ParameterError
from layerwise.neuron.network import DenseStack, DescentConfig, StackConfig

WHOLE = 256  # samples up to which 'auto' learns from all of them at every step
BATCH = 32
HELD_OUT = 0.1  # share of the samples that patience watches

Array = NDArray[Any]


class _Network(BaseEstimator):  # type: ignore[misc]
    """What a classifier and a regressor share: layers, descent, and inputs scaled by the training data."""

    _loss = "squared"

    def __init__(
        self,
        hidden: tuple[int, ...] = (64, 64),
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        penalty: str = "none",
        strength: float = 0.0,
        mix: float = 0.5,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        batch_size: int | Literal["auto", "full"] = "auto",
        epochs: int = 200,
        patience: int = 0,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.penalty = penalty
        self.strength = strength
        self.mix = mix
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.warm_start = warm_start
        self.random_state = random_state

    def _train(self, X: Any, targets: Array, weights: Any, outputs: int, *, goes_on: bool, epochs: int) -> Self:
        x = np.asarray(X.todense()) if sp.issparse(X) else X
        if not (goes_on and hasattr(self, "network_")):
            self._measure(x, weights)
            self.network_ = self._make(x, outputs)
            self.loss_curve_: list[float] = []
        network = self.network_
        x = self._scaled(x)
        if not self.patience:
            self.loss_curve_ += network.fit(x, targets, weights, count=epochs)
        else:
            self._train_with_patience(network, x, targets, weights, epochs)
        self.n_iter_ = len(self.loss_curve_)
        return self

    def _train_with_patience(self, network: DenseStack, x: Array, targets: Array, weights: Any, epochs: int) -> None:
        """Hold some samples out, stop when they have not got better for `patience` epochs, keep the best weights."""
        order = np.random.default_rng(seed_of(self.random_state)).permutation(len(x))
        count = max(1, round(HELD_OUT * len(x)))
        if count >= len(x):
            raise InputError(f"patience={self.patience} needs samples to hold out, received {len(x)} in all.")
        out, kept = order[:count], order[count:]
        part = None if weights is None else weights[kept]
        best, best_epoch, best_parameters = np.inf, 0, network.parameters.copy()
        for number, report in enumerate(network.epochs(x[kept], targets[kept], part, count=epochs)):
            self.loss_curve_.append(report.loss)
            cost = network.cost(x[out], targets[out], None if weights is None else weights[out])
            if cost < best:
                best, best_epoch, best_parameters = cost, number, network.parameters.copy()
            elif number - best_epoch >= self.patience:
                break
        network.parameters[:] = best_parameters

    def _make(self, x: Array, outputs: int) -> DenseStack:
        try:
            hidden = tuple(int(size) for size in self.hidden)
        except TypeError:
            raise ParameterError(
                f"hidden must be sizes of layers, such as (64, 64), received {self.hidden!r}."
            ) from None
        whole = len(x) <= WHOLE
        batch_size = ("full" if whole else BATCH) if self.batch_size == "auto" else self.batch_size
        plan = StackConfig(
            sizes=(x.shape[1], *hidden, outputs), activation=self.activation, loss=self._loss, dropout=self.dropout,
            output="softmax" if self._loss == "cross-entropy" else "identity",
        )  # fmt: skip
        path = DescentConfig(
            epochs=int(self.epochs), batch_size=batch_size, optimizer=self.optimizer, learning_rate=self.learning_rate,
            penalty=self.penalty, strength=self.strength, mix=self.mix, seed=seed_of(self.random_state),
        )  # fmt: skip
        return DenseStack(plan, path, dtype=np.float32 if x.dtype == np.float32 else np.float64)

    def _measure(self, x: Array, weights: Any) -> None:
        """Note the weighted mean and deviation of each column."""
        shares = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()
        self.input_mean_ = shares @ x
        spread = np.sqrt(np.maximum(shares @ (x - self.input_mean_) ** 2, 0))
        self.input_scale_ = np.where(spread > 1e-12 * np.maximum(np.abs(self.input_mean_), 1e-300), spread, 1.0)

    def _scaled(self, x: Array) -> Array:
        return np.ascontiguousarray(((x - self.input_mean_) / self.input_scale_).astype(self.network_.parameters.dtype))

    def _answers(self, X: Any) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        return self.network_.outputs(self._scaled(np.asarray(X.todense()) if sp.issparse(X) else X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """Dense layers that tell classes apart: softmax and cross-entropy.

    hidden: neurons of each hidden layer. activation: theirs (`layerwise activations`). dropout: share of them silenced
    at each step. penalty, strength, mix: as for Neuron. optimizer, learning_rate, epochs: as in `layerwise train`.
    batch_size: samples a step, 'full' for all; 'auto' is 'full' up to 256 samples, else 32. patience: stop when a tenth
    of the samples, held out, has not got better for so many epochs; 0 never. class_weight: None, 'balanced' or a dict.

    Columns are scaled by mean and deviation. float32 inputs are computed in float32, all others in float64. Attributes:
    classes_, network_ (the layers: `network_.weights`), loss_curve_, n_iter_.
    """

    _loss = "cross-entropy"

    def __init__(
        self,
        hidden: tuple[int, ...] = (64, 64),
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        penalty: str = "none",
        strength: float = 0.0,
        mix: float = 0.5,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        batch_size: int | Literal["auto", "full"] = "auto",
        epochs: int = 200,
        patience: int = 0,
        class_weight: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            hidden, activation=activation, dropout=dropout, penalty=penalty, strength=strength, mix=mix,
            optimizer=optimizer, learning_rate=learning_rate, batch_size=batch_size, epochs=epochs, patience=patience,
            warm_start=warm_start, random_state=random_state,
        )  # fmt: skip
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on inputs X (n, d) and labels y (n,)."""
        X, y = check_data(self, X, y, classes=True, reset=True)
        classes, numbers = class_numbers(y, type(self).__name__)
        if self.warm_start and not np.array_equal(getattr(self, "classes_", classes), classes):
            raise InputError(f"warm_start goes on with the classes {self.classes_}, received {classes}.")
        self.classes_: Array = classes
        warn_of_constant_columns(self, X)
        weights = weights_of(self, X, sample_weight, y)
        return self._train(X, numbers, weights, len(classes), goes_on=self.warm_start, epochs=int(self.epochs))

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Go on for one epoch over these samples; the first call must be told all classes that will come."""
        first = not hasattr(self, "network_")
        X, y = check_data(self, X, y, classes=True, reset=first)
        if first:
            if classes is None:
                raise InputError("The first partial_fit must be told all classes that will come, classes=[...].")
            self.classes_ = class_numbers(np.asarray(classes), type(self).__name__)[0]
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise InputError(f"The label {unknown[0]!r} is not among the classes {self.classes_} of the first call.")
        numbers, weights = np.searchsorted(self.classes_, y), weights_of(self, X, sample_weight, y)
        return self._train(X, numbers, weights, len(self.classes_), goes_on=True, epochs=1)

    def predict_proba(self, X: Any) -> Array:
        """Return each class's probability (n, k)."""
        return self._answers(X)

    def predict(self, X: Any) -> Array:
        """Return the most probable label of each row."""
        numbers = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[numbers])


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """Dense layers that fit one or several numbers, by squared error.

    The parameters are those of NetworkClassifier but class_weight. Targets are scaled by mean and deviation while
    training. Attributes: network_, loss_curve_ (of the scaled targets), n_iter_.
    """

    _loss = "squared"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on inputs X (n, d) and numbers y (n,) or (n, k)."""
        X, y = check_data(self, X, y, classes=False, reset=True)
        weights = weights_of(self, X, sample_weight, None)
        warn_of_constant_columns(self, X)
        return self._learn(X, y, weights, goes_on=self.warm_start, epochs=int(self.epochs))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go on for one epoch over these samples; scales are those of the first call."""
        X, y = check_data(self, X, y, classes=False, reset=not hasattr(self, "network_"))
        return self._learn(X, y, weights_of(self, X, sample_weight, None), goes_on=True, epochs=1)

    def predict(self, X: Any) -> Array:
        """Return the numbers for each row, (n,) or (n, k)."""
        answers: Array = self._answers(X) * self._target_scale + self._target_mean
        return answers[:, 0] if self._single else answers

    def _learn(self, X: Any, y: Array, weights: Any, *, goes_on: bool, epochs: int) -> Self:
        targets = y.reshape(len(y), -1)
        if not (goes_on and hasattr(self, "network_")):
            shares = np.full(len(y), 1 / len(y)) if weights is None else weights / weights.sum()
            self._target_mean = shares @ targets
            spread = np.sqrt(shares @ (targets - self._target_mean) ** 2)
            self._target_scale = np.where(spread > 0, spread, 1.0)
            self._single = y.ndim == 1
        scaled = (targets - self._target_mean) / self._target_scale
        return self._train(X, scaled, weights, targets.shape[1], goes_on=goes_on, epochs=epochs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
