"""Every field of every config is declared once: with help, a domain, a default within it, and a schema."""

from __future__ import annotations

import dataclasses
import doctest
import json
import math
import re
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise import fields
from layerwise.cli.arguments import Parser, add_config
from layerwise.data.config import DataConfig
from layerwise.data.text.tokenizer import LEAST_SIZE
from layerwise.errors import UsageError
from layerwise.experiments.experiment import SECTIONS
from layerwise.fields import (
    Field,
    check,
    choice,
    fields_of,
    from_json,
    json_schema,
    numeric,
    share,
    sizes,
    switch,
    words,
)
from layerwise.generation.config import BeamConfig, ImageSamplingConfig, SamplingConfig
from layerwise.models import CATALOGUE, config_of
from layerwise.neuron.engine.configs import DescentConfig, StackConfig

MODELS = sorted({type(config_of(name)) for name in CATALOGUE}, key=lambda config: config.__name__)
GENERATION = [SamplingConfig, BeamConfig, ImageSamplingConfig]
ENGINE = [StackConfig, DescentConfig]
CONFIGS: list[Any] = [*SECTIONS.values(), *GENERATION, *ENGINE, *MODELS]
FIELDS = [(config, field) for config in CONFIGS for field in fields_of(config)]
REQUIRED: dict[Any, dict[str, Any]] = {StackConfig: {"sizes": (2, 1)}}
MORE_THAN_TWELVE = (DataConfig,)  # one command takes every kind of data


def made(config: Any, **values: Any) -> Any:
    """Make a config with its defaults, and what it requires."""
    return config(**{**REQUIRED.get(config, {}), **values})


def name_of(value: Any) -> str | None:
    return getattr(value, "__name__", None) or getattr(value, "name", None)


def beyond(field: Field) -> list[Any]:
    """Return values that a field may not have: of another type, and just outside each of its bounds."""
    wrong: list[Any] = [object()] + ([] if field.takes_none else [None])
    if field.kind is str:
        wrong += [3] + (["no-such-word"] if field.domain.choices else [])
    elif field.kind is bool:
        wrong += ["perhaps", 1]
    else:
        domain = field.domain
        step = 1 if field.kind is int else 1e-9
        wrong += ["no-number", True, math.nan, math.inf, 10**400]
        wrong += [] if domain.at_least is None else [domain.at_least - step]
        wrong += [] if domain.at_most is None else [domain.at_most + step]
        wrong += [bound for bound in (domain.above, domain.below) if bound is not None]
        wrong += [0.5] if field.kind is int else []
    if not field.is_tuple:
        return wrong
    least, most = field.domain.length
    one = (3,) if field.kind is int else ("",)
    lengths = ([one * (least - 1)] if least else []) + ([one * (most + 1)] if most is not None else [])
    return [(value,) * max(least, 1) for value in wrong] + [3, None, *lengths]


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_every_config_checks_its_own_fields_and_has_twelve_at_most(config: Any) -> None:
    assert dataclasses.is_dataclass(config)
    assert len(fields_of(config)) <= 12 or config in MORE_THAN_TWELVE
    for field in fields_of(config):
        with pytest.raises(UsageError, match=f"`{field.name}` must be"):
            made(config, **{field.name: beyond(field)[0]})


@pytest.mark.parametrize(("config", "field"), FIELDS, ids=name_of)
def test_every_field_is_declared_with_help_and_a_default_within_its_domain(config: Any, field: Field) -> None:
    (declared,) = (one for one in dataclasses.fields(config) if one.name == field.name)
    assert "domain" in declared.metadata, "it is declared by one of the functions of fields.py"
    assert len(field.help) > 10
    assert not field.help.endswith(".")
    assert field.holds(field.default) or field.name in REQUIRED.get(config, ())


@pytest.mark.parametrize(("config", "field"), FIELDS, ids=name_of)
def test_a_number_that_is_counted_or_measured_has_its_unit(config: Any, field: Field) -> None:
    """A unit stands in the help as a word, so that the name of the unit and what is said agree."""
    measured = re.search(r"\b(epochs|pixels|steps of|processor threads|time between)\b", field.help)
    if measured and field.kind in (int, float) and not field.help.startswith("share"):
        assert field.domain.unit


@pytest.mark.parametrize(("config", "field"), FIELDS, ids=name_of)
def test_a_value_outside_is_refused_in_one_sentence_that_names_the_field(config: Any, field: Field) -> None:
    for value in beyond(field):
        with pytest.raises(UsageError) as refusal:
            field.check(value)
        said = str(refusal.value)
        assert said.startswith(f"`{field.name}` must be {field.expected}, received ")
        assert "\n" not in said


@pytest.mark.parametrize(("config", "field"), FIELDS, ids=name_of)
def test_the_range_to_search_is_part_of_what_is_allowed(config: Any, field: Field) -> None:
    one = replace(field, is_tuple=False)
    for value in field.domain.search:
        assert one.holds(value)
    if field.domain.search:
        assert field.kind in (int, float)
        low, high = field.domain.search
        assert low < high
        assert low > 0 or field.domain.scale == "linear"


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_every_config_has_a_schema_of_its_fields(config: Any) -> None:
    schema = json_schema(config)
    json.dumps(schema, allow_nan=False)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert list(schema["properties"]) == [field.name for field in dataclasses.fields(config)]
    saved = json.loads(json.dumps(dataclasses.asdict(made(config))))
    for name, one in schema["properties"].items():
        assert one["description"]
        assert name in schema["required"] or one["default"] == saved[name]
        assert allows(one, saved[name])


def allows(schema: dict[str, Any], value: Any) -> bool:
    """Whether a JSON schema of the keywords that are used here allows a value; written from the specification."""
    if "anyOf" in schema:
        return any(allows(one, value) for one in schema["anyOf"])
    kinds = {"string": str, "boolean": bool, "array": list, "null": type(None), "integer": int, "number": (int, float)}
    kind = schema.get("type")
    if kind and (not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return False
    bounds = {
        "enum": lambda known: value in known,
        "pattern": lambda pattern: re.search(pattern, value) is not None,
        "minimum": lambda bound: value >= bound,
        "exclusiveMinimum": lambda bound: value > bound,
        "maximum": lambda bound: value <= bound,
        "exclusiveMaximum": lambda bound: value < bound,
        "multipleOf": lambda factor: value % factor == 0,
        "minItems": lambda count: len(value) >= count,
        "maxItems": lambda count: len(value) <= count,
        "items": lambda entry: all(allows(entry, one) for one in value),
    }
    return all(holds(schema[keyword]) for keyword, holds in bounds.items() if keyword in schema)


@pytest.mark.parametrize(("config", "field"), FIELDS, ids=name_of)
def test_the_schema_refuses_what_the_config_refuses(config: Any, field: Field) -> None:
    schema = json_schema(config)["properties"][field.name]
    for value in beyond(field):
        entries = value if isinstance(value, tuple) else (value,)
        if all(
            isinstance(one, str | int | float | None) and one == one and one not in (math.inf, 10**400)
            for one in entries
        ):
            assert not allows(schema, list(value) if isinstance(value, tuple) else value), value


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_every_field_is_a_flag_whose_help_says_what_it_is_and_may_be(config: Any) -> None:
    parser = Parser(prog="layerwise")
    add_config(parser, config)
    said = {action.dest: str(action.help) for action in parser._actions}
    for field in fields_of(config):
        assert field.help.replace("%", "%%") in said[field.name]
        assert field.kind in (bool, str) or field.expected in said[field.name]
        assert all(word in said[field.name] for word in field.domain.choices)


@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_a_config_comes_back_from_its_json(config: Any) -> None:
    saved = json.loads(json.dumps(dataclasses.asdict(made(config))))
    assert from_json(config, saved) == made(config)


def test_a_json_with_another_name_or_an_impossible_value_is_refused() -> None:
    with pytest.raises(UsageError, match=r"`epoch` is no field of TrainingConfig\. Did you mean `epochs`\?"):
        from_json(SECTIONS["training"], {"epoch": 3})
    with pytest.raises(UsageError, match="`epochs` must be a whole number of at least 1, received '3'"):
        from_json(SECTIONS["training"], {"epochs": "3"})


@dataclass(frozen=True)
class Example:
    """One field of each kind."""

    rate: float = numeric(0.1, "a rate", above=0)
    ratio: float = numeric(0.1, "a ratio", above=0, at_most=1)
    angle: float = numeric(0.0, "an angle", at_least=-180, below=180)
    strength: float = numeric(0.0, "a strength", at_least=0, off="none")
    held_out: float = share(0.5, "a share")
    count: int | None = numeric(None, "a count", at_least=2, at_most=9)
    batch: int | Literal["all"] = numeric("all", "a batch", at_least=1)
    even: int = numeric(4, "an even number", at_least=2, multiple_of=2)
    third: tuple[int, ...] = sizes((3,), "thirds", least=1, multiple_of=3)
    pair: tuple[int, ...] = sizes((1, 2), "a pair", length=2)
    names: tuple[str, ...] = words(("a",), "names", choices=("a", "b"))
    color: str = choice("red", {"red": "like blood", "blue": "like the sky"}, "a colour", pattern=r"gray:\d+")
    is_on: bool = switch(True, "a switch")

    def __post_init__(self) -> None:
        check(self)


def test_what_is_expected_is_said_in_words() -> None:
    assert {field.name: field.expected for field in fields_of(Example)} == {
        "rate": "a positive number",
        "ratio": "a number above 0 and at most 1",
        "angle": "a number from -180 to below 180",
        "strength": "0 or a positive number (0: none)",
        "held_out": "a number from 0 to below 1",
        "count": "a whole number from 2 to 9",
        "batch": "a whole number of at least 1, or 'all'",
        "even": "an even number of at least 2",
        "third": "1 or more whole numbers divisible by 3 of at least 1",
        "pair": "2 whole numbers of at least 1",
        "names": "words out of a, b",
        "color": "one of red, blue",
        "is_on": "yes or no",
    }


def test_values_at_the_ends_are_taken_or_not_as_declared() -> None:
    for taken in ({"ratio": 1}, {"angle": -180}, {"strength": 0}, {"count": None}, {"count": 9}, {"batch": "all"}):
        Example(**taken)
    for taken in ({"color": "gray:12"}, {"names": ()}, {"pair": [3, 4]}, {"third": (3, 9)}, {"is_on": False}):
        Example(**taken)
    for refused in ({"ratio": 0}, {"angle": 180}, {"held_out": 1}, {"count": 1}, {"count": 10}, {"color": "gray:"}):
        with pytest.raises(UsageError):
            Example(**refused)


def test_a_mistyped_word_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"`color` must be one of red, blue, received 'bleu'\. Did you mean 'blue'\?"):
        Example(color="bleu")


@given(st.floats() | st.integers() | st.booleans() | st.none() | st.text())
def test_a_config_takes_a_value_exactly_where_its_schema_does(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        return  # no JSON
    properties = json_schema(Example)["properties"]
    for field in fields_of(Example):
        assert allows(properties[field.name], value) == field.holds(value), (field.name, value)


def test_the_least_vocabulary_is_that_of_the_tokenizer() -> None:
    (vocabulary,) = (field for field in fields_of(DataConfig) if field.name == "vocabulary")
    assert vocabulary.domain.at_least == LEAST_SIZE


@pytest.mark.parametrize("config", [*SECTIONS.values(), *GENERATION], ids=name_of)
def test_the_docstring_describes_each_field_in_numpydoc_form(config: Any) -> None:
    described = re.split(r"^Parameters\n-+\n", config.__doc__, flags=re.MULTILINE)[1].split("\n\nRaises\n------\n")[0]
    named = re.findall(r"^(\w+) : (.+), default (.+)$", described, flags=re.MULTILINE)
    assert [(name, default) for name, _, default in named] == [
        (field.name, repr(field.default)) for field in dataclasses.fields(config)
    ]
    for field in fields_of(config):
        assert f"    {field.help[0].upper()}{field.help[1:]}" in described
        assert all(f"    - {word}: " in described for word, meaning in field.domain.choices.items() if meaning)


def test_the_example_of_a_declaration_is_right() -> None:
    assert doctest.testmod(fields).failed == 0
    assert doctest.testmod(fields).attempted >= 3


def test_configs_are_read_without_torch() -> None:
    for module in ("layerwise.fields", "layerwise.generation.config"):
        assert "torch" not in vars(import_module(module))
