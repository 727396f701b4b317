"""Small networks of dense layers as scikit-learn estimators, on the dense engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from layerwise.estimators.checks import (
    check_data,
    check_inputs,
    class_numbers,
    numbers_of,
    warn_of_constant_columns,
    weights_of,
    whole_number,
)
from layerwise.estimators.descent import seed_of
from layerwise.estimators.errors import InputError, ParameterError
from layerwise.estimators.export import sequential
from layerwise.estimators.parameters import without
from layerwise.neuron.engine.network import DenseStack, DescentConfig, EpochReport, StackConfig

if TYPE_CHECKING:
    from torch import nn

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
        penalty_strength: float = 0.0,
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
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.penalty = penalty
        self.penalty_strength = penalty_strength
        self.mix = mix
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on inputs X (n, d) and labels y (n,), or numbers y (n,) or (n, k)."""
        samples = self._begin(X, y, sample_weight)
        if whole_number(self, "patience", 0):
            for _ in self._epochs(*samples):
                pass
        else:
            self._note(self.network_.fit(*samples, count=int(self.epochs)))
        return self

    def watch(self, X: Any, y: Any, sample_weight: Any = None) -> Iterator[EpochReport]:
        """Train as `fit` does and stop for a look after each epoch; to leave the loop is to end the training.

        Between two epochs `predict`, `layer_outputs` and `gradients` tell of the network as it is then.
        """
        yield from self._epochs(*self._begin(X, y, sample_weight))

    def layer_outputs(self, X: Any) -> list[Array]:
        """Return what every neuron answers to inputs X (n, d), without dropout: for each layer (n, neurons)."""
        x = self._checked(X)
        return self.network_.layer_outputs(x)

    def gradients(self, X: Any, y: Any, sample_weight: Any = None) -> list[tuple[Array, Array]]:
        """Return dJ/dW and dJ/db of each layer for the mean loss over these samples, without dropout and penalty.

        They are those by the network's own weights, which see scaled columns (and for numbers scaled targets).
        """
        check_is_fitted(self)
        X, targets, weights = self._read(X, y, sample_weight, classes=None, goes_on=True)
        return self.network_.gradients(self._scaled(X), targets, weights)

    def to_torch(self) -> nn.Sequential:
        """Return the trained network as a torch module on unscaled inputs (n, d), without dropout.

        It gives the predicted numbers (n, k); of classes the raw outputs, whose softmax are the probabilities.
        """
        check_is_fitted(self)
        network = self.network_
        layers = [(W.copy(), b.copy()) for W, b in network.weights]
        W, b = layers[0]
        W /= self.input_scale_.astype(W.dtype)
        b -= W @ self.input_mean_.astype(W.dtype)
        self._unscale(*layers[-1])
        return sequential(layers, [*(layer.activation for layer in network.layers[:-1]), "identity"])

    def _begin(self, X: Any, y: Any, sample_weight: Any) -> tuple[Array, Array, Any]:
        """Return the samples of a `fit`, from a new network on or the last one."""
        goes_on = self.warm_start and hasattr(self, "network_")
        X, targets, weights = self._read(X, y, sample_weight, classes=None, goes_on=goes_on)
        warn_of_constant_columns(self, X)
        self._prepare(X, targets, weights, goes_on=goes_on)
        return self._scaled(X), targets, weights

    def _go_on(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        """Train one epoch from where the network is, or from the beginning."""
        goes_on = hasattr(self, "network_")
        X, targets, weights = self._read(X, y, sample_weight, classes=classes, goes_on=goes_on)
        self._prepare(X, targets, weights, goes_on=goes_on)
        self._note(self.network_.fit(self._scaled(X), targets, weights, count=1))
        return self

    def _read(self, X: Any, y: Any, sample_weight: Any, *, classes: Any, goes_on: bool) -> tuple[Array, Array, Any]:
        """Return inputs, what the loss compares with, and the samples' weights, all checked."""
        raise NotImplementedError

    def _unscale(self, W: Array, b: Array) -> None:
        """Let the last layer's weights and biases give unscaled numbers; of classes there is nothing to do."""

    def _note(self, losses: Iterable[float]) -> None:
        self.loss_curve_ += losses
        self.n_iter_ = len(self.loss_curve_)

    def _epochs(self, x: Array, targets: Array, weights: Any) -> Iterator[EpochReport]:
        """Train epoch by epoch.

        With patience some samples are held out, the training ends when they have not got better for so many epochs,
        and the best weights are kept.
        """
        network, count = self.network_, int(self.epochs)
        if not self.patience:
            for report in network.epochs(x, targets, weights, count=count):
                self._note([report.loss])
                yield report
            return
        kept, out = self._hold_out(len(x))
        kept_weights, out_weights = (None, None) if weights is None else (weights[kept], weights[out])
        best, best_epoch, best_parameters = np.inf, 0, network.parameters.copy()
        try:
            for number, report in enumerate(network.epochs(x[kept], targets[kept], kept_weights, count=count)):
                self._note([report.loss])
                cost = network.cost(x[out], targets[out], out_weights)
                if cost < best:
                    best, best_epoch, best_parameters = cost, number, network.parameters.copy()
                yield report
                if number - best_epoch >= self.patience:
                    break
        finally:
            network.parameters[:] = best_parameters

    def _hold_out(self, total: int) -> tuple[Array, Array]:
        """Return the places of the samples to learn from, and of those that patience watches."""
        order = np.random.default_rng(seed_of(self.random_state)).permutation(total)
        count = max(1, round(HELD_OUT * total))
        if count >= total:
            raise InputError(f"patience={self.patience} needs samples to hold out, received {total} in all.")
        return order[count:], order[:count]

    def _prepare(self, x: Array, targets: Array, weights: Any, *, goes_on: bool) -> None:
        """Make the network, or tell the present one of changed settings."""
        outputs = len(self.classes_) if self._loss == "cross-entropy" else targets.shape[1]
        plan, path = self._plan(x.shape[1], outputs), self._path(len(x))
        if not goes_on:
            self._measure(x, weights)
            self.network_ = DenseStack(plan, path, dtype=np.float32 if x.dtype == np.float32 else np.float64)
            self.loss_curve_: list[float] = []
            return
        network = self.network_
        if plan != network.config:
            raise ParameterError(
                f"The training goes on with a network of {_said(network.config)}, and the parameters now ask for "
                f"{_said(plan)}; use a new estimator, or warm_start=False and fit."
            )
        if path.optimizer != network.descent.optimizer:
            network.first_moment[:], network.second_moment[:] = 0, 0
        network.descent = path

    def _plan(self, features: int, outputs: int) -> StackConfig:
        try:
            hidden = tuple(int(size) for size in self.hidden)
        except (TypeError, ValueError):
            raise ParameterError(
                f"`hidden` must be sizes of layers, such as (64, 64), received {self.hidden!r}."
            ) from None
        return StackConfig(
            sizes=(features, *hidden, outputs), activation=self.activation, loss=self._loss, dropout=self.dropout,
            output="softmax" if self._loss == "cross-entropy" else "identity",
        )  # fmt: skip

    def _path(self, samples: int) -> DescentConfig:
        size: int | Literal["full"] = "full" if samples <= WHOLE else BATCH
        if self.batch_size != "auto":
            is_whole = self.batch_size == "full"
            size = "full" if is_whole else whole_number(self, "batch_size", 1, ", 'full' or 'auto'")
        return DescentConfig(
            epochs=whole_number(self, "epochs", 1), batch_size=size,
            optimizer=self.optimizer, learning_rate=self.learning_rate,
            penalty=self.penalty, penalty_strength=self.penalty_strength,
            mix=self.mix, seed=seed_of(self.random_state),
        )  # fmt: skip

    def _measure(self, x: Array, weights: Any) -> None:
        """Note the weighted mean and deviation of each column."""
        shares = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()
        self.input_mean_ = shares @ x
        spread = np.sqrt(np.maximum(shares @ (x - self.input_mean_) ** 2, 0))
        self.input_scale_ = np.where(spread > 1e-12 * np.maximum(np.abs(self.input_mean_), 1e-300), spread, 1.0)

    def _scaled(self, x: Array) -> Array:
        return np.ascontiguousarray(((x - self.input_mean_) / self.input_scale_).astype(self.network_.parameters.dtype))

    def _checked(self, X: Any) -> Array:
        return self._scaled(_dense(check_inputs(self, X)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _dense(X: Any) -> Array:
    dense: Array = X.toarray() if sp.issparse(X) else X
    return dense


def _said(config: StackConfig) -> str:
    sizes = "-".join(map(str, config.sizes))
    return f"{sizes} neurons, {config.activation}" + (f", dropout {config.dropout:g}" if config.dropout else "")


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """Dense layers that tell classes apart: softmax and cross-entropy.

    hidden: neurons of each hidden layer. activation: theirs (`layerwise activations`). dropout: share of them silenced
    at each step. penalty, strength, mix: as for Neuron. optimizer, learning_rate, epochs: as in `layerwise train`.
    batch_size: samples a step, 'full' for all; 'auto' is 'full' up to 256 samples, else 32. patience: stop when a tenth
    of the samples, held out, has not got better for so many epochs; 0 never. class_weight: None, 'balanced' or a dict.

    Columns are scaled by mean and deviation; sparse matrices are made dense. float32 inputs are computed in float32,
    all others in float64. Attributes: classes_, network_ (the layers: `network_.weights`), loss_curve_, n_iter_.
    """

    _loss = "cross-entropy"

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Go on for one epoch over these samples; the first call must be told all classes that will come."""
        if classes is None and not hasattr(self, "network_"):
            raise InputError("The first partial_fit must be told all classes that will come, classes=[...].")
        return self._go_on(X, y, sample_weight, classes)

    def predict_proba(self, X: Any) -> Array:
        """Return each class's probability (n, k)."""
        x = self._checked(X)
        return self.network_.outputs(x)

    def predict(self, X: Any) -> Array:
        """Return the most probable label of each row."""
        numbers = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[numbers])

    def _read(self, X: Any, y: Any, sample_weight: Any, *, classes: Any, goes_on: bool) -> tuple[Array, Array, Any]:
        X, y = check_data(self, X, y, classes=True, reset=not goes_on)
        if not goes_on:
            labels = y if classes is None else np.asarray(classes)
            self.classes_: Array = class_numbers(labels, type(self).__name__)[0]
        return _dense(X), numbers_of(y, self.classes_), weights_of(self, X, sample_weight, y)


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """Dense layers that fit one or several numbers, by squared error.

    The parameters are those of NetworkClassifier but class_weight. Targets are scaled by mean and deviation while
    training. Attributes: network_, loss_curve_ (of the scaled targets), n_iter_.
    """

    __init__ = without(_Network.__init__, ["class_weight"])

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go on for one epoch over these samples; scales are those of the first call."""
        return self._go_on(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """Return the numbers for each row, (n,) or (n, k)."""
        x = self._checked(X)
        answers: Array = self.network_.outputs(x) * self._target_scale + self._target_mean
        return answers[:, 0] if self._single else answers

    def _read(self, X: Any, y: Any, sample_weight: Any, *, classes: Any, goes_on: bool) -> tuple[Array, Array, Any]:
        X, y = check_data(self, X, y, classes=False, reset=not goes_on)
        weights = weights_of(self, X, sample_weight, None)
        targets = y.reshape(len(y), -1)
        if not goes_on:
            shares = np.full(len(y), 1 / len(y)) if weights is None else weights / weights.sum()
            self._target_mean = shares @ targets
            spread = np.sqrt(shares @ (targets - self._target_mean) ** 2)
            self._target_scale = np.where(spread > 0, spread, 1.0)
            self._single = y.ndim == 1
        return _dense(X), (targets - self._target_mean) / self._target_scale, weights

    def _unscale(self, W: Array, b: Array) -> None:
        W *= self._target_scale[:, None].astype(W.dtype)
        b *= self._target_scale.astype(b.dtype)
        b += self._target_mean.astype(b.dtype)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
