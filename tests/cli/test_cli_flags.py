"""Flags are the fields of configs; exit codes are those of errors; and words are read in any order."""

from __future__ import annotations

import math
import os
import re
from contextlib import suppress
from dataclasses import fields
from importlib import import_module

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from saying import Command

from layerwise import errors
from layerwise.cli import translate
from layerwise.cli.arguments import Parser, read_value
from layerwise.cli.main import COMMANDS, EXIT_CODES, in_a_sentence
from layerwise.data.config import DataConfig
from layerwise.errors import LayerwiseError, UsageError, nearest
from layerwise.experiments.experiment import SECTIONS

TRAIN = import_module("layerwise.cli.train")


def parser_of(name: str) -> Parser:
    parser = Parser(prog=f"layerwise {name}")
    import_module(f"layerwise.cli.{name}").add_arguments(parser)
    return parser


def flags_of(name: str) -> set[str]:
    return {flag for flag in parser_of(name)._option_string_actions if flag.startswith("--")} - {"--help"}


def test_every_field_of_a_training_is_a_flag_and_every_flag_a_field() -> None:
    described = {"--" + field.name.replace("_", "-") for kind in SECTIONS.values() for field in fields(kind)}
    of_the_command = {"--recipe", "--name", "--runs", "--open", "--quiet"}
    assert flags_of("train") == described | of_the_command


def test_looking_into_data_takes_the_same_flags_as_training_on_it() -> None:
    described = {"--" + field.name.replace("_", "-") for field in fields(DataConfig)} - {"--data"}
    assert flags_of("data") == described | {"--seed", "--out", "--json"}


def test_no_name_of_a_field_is_used_twice() -> None:
    names = [field.name for kind in SECTIONS.values() for field in fields(kind)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_says_what_it_does(name: str) -> None:
    silent = [action.dest for action in parser_of(name)._actions if not action.help]
    assert silent == []


@pytest.mark.parametrize("field", [f for kind in SECTIONS.values() for f in fields(kind)], ids=lambda field: field.name)
def test_a_default_reads_back_as_itself(field) -> None:  # type: ignore[no-untyped-def]
    """What help shows in brackets can be typed."""
    if field.default is None:
        return
    flag = "--" + field.name.replace("_", "-")
    values = parser_of("train").parse([flag, str(field.default)])
    assert getattr(values, field.name) == field.default


WORDS = [
    ["mlp"],
    ["--data", "iris"],
    ["--epochs=3"],
    ["--learning-rate", "1e-2"],
    ["--hidden", "4,4"],
    ["--dropout=.1"],
]


@given(st.permutations(WORDS))
def test_words_are_read_in_any_order(pieces: list[list[str]]) -> None:
    values = parser_of("train").parse([word for piece in pieces for word in piece])
    assert (values.model, values.data, values.epochs, values.learning_rate) == ("mlp", "iris", 3, 1e-2)
    assert values.model_options == {"hidden": "4,4", "dropout": ".1"}


@given(st.floats(allow_nan=False) | st.integers())
def test_numbers_are_read_as_written_negative_ones_too(value: float) -> None:
    """-1e-3 is a value and no flag, so that the rate can be refused as negative and not as unknown."""
    kind, flag = (int, "--epochs") if isinstance(value, int) else (float, "--learning-rate")
    read = vars(parser_of("train").parse([flag, str(value)]))[flag.removeprefix("--").replace("-", "_")]
    assert read == value
    assert type(read) is kind


@given(st.lists(st.integers(), min_size=1).map(tuple))
def test_tuples_are_read_with_commas_between(values: tuple[int, ...]) -> None:
    assert read_value(",".join(map(str, values)), tuple[int, ...], "hidden") == values
    assert read_value(" , ".join(map(str, values)), tuple[int, ...], "hidden") == values


@given(st.text(alphabet=st.characters(exclude_characters="\0"), max_size=30))
def test_whatever_is_typed_the_answer_is_a_value_or_a_sentence(text: str) -> None:
    for words in ([text], ["--epochs", text], [f"--{text}"], ["--epochs", "3", text, "--quiet"]):
        with suppress(UsageError, SystemExit):
            parser_of("train").parse(words)


def test_a_flag_may_be_spelt_like_the_python_argument() -> None:
    parser = parser_of("train")
    assert parser.parse(["--learning_rate", "0.5"]) == parser.parse(["--learning-rate=0.5"])
    assert parser.parse(["--data", "my_table.csv"]).data == "my_table.csv"
    assert parser.parse(["--data=my_table.csv"]).data == "my_table.csv"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("lenet", "lenet5"), ("LeNet5", "lenet5"), ("lr", "learning-rate"), ("learning_rat", "learning-rate")],
)
def test_a_mistyped_name_suggests_the_nearest(typed: str, meant: str) -> None:
    assert nearest(typed, ["lenet5", "learning-rate", "momentum"]) == f" Did you mean '{meant}'?"


def test_a_name_like_no_other_suggests_nothing() -> None:
    assert nearest("zzz", ["lenet5", "momentum"]) == ""
    assert nearest("", ["lenet5"]) == ""
    assert nearest("x", []) == ""


def kinds_of_errors() -> list[type[LayerwiseError]]:
    found = [LayerwiseError]
    for kind in found:
        found += kind.__subclasses__()
    return [kind for kind in found if kind.__module__ == errors.__name__]


def test_exit_codes_are_distinct_and_documented() -> None:
    codes = {kind.__name__: kind.exit_code for kind in kinds_of_errors() if kind is not errors.StoppedError}
    assert len(set(codes.values())) == len(codes)
    documented = {int(code) for code in re.findall(r"(?:^|  +)(\d+)(?=  +\w| stopped| by)", EXIT_CODES, re.MULTILINE)}
    assert documented | {143} == {0, *codes.values(), 130, 143}
    assert "143" in EXIT_CODES
    assert errors.StoppedError("", 2).exit_code == 130
    assert errors.StoppedError("", 15).exit_code == 143


def test_what_nobody_foresaw_is_one_sentence_too() -> None:
    with pytest.raises(RuntimeError) as memory:
        torch.empty(2**60)
    with pytest.raises(FileNotFoundError) as missing:
        os.listdir("/nothing/here")
    sentences = [in_a_sentence(error) for error in (memory.value, missing.value, MemoryError(), KeyError("x\ny"))]
    assert [sentence.exit_code for sentence in sentences] == [71, 74, 71, 1]
    assert "--batch-size" in str(sentences[0])
    assert "/nothing/here" in str(sentences[1])
    assert "LAYERWISE_TRACEBACK=1" in str(sentences[3])
    assert all("\n" not in str(sentence) for sentence in sentences)


def test_infinite_and_missing_numbers_are_no_rates(command: Command) -> None:
    for value in (math.inf, -math.inf, math.nan):
        said = command("train", "mlp", "--learning-rate", value)
        assert said.code == 2
        assert "--learning-rate must be a positive number" in said.err


def test_what_stands_alone_may_stand_behind_a_flag():
    parser = Parser(prog="layerwise translate")
    translate.add_arguments(parser)
    values = parser.parse(["run", "--beam", "2", "a text", "another"])
    assert (values.run, values.texts, values.beam) == ("run", ["a text", "another"], 2)


def test_a_field_in_a_sentence_becomes_the_flag_of_the_command_that_ran() -> None:
    train, descend = parser_of("train"), parser_of("descend")
    assert train.in_flags("`learning_rate` must be shorter than `epochs` (3).") == (
        "--learning-rate must be shorter than --epochs (3)."
    )
    assert descend.in_flags("`start` and `epochs`; `layerwise losses`") == "--from and --epochs; `layerwise losses`"
    assert parser_of("runs").in_flags("`learning_rate`") == "`learning_rate`"


def test_options_of_any_network_and_those_that_were_typed_become_flags_where_networks_are_built() -> None:
    assert parser_of("show").in_flags("`embed_dim` or `hiden`", ["--hiden=3"]) == "--embed-dim or --hiden"
    assert parser_of("data").in_flags("`embed_dim`") == "`embed_dim`"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_names_flags_and_no_fields(name: str) -> None:
    assert not re.search("`[a-z_]+`", parser_of(name).format_help())
