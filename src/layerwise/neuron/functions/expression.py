"""Functions written as text, such as "(1-x)**2 + 100*(y-x**2)**2": read without `eval`, differentiated exactly.

Python's own grammar reads the text; a whitelist of operations is all that can be in it. Every operation stands in a
table beside its first and second derivative, and the chain rule carries value, gradient and Hessian from the
variables up to the whole (forward differentiation of second order; Griewank and Walther 2008, chapter 13).
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.errors import UsageError, nearest
from layerwise.neuron.tables.elementary import expit, softplus

Floats = NDArray[np.float64]

LENGTH_LIMIT = 500  # characters
DEPTH_LIMIT = 60  # operations inside one another
VARIABLES_AT_MOST = 20
TOO_DEEP = f"The function nests too deeply; at most {DEPTH_LIMIT} operations can stand inside one another."


def _power(base: Any, exponent: Any) -> Any:
    return np.power(np.asarray(base, dtype=np.float64), exponent)


def _times_power(factor: Any, base: Any, exponent: Any) -> Any:
    """factor * base**exponent, and 0 for a factor of 0 even where the power is infinite."""
    return np.where(np.equal(factor, 0), 0.0, factor * _power(base, exponent))


def _sigmoid_slope(x: Any) -> Any:
    return expit(x) * expit(-x)


@dataclass(frozen=True)
class Unary:
    """A function of one argument with its first and second derivative."""

    value: Callable[[Any], Any]
    first: Callable[[Any], Any]
    second: Callable[[Any], Any]


@dataclass(frozen=True)
class Binary:
    """A function of two arguments; first gives (f_a, f_b), second (f_aa, f_ab, f_bb)."""

    value: Callable[[Any, Any], Any]
    first: Callable[[Any, Any], tuple[Any, Any]]
    second: Callable[[Any, Any], tuple[Any, Any, Any]]


# Where a function has a corner (abs and relu at 0, max and min at a tie) the derivative is PyTorch's choice.
FUNCTIONS: Mapping[str, Unary] = {
    "sin": Unary(np.sin, np.cos, lambda x: -np.sin(x)),
    "cos": Unary(np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x)),
    "tan": Unary(np.tan, lambda x: 1 + np.tan(x) ** 2, lambda x: 2 * np.tan(x) * (1 + np.tan(x) ** 2)),
    "atan": Unary(np.arctan, lambda x: 1 / (1 + x**2), lambda x: -2 * x / (1 + x**2) ** 2),
    "sinh": Unary(np.sinh, np.cosh, np.sinh),
    "cosh": Unary(np.cosh, np.sinh, np.cosh),
    "tanh": Unary(np.tanh, lambda x: 1 - np.tanh(x) ** 2, lambda x: -2 * np.tanh(x) * (1 - np.tanh(x) ** 2)),
    "exp": Unary(np.exp, np.exp, np.exp),
    "log": Unary(np.log, lambda x: np.where(x < 0, np.nan, 1 / x), lambda x: np.where(x < 0, np.nan, -1 / x**2)),
    "sqrt": Unary(np.sqrt, lambda x: 0.5 / np.sqrt(x), lambda x: -0.25 / (x * np.sqrt(x))),
    "abs": Unary(np.abs, np.sign, lambda x: 0.0 * x),
    "sigmoid": Unary(expit, _sigmoid_slope, lambda x: _sigmoid_slope(x) * (1 - 2 * expit(x))),
    "relu": Unary(lambda x: np.maximum(x, 0.0), lambda x: np.where(x > 0, 1.0, 0.0), lambda x: 0.0 * x),
    "softplus": Unary(softplus, expit, _sigmoid_slope),
}
NEGATION = Unary(lambda x: -x, lambda x: -1.0, lambda x: 0.0)

OPERATORS: Mapping[type[ast.operator], Binary] = {
    ast.Add: Binary(lambda a, b: a + b, lambda a, b: (1.0, 1.0), lambda a, b: (0.0, 0.0, 0.0)),
    ast.Sub: Binary(lambda a, b: a - b, lambda a, b: (1.0, -1.0), lambda a, b: (0.0, 0.0, 0.0)),
    ast.Mult: Binary(lambda a, b: a * b, lambda a, b: (b, a), lambda a, b: (0.0, 1.0, 0.0)),
    ast.Div: Binary(
        lambda a, b: np.divide(a, b),
        lambda a, b: (np.divide(1.0, b), -np.divide(a, b * b)),
        lambda a, b: (0.0, -np.divide(1.0, b * b), np.divide(2 * a, b * b * b)),
    ),
    ast.Pow: Binary(
        _power,
        lambda a, b: (_times_power(b, a, b - 1), _power(a, b) * np.log(a)),
        lambda a, b: (
            _times_power(b * (b - 1), a, b - 2),
            _power(a, b - 1) * (1 + b * np.log(a)),
            _power(a, b) * np.log(a) ** 2,
        ),
    ),
}
PAIRS: Mapping[str, Binary] = {
    "max": Binary(
        lambda a, b: np.maximum(a, b),
        lambda a, b: (np.heaviside(a - b, 0.5), np.heaviside(b - a, 0.5)),
        lambda a, b: (0.0, 0.0, 0.0),
    ),
    "min": Binary(
        lambda a, b: np.minimum(a, b),
        lambda a, b: (np.heaviside(b - a, 0.5), np.heaviside(a - b, 0.5)),
        lambda a, b: (0.0, 0.0, 0.0),
    ),
}
CONSTANTS: Mapping[str, float] = {"pi": np.pi, "e": np.e}
ALLOWED = (
    f"allowed are numbers, variables, + - * / **, brackets, {', '.join(CONSTANTS)}, and the functions "
    f"{', '.join([*FUNCTIONS, *PAIRS])}"
)


@dataclass(frozen=True)
class Jet:
    """A number that depends on n variables: value, gradient (n,) and Hessian (n, n) at one point."""

    value: Any
    gradient: Floats
    hessian: Floats


Value = Any  # a float or an array of them, or a Jet


def _apply(function: Unary, a: Value) -> Value:
    """f(a), by the chain rule where `a` depends on the variables."""
    if not isinstance(a, Jet):
        return function.value(a)
    first, second = function.first(a.value), function.second(a.value)
    bent = second * np.outer(a.gradient, a.gradient)
    return Jet(function.value(a.value), first * a.gradient, bent + first * a.hessian)


def _combine(function: Binary, a: Value, b: Value) -> Value:
    """f(a, b), by the chain rule; an argument that is a plain number has no gradient and adds nothing."""
    if not isinstance(a, Jet) and not isinstance(b, Jet):
        return function.value(a, b)
    x, y = (one.value if isinstance(one, Jet) else np.float64(one) for one in (a, b))
    f_a, f_b = function.first(x, y)
    f_aa, f_ab, f_bb = function.second(x, y)
    gradient: Any = 0.0
    hessian: Any = 0.0
    if isinstance(a, Jet):
        gradient = gradient + f_a * a.gradient
        hessian = hessian + f_aa * np.outer(a.gradient, a.gradient) + f_a * a.hessian
    if isinstance(b, Jet):
        gradient = gradient + f_b * b.gradient
        hessian = hessian + f_bb * np.outer(b.gradient, b.gradient) + f_b * b.hessian
    if isinstance(a, Jet) and isinstance(b, Jet):
        mixed = np.outer(a.gradient, b.gradient)
        hessian = hessian + f_ab * (mixed + mixed.T)
    return Jet(function.value(x, y), gradient, hessian)


@dataclass(frozen=True)
class Expression:
    """A function of its variables, in alphabetical order (x2 before x10).

    Calling it with one array a variable gives the values, element by element. `value`, `gradient` and `hessian`
    take one point of shape (variables,). Outside the domain, log(-1), the result is not a number; nothing raises.
    """

    text: str
    names: tuple[str, ...]
    _root: ast.expr

    def __call__(self, *arguments: Any) -> Any:
        """Return f for numbers or for arrays of one shape, one a variable."""
        if len(arguments) != len(self.names):
            raise UsageError(f"{self.text} is a function of {', '.join(self.names)}, received {len(arguments)} values.")
        places = [np.asarray(argument, dtype=np.float64) for argument in arguments]
        with np.errstate(all="ignore"):
            result = _evaluate(self._root, dict(zip(self.names, places, strict=True)))
            return result + np.zeros(np.broadcast(*places).shape)  # a constant spreads over the points

    def value(self, point: Sequence[float] | Floats) -> float:
        """Return f at one point."""
        return float(self(*np.asarray(point, dtype=np.float64)))

    def gradient(self, point: Sequence[float] | Floats) -> Floats:
        """Return the exact gradient (variables,) at one point."""
        return self.derivatives(point).gradient

    def hessian(self, point: Sequence[float] | Floats) -> Floats:
        """Return the exact matrix of second derivatives (variables, variables) at one point."""
        return self.derivatives(point).hessian

    def derivatives(self, point: Sequence[float] | Floats) -> Jet:
        """Return value, gradient and Hessian at one point."""
        count = len(self.names)
        flat = np.zeros((count, count))
        places = zip(self.names, np.asarray(point, dtype=np.float64), np.eye(count), strict=True)
        variables = {name: Jet(np.float64(place), direction, flat) for name, place, direction in places}
        with np.errstate(all="ignore"):
            result = _evaluate(self._root, variables)
        return result if isinstance(result, Jet) else Jet(np.float64(result), np.zeros(count), flat)


def _evaluate(node: ast.expr, variables: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return variables[name] if name in variables else CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _apply(NEGATION, _evaluate(operand, variables))
        case ast.UnaryOp(operand=operand):
            return _evaluate(operand, variables)
        case ast.BinOp(left=left, op=operator, right=right):
            a, b = _evaluate(left, variables), _evaluate(right, variables)
            return _combine(OPERATORS[type(operator)], a, b)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            values = [_evaluate(argument, variables) for argument in arguments]
            if name in PAIRS:
                return _combine(PAIRS[name], *values)
            return _apply(FUNCTIONS[name], *values)
    raise AssertionError(f"`parse` let {ast.dump(node)} pass")


def parse(text: str) -> Expression:
    """Read a function of one or several variables from text.

    Raises:
        UsageError: it is none; the sentence names the column and what is allowed.
    """
    if not text.strip():
        raise UsageError("The function is empty; write one such as x**2.")
    if len(text) > LENGTH_LIMIT:
        raise UsageError(f"The function has {len(text)} characters; at most {LENGTH_LIMIT} are read.")
    foreign = re.search(r"[^\w\s.+\-*/(),]", text)
    if foreign:
        hint = "; a power is written x**2" if foreign.group() == "^" else ""
        raise _refusal(text, foreign.start(), f"'{foreign.group()}' means nothing here{hint}")
    root = _parse_python(text)
    names = {name: node for node in ast.walk(root) if (name := _variable(node))}
    _check(root, _Source(text))
    if not names:
        raise UsageError(f"{text} has no variable to descend along; write one such as x**2.")
    if len(names) > VARIABLES_AT_MOST:
        raise UsageError(f"The function has {len(names)} variables; at most {VARIABLES_AT_MOST} are read.")
    return Expression(text.strip(), tuple(sorted(names, key=_natural)), root)


def _variable(node: ast.AST) -> str:
    is_name = isinstance(node, ast.Name) and node.id not in {*CONSTANTS, *FUNCTIONS, *PAIRS}
    return node.id if is_name and isinstance(node, ast.Name) else ""


def _natural(name: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]


def _parse_python(text: str) -> ast.expr:
    """Let Python's grammar read the text as one line."""
    line = re.sub(r"\s", " ", text)
    shift = len(line) - len(line.lstrip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "1or" is doubtful Python; here it is refused anyway
            return ast.parse(line.lstrip(), mode="eval").body
    except SyntaxError as error:
        offset = error.offset or len(text.rstrip()) - shift  # 0: it ended too early
        place = min(offset - 1 + shift, len(text) - 1)
        raise _refusal(text, place, _mend(line, place)) from None
    except (RecursionError, MemoryError):
        raise UsageError(TOO_DEEP) from None


def _mend(line: str, place: int) -> str:
    """Return in words what is wrong where Python stopped."""
    if line.count("(") != line.count(")"):
        return "a bracket is missing"
    number_then_name = re.match(r"[\d.]+[A-Za-z(]", line[place:])
    two_in_a_row = re.search(r"[\w.)]\s*$", line[:place]) and re.match(r"[\w.(]", line[place:])
    if number_then_name or two_in_a_row:
        return "an operator is missing; a product is written 2*x"
    return "the function is not complete" if place == len(line.rstrip()) - 1 else "the function cannot be read"


def _refusal(text: str, place: int, what: str) -> UsageError:
    """Point at a column of the text, counted from 1."""
    return UsageError(f"'{text}', column {place + 1}: {what}; {ALLOWED}.")


@dataclass(frozen=True)
class _Source:
    """The text, to point into it."""

    text: str

    def refusal(self, node: ast.expr, what: str) -> UsageError:
        line = re.sub(r"\s", " ", self.text)
        shift = len(line) - len(line.lstrip())
        before = line.lstrip().encode()[: node.col_offset].decode(errors="ignore")  # Python counts in UTF-8 bytes
        return _refusal(self.text, len(before) + shift, what)


def _check(node: ast.expr, source: _Source, depth: int = 1) -> None:
    """Refuse everything that is not on the list."""
    if depth > DEPTH_LIMIT:
        raise UsageError(TOO_DEEP)
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            _check_number(node, number, source)
        case ast.Name(id=name) if name in FUNCTIONS or name in PAIRS:
            raise source.refusal(node, f"the function {name} needs its argument, {name}(x)")
        case ast.Name(id=name):
            if name.startswith("__"):
                raise source.refusal(node, f"'{name}' cannot name a variable")
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _check(operand, source, depth + 1)
        case ast.BinOp(left=left, op=operator, right=right):
            if type(operator) not in OPERATORS:
                symbol = {ast.FloorDiv: "//", ast.MatMult: "@", ast.Mod: "%"}.get(type(operator), "this operation")
                raise source.refusal(node, f"'{symbol}' has no derivative here")
            _check(left, source, depth + 1)
            _check(right, source, depth + 1)
        case ast.Call(func=ast.Name(id=name) as called, args=arguments, keywords=keywords):
            _check_call(called, name, len(arguments), bool(keywords), source)
            for argument in arguments:
                _check(argument, source, depth + 1)
        case ast.Call():
            raise source.refusal(node, "only functions can be called; a product is written 2*x")
        case ast.Tuple():
            raise source.refusal(node, "a comma stands only inside max(a, b) and min(a, b); a decimal is written 0.5")
        case _:
            raise source.refusal(node, "this is no mathematical operation")


def _check_number(node: ast.expr, number: float, source: _Source) -> None:
    try:
        is_finite = bool(np.isfinite(float(number)))
    except OverflowError:
        is_finite = False
    if not is_finite:
        raise source.refusal(node, "the number is too large (at most 1.8e308)")


def _check_call(node: ast.expr, name: str, count: int, has_keywords: bool, source: _Source) -> None:
    known = [*FUNCTIONS, *PAIRS]
    if name not in known:
        product = f" A product is written {name}*(...)."
        hint = (nearest(name, known) if len(name) > 1 else product).strip()
        raise source.refusal(node, f"there is no function '{name}'{hint and f' ({hint})'}")
    expected = 2 if name in PAIRS else 1
    if count != expected or has_keywords:
        plural = "one argument" if expected == 1 else "two arguments"
        raise source.refusal(node, f"{name} takes {plural}, received {count}")
