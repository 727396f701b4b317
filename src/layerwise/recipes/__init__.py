"""Named, complete trainings, each with the figure that its command reaches. A literal table, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from layerwise.errors import UsageError, nearest


@dataclass(frozen=True)
class Recipe:
    """A training to repeat.

    options: as `layerwise.train` takes them, model and data included.
    metric, bound: what the test split must reach ('at least' for accuracy and r2).
    figure: what was measured, with its spread, number of seeds and time, in words.
    """

    summary: str
    options: Mapping[str, Any]
    metric: str
    bound: float
    figure: str


RECIPES: dict[str, Recipe] = {}


def options_of(name: str) -> dict[str, Any]:
    """Return the options of a recipe. Raises UsageError with the nearest name where there is none."""
    if name not in RECIPES:
        raise UsageError(f"'{name}' is no recipe.{nearest(name, RECIPES)} `layerwise recipes` lists them.")
    return dict(RECIPES[name].options)
