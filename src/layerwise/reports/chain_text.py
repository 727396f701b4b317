"""Backpropagation in words: every formula with its numbers filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerwise.neuron.functions.chain import Chain, Step
from layerwise.neuron.tables.activations import ACTIVATIONS
from layerwise.neuron.tables.losses import LOSSES

Floats = NDArray[np.float64]

LISTED = 8  # entries of a vector, and weights of a matrix, that are written out
TERMS = 6  # products of a sum that are written out


def chain_text(chain: Chain) -> str:
    """Return the way forward and the way back as lines of text; of wide layers the first entries."""
    lines = ["forward", *forward_lines(chain), "", "backward", *backward_lines(chain)]
    lines += ["", f"greatest difference from autograd: {chain.difference:.1e} of the largest gradient"]
    return "\n".join(lines)


def forward_lines(chain: Chain) -> Iterator[str]:
    """Yield each step's formula and numbers, and the cost."""
    yield f"  x = {vector(chain.steps[0].input)}"
    for step in chain.steps:
        if step.kind == "dense":
            yield from _dense_forward(step)
        elif step.kind == "activation":
            yield from _activation_forward(step)
        else:
            shapes = f"{_shape(step.input_shape)} -> {_shape(step.output_shape)}"
            yield f"  {step.name} = {step.label}({step.source})    {shapes}: {vector(step.output)}"
    yield from _cost(chain)


def _dense_forward(step: Step) -> Iterator[str]:
    weights, bias = _weights(step)
    suffix = step.name[1:]
    yield f"  {step.name} = W{suffix} {step.source}{'' if bias is None else f' + b{suffix}'}"
    for i in range(min(len(step.output), LISTED)):
        end = "" if bias is None else f" + {number(bias[i], inside=True)}"
        yield f"    {step.name}{_at(step.output, i)} = {_sum(weights[i], step.input)}{end} = {number(step.output[i])}"
    yield from _more(len(step.output), LISTED)


def _activation_forward(step: Step) -> Iterator[str]:
    row = ACTIVATIONS[step.label]
    yield f"  {step.name} = {step.label}({step.source}),  {row.formula}"
    for i in range(min(len(step.output), LISTED)):
        filled = _fill(_right_side(row.formula), {"z": step.input[i]}) if row.elementwise else ""
        yield f"    {step.name}{_at(step.output, i)} = {filled + ' = ' if filled else ''}{number(step.output[i])}"
    yield from _more(len(step.output), LISTED)


def _cost(chain: Chain) -> Iterator[str]:
    o, y = chain.output, chain.target
    if chain.loss not in LOSSES:
        yield f"  J = {chain.loss}({chain.steps[-1].name}, y) = {number(chain.cost)}"
        return
    row = LOSSES[chain.loss]
    yield f"  {row.formula},  o = {chain.steps[-1].name}, y = {vector(y) if row.elementwise else int(y.argmax())}"
    if row.elementwise:
        parts = [f"[{_fill(_right_side(row.formula), _loss_values(o[i], y[i]))}]" for i in range(min(len(o), TERMS))]
        dots = " + ..." if len(o) > TERMS else ""
        mean = f" / {len(o)}" if len(o) > 1 else ""
        whole = " + ".join(parts) + dots if len(o) > 1 else parts[0][1:-1]
        yield f"    J = {f'({whole})' if mean else whole}{mean} = {number(chain.cost)}"
    else:
        shares = np.exp(o - o.max()) / np.exp(o - o.max()).sum()
        yield f"    p = softmax(o) = {vector(shares)}"
        yield f"    J = -log {number(shares[int(y.argmax())])} = {number(chain.cost)}"


def backward_lines(chain: Chain) -> Iterator[str]:
    """Yield every factor of the chain rule, from the cost back to the input."""
    yield from _loss_slope(chain)
    for step in reversed(chain.steps):
        if step.kind == "dense":
            yield from _dense_backward(step)
        elif step.kind == "activation":
            yield from _activation_backward(step)
        else:
            yield from _other_backward(step)


def _loss_slope(chain: Chain) -> Iterator[str]:
    name, o, y = chain.steps[-1].name, chain.output, chain.target
    if chain.loss in LOSSES and LOSSES[chain.loss].elementwise:
        row = LOSSES[chain.loss]
        mean = f", divided by the {len(o)} outputs" if len(o) > 1 else ""
        yield f"  {row.derivative_formula}{mean}"
        for i in range(min(len(o), LISTED)):
            filled = _fill(_right_side(row.derivative_formula), _loss_values(o[i], y[i]))
            filled = f"({filled}) / {len(o)}" if mean else filled
            yield f"    dJ/d{name}{_at(o, i)} = {filled} = {number(chain.slope[i])}"
        yield from _more(len(o), LISTED)
    else:
        formula = LOSSES[chain.loss].derivative_formula if chain.loss in LOSSES else f"slope of {chain.loss}"
        yield f"  {formula}:  dJ/d{name} = {vector(chain.slope)}"


def _activation_backward(step: Step) -> Iterator[str]:
    row, factor = ACTIVATIONS[step.label], step.factor
    assert factor is not None
    here, there = step.name, step.source
    yield f"  d{here}/d{there} of {step.label}:  {row.derivative_formula}"
    for i in range(min(len(step.input), LISTED)):
        if factor.ndim == 1:
            filled = _fill(_right_side(row.derivative_formula), {"z": step.input[i], "a": step.output[i]})
            yield f"    d{here}/d{there}{_at(step.input, i)} = {filled} = {number(factor[i])}"
            chain = f"dJ/d{here}{_at(step.output, i)} · d{here}/d{there}{_at(step.input, i)}"
            product = f"{number(step.slope_out[i])} · {number(factor[i], inside=True)}"
        else:
            chain = f"Σ_i dJ/d{here}[i] · d{here}[i]/d{there}{_at(step.input, i)}"
            product = _sum(step.slope_out, factor[:, i])
        yield f"    dJ/d{there}{_at(step.input, i)} = {chain} = {product} = {number(step.slope_in[i])}"
    yield from _more(len(step.input), LISTED)


def _dense_backward(step: Step) -> Iterator[str]:
    weights, bias = _weights(step)
    here, there, suffix = step.name, step.source, step.name[1:]
    slopes = step.parameter_slopes[f"W{suffix}"]
    yield f"  d{here}_i/dW{suffix}_ij = {there}_j,  so dJ/dW{suffix} = dJ/d{here} · {there}"
    for i, j in list(np.ndindex(*slopes.shape))[:LISTED]:
        product = f"{number(step.slope_out[i])} · {number(step.input[j], inside=True)}"
        chain = f"dJ/d{here}{_at(step.output, i)} · {there}{_at(step.input, j)}"
        yield f"    dJ/dW{suffix}[{i + 1},{j + 1}] = {chain} = {product} = {number(slopes[i, j])}"
    yield from _more(slopes.size, LISTED)
    if bias is not None:
        bias_slopes = vector(step.parameter_slopes[f"b{suffix}"])
        yield f"  d{here}/db{suffix} = 1,  so dJ/db{suffix} = dJ/d{here} = {bias_slopes}"
    yield f"  d{here}/d{there} = W{suffix},  so dJ/d{there} = W{suffix}' dJ/d{here}"
    for j in range(min(len(step.input), LISTED)):
        product = _sum(step.slope_out, weights[:, j])
        yield f"    dJ/d{there}{_at(step.input, j)} = {product} = {number(step.slope_in[j])}"
    yield from _more(len(step.input), LISTED)


def _other_backward(step: Step) -> Iterator[str]:
    here, there = step.name, step.source
    size = (
        "too large to write down" if step.factor is None else f"{step.factor.shape[0]} x {step.factor.shape[1]} numbers"
    )
    for name, slope in step.parameter_slopes.items():
        yield f"  dJ/d{name} of {step.label} {_shape(slope.shape)}: length {number(float(np.linalg.norm(slope)))}"
    yield f"  d{here}/d{there} of {step.label}: {size};  dJ/d{there} = {vector(step.slope_in)}"


def _weights(step: Step) -> tuple[Floats, Floats | None]:
    suffix = step.name[1:]
    return step.parameters[f"W{suffix}"], step.parameters.get(f"b{suffix}")


def _loss_values(o: float, y: float) -> Mapping[str, float]:
    with np.errstate(over="ignore"):
        return {"o": o, "y": y, "p": 1 / (1 + np.exp(-o)), "e": o - y}


def _right_side(formula: str) -> str:
    """Return what stands between the first sign of equality and the next one or the explanation of a letter."""
    right = formula.partition(" = ")[2]
    return re.split(r" = |, (?:\w+ = |two |Phi )", right)[0]


def _fill(formula: str, values: Mapping[str, Any]) -> str:
    """Put numbers in the place of letters: 'a (1 - a)' becomes '0.6 (1 - 0.6)'."""
    pattern = r"(?<![\w'])(" + "|".join(values) + r")(?![\w'])"
    filled = re.sub(pattern, lambda match: number(values[match[1]], inside=True), formula)
    filled = re.sub(r"\(\((-[^()]*)\)\)", r"(\1)", filled)  # tanh((-1)) is tanh(-1)
    product = re.sub(r"(?<=[\d)]) (?=[\d(]|\w+\()", " · ", filled)
    return f"({product})" if " if " in product else product


def _sum(factors: Floats, others: Floats) -> str:
    parts = [
        f"{number(a, inside=True)} · {number(b, inside=True)}"
        for a, b in zip(factors[:TERMS], others[:TERMS], strict=True)
    ]
    return " + ".join(parts) + (f" + ... ({len(factors)} products)" if len(factors) > TERMS else "")


def _at(values: Floats, place: int) -> str:
    return f"[{place + 1}]" if len(values) > 1 else ""


def _more(count: int, shown: int) -> Iterator[str]:
    if count > shown:
        yield f"    ... and {count - shown} more (`json` has all)"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def vector(values: Floats) -> str:
    """Return [0.5, -1], shortened."""
    shown = ", ".join(number(value) for value in values[:LISTED])
    return number(values[0]) if len(values) == 1 else f"[{shown}{', ...' if len(values) > LISTED else ''}]"


def number(value: Any, *, inside: bool = False) -> str:
    """Return four significant digits; a negative number in brackets where it stands inside a product or sum."""
    text = f"{float(value):.4g}"
    return f"({text})" if inside and value < 0 else text
