"""`@compiled`: a function in machine code, kept on disk between processes, free of the interpreter's lock.

`@compiled_fast` may also reorder sums, so that they fill vector registers; results differ in the last bits between
processors, never between two runs on one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile at the first call, for each kind of arguments."""
    done: Any = njit(cache=True, nogil=True)(function)
    return cast(Function, done)


def compiled_fast(function: Function) -> Function:
    """Compile likewise, with sums in any order. Infinities and NaN keep their meaning."""
    done: Any = njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})(function)
    return cast(Function, done)
