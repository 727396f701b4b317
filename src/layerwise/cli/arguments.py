"""From the fields of a config to flags, and from words to values."""

from __future__ import annotations

import argparse
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from layerwise.errors import UsageError, nearest
from layerwise.fields import Field, fields_of

FIELD = re.compile("`([a-z][a-z0-9_]*)`")
NEGATIVE = re.compile(r"-(\d|\.\d|inf|nan)")
YES, NO = ("yes", "true", "on"), ("no", "false", "off")


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError, one sentence with the nearest flag, instead of printing usage."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)
        self.takes_model_options = False

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the values of `words`; `model_options` holds flags that only the model can know, as text."""
        own, foreign = self._part(words)
        if foreign and not self.takes_model_options:
            raise self._refusal(foreign[0])
        values, unknown = self.parse_known_intermixed_args(own)
        if unknown:
            raise self._refusal(unknown[0])
        values.model_options = flags_as_options(foreign)
        return values

    def flags(self) -> dict[str, str]:
        """Return the flag of each value: learning_rate -> --learning-rate."""
        own = {action.dest: action.option_strings[-1] for action in self._actions if action.option_strings}
        return {field_of(flag): flag for flag in self._option_string_actions if flag.startswith("--")} | own

    def in_flags(self, text: str, words: Sequence[str] = ()) -> str:
        """Write the fields that `text` names as the flags of this command, whose arguments were `words`.

        A model's own options are flags of a command that takes them, whether or not the model has the option.
        """
        flags = self.flags()
        if self.takes_model_options:
            named = {field_of(word.partition("=")[0]) for word in words if word.startswith("--")}
            if not set(FIELD.findall(text)) <= {*flags, *named}:
                named |= all_model_options()
            flags = {name: flag_of(name) for name in named} | flags
        return in_flags(text, flags)

    def format_help(self) -> str:
        return in_flags(super().format_help(), self.flags())

    def _part(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """Part `words` into those for argparse and the flags, with their values, that this parser does not know.

        argparse would take the value of an unknown flag for an argument that stands alone, and -1e-3 for a flag.
        """
        own: list[str] = []
        foreign: list[str] = []
        rest = list(words)
        while rest:
            word = with_dashes(rest.pop(0))
            if word == "--":
                return [*own, word, *rest], foreign
            if word.startswith("--") and word.partition("=")[0] not in self._option_string_actions:
                foreign.append(word)
                if "=" not in word and rest and not rest[0].startswith("--"):
                    foreign.append(rest.pop(0))
            elif word.startswith("--") and rest and NEGATIVE.match(rest[0]):
                own.append(f"{word}={rest.pop(0)}")
            else:
                own.append(word)
        return own, foreign

    def _refusal(self, word: str) -> UsageError:
        hint = nearest_flag(word, self._option_string_actions)
        alone = "" if word.startswith("-") else "; a value follows its flag"
        return UsageError(
            f"{self.prog} does not understand '{word}'{alone}.{hint} `{self.prog} --help` shows what it takes."
        )

    def error(self, message: str) -> NoReturn:
        """Say what argparse found in one sentence."""
        missing = re.fullmatch("the following arguments are required: (.*)", message)
        valueless = re.fullmatch("argument (.*): expected one argument", message)
        if missing:
            message = f"{self.prog} needs {missing[1]}"
        elif valueless:
            message = f"{valueless[1]} needs a value"
        raise UsageError(f"{message}; `{self.prog} --help` shows what it takes.")


def with_dashes(word: str) -> str:
    """Return a flag that is spelt as the Python argument, --learning_rate=1, as --learning-rate=1."""
    flag, separator, value = word.partition("=")
    return f"{flag.replace('_', '-')}{separator}{value}" if flag.startswith("--") else word


def flag_of(name: str) -> str:
    """Return the flag of a field: learning_rate -> --learning-rate."""
    return "--" + name.replace("_", "-")


def field_of(flag: str) -> str:
    """Return the field of a flag: --learning-rate -> learning_rate."""
    return flag.removeprefix("--").replace("-", "_")


def in_flags(text: str, flags: Mapping[str, str]) -> str:
    """Write each field that `text` names in backticks as its flag, where it has one: `epochs` as --epochs."""
    return FIELD.sub(lambda found: flags.get(found[1], found[0]), text)


def nearest_flag(word: str, flags: Iterable[str]) -> str:
    """Return ' Did you mean --x?' for the flag closest to `word`, or an empty string. The dashes do not count."""
    names = [flag.removeprefix("--") for flag in flags if flag.startswith("--")]
    hint = nearest(word.partition("=")[0].lstrip("-"), names) if word.startswith("-") else ""
    return hint.replace("'", "--", 1).replace("'", "")


def add_config(parser: argparse.ArgumentParser, kind: type, leave_out: Sequence[str] = ()) -> None:
    """Add a flag for every field of the dataclass `kind`; only flags that are used appear in the result."""
    group = parser.add_argument_group(kind.__name__.removesuffix("Config").lower())
    hints = typing.get_type_hints(kind)
    for field in fields_of(kind):
        if field.name not in leave_out:
            add_value(group, field.name, hints[field.name], sentence_of(field))


def sentence_of(field: Field) -> str:
    """Return what a field is for, which values it may have and which it has where nothing is said."""
    says_no_more = field.kind is bool or (field.kind is str and not field.domain.choices)
    expected = "" if says_no_more else f"; {field.expected}"
    return field.help + expected + ("" if field.default is None else f" [{spelt(field.default)}]")


def spelt(value: Any) -> str:
    """Return a value as it is typed behind its flag."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def add_value(group: argparse._ActionsContainer, name: str, hint: Any, sentence: str, **options: Any) -> None:
    """Add a flag for a value of the annotation `hint`; it is in the result where it is used."""
    group.add_argument(
        flag_of(name),
        type=_reader(hint, name),
        help=sentence.replace("%", "%%"),
        **{"default": argparse.SUPPRESS, "metavar": _metavar(hint), **options},
    )


def flags_as_options(words: Sequence[str]) -> dict[str, str]:
    """Turn ['--hidden', '64,64', '--batch-norm'] into {'hidden': '64,64', 'batch_norm': ''}."""
    options: dict[str, str] = {}
    rest = list(words)
    while rest:
        flag, separator, value = rest.pop(0).partition("=")
        if not separator and rest and not rest[0].startswith("--"):
            value = rest.pop(0)
        options[field_of(flag)] = value
    return options


def read_value(text: str, hint: Any, name: str) -> Any:
    """Read `text` as a value of the annotation `hint`: numbers, yes or no, words, comma-separated tuples.

    Raises:
        UsageError: it is none; the sentence names the flag.
    """
    for kind in _alternatives(hint):
        with suppress(ValueError):
            return _read(text.strip(), kind)
    flag, received = flag_of(name), f"'{text}'" if text else "nothing"
    raise UsageError(f"{flag} must be {_in_words(hint)}, received {received}.")


def _read(text: str, kind: Any) -> Any:
    """Read `text` as one kind of value, nothing as a yes. Raises ValueError where it is none."""
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_read(part.strip(), item) for part in text.split(","))
    if kind in (int, float):
        return kind(text)
    if kind is bool and text.lower() in (*YES, *NO, ""):
        return text.lower() not in NO
    if text and (kind is str or (typing.get_origin(kind) is typing.Literal and text in typing.get_args(kind))):
        return text
    raise ValueError(text)


def _in_words(hint: Any) -> str:
    """Return what a value must be: 'a whole number or full'."""
    words = {int: "a whole number", float: "a number", str: "a word", bool: "yes or no"}
    names = []
    for kind in _alternatives(hint):
        if typing.get_origin(kind) is tuple:
            item = words[typing.get_args(kind)[0]].removeprefix("a ")
            names.append(f"{item}s separated by commas")
        elif typing.get_origin(kind) is typing.Literal:
            names += [str(choice) for choice in typing.get_args(kind)]
        elif kind in words:
            names.append(words[kind])
    return " or ".join(names)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)


def _reader(hint: Any, name: str) -> Any:
    return lambda text: read_value(text, hint, name)


def _metavar(hint: Any) -> str:
    words = {int: "N", float: "NUMBER", str: "TEXT", bool: "YES|NO"}
    names = []
    for kind in _alternatives(hint):
        if typing.get_origin(kind) is tuple:
            names.append("A,B,...")
        elif typing.get_origin(kind) is typing.Literal:
            names += [str(choice) for choice in typing.get_args(kind)]
        elif kind in words:
            names.append(words[kind])
    return "|".join(names)


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a run."""
    parser.add_argument("run", metavar="RUN", help="a run's name, its unique beginning, its path, or 'latest'")


def add_runs_folder(parser: argparse.ArgumentParser) -> None:
    """Add the flag that says where runs are kept."""
    parser.add_argument("--runs", metavar="FOLDER", help="folder of the runs [./runs, or LAYERWISE_RUNS]")


def read_model_options(model: str, words: Mapping[str, str]) -> dict[str, Any]:
    """Read flags that only the model knows by the types of its config; unknown ones stay text and are refused later."""
    from layerwise.models import option_hints

    hints = option_hints(model)
    return {name: read_value(text, hints[name], name) if name in hints else text for name, text in words.items()}


def all_model_options() -> set[str]:
    """Return the names of the options of all networks."""
    from layerwise.models import CATALOGUE, option_names

    return {option for model in CATALOGUE for option in option_names(model)}
