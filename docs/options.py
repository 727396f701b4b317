"""Write the page of all options, docs/guide/20-options.md, from the configs: `python docs/options.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from layerwise.cli.arguments import spelt
from layerwise.experiments.experiment import SECTIONS
from layerwise.fields import Field, fields_of
from layerwise.generation.config import BeamConfig, ImageSamplingConfig, SamplingConfig
from layerwise.models import CATALOGUE, config_of

PAGE = Path(__file__).parent / "guide" / "20-options.md"
INTRODUCTION = """\
# Options

Every option of a training, by its Python argument; the flag of `learning_rate` is spelt with dashes. The tables are
written from the configs by `docs/options.py`. *Search* is the range that is worth trying.
"""


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION, "## Training and generation\n"]
    for config in (*SECTIONS.values(), SamplingConfig, BeamConfig, ImageSamplingConfig):
        parts.append(f"### {config.__name__}\n\n{summary_of(config)}\n\n{table(config())}\n")
        parts += [f"{choices(field)}\n" for field in fields_of(config) if any(field.domain.choices.values())]
    parts.append("## Networks\n\nThe options of each network, with the defaults of the first name.\n")
    for names in networks():
        config = config_of(names[0])
        shown = ", ".join(f"`{name}`" for name in names)
        parts.append(f"### {type(config).__name__}\n\n{shown}\n\n{table(config)}\n")
        parts += [f"{choices(field)}\n" for field in fields_of(type(config)) if any(field.domain.choices.values())]
    return "\n".join(parts)


def networks() -> list[list[str]]:
    """Return the names of the catalogue, those with the same config together."""
    together: dict[Any, list[str]] = {}
    for name in CATALOGUE:
        together.setdefault(type(config_of(name)), []).append(name)
    return list(together.values())


def summary_of(config: Any) -> str:
    """Return the first sentence of a config's docstring."""
    return str(config.__doc__).strip().split("\n")[0].split(". ")[0].rstrip(".") + "."


def table(config: Any) -> str:
    """Return the fields of a config as a table."""
    return "\n".join(
        ["| option | default | values | unit | search | what it is |", "|---|---|---|---|---|---|", *rows(config)]
    )


def rows(config: Any) -> Iterator[str]:
    for field in fields_of(type(config)):
        default = getattr(config, field.name)
        shown = "" if default is None or default is dataclasses.MISSING else f"`{spelt(default)}`"
        cells = (f"`{field.name}`", shown, field.expected, field.domain.unit, search_of(field), field.help)
        yield f"| {' | '.join(cells)} |"


def search_of(field: Field) -> str:
    """Return the range to search with its scale, or nothing where none was declared."""
    if not field.domain.search:
        return ""
    low, high = field.domain.search
    scale = "" if field.domain.scale == "linear" else f", {field.domain.scale}"
    return f"{low:g} to {high:g}{scale}"


def choices(field: Field) -> str:
    """Return what each word of a field means, a line each."""
    lines = [f"- `{word}`: {meaning}" for word, meaning in field.domain.choices.items()]
    return "\n".join([f"`{field.name}`:\n", *lines])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
