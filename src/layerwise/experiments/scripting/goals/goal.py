"""What a task says of a script: the loss of a step, the measure of an epoch, and the last line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from layerwise.experiments.scripting.plan import Plan

__all__ = ["Goal", "MakeGoal"]


@dataclass(frozen=True)
class Goal:
    """The words of a task.

    reached: what is said of the figures of the run, by their names.
    loss: the expression of the mean loss, of {network}, {inputs} and {targets}.
    measure: the statement that measures {model} on the samples {part}_x and {part}_y.
    told: what is printed of it, the inside of an f-string, with {part}.
    score: what is compared to choose the best epoch, with {part}; empty where the last weights are kept.
    worst: what it is better than at first. is_error: whether less is better.
    ending: statements that print the final figure, where measuring alone does not.
    weight: how much a piece of a batch counts, of {targets}, where that is not how many samples it has.
    functions: definitions that these call. settings: constants for the top. needs: packages beside torch.
    """

    reached: str
    loss: str
    measure: str
    told: str
    score: str
    worst: str
    is_error: bool = False
    ending: tuple[str, ...] = ()
    weight: str = ""
    functions: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    def loss_of(self, network: str, inputs: str, targets: str) -> str:
        """Return the expression of a loss."""
        return filled(self.loss, network=network, inputs=inputs, targets=targets)


def filled(text: str, **values: str) -> str:
    """Put words in the place of their names in braces, and leave all other braces."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


MakeGoal = Callable[[Plan], Goal]
