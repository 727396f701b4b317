"""How a field of a config is declared: once, with its help and the values that it may have.

    @dataclass(frozen=True)
    class StepConfig:
        learning_rate: float = numeric(1e-3, "size of a step", above=0, scale="log", search=(1e-5, 1.0))
        optimizer: str = choice("adam", OPTIMIZERS, "update rule")

        def __post_init__(self) -> None:
            check(self)

Python arguments, flags with their help, the check of values, saved JSON, its schema, `layerwise show` and the tables of
options in the documentation come from this declaration, and whatever else needs to know which values there are: a
search over them, a form in a page.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from layerwise.errors import UsageError, in_backticks, nearest

Scale = Literal["linear", "log", "powers of two"]
Config = TypeVar("Config")
SCHEMA = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True)
class Domain:
    """Which values a field may have, beside what its annotation says.

    Parameters
    ----------
    at_least, above, at_most, below : float or None
        Bounds of a number, or of each number of a tuple; above and below are open ends.
    multiple_of : int
        A whole number must be a multiple of it.
    choices : mapping of str to str
        The words that are allowed, each with its meaning; empty if any is.
    pattern : str
        A regular expression for further words.
    length : tuple of (int, int or None)
        The least and the largest length of a tuple.
    example : str
        A value to name in the sentence that refuses others, as it is typed.
    off : str
        What the value 0 stands for, such as 'no limit'.
    unit : str
        What is counted or measured: epochs, samples, px, s.
    scale : {'linear', 'log', 'powers of two'}
        How equal steps of a number are laid out, on an axis and in a search.
    search : tuple
        The range that is worth searching, (low, high), narrower than what is allowed; of a word, the words.
    """

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    multiple_of: int = 1
    choices: Mapping[str, str] = dataclasses.field(default_factory=dict)
    pattern: str = ""
    length: tuple[int, int | None] = (0, None)
    example: str = ""
    off: str = ""
    unit: str = ""
    scale: Scale = "linear"
    search: tuple[Any, ...] = ()

    def holds_number(self, value: float) -> bool:
        """Whether a number is within the bounds."""
        return (
            _is_finite(value)
            and (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
            and (self.multiple_of == 1 or value % self.multiple_of == 0)
        )

    def holds_word(self, value: str) -> bool:
        """Whether a word is one of the choices, or fits the pattern."""
        is_free = not self.choices and not self.pattern
        return is_free or value in self.choices or bool(self.pattern and re.fullmatch(self.pattern, value))


# -- declaring --------------------------------------------------------------------------------------------------------


def numeric(default: Any, help: str, **domain: Any) -> Any:
    """Declare a number; the annotation says whether it is whole, may be None, or may be a word such as 'full'.

    Parameters
    ----------
    default : int, float, str or None
        The value where nothing is said.
    help : str
        What it is for: half a sentence without a full stop.
    **domain
        Fields of `Domain`: at_least, above, at_most, below, multiple_of, off, unit, scale, search.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Example:
    ...     epochs: int = numeric(10, "passes over the data", at_least=1, unit="epochs")
    ...     def __post_init__(self) -> None:
    ...         check(self)
    >>> Example(epochs=3).epochs
    3
    >>> Example(epochs=0)
    Traceback (most recent call last):
    layerwise.errors.UsageError: `epochs` must be a whole number of at least 1, received 0.
    """
    return _declare(default, help, Domain(**domain))


def share(default: float, help: str, **domain: Any) -> Any:
    """Declare a share from 0 to below 1."""
    return _declare(default, help, Domain(at_least=0, below=1, **domain))


def choice(default: str, choices: Mapping[str, str] | Iterable[str], help: str, **domain: Any) -> Any:
    """Declare a word out of a table of words with their meanings, or out of plain words."""
    return _declare(default, help, Domain(choices=_table(choices), **domain))


def switch(default: bool, help: str) -> Any:
    """Declare a yes or no."""
    return _declare(default, help, Domain())


def text(default: str | None, help: str) -> Any:
    """Declare a text, such as the name of a column."""
    return _declare(default, help, Domain())


def sizes(default: Any, help: str, *, length: int | None = None, least: int = 0, **domain: Any) -> Any:
    """Declare whole numbers of at least 1, such as the neurons of each layer: `length` of them, or `least` or more."""
    span = (least, None) if length is None else (length, length)
    return _declare(default, help, Domain(**{"at_least": 1, "length": span, **domain}))


def words(
    default: tuple[str, ...],
    help: str,
    *,
    choices: Iterable[str] = (),
    length: int | None = None,
    least: int = 0,
    **domain: Any,
) -> Any:
    """Declare several words: `length` of them, or `least` or more."""
    span = (least, None) if length is None else (length, length)
    return _declare(default, help, Domain(choices=_table(choices), length=span, **domain))


def _table(choices: Mapping[str, str] | Iterable[str]) -> Mapping[str, str]:
    return choices if isinstance(choices, Mapping) else dict.fromkeys(choices, "")


def _declare(default: Any, help: str, domain: Domain) -> Any:
    return dataclasses.field(default=default, metadata={"help": help, "domain": domain})


# -- reading what was declared ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """What is known of a field of a config.

    Parameters
    ----------
    name : str
        The Python argument.
    kind : type
        int, float, bool or str; of a tuple, that of its entries.
    is_tuple, takes_none : bool
        The value is a tuple; it may be None.
    words : tuple of str
        Words that may stand in place of a number, such as 'full'.
    default : object
        What it is where nothing was said; `dataclasses.MISSING` where something has to be.
    help : str
        What it is for.
    domain : Domain
        Which values it may have.
    """

    name: str
    kind: type
    is_tuple: bool
    takes_none: bool
    words: tuple[str, ...]
    default: Any
    help: str
    domain: Domain

    def holds(self, value: Any) -> bool:
        """Whether the field may have this value."""
        if value is None:
            return self.takes_none
        if isinstance(value, str) and value in self.words:
            return True
        if not self.is_tuple:
            return self._holds_one(value)
        least, most = self.domain.length
        fits = isinstance(value, tuple | list) and least <= len(value) <= (len(value) if most is None else most)
        return fits and all(self._holds_one(entry) for entry in value)

    def check(self, value: Any) -> None:
        """Raise UsageError, one sentence that names the field, for a value that it may not have."""
        if self.holds(value):
            return
        entries = value if self.is_tuple and isinstance(value, tuple | list) else (value,)
        wrong = next((entry for entry in entries if isinstance(entry, str) and not self._holds_one(entry)), None)
        hint = nearest(wrong, self.domain.choices) if wrong and self.domain.choices else ""
        raise UsageError(f"`{self.name}` must be {self.expected}, received {value!r}.{hint}")

    def _holds_one(self, value: Any) -> bool:
        if self.kind is str:
            return isinstance(value, str) and self.domain.holds_word(value)
        if self.kind is bool or isinstance(value, bool):
            return self.kind is bool and isinstance(value, bool)
        numbers = int if self.kind is int else int | float
        return isinstance(value, numbers) and self.domain.holds_number(value)

    @property
    def expected(self) -> str:
        """The values that it may have, in words: "a whole number of at least 1, or 'full'"."""
        one = self._expected_entries() if self.is_tuple else self._expected_one()
        such_as = f", such as {self.domain.example}" if self.domain.example else ""
        return ", or ".join((one + such_as, *map(repr, self.words)))

    def _expected_one(self) -> str:
        if self.kind is bool:
            return "yes or no"
        if self.kind is str:
            return f"one of {', '.join(self.domain.choices)}" if self.domain.choices else "a text"
        return expected_number(self.domain, "whole number" if self.kind is int else "number")

    def _expected_entries(self) -> str:
        least, most = self.domain.length
        count = f"{least} " if least == most else f"{least} or more " if least else ""
        if self.kind is str:
            return f"{count}words" + (f" out of {', '.join(self.domain.choices)}" if self.domain.choices else "")
        one = expected_number(self.domain, "whole number" if self.kind is int else "number")
        return count + re.sub(r"^an? (.*?)number", r"\1numbers", one)


def expected_number(domain: Domain, noun: str) -> str:
    """Return the numbers of a domain in words: 'a number from 0 to below 1'."""
    low = domain.at_least if domain.above is None else domain.above
    high = domain.at_most if domain.below is None else domain.below
    if domain.multiple_of > 1:
        noun = "even number" if domain.multiple_of == 2 else f"{noun} divisible by {domain.multiple_of}"
    a_number = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
    off = f" (0: {domain.off})" if domain.off else ""
    if low is None and high is None:
        return a_number
    if high is None:
        if noun == "number" and low == 0:
            return "a positive number" if domain.above is not None else f"0 or a positive number{off}"
        return f"{a_number} {'above' if domain.above is not None else 'of at least'} {_shown(low)}{off}"
    if low is None:
        return f"{a_number} {'below' if domain.below is not None else 'of at most'} {_shown(high)}"
    if domain.above is not None:
        return f"{a_number} above {_shown(low)} and {'below' if domain.below is not None else 'at most'} {_shown(high)}"
    return f"{a_number} from {_shown(low)} to {'below ' if domain.below is not None else ''}{_shown(high)}{off}"


def _is_finite(value: float) -> bool:
    """Whether a number is neither infinite nor NaN, nor a whole number beyond all floats."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _shown(bound: float | None) -> str:
    return "2^63 - 1" if bound == 2**63 - 1 else f"{bound:g}" if isinstance(bound, float) else str(bound)


def fields_of(config: Any) -> tuple[Field, ...]:
    """Return the fields of a config, a dataclass, in their order."""
    return _fields_of(config)


@cache
def _fields_of(config: Any) -> tuple[Field, ...]:
    hints = typing.get_type_hints(config)
    return tuple(_field(field, hints[field.name]) for field in dataclasses.fields(config))


def _field(field: dataclasses.Field[Any], hint: Any) -> Field:
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    alternatives = typing.get_args(hint) if is_union else (hint,)
    literals = [word for one in alternatives if typing.get_origin(one) is Literal for word in typing.get_args(one)]
    kinds = [one for one in alternatives if typing.get_origin(one) is not Literal and one is not type(None)]
    domain: Domain = field.metadata.get("domain", Domain())
    if literals and not kinds:
        kinds, domain, literals = [str], dataclasses.replace(domain, choices=_table(literals)), []
    (kind,) = kinds
    is_tuple = typing.get_origin(kind) is tuple
    return Field(
        name=field.name,
        kind=typing.get_args(kind)[0] if is_tuple else kind,
        is_tuple=is_tuple,
        takes_none=type(None) in alternatives,
        words=tuple(literals),
        default=field.default,
        help=field.metadata.get("help", ""),
        domain=domain,
    )


def check(config: object) -> None:
    """Check each field of a config against its domain.

    Raises
    ------
    UsageError
        A field may not have its value; one sentence names the first such field, what is expected and what was received.
    """
    for field in fields_of(type(config)):
        field.check(getattr(config, field.name))


def documented(config: type[Config]) -> type[Config]:
    """Append the fields of a config to its docstring, in numpydoc form: each with its type, default, help and unit."""
    lines = [inspect.cleandoc(config.__doc__ or ""), "", "Parameters", "----------"]
    for field in fields_of(config):
        default = "" if field.default is dataclasses.MISSING else f", default {field.default!r}"
        unit = f" Unit: {field.domain.unit}." if field.domain.unit else ""
        expected = "" if field.domain.choices or field.kind in (bool, str) else f"; {field.expected}"
        lines += [f"{field.name} : {_type_in_words(field)}{default}"]
        lines += [f"    {field.help[0].upper()}{field.help[1:]}{expected}.{unit}"]
        lines += [f"    - {word}: {meaning}." for word, meaning in field.domain.choices.items() if meaning]
    lines += ["", "Raises", "------", "UsageError", "    A field may not have its value; the sentence names the field."]
    config.__doc__ = "\n".join(lines)
    return config


def _type_in_words(field: Field) -> str:
    kind = f"tuple of {field.kind.__name__}" if field.is_tuple else field.kind.__name__
    if field.domain.choices and not field.is_tuple:
        kind = "{" + ", ".join(map(repr, field.domain.choices)) + "}"
    return " or ".join((kind, *map(repr, field.words), *(["None"] if field.takes_none else [])))


# -- JSON -------------------------------------------------------------------------------------------------------------


def from_json(config: type[Config], values: Mapping[str, Any]) -> Config:
    """Make a config of what its JSON says; fields that are not there have their defaults.

    Parameters
    ----------
    config : type
        A config.
    values : mapping of str to object
        Its fields by name, lists in place of tuples.

    Raises
    ------
    UsageError
        A name is no field (the nearest one is suggested), or a field may not have its value.
    """
    known = {field.name: field for field in fields_of(config)}
    for name in values:
        if name not in known:
            hint = nearest(name, known).replace("'", "`")
            raise UsageError(f"`{name}` is no field of {config.__name__}.{hint} It has: {in_backticks(known)}.")
    return config(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def json_schema(config: Any) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of the JSON of a config.

    Parameters
    ----------
    config : type or object
        Its class, or a config whose values are to be the defaults.

    Returns
    -------
    dict
        The schema. Beside the standard keywords a property has `unit`, `scale` and `search`, where these say something.

    References
    ----------
    https://json-schema.org/draft/2020-12/json-schema-validation
    """
    kind = config if isinstance(config, type) else type(config)
    fields = fields_of(kind)
    if kind is not config:
        fields = tuple(dataclasses.replace(field, default=getattr(config, field.name)) for field in fields)
    return {
        "$schema": SCHEMA,
        "title": kind.__name__,
        "description": (kind.__doc__ or "").strip().split("\n")[0],
        "type": "object",
        "properties": {field.name: field_schema(field) for field in fields},
        "required": [field.name for field in fields if field.default is dataclasses.MISSING],
        "additionalProperties": False,
    }


def field_schema(field: Field) -> dict[str, Any]:
    """Return the JSON schema of a field."""
    domain, schema = field.domain, _entry_schema(field)
    if field.is_tuple:
        least, most = domain.length
        schema = {"type": "array", "items": schema}
        schema |= {"minItems": least} if least else {}
        schema |= {} if most is None else {"maxItems": most}
    others: list[dict[str, Any]] = [{"enum": list(field.words)}] if field.words else []
    others += [{"type": "null"}] if field.takes_none else []
    if others:
        schema = {"anyOf": [schema, *others]}
    about = {"unit": domain.unit, "scale": "" if domain.scale == "linear" else domain.scale, "search": domain.search}
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    return {
        "description": field.help,
        **schema,
        **({} if default is dataclasses.MISSING else {"default": default}),
        **{name: list(value) if isinstance(value, tuple) else value for name, value in about.items() if value},
    }


def _entry_schema(field: Field) -> dict[str, Any]:
    domain = field.domain
    if field.kind is bool:
        return {"type": "boolean"}
    if field.kind is str:
        schema: dict[str, Any] = {"type": "string"}
        if domain.pattern:
            return schema | {"pattern": f"^({'|'.join([*map(re.escape, domain.choices), domain.pattern])})$"}
        return schema | ({"enum": list(domain.choices)} if domain.choices else {})
    bounds = {
        "minimum": domain.at_least,
        "exclusiveMinimum": domain.above,
        "maximum": domain.at_most,
        "exclusiveMaximum": domain.below,
        "multipleOf": None if domain.multiple_of == 1 else domain.multiple_of,
    }
    kind = "integer" if field.kind is int else "number"
    return {"type": kind, **{name: bound for name, bound in bounds.items() if bound is not None}}
