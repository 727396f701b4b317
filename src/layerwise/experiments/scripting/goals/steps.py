"""A class at each step of a sequence."""

from __future__ import annotations

from layerwise.experiments.scripting.goals.goal import Goal
from layerwise.experiments.scripting.plan import Plan
from layerwise.experiments.scripting.section import part


def labelling(plan: Plan) -> Goal:
    """Cross-entropy and accuracy of a step."""
    return Goal(
        reached="got {accuracy:.2%} of the steps of {count} test samples right",
        loss="F.cross_entropy({network}({inputs}).flatten(0, 1), {targets}.flatten(), ignore_index=-1)",
        measure="accuracy, {part}_loss = measure_steps({model}, {part}_x, {part}_y)",
        told="accuracy {accuracy:.4f}, loss {{part}_loss:.4f}",
        score="(accuracy, -{part}_loss)",
        worst="(0.0, -math.inf)",
        weight="({targets} != -1).sum()",
        functions=part(plan.excerpts, "measures", "measure_steps"),
    )
