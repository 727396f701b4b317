"""What the steps of every training have: what they draw, how they are counted, and what is done behind them."""

from __future__ import annotations

from collections.abc import Iterator

from layerwise.experiments.scripting import optimizer as descent
from layerwise.experiments.scripting.plan import Plan

INDENT = "    "


def counts_steps(plan: Plan) -> bool:
    """Whether the number of a step is read."""
    is_seeded = plan.draws and plan.same_steps
    return descent.rate(plan) == "rate_at(step)" or bool(plan.training.average) or is_seeded


def chance(plan: Plan) -> Iterator[str]:
    """Yield the line that seeds what a step draws."""
    if plan.draws and plan.same_steps:
        yield "torch.manual_seed(derive_seed(SEED, step, 0))  # what the network draws"


def closing(plan: Plan) -> Iterator[str]:
    """Yield the lines behind a step."""
    if counts_steps(plan):
        yield "step += 1"
    if plan.training.average:
        yield "follow(average, model, 1 - min(AVERAGE, (1 + step) / (10 + step)))"


def autocast(plan: Plan, lines: list[str]) -> list[str]:
    """Put the lines of a loss under half the precision where the run has it."""
    if plan.run.pace.precision != "bfloat16":
        return lines
    kind = "device" if plan.device != "cpu" else '"cpu"'
    return [f"with torch.autocast({kind}, torch.bfloat16):", *(INDENT + line for line in lines)]
