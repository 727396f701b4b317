"""The next token of a text."""

from __future__ import annotations

from layerwise.experiments.scripting.goals.goal import Goal
from layerwise.experiments.scripting.plan import Plan
from layerwise.experiments.scripting.section import part


def writing(plan: Plan) -> Goal:
    """Cross-entropy of a token, and bits a byte."""
    return Goal(
        reached="tells {text_bytes} bytes of test text with {bits_per_byte:.4f} bits a byte",
        loss="F.cross_entropy({network}({inputs}).flatten(0, 1), {targets}.flatten(), ignore_index=0)",
        measure="bits = bits_a_byte({model}, {part}_x, {part}_y, token_bytes)",
        told="{bits:.4f} bits a byte",
        score="bits",
        worst="math.inf",
        is_error=True,
        functions=part(plan.excerpts, "measures", "bits_a_byte"),
    )
