"""From the fields of a config to flags, and from words to values."""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NoReturn

from layerwise.errors import UsageError, nearest


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError, one sentence with the nearest flag, instead of printing usage."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)
        self.takes_model_options = False

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the values of `words`; `model_options` holds flags that only the model can know, as text."""
        values, unknown = self.parse_known_args(words)
        if unknown and not (self.takes_model_options and unknown[0].startswith("--")):
            flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
            hint = nearest(unknown[0].split("=")[0], flags) if unknown[0].startswith("-") else ""
            raise UsageError(f"{self.prog} does not understand '{unknown[0]}'.{hint} `{self.prog} --help` says more.")
        values.model_options = flags_as_options(unknown)
        return values

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}. `{self.prog} --help` says more.")


def add_config(parser: argparse.ArgumentParser, kind: type, leave_out: Sequence[str] = ()) -> None:
    """Add a flag for every field of the dataclass `kind`; only flags that are used appear in the result."""
    group = parser.add_argument_group(kind.__name__.removesuffix("Config").lower())
    hints = typing.get_type_hints(kind)
    for field in fields(kind):
        if field.name in leave_out:
            continue
        shown = "" if field.default is None else f" [{field.default}]"
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            type=_reader(hints[field.name], field.name),
            default=argparse.SUPPRESS,
            metavar=_metavar(hints[field.name]),
            help=field.metadata.get("help", "").replace("%", "%%") + shown,
        )


def flags_as_options(words: Sequence[str]) -> dict[str, str]:
    """Turn ['--hidden', '64,64', '--batch-norm'] into {'hidden': '64,64', 'batch_norm': 'yes'}."""
    options: dict[str, str] = {}
    rest = list(words)
    while rest:
        flag, separator, value = rest.pop(0).partition("=")
        if not flag.startswith("--"):
            raise UsageError(f"'{flag}' stands alone; a value follows its flag, as in --epochs 3.")
        if not separator:
            value = rest.pop(0) if rest and not rest[0].startswith("--") else "yes"
        options[flag[2:].replace("-", "_")] = value
    return options


def read_value(text: str, hint: Any, name: str) -> Any:
    """Read `text` as a value of the annotation `hint`: numbers, yes or no, words, comma-separated tuples.

    Raises:
        UsageError: it is none; the sentence names the flag.
    """
    flag = "--" + name.replace("_", "-")
    for kind in _alternatives(hint):
        if typing.get_origin(kind) is tuple:
            item = typing.get_args(kind)[0]
            return tuple(read_value(part, item, name) for part in text.split(",") if part.strip())
        if kind is bool and text.lower() in ("yes", "true", "on", "no", "false", "off"):
            return text.lower() in ("yes", "true", "on")
        if kind is str or (typing.get_origin(kind) is typing.Literal and text in typing.get_args(kind)):
            return text
        if kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    raise UsageError(f"{flag} takes {_metavar(hint).lower()}, received '{text}'.")


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
    parser.add_argument("--runs", metavar="FOLDER", help="where runs are kept [./runs, or LAYERWISE_RUNS]")


def read_model_options(model: str, words: Mapping[str, str]) -> dict[str, Any]:
    """Read flags that only the model knows by the types of its config; unknown ones stay text and are refused later."""
    from layerwise.models import option_hints

    hints = option_hints(model)
    return {name: read_value(text, hints[name], name) if name in hints else text for name, text in words.items()}
