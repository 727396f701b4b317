"""The activations: what a neuron does to its weighted sum z, as a table of value, derivative and facts.

    a = value(z),    da/dz = slope(z, a)

The slope is given both z and a, because for some functions it is cheap in terms of the value: for the sigmoid it
is a * (1 - a). Softmax and maxout look at several sums at once; they take them along the last axis, and their slope
is the Jacobian, with one more axis at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, pi, sqrt

import numpy as np

from layerwise.neuron.tables.elementary import Array, erf, exp, expit, maximum, softplus, tanh, where

LEAK = 0.01  # slope of the leaky ReLU below zero, as in PyTorch
SELU_SCALE = 1.0507009873554805  # the fixed point of Klambauer et al., equation 14
SELU_ALPHA = 1.6732632423543772
TANH_SCALE, TANH_SLOPE = 1.7159, 2 / 3  # LeCun et al. 1998: about the identity at -1 and 1
MAXOUT_PIECES = 2  # weighted sums that a maxout neuron chooses from


@dataclass(frozen=True)
class Activation:
    """A row of the table.

    formula, derivative_formula: as text, z is the weighted sum and a the value.
    value(z): an array of the shape of z; for maxout without its last axis.
    slope(z, a): da/dz, of the shape of z; for softmax and maxout the Jacobian da_i/dz_j, the last axis j.
    range: the smallest and the largest value; reached or only approached.
    saturates: where the slope goes to zero, so that no gradient passes.
    initial: the rule for the first weights of a layer that feeds it (see initial_weights.py): he, glorot or lecun.
    elementwise: every value follows from one weighted sum.
    """

    name: str
    formula: str
    derivative_formula: str
    value: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]
    range: tuple[float, float]
    saturates: str
    used: str
    source: str
    initial: str = "he"
    elementwise: bool = True

    def derivative(self, z: Array) -> Array:
        """Return da/dz at the weighted sums z."""
        return self.slope(z, self.value(z))


def identity(z: Array) -> Array:
    return z


def identity_slope(z: Array, a: Array) -> Array:
    return 0 * z + 1


def sigmoid(z: Array) -> Array:
    return expit(z)


def sigmoid_slope(z: Array, a: Array) -> Array:
    return a * (1 - a)


def hyperbolic_tangent(z: Array) -> Array:
    return tanh(z)


def hyperbolic_tangent_slope(z: Array, a: Array) -> Array:
    return 1 - a * a


def scaled_tanh(z: Array) -> Array:
    return TANH_SCALE * tanh(TANH_SLOPE * z)


def scaled_tanh_slope(z: Array, a: Array) -> Array:
    return TANH_SLOPE * (TANH_SCALE - a * a / TANH_SCALE)


def relu(z: Array) -> Array:
    return maximum(z, 0)


def relu_slope(z: Array, a: Array) -> Array:
    return where(z > 0, 0 * z + 1, 0)


def leaky_relu(z: Array) -> Array:
    return where(z > 0, z, LEAK * z)


def leaky_relu_slope(z: Array, a: Array) -> Array:
    return where(z > 0, 0 * z + 1, LEAK)


def elu(z: Array) -> Array:
    return where(z > 0, z, exp(-maximum(-z, 0)) - 1)  # the exponent is z where it counts and never above 0


def elu_slope(z: Array, a: Array) -> Array:
    return where(z > 0, 0 * z + 1, a + 1)


def selu(z: Array) -> Array:
    return SELU_SCALE * where(z > 0, z, SELU_ALPHA * (exp(-maximum(-z, 0)) - 1))


def selu_slope(z: Array, a: Array) -> Array:
    return where(z > 0, 0 * z + SELU_SCALE, a + SELU_SCALE * SELU_ALPHA)


def gelu(z: Array) -> Array:
    return z * (1 + erf(z / sqrt(2))) / 2


def gelu_slope(z: Array, a: Array) -> Array:
    return (1 + erf(z / sqrt(2))) / 2 + z * exp(-z * z / 2) / sqrt(2 * pi)


def softplus_activation(z: Array) -> Array:
    return softplus(z)


def softplus_slope(z: Array, a: Array) -> Array:
    return expit(z)


def silu(z: Array) -> Array:
    return z * expit(z)


def silu_slope(z: Array, a: Array) -> Array:
    return expit(z) * (1 + z - a)


def maxout(z: Array) -> Array:
    return z.max(-1)


def maxout_slope(z: Array, a: Array) -> Array:
    return np.where(np.arange(z.shape[-1]) == z.argmax(-1)[..., None], z.dtype.type(1), z.dtype.type(0))


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_slope(z: Array, a: Array) -> Array:
    return a[..., :, None] * (np.eye(z.shape[-1], dtype=z.dtype) - a[..., None, :])


_ROWS = (
    Activation(
        "identity", "a = z", "da/dz = 1", identity, identity_slope, (-inf, inf),
        saturates="nowhere",
        used="output of a regression, the perceptron, the SVM; hidden layers with it are together one linear layer",
        source="the linear unit: Widrow and Hoff 1960, 'Adaptive switching circuits'",
        initial="glorot",
    ),
    Activation(
        "sigmoid", "a = 1 / (1 + exp(-z))", "da/dz = a (1 - a)", sigmoid, sigmoid_slope, (0.0, 1.0),
        saturates="on both sides, beyond about |z| = 5; the slope is at most 1/4",
        used="output for two classes, as a probability; gates of LSTM and GRU; hidden layers before 2010",
        source="Verhulst 1838; as an activation Rumelhart, Hinton and Williams 1986",
        initial="glorot",
    ),
    Activation(
        "tanh", "a = tanh(z)", "da/dz = 1 - a^2", hyperbolic_tangent, hyperbolic_tangent_slope, (-1.0, 1.0),
        saturates="on both sides, beyond about |z| = 2.5; the slope is at most 1",
        used="hidden layers of small networks, recurrent networks",
        source="LeCun, Bottou, Orr and Mueller 1998, 'Efficient backprop', section 4.4",
        initial="glorot",
    ),
    Activation(
        "scaled-tanh", "a = 1.7159 tanh(2/3 z)", "da/dz = 2/3 (1.7159 - a^2 / 1.7159)", scaled_tanh, scaled_tanh_slope,
        (-TANH_SCALE, TANH_SCALE),
        saturates="on both sides, beyond about |z| = 4; the slope is at most 1.144",
        used="LeNet-5 as published",
        source="LeCun, Bottou, Bengio and Haffner 1998, Appendix A",
        initial="glorot",
    ),
    Activation(
        "relu", "a = max(z, 0)", "da/dz = 1 if z > 0, else 0", relu, relu_slope, (0.0, inf),
        saturates="below 0, wholly: a neuron that is below 0 for all samples is dead",
        used="hidden layers of most networks",
        source="Nair and Hinton 2010; Glorot, Bordes and Bengio 2011, 'Deep sparse rectifier neural networks'",
    ),
    Activation(
        "leaky-relu", "a = z if z > 0, else 0.01 z", "da/dz = 1 if z > 0, else 0.01", leaky_relu, leaky_relu_slope,
        (-inf, inf),
        saturates="nowhere; the slope below 0 is small",
        used="discriminators of GANs, and where ReLUs die",
        source="Maas, Hannun and Ng 2013, 'Rectifier nonlinearities improve neural network acoustic models'",
    ),
    Activation(
        "elu", "a = z if z > 0, else exp(z) - 1", "da/dz = 1 if z > 0, else a + 1", elu, elu_slope, (-1.0, inf),
        saturates="far below 0, beyond about z = -5",
        used="hidden layers, for means nearer to 0 than those of ReLUs",
        source="Clevert, Unterthiner and Hochreiter 2016, https://arxiv.org/abs/1511.07289",
    ),
    Activation(
        "selu", "a = 1.0507 z if z > 0, else 1.7581 (exp(z) - 1)", "da/dz = 1.0507 if z > 0, else a + 1.7581",
        selu, selu_slope, (-SELU_SCALE * SELU_ALPHA, inf),
        saturates="far below 0, beyond about z = -5",
        used="deep dense stacks without normalisation: mean 0 and variance 1 are a fixed point",
        source="Klambauer, Unterthiner, Mayr and Hochreiter 2017, https://arxiv.org/abs/1706.02515",
        initial="lecun",
    ),
    Activation(
        "gelu", "a = z Phi(z), Phi the normal distribution function", "da/dz = Phi(z) + z phi(z)", gelu, gelu_slope,
        (-0.16997, inf),
        saturates="far below 0, beyond about z = -3",
        used="Transformers",
        source="Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415; exact, not its tanh approximation",
    ),
    Activation(
        "softplus", "a = log(1 + exp(z))", "da/dz = 1 / (1 + exp(-z))", softplus_activation, softplus_slope, (0.0, inf),
        saturates="far below 0, beyond about z = -5",
        used="outputs that must be positive (variances); a smooth ReLU",
        source="Dugas, Bengio, Belisle, Nadeau and Garcia 2001",
    ),
    Activation(
        "silu", "a = z sigmoid(z)", "da/dz = s (1 + z - a), s = sigmoid(z)", silu, silu_slope, (-0.27846, inf),
        saturates="far below 0, beyond about z = -5",
        used="hidden layers of modern convolutional networks and language models; also called swish",
        source="Elfwing, Uchibe and Doya 2018; Ramachandran, Zoph and Le 2017, https://arxiv.org/abs/1710.05941",
    ),
    Activation(
        "maxout", "a = max(z1, z2), two weighted sums a neuron", "da/dzi = 1 for the larger, else 0",
        maxout, maxout_slope, (-inf, inf),
        saturates="nowhere",
        used="hidden layers with dropout; learns its own convex function, at twice the weights",
        source="Goodfellow, Warde-Farley, Mirza, Courville and Bengio 2013, https://arxiv.org/abs/1302.4389",
        elementwise=False,
    ),
    Activation(
        "softmax", "a_i = exp(z_i) / sum_j exp(z_j)", "da_i/dz_j = a_i ((i = j) - a_j)", softmax, softmax_slope,
        (0.0, 1.0),
        saturates="where one sum is far above all others",
        used="output for several classes, as probabilities; attention",
        source="Bridle 1990, 'Probabilistic interpretation of feedforward classification network outputs'",
        initial="glorot",
        elementwise=False,
    ),
)  # fmt: skip

ACTIVATIONS: Mapping[str, Activation] = {row.name: row for row in _ROWS}
SYNONYMS: Mapping[str, str] = {"swish": "silu", "linear": "identity", "logistic": "sigmoid"}
