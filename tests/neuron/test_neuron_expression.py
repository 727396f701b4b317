"""Functions as text: values and derivatives against PyTorch's autograd, and what is refused."""

import math
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.functional import hessian as second_derivatives
from torch.autograd.functional import jacobian

from layerwise.errors import UsageError
from layerwise.neuron.functions.expression import FUNCTIONS, PAIRS, parse


def on_tensors(function):
    return lambda *values: function(*(torch.as_tensor(value, dtype=torch.float64) for value in values))


TORCH_FUNCTIONS = {
    **{name: getattr(torch, name) for name in FUNCTIONS if hasattr(torch, name)},
    "relu": torch.relu,
    "softplus": lambda x: torch.logaddexp(torch.zeros_like(x), x),
    "max": torch.maximum,
    "min": torch.minimum,
}
TORCH = {name: on_tensors(function) for name, function in TORCH_FUNCTIONS.items()} | {"pi": math.pi, "e": math.e}


def numbers(low: float = -2, high: float = 2) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda number: round(number, 3))


def texts() -> st.SearchStrategy[str]:
    """Functions of x and y that are smooth and tame wherever x and y are small."""
    leaves = st.one_of(st.sampled_from(["x", "y", "x2", "pi"]), numbers(0, 3).map(str))
    tame = ["sin", "cos", "tanh", "atan", "sigmoid", "softplus"]

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: f"({' '.join(parts)})"),
            st.tuples(st.sampled_from(tame), inner).map(lambda parts: f"{parts[0]}({parts[1]})"),
            st.tuples(inner, st.sampled_from([2, 3])).map(lambda parts: f"sin({parts[0]})**{parts[1]}"),
            inner.map(lambda text: f"-{text}"),
            st.tuples(inner, inner).map(lambda parts: f"{parts[0]} / (1.5 + cos({parts[1]}))"),
            inner.map(lambda text: f"log(2 + tanh({text}))"),
            inner.map(lambda text: f"sqrt(1.5 + sin({text}))"),
            inner.map(lambda text: f"exp(-abs({text}))"),
            st.tuples(inner, inner).map(lambda parts: f"(2 + sin({parts[0]})) ** (1.5 + tanh({parts[1]}))"),
        )

    return st.recursive(leaves, grow, max_leaves=8)


@settings(deadline=None)  # the first autograd Hessian loads much of PyTorch
@given(texts(), st.lists(numbers(), min_size=3, max_size=3))
def test_value_gradient_and_hessian_are_those_of_autograd(text, values):
    text = f"{text} + 0*x"
    function = parse(text)
    point = values[: len(function.names)]

    def oracle(x):
        variables = dict(zip(function.names, x, strict=True))
        return eval(text, {"__builtins__": {}}, {**TORCH, **variables}) + 0 * x.sum()

    tensor = torch.tensor(point, dtype=torch.float64)
    jet = function.derivatives(point)
    gradient = jacobian(oracle, tensor).numpy()
    hessian = second_derivatives(oracle, tensor).numpy()
    assert function.value(point) == pytest.approx(float(oracle(tensor)), rel=1e-9, abs=1e-9)
    assert jet.value == pytest.approx(function.value(point), rel=1e-12, abs=1e-12)
    is_smooth = np.isfinite(gradient).all() and np.isfinite(hessian).all() and "abs" not in text
    if is_smooth:
        np.testing.assert_allclose(jet.gradient, gradient, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(jet.hessian, hessian, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("place", [0.3, 1.7])
def test_every_function_has_the_derivatives_of_autograd(name, place):
    point = torch.tensor([place], dtype=torch.float64)
    jet = parse(f"{name}(x)").derivatives([place])
    assert jet.gradient[0] == pytest.approx(float(jacobian(lambda x: TORCH[name](x).sum(), point)))
    second = float(second_derivatives(lambda x: TORCH[name](x).sum(), point))
    assert jet.hessian[0, 0] == pytest.approx(second, abs=1e-12)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("point", [[0.5, 2.0], [2.0, 0.5], [1.0, 1.0]])
def test_the_larger_and_the_smaller_pass_the_gradient_as_in_autograd(name, point):
    x = torch.tensor(point, dtype=torch.float64, requires_grad=True)
    TORCH[name](x[0] * 1.0, x[1] * 1.0).backward()
    np.testing.assert_array_equal(parse(f"{name}(x, y)").gradient(point), x.grad)


def test_derivatives_exist_where_a_power_touches_zero_or_a_negative_base():
    assert parse("x**2").hessian([0.0])[0, 0] == 2
    assert parse("x**1").hessian([0.0])[0, 0] == 0
    assert parse("x**3").gradient([-2.0])[0] == 12
    assert parse("2**x").gradient([1.0])[0] == pytest.approx(2 * math.log(2))


def test_an_exponent_of_zero_keeps_its_mixed_derivative():
    """d2/dxdy x**y = x**(y-1) (1 + y log x), 1/x at y = 0; PyTorch's second derivative is 0 there."""
    assert parse("x**y").hessian([2.0, 0.0])[0, 1] == 0.5


def test_arrays_give_values_element_by_element():
    x, y = np.meshgrid(np.linspace(-1, 1, 3), np.linspace(0, 2, 4))
    np.testing.assert_allclose(parse("x*y + 1")(x, y), x * y + 1)
    np.testing.assert_allclose(parse("0*x + 4")(x), np.full_like(x, 4))


def test_variables_stand_in_natural_order():
    assert parse("x10 + x2 + x1").names == ("x1", "x2", "x10")


def test_outside_its_domain_a_function_is_not_a_number():
    assert math.isnan(parse("log(x)").value([-1.0]))
    assert math.isnan(parse("sqrt(x)").value([-1.0]))
    assert math.isinf(parse("exp(x)").value([1e4]))
    assert math.isinf(parse("9**9**9**9**x").value([1.0]))  # in floats: no time, no memory


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["empty"]),
        ("3 + 4", ["no variable"]),
        ("x^2", ["column 2", "'^'", "x**2"]),
        ("2x", ["operator is missing", "2*x"]),
        ("2 x", ["operator is missing"]),
        ("(x + 1", ["bracket"]),
        ("x +", ["column 3"]),
        ("sine(x)", ["column 1", "'sine'", "'sin'"]),
        ("y + x(3)", ["column 5", "x*(...)"]),
        ("sin", ["column 1", "sin(x)"]),
        ("1 + sin(x, y)", ["column 5", "one argument", "received 2"]),
        ("max(x)", ["two arguments"]),
        ("x // 2", ["'//'"]),
        ("x.real", ["no mathematical operation"]),
        ("__import__('os')", ["column 12"]),
        ("x if x else y", ["no mathematical operation"]),
        ("lambda x: x", ["column 9"]),
        ("0,5 * x", ["comma", "0.5"]),
        ("2j * x", ["no mathematical operation"]),
        ("True + x", ["column 1"]),
        ("1e999 * x", ["column 1", "too large"]),
        ("9" * 400 + "*x", ["too large"]),
        ("x" * 501, ["501 characters"]),
        ("-" * 400 + "x", ["nests too deeply"]),
        ("(" * 240 + "x" + ")" * 240, ["cannot be read"]),
        ("+".join(f"a{number}" for number in range(21)), ["21 variables"]),
        ("é + x // 2", ["column 5", "'//'"]),
        ("x\x00", ["column 2"]),
    ],
)
def test_a_wrong_function_is_refused_in_one_sentence_with_the_place(text, parts):
    with pytest.raises(UsageError) as refusal:
        parse(text)
    assert "\n" not in str(refusal.value)
    assert all(part in str(refusal.value) for part in parts), str(refusal.value)


def test_brackets_alone_do_not_count_as_nesting():
    assert parse("(" * 100 + "x" + ")" * 100).value([2.0]) == 2


@given(st.text(alphabet="xy12.+-*/() ,sincoexplgab=[]{}\"'\n:^é", max_size=40))
def test_any_text_is_read_or_refused_in_a_sentence(text):
    with suppress(UsageError):
        function = parse(text)
        function.derivatives([0.5] * len(function.names))
