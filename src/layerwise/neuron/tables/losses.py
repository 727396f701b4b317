"""The losses: what an error costs, as a table of value, derivative and facts.

Each is a function of the network's output o and the target y of one sample; the cost J is the mean over the samples
(and, for losses that look at one output at a time, over the outputs). The derivative is dJ/do of one output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from layerwise.neuron.tables.activations import softmax
from layerwise.neuron.tables.elementary import Array, absolute, expit, maximum, minimum, sign, softplus, where

HUBER_WIDTH = 1.0  # errors up to this cost their square, as in PyTorch

TARGETS: Mapping[str, str] = {
    "numbers": "any numbers",
    "signs": "-1 and 1",
    "bits": "0 and 1",
    "classes": "class numbers 0, 1, 2, ...",
}


@dataclass(frozen=True)
class Loss:
    """A row of the table.

    value(o, y): the loss of each output, of the shape of o; for cross-entropy the last axis, the classes, is gone.
    slope(o, y): its derivative by o, of the shape of o.
        For cross-entropy y holds shares of classes (one 1 a sample), of the shape of o.
    targets: a key of TARGETS, what y must be.
    link: the activation that turns the output into what it means. Where it is not the identity, the loss is computed
        on the raw output and contains the link, which is exact where the probability is close to 0 or 1.
    convex: in the output, and so in the weights of a single neuron.
    elementwise: every output has a loss of its own.
    """

    name: str
    formula: str
    derivative_formula: str
    value: Callable[[Array, Array], Array]
    slope: Callable[[Array, Array], Array]
    targets: str
    used: str
    source: str
    link: str = "identity"
    convex: bool = True
    elementwise: bool = True


def squared(o: Array, y: Array) -> Array:
    return (o - y) * (o - y)


def squared_slope(o: Array, y: Array) -> Array:
    return 2 * (o - y)


def absolute_error(o: Array, y: Array) -> Array:
    return absolute(o - y)


def absolute_error_slope(o: Array, y: Array) -> Array:
    return sign(o - y)


def huber(o: Array, y: Array) -> Array:
    inner = minimum(absolute(o - y), HUBER_WIDTH)
    return inner * (absolute(o - y) - inner / 2)


def huber_slope(o: Array, y: Array) -> Array:
    return minimum(maximum(o - y, -HUBER_WIDTH), HUBER_WIDTH)


def perceptron(o: Array, y: Array) -> Array:
    return maximum(-y * o, 0)


def perceptron_slope(o: Array, y: Array) -> Array:
    return where(y * o <= 0, -y, 0 * y)  # at 0, too: else weights of zero would never learn


def hinge(o: Array, y: Array) -> Array:
    return maximum(1 - y * o, 0)


def hinge_slope(o: Array, y: Array) -> Array:
    return where(y * o < 1, -y, 0 * y)


def squared_hinge(o: Array, y: Array) -> Array:
    return maximum(1 - y * o, 0) * maximum(1 - y * o, 0)


def squared_hinge_slope(o: Array, y: Array) -> Array:
    return -2 * y * maximum(1 - y * o, 0)


def logistic(o: Array, y: Array) -> Array:
    return softplus(o) - y * o


def logistic_slope(o: Array, y: Array) -> Array:
    return expit(o) - y


def cross_entropy(o: Array, y: Array) -> Array:
    top = o.max(-1, keepdims=True)
    log_shares = o - top - np.log(np.exp(o - top).sum(-1, keepdims=True))
    return -(y * log_shares).sum(-1)


def cross_entropy_slope(o: Array, y: Array) -> Array:
    return softmax(o) * y.sum(-1, keepdims=True) - y


_ROWS = (
    Loss(
        "squared", "J = (o - y)^2", "dJ/do = 2 (o - y)", squared, squared_slope, "numbers",
        used="regression: the answer is the mean",
        source="Legendre 1805, Gauss 1809",
    ),
    Loss(
        "absolute", "J = |o - y|", "dJ/do = sign(o - y)", absolute_error, absolute_error_slope, "numbers",
        used="regression with outliers: the answer is the median",
        source="Laplace 1774",
    ),
    Loss(
        "huber", "J = e^2 / 2 if |e| <= 1, else |e| - 1/2, e = o - y", "dJ/do = e, held between -1 and 1",
        huber, huber_slope, "numbers",
        used="regression with a few outliers: smooth at 0 and linear far out",
        source="Huber 1964, 'Robust estimation of a location parameter'",
    ),
    Loss(
        "perceptron", "J = max(-y o, 0)", "dJ/do = -y if y o <= 0, else 0", perceptron, perceptron_slope, "signs",
        used="the perceptron: right answers cost nothing, however narrow",
        source="Rosenblatt 1958, 'The perceptron'; as a loss Collobert and Bengio 2004",
    ),
    Loss(
        "hinge", "J = max(1 - y o, 0)", "dJ/do = -y if y o < 1, else 0", hinge, hinge_slope, "signs",
        used="the support vector machine: right answers must have a margin of 1",
        source="Cortes and Vapnik 1995, 'Support-vector networks'",
    ),
    Loss(
        "squared-hinge", "J = max(1 - y o, 0)^2", "dJ/do = -2 y max(1 - y o, 0)", squared_hinge, squared_hinge_slope,
        "signs",
        used="the support vector machine with a smooth loss (L2-SVM)",
        source="Cortes and Vapnik 1995; Chang, Hsieh and Lin 2008",
    ),
    Loss(
        "logistic", "J = log(1 + exp(o)) - y o = -y log p - (1 - y) log(1 - p), p = sigmoid(o)", "dJ/do = p - y",
        logistic, logistic_slope, "bits",
        used="two classes, or several labels at once: the answer is a probability; binary cross-entropy",
        source="Cox 1958, 'The regression analysis of binary sequences'",
        link="sigmoid",
    ),
    Loss(
        "cross-entropy", "J = -log p_y, p = softmax(o)", "dJ/do_i = p_i - (i = y)", cross_entropy, cross_entropy_slope,
        "classes",
        used="one class out of several: the answers are probabilities",
        source="Bridle 1990; Cox 1966 for the model",
        link="softmax",
        elementwise=False,
    ),
)  # fmt: skip

LOSSES: Mapping[str, Loss] = {row.name: row for row in _ROWS}
