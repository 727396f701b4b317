"""Matrix products on one thread: the engine's own rule while it computes.

A BLAS library that shares a product among threads adds up in another order, so that the last bits would depend on the
number of cores; and its threads wait for each other at every product, which costs more than they bring for products
of a few million multiplications, and very much more on a machine with other work to do. Several networks, on the
other hand, are trained on as many threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import Lock
from typing import Any

_lock = Lock()
_inside = 0
_restore = ExitStack()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold the BLAS libraries of the process to one thread until the last of all threads has left."""
    global _inside
    with _lock:
        if not _inside:
            _restore.enter_context(_blas_libraries().limit(limits=1))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _restore.close()


@cache
def _blas_libraries() -> Any:
    import scipy.linalg.cython_blas  # noqa: F401 (the library that compiled products call, to be found below)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
