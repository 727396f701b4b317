"""One artificial neuron as a scikit-learn estimator: any activation, any loss, any penalty."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from layerwise.estimators.checks import (
    check_choice,
    check_data,
    check_inputs,
    check_number,
    class_numbers,
    numbers_of,
    warn_of_constant_columns,
    weights_of,
    whole_number,
)
from layerwise.estimators.errors import InputError, ParameterError
from layerwise.estimators.export import sequential
from layerwise.estimators.parameters import without
from layerwise.neuron.tables.activations import ACTIVATIONS
from layerwise.neuron.tables.losses import LOSSES
from layerwise.neuron.tables.penalties import PENALTIES

if TYPE_CHECKING:
    from torch import nn

    from layerwise.estimators.sparse_sgd import SparseSGD
    from layerwise.neuron.engine.network import DenseStack

Method = TypeVar("Method", bound=Callable[..., Any])

SOLVERS = ("auto", "exact", "descent")
SIGNED = ("hinge", "squared-hinge", "perceptron", "logistic")


def _gives_probabilities(neuron: Neuron) -> bool:
    if neuron.loss not in ("logistic", "cross-entropy"):
        raise AttributeError(f"loss={neuron.loss!r} gives no probabilities; logistic and cross-entropy do.")
    return True


def _tells_classes(neuron: Neuron) -> bool:
    if not neuron._classifies:
        raise AttributeError(f"loss={neuron.loss!r} fits numbers, so there are no classes to decide between.")
    return True


def _offered(condition: Callable[[Neuron], bool]) -> Callable[[Method], Method]:
    """Let a method be there only under the condition, as scikit-learn's available_if does."""
    decorate: Callable[[Method], Method] = available_if(condition)
    return decorate


class Neuron(BaseEstimator):  # type: ignore[misc]
    """y = act(w . x + b), its weights found by lowering a loss.

    The loss says what the neuron is for: squared, absolute and huber fit numbers; perceptron, hinge, squared-hinge,
    logistic and cross-entropy tell classes apart. Two labels of any kind stand for -1 and 1, or 0 and 1, in their
    order. For more classes there is a neuron each, told apart from all others, or with cross-entropy trained together;
    for several columns of numbers there is a neuron a column.

    Minimised is   mean loss + strength * ((1 - mix) * sum |w| + mix * sum w^2),   the mean weighted by the samples'
    weights; the bias bears no penalty. Where that is convex, the optimum is found by a solver chosen by loss, penalty
    and shape of the data, and named in `solver_`; otherwise, or with solver='descent', by mini-batch gradient descent.

    Numbers: float32 inputs are multiplied in float32, all others in float64. Weights, sums over samples and what
    decides when to stop are float64. So float32 inputs give the optimum to about 1e-6 of the objective.

    Parameters
    ----------
    activation : what turns the weighted sum into the answer (`layerwise activations`); identity for numbers and for
        perceptron and hinge, sigmoid with logistic, softmax with cross-entropy.
    loss : a name of `layerwise losses`.
    penalty : none, l1, l2 or elastic. strength : its price, lambda. mix : the elastic net's share of L2.
    solver : auto; exact (refuse where there is none); descent.
    fit_intercept : learn a bias.
    tolerance : how far the objective may be from its minimum, as a share of it. max_iter : iterations of the solver.
    optimizer, learning_rate, epochs, batch_size : of the descent, as in `layerwise train`.
    class_weight : None, 'balanced' or {label: weight}.
    warm_start : begin the next `fit` at the last weights.
    random_state : the order of the samples and first weights of the descent.

    Attributes
    ----------
    coef_ : (d,) for numbers in one column, else (neurons, d). intercept_ : a number, or (neurons,).
    classes_ : the labels in order, where classes are told apart.
    solver_ : who found the weights. n_iter_ : in how many iterations.
    objective_ : what was minimised, at the end. gap_ : its distance to the minimum, a share of it, as `gap_kind_` says.
    loss_curve_ : of a descent, the mean loss of every epoch.
    converged_ : whether the tolerance was met. note_ : a sentence where something is to be said, such as that separable
        classes have no optimum without a penalty.

    Examples
    --------
    >>> from layerwise import Neuron
    >>> neuron = Neuron(activation="sigmoid", loss="logistic", penalty="l2").fit([[0.0], [1.0], [2.0]], ["a", "a", "b"])
    >>> neuron.predict([[3.0]]).tolist(), neuron.solver_
    (['b'], 'Newton')
    """

    def __init__(
        self,
        *,
        activation: str = "identity",
        loss: str = "squared",
        penalty: str = "none",
        penalty_strength: float = 1e-3,
        mix: float = 0.5,
        solver: str = "auto",
        fit_intercept: bool = True,
        tolerance: float = 1e-8,
        max_iter: int = 1000,
        optimizer: str = "sgd",
        learning_rate: float = 0.01,
        epochs: int = 100,
        batch_size: int | Literal["full"] = 32,
        class_weight: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.activation = activation
        self.loss = loss
        self.penalty = penalty
        self.penalty_strength = penalty_strength
        self.mix = mix
        self.solver = solver
        self.fit_intercept = fit_intercept
        self.tolerance = tolerance
        self.max_iter = max_iter
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state

    def __init_subclass__(cls, **words: str) -> None:
        """Fill in words: `class Perceptron(Neuron, activation="identity", loss="perceptron")`.

        They become facts of the class and cease to be parameters.
        """
        super().__init_subclass__()
        if words:
            for name, word in words.items():
                setattr(cls, name, word)
            cls.__init__ = without(Neuron.__init__, words)  # type: ignore[method-assign]

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Find the weights for inputs X (n, d) and targets y (n,), or (n, k) for several columns of numbers."""
        goes_on = self.warm_start and hasattr(self, "coef_")
        X, targets, weights = self._read(X, y, sample_weight, goes_on=goes_on)
        warn_of_constant_columns(self, X)
        return self._learn(X, targets, weights, goes_on=goes_on)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Go on from the present weights with one pass of gradient descent over these samples.

        classes: all labels that will ever come, in the first call, where classes are told apart.
        """
        goes_on = hasattr(self, "coef_")
        if self._classifies and classes is None and not goes_on:
            raise InputError("The first partial_fit must be told all classes that will come, classes=[...].")
        X, targets, weights = self._read(X, y, sample_weight, goes_on=goes_on, classes=classes)
        return self._descend(X, targets, weights, goes_on=goes_on, epochs=1)

    def _read(
        self, X: Any, y: Any, sample_weight: Any, *, goes_on: bool, classes: Any = None
    ) -> tuple[Any, NDArray[Any], Any]:
        """Return inputs, what the loss compares with, and the samples' weights, all checked."""
        self._check_parameters()
        X, y = check_data(self, X, y, classes=self._classifies, reset=not goes_on)
        if not self._classifies:
            return X, y, weights_of(self, X, sample_weight, None)
        if not goes_on:
            labels = y if classes is None else np.asarray(classes)
            self.classes_: NDArray[Any] = class_numbers(labels, type(self).__name__)[0]
        return X, self._coded(numbers_of(y, self.classes_)), weights_of(self, X, sample_weight, y)

    def to_torch(self) -> nn.Sequential:
        """Return a torch module with these weights, on inputs (n, d).

        It answers with what `predict` gives for numbers, (n, k); of classes with the raw outputs (n, neurons), that is
        with `decision_function`, and for cross-entropy with the sums whose softmax are the probabilities.
        """
        check_is_fitted(self)
        activation = "identity" if self._classifies else self.activation
        return sequential([(np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_))], [activation])

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the label of each row, or the neuron's answer where it fits numbers."""
        outputs = self._outputs(X)
        if not self._classifies:
            answers = np.asarray(ACTIVATIONS[self.activation].value(outputs))
            return answers[:, 0] if self.coef_.ndim == 1 else answers
        if outputs.shape[1] == 1:
            return np.asarray(self.classes_[(outputs[:, 0] > 0).astype(int)])
        return np.asarray(self.classes_[outputs.argmax(1)])

    @_offered(_tells_classes)
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return w . x + b: (n,) for two classes, positive for the second; (n, k) for more."""
        outputs = self._outputs(X)
        if self.loss == "cross-entropy" and len(self.classes_) == 2:
            return np.asarray(outputs[:, 1] - outputs[:, 0])
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    @_offered(_gives_probabilities)
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return each class's probability (n, k). One neuron a class: their answers, scaled to a sum of 1."""
        outputs = self._outputs(X)
        if self.loss == "cross-entropy":
            return np.asarray(ACTIVATIONS["softmax"].value(outputs))
        answers = np.asarray(ACTIVATIONS["sigmoid"].value(outputs))
        if outputs.shape[1] == 1:
            return np.column_stack([1 - answers, answers])
        sums = answers.sum(1, keepdims=True)
        shares: NDArray[np.float64] = np.where(sums > 0, answers / np.maximum(sums, 1e-300), 1 / answers.shape[1])
        return shares

    @_offered(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithm of each class's probability (n, k)."""
        logarithms: NDArray[np.float64] = np.log(self.predict_proba(X))
        return logarithms

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, or R2 where numbers are fitted."""
        judge = accuracy_score if self._classifies else r2_score
        return float(judge(y, self.predict(X), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, RegressorTags

        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        if self._classifies:
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        else:
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
            tags.target_tags.multi_output = True
        return tags

    @property
    def _classifies(self) -> bool:
        return self.loss in LOSSES and LOSSES[self.loss].targets != "numbers"

    def _coded(self, numbers: NDArray[np.intp]) -> NDArray[Any]:
        """Return what the loss compares with: class numbers, or signs (n,), or a column of signs a class."""
        if self.loss == "cross-entropy":
            return numbers
        count = len(self.classes_)
        return (
            np.where(numbers == 1, 1.0, -1.0)
            if count == 2
            else np.where(numbers[:, None] == np.arange(count), 1.0, -1.0)
        )

    def _check_parameters(self) -> None:
        check_choice(self, "activation", ACTIVATIONS)
        check_choice(self, "loss", LOSSES)
        check_choice(self, "penalty", PENALTIES)
        check_choice(self, "solver", SOLVERS)
        check_number(self, "penalty_strength", 0, np.inf, "0 or a positive number")
        check_number(self, "mix", 0, 1, "a number from 0 (all L1) to 1 (all L2)")
        check_number(self, "tolerance", 0, 1, "a number from 0 to 1")
        check_number(self, "max_iter", 1, np.inf, "a whole number of at least 1")
        link = LOSSES[self.loss].link
        if link != "identity" and self.activation != link:
            raise ParameterError(f"loss={self.loss!r} needs activation={link!r}, received {self.activation!r}.")
        if self.activation in ("softmax", "maxout") and self.activation != link:
            raise ParameterError(
                f"activation={self.activation!r} looks at several sums; loss='cross-entropy' has them."
            )
        if self.solver == "exact" and not self._convex:
            raise ParameterError(
                f"activation={self.activation!r} with loss={self.loss!r} is not convex, so its optimum cannot be "
                f"computed; use solver='descent'."
            )

    @property
    def _convex(self) -> bool:
        return self.activation in ("identity", LOSSES[self.loss].link)

    def _learn(self, X: Any, targets: NDArray[Any], weights: Any, *, goes_on: bool) -> Self:
        penalised = self.penalty != "none" and self.penalty_strength > 0
        if self.solver == "descent" or not self._convex or (self.loss == "perceptron" and penalised):
            self._descend(X, targets, weights, goes_on=goes_on, epochs=whole_number(self, "epochs", 1))
            if self._is_endless(X, targets, weights):
                from layerwise.neuron.solvers.smooth import SEPARABLE

                self.converged_, self.note_ = False, SEPARABLE
                warnings.warn(SEPARABLE, ConvergenceWarning, stacklevel=3)
            return self
        from layerwise.neuron.solvers import solve
        from layerwise.neuron.solvers.problem import Problem

        row = PENALTIES[self.penalty]
        problem = Problem(
            X, targets, self.loss,
            l1=row.l1(self.penalty_strength, self.mix), l2=row.l2(self.penalty_strength, self.mix),
            intercept=self.fit_intercept, weights=weights, tolerance=self.tolerance, limit=int(self.max_iter),
        )  # fmt: skip
        if goes_on and self.coef_.size == X.shape[1]:
            start_bias = float(np.ravel(self.intercept_)[0])
            problem = replace(problem, start=self.coef_.ravel().astype(np.float64), start_bias=start_bias)
        classes = len(self.classes_) if self._classifies else 0
        seed = int(check_random_state(self.random_state).randint(2**31 - 1)) if self.loss == "perceptron" else 0
        solution = solve(problem, classes, seed)
        self._keep(solution.weights, solution.biases, targets)
        self.solver_, self.n_iter_, self.objective_ = solution.solver, solution.iterations, solution.objective
        self.gap_, self.gap_kind_ = solution.distance, solution.measure
        self.converged_, self.note_ = solution.converged, solution.note
        self._descent: DenseStack | SparseSGD | None = None
        self.loss_curve_: list[float] = []
        if not solution.converged:
            warnings.warn(solution.note or self._unfinished(), ConvergenceWarning, stacklevel=3)
        return self

    def _is_endless(self, X: Any, targets: NDArray[Any], weights: Any) -> bool:
        """Whether a loss without a minimum was descended on: classes told apart without a fault, and no penalty."""
        if self.loss not in ("logistic", "cross-entropy") or (self.penalty != "none" and self.penalty_strength > 0):
            return False
        z = self._sums(X)
        if self.loss == "logistic":
            is_right = z * targets.reshape(z.shape) > 0
        else:
            is_right = z.argmax(1)[:, None] == targets[:, None]
        return bool(is_right.all() if weights is None else is_right[weights > 0].all())

    def _unfinished(self) -> str:
        return (
            f"{self.solver_} stopped after {self.n_iter_} iterations with {self.gap_kind_} {self.gap_:.1e}, above the "
            f"tolerance {self.tolerance:g}; raise max_iter, scale the columns or ask for less."
        )

    def _descend(self, X: Any, targets: NDArray[Any], weights: Any, *, goes_on: bool, epochs: int) -> Self:
        from layerwise.estimators.descent import descend

        start = (np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)) if goes_on else None
        network, losses = descend(self, X, targets, weights, start, epochs)
        W, b = network.weights[0]
        self._keep(W.astype(np.float64), b.astype(np.float64), targets)
        self.solver_ = f"{self.optimizer}, batches of {self.batch_size}"
        before = self.loss_curve_ if goes_on else []
        self._descent, self.loss_curve_ = network, [*before, *losses]
        self.n_iter_ = len(self.loss_curve_)
        price = PENALTIES[self.penalty].value(W.astype(np.float64), self.penalty_strength, self.mix)
        self.objective_ = losses[-1] * (1 if self.loss == "cross-entropy" else len(W)) + price
        self.converged_, self.note_ = True, ""
        return self

    def _keep(self, weights: NDArray[Any], biases: NDArray[Any], targets: NDArray[Any]) -> None:
        self.coef_: NDArray[Any] = weights
        self.intercept_: Any = biases
        if not self._classifies and targets.ndim == 1:
            self.coef_, self.intercept_ = weights[0], float(biases[0])

    def _outputs(self, X: Any) -> NDArray[Any]:
        """Return w . x + b for every neuron, (n, neurons)."""
        return self._sums(check_inputs(self, X))

    def _sums(self, X: Any) -> NDArray[Any]:
        outputs: NDArray[Any] = np.asarray(X @ np.atleast_2d(self.coef_).T) + np.atleast_1d(self.intercept_)
        return outputs
