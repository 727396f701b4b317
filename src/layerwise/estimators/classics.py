"""Four classic models: the neuron with two words filled in, and for the SVM the penalty that is part of it."""

from __future__ import annotations

from layerwise.estimators.neuron import Neuron


class Perceptron(Neuron, activation="identity", loss="perceptron"):
    """Rosenblatt 1958: whoever is on the wrong side of the line pulls it over."""


class LinearRegression(Neuron, activation="identity", loss="squared"):
    """Legendre 1805, Gauss 1809: the least squares."""


class LinearSVM(Neuron, activation="identity", loss="hinge", penalty="l2"):
    """Cortes and Vapnik 1995: the line with the widest margin on both sides."""


class LogisticRegression(Neuron, activation="sigmoid", loss="logistic"):
    """Cox 1958: the weighted sum as a probability."""
