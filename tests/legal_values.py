"""Other values that a field of a config may have, by its domain alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layerwise.fields import Field


def others(field: Field, value: Any) -> Iterator[Any]:
    """Yield legal values of a field beside this one; of a tuple, with another last entry."""
    if field.is_tuple:
        for entry in others(_entry(field), value[-1]):
            yield (*value[:-1], entry)
    elif field.kind is bool:
        yield not value
    elif field.kind is str:
        yield from (word for word in field.domain.choices if word != value)
    else:
        yield from (number for number in _numbers(field, value) if field.holds(number) and number != value)


def _numbers(field: Field, value: Any) -> tuple[float, ...]:
    if not isinstance(value, int | float):  # None, or a word such as 'full'
        least = field.domain.at_least or 1
        return (least, 2 * least)
    if field.kind is int:
        return (2 * value, value + field.domain.multiple_of, value // 2)
    return (value / 2, value + 0.25)


def _entry(field: Field) -> Field:
    return Field(field.name, field.kind, False, False, (), None, field.help, field.domain)
