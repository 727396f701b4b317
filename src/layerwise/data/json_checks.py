"""Dataclasses as plain JSON and back, with a check of each field: a number where a number was, and so on."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Read = TypeVar("Read")


def to_plain(thing: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as plain JSON values."""
    return {field.name: _plain(getattr(thing, field.name)) for field in fields(thing)}


def from_plain(cls: type[Read], saved: Mapping[str, Any]) -> Read:
    """Rebuild a dataclass from what `to_plain` gave, by the annotations of its fields.

    Raises KeyError for a field that is missing, TypeError, naming the field, for one that holds something else.
    """
    if not isinstance(saved, Mapping):
        raise TypeError(f"{cls.__name__} is {saved!r:.50}")
    hints = get_type_hints(cls)
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    unknown = sorted(saved.keys() - set(names))
    if unknown:
        raise TypeError(f"{cls.__name__} has no '{unknown[0]}'")
    return cls(**{name: _read(saved[name], hints[name], name) for name in names})


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_plain(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def _read(value: Any, hint: Any, name: str) -> Any:
    """Return a JSON value as the annotation `hint` has it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None and type(None) in inner else _read(value, inner[0], name)
    if origin is tuple and isinstance(value, list | tuple):
        hints = (inner[0],) * len(value) if inner[-1] is Ellipsis else inner
        if len(value) == len(hints):
            return tuple(_read(item, one, name) for item, one in zip(value, hints, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {_read(key, inner[0], name): _read(item, inner[1], name) for key, item in value.items()}
    if isinstance(hint, type) and is_dataclass(hint):
        return from_plain(hint, value)
    is_word = origin is Literal and isinstance(value, str) and value in inner
    if is_word or (hint in (str, bool, int, float) and _is_plain(value, hint)):
        return value
    raise TypeError(f"'{name}' is {value!r:.50}")


def _is_plain(value: Any, hint: type) -> bool:
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, hint) and (hint is not int or not isinstance(value, bool))
