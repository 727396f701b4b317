"""The pictures of the lessons, looked at by a program: no text lies on another."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from layerwise.lessons.backprop import backprop, small_network
from layerwise.neuron.functions.cost import NeuronCost
from layerwise.neuron.functions.descent import compare
from layerwise.neuron.functions.minibatches import descend_on_data
from layerwise.neuron.solvers.paths import coefficient_path
from layerwise.reports.chains import chain_figure, short
from layerwise.reports.curves import activation_figure
from layerwise.reports.descents import descent_figure
from layerwise.reports.neurons import neuron_figure
from layerwise.reports.paths import path_figure, spread

FEATURES = [f"a feature of number {place}" for place in range(5)]


def neuron(activation, loss, features):
    x = np.random.default_rng(0).normal(size=(60, features))
    y = np.where(x[:, 0] + 0.1 * x[:, 1] > 0, 1.0, 0.0 if loss == "logistic" else -1.0)
    penalty = ("l2", 0.01) if loss == "hinge" else ("none", 0.0)
    descent = descend_on_data(NeuronCost(x, y, activation, loss, *penalty), 10, epochs=5)
    mistakes = np.full((2, len(descent.epochs)), 0.1) if loss == "perceptron" else None
    return neuron_figure(descent, descent.costs, FEATURES[:features], ("one side", "the other"), "", mistakes)


def paths():
    x = np.random.default_rng(0).normal(size=(80, 5))
    path = coefficient_path(x, x @ [0.10, 0.11, 0.12, -0.1, 3.0], "l1", count=20)
    return path_figure(path, FEATURES, np.linspace(0, 1, 20), 17)


FIGURES = {
    "svm in the plane": lambda: neuron("identity", "hinge", 2),
    "perceptron": lambda: neuron("identity", "perceptron", 5),
    "logistic regression": lambda: neuron("sigmoid", "logistic", 5),
    "rates": lambda: descent_figure(compare("x**2", 9, [0.1, 0.9, 1.1], steps=20)),
    "optimisers": lambda: descent_figure(compare("x**2+10*y**2", [9, 3], [0.05], ["sgd", "momentum", "adam", "adamw"])),
    "backprop": lambda: chain_figure(backprop(small_network((2, 3, 1), "sigmoid", "sigmoid", 0), (0.5, -1), (1,))),
    "path": paths,
    "activations": lambda: activation_figure(["sigmoid", "maxout", "softplus", "relu", "tanh"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_of_a_picture_lies_on_another(name):
    figure = FIGURES[name]()
    FigureCanvasAgg(figure).draw()
    texts = [text for axes in figure.axes if axes.get_visible() for text in _texts(axes) if text.get_text()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    assert len(boxes) > 5
    assert [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if _overlap(one, other)] == []


def _texts(axes):
    """Return labels, title, legend, notes, and the ticks that are drawn: those beyond the limits are not."""
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_yaxis().get_view_interval())):
        low, high = sorted(limits)
        yield axis.label
        yield from (tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high)
    yield axes._left_title
    yield from axes.texts
    yield from axes.get_legend().get_texts() if axes.get_legend() else ()


def _overlap(one, other):
    return min(one.x1, other.x1) - max(one.x0, other.x0) > 1 and min(one.y1, other.y1) - max(one.y0, other.y0) > 1


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=12), st.floats(0.01, 2))
def test_names_are_moved_apart_as_far_as_needed_around_their_common_middle(heights, gap):
    heights = sorted(heights)
    moved = np.array(spread(np.array(heights), gap))
    assert (np.diff(moved) >= gap - 1e-9).all()
    assert moved.mean() == pytest.approx(np.mean(heights), abs=1e-9)
    if (np.diff(heights) >= gap + 1e-9).all():
        assert moved == pytest.approx(heights)


@pytest.mark.parametrize(
    ("value", "text"), [(-0.3931, "-0.39"), (-0.01123, "-.011"), (-0.000423, "-.0004"), (4.8e-5, "5e-5"), (1e-15, "0")]
)
def test_a_number_is_short_enough_for_a_circle(value, text):
    assert short(value) == text
