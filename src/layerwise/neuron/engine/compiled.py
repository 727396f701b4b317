"""Compiled counterparts of elementary.py, so that the formulas of the tables run inside compiled loops.

Numba compiles a formula as it stands; where it calls a function of elementary.py, the one below is taken. In float32
exp and tanh are polynomials without branches, which the compiler turns into vector instructions; in float64 they are
the system's. Numbers keep their type: 0 and 1 in a formula do not make a float32 wider.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np import arrayobj

from layerwise.neuron.tables import elementary

F = np.float32
LOG2_E, LN2_HIGH, LN2_LOW = F(1.44269504), F(0.693359375), F(-2.12194440e-4)  # ln 2 in two parts, Cody and Waite
LARGEST, SMALLEST = F(88.3762589), F(-87.3365447)  # beyond them exp leaves the range of float32

FLAT = F(7.90531110)  # beyond it tanh is 1 in float32

arrays: Any = arrayobj  # these parts of Numba have no types for mypy
helpers: Any = cgutils
Tuple: Any = types.UniTuple

FLAGS = {"contract", "reassoc"}  # sums may be regrouped into vector lanes; NaN and infinity stay what they are
compiled = njit(fastmath=FLAGS, error_model="numpy", nogil=True)
_replaces = partial(overload, strict=False, inline="always")


def formula(function: Callable[..., Any]) -> Any:
    """Return a row's value or slope, to be called with numbers in compiled code, where it is put in place."""
    return njit(function, inline="always")


def power_of_two(context: Any, exponent: Any) -> Any:
    """Return 2.0**exponent for an int32 from -126 to 127, by its place in the bits of a float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        biased = builder.add(arguments[0], ir.Constant(ir.IntType(32), 127))
        return builder.bitcast(builder.shl(biased, ir.Constant(ir.IntType(32), 23)), ir.FloatType())

    return types.float32(types.int32), generate


def choose(context: Any, condition: Any, a: Any, b: Any) -> Any:
    """Return a if the condition holds, else b, without a jump; in the narrowest type of those that are no integers."""
    kind = types.float32 if types.float32 in (a, b) and types.float64 not in (a, b) else types.float64

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, second = (context.cast(builder, arguments[i], signature.args[i], kind) for i in (1, 2))
        return builder.select(arguments[0], first, second)

    return kind(types.boolean, a, b), generate


def borrow_view(context: Any, flat: Any, start: Any, shape: Any) -> Any:
    """Return a view of a flat array from `start` on, of a shape of one or two axes, that does not own it.

    Numba counts who holds an array, at each call and each look into a list: for tiny networks that took more than half
    of the time. A borrowed view is not counted; whoever makes it keeps the flat array until it is done.
    """
    kind = types.Array(flat.dtype, len(shape), "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = arrays.make_array(signature.args[0])(context, builder, arguments[0])
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(flat.dtype)))
        lengths = helpers.unpack_tuple(builder, arguments[2])
        strides = [builder.mul(lengths[1], size), size] if len(shape) == 2 else [size]
        view = arrays.make_array(kind)(context, builder)
        data = builder.gep(source.data, [arguments[1]])
        arrays.populate_array(view, data=data, shape=lengths, strides=strides, itemsize=size, meminfo=None)
        return view._getvalue()

    return kind(flat, types.intp, Tuple(types.intp, len(shape))), generate


_power_of_two: Any = intrinsic(power_of_two)
borrow: Any = intrinsic(borrow_view)
_choose: Any = intrinsic(choose)


@njit(inline="always")
def _exp32(z: Any) -> Any:
    """exp to 2 units in the last place (Moshier's Cephes library, expf)."""
    z = _choose(z > LARGEST, LARGEST, z)
    z = _choose(z < SMALLEST, SMALLEST, z)
    n = np.floor(z * LOG2_E + F(0.5))
    r = z - n * LN2_HIGH - n * LN2_LOW
    p = F(1.9875691500e-4)
    p = p * r + F(1.3981999507e-3)
    p = p * r + F(8.3334519073e-3)
    p = p * r + F(4.1665795894e-2)
    p = p * r + F(1.6666665459e-1)
    p = p * r + F(5.0000001201e-1)
    return (p * r * r + r + F(1)) * _power_of_two(np.int32(n))


@njit(inline="always")
def _tanh32(z: Any) -> Any:
    """tanh to a few units in the last place, an odd over an even polynomial (as in the Eigen library)."""
    z = _choose(z > FLAT, FLAT, z)
    z = _choose(z < -FLAT, -FLAT, z)
    s = z * z
    p = F(-2.76076847742355e-16)
    p = p * s + F(2.00018790482477e-13)
    p = p * s + F(-8.60467152213735e-11)
    p = p * s + F(5.12229709037114e-08)
    p = p * s + F(1.48572235717979e-05)
    p = p * s + F(6.37261928875436e-04)
    p = p * s + F(4.89352455891786e-03)
    q = F(1.19825839466702e-06)
    q = q * s + F(1.18534705686654e-04)
    q = q * s + F(2.26843463243900e-03)
    q = q * s + F(4.89352518554385e-03)
    return z * p / q


@_replaces(elementary.exp)
def _exp(z: Any) -> Any:
    return (lambda z: _exp32(z)) if z == types.float32 else (lambda z: math.exp(z))


@_replaces(elementary.tanh)
def _tanh(z: Any) -> Any:
    return (lambda z: _tanh32(z)) if z == types.float32 else (lambda z: math.tanh(z))


@_replaces(elementary.sqrt)
def _sqrt(z: Any) -> Any:
    return lambda z: np.sqrt(z)


@_replaces(elementary.expit)
def _expit(z: Any) -> Any:
    return lambda z: _choose(z >= 0, 1, elementary.exp(-abs(z))) / (_choose(True, 1, z) + elementary.exp(-abs(z)))


@_replaces(elementary.softplus)
def _softplus(z: Any) -> Any:
    return lambda z: _choose(z > 0, z, 0) + math.log1p(elementary.exp(-abs(z)))


@_replaces(elementary.erf)
def _erf(z: Any) -> Any:
    return lambda z: math.erf(z)


@_replaces(elementary.absolute)
def _absolute(z: Any) -> Any:
    return lambda z: abs(z)


@_replaces(elementary.sign)
def _sign(z: Any) -> Any:
    return lambda z: _choose(z > 0, _choose(True, 1, z), _choose(z < 0, -_choose(True, 1, z), 0 * z))


@_replaces(elementary.maximum)
def _maximum(a: Any, b: Any) -> Any:
    return lambda a, b: _choose((a > b) | (a != a), a, b)  # NaN is not equal to itself and goes through


@_replaces(elementary.minimum)
def _minimum(a: Any, b: Any) -> Any:
    return lambda a, b: _choose((a < b) | (a != a), a, b)


@_replaces(elementary.where)
def _where(condition: Any, a: Any, b: Any) -> Any:
    return lambda condition, a, b: _choose(condition, a, b)
