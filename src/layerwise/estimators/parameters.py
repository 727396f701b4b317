"""Constructors with fewer parameters. scikit-learn reads the parameters of an estimator off its constructor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any


def without(constructor: Callable[..., None], names: Iterable[str]) -> Any:
    """Return an __init__ that takes and stores all parameters of another one but those named."""
    gone, signature = set(names), inspect.signature(constructor)
    kept = signature.replace(parameters=[p for name, p in signature.parameters.items() if name not in gone])

    def store(self: Any, *values: Any, **options: Any) -> None:
        given = kept.bind(self, *values, **options)
        given.apply_defaults()
        for name, value in list(given.arguments.items())[1:]:
            setattr(self, name, value)

    store.__signature__ = kept  # type: ignore[attr-defined]
    return store
