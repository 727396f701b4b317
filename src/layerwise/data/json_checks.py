"""Checks that what was read back from JSON is what was written: a number where a number was, and so on."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, get_args, get_origin, get_type_hints


def check_fields(thing: Any) -> None:
    """Look at the fields of a dataclass that are numbers, words, truth values, or tuples of these.

    Raises TypeError, naming the field, for one that holds something else.
    """
    hints = get_type_hints(type(thing))
    for field in fields(thing):
        value = getattr(thing, field.name)
        if not fits(value, hints[field.name]):
            raise TypeError(f"'{field.name}' is {value!r:.50}")


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of the annotation `hint`; annotations of other kinds fit all."""
    if get_origin(hint) is tuple and get_args(hint)[-1] is Ellipsis:
        return isinstance(value, tuple) and all(fits(item, get_args(hint)[0]) for item in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if hint in (str, bool) else True
