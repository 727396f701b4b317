"""The next token of a text."""

from __future__ import annotations

from layerwise.experiments.scripting.goals.goal import Goal, filled
from layerwise.experiments.scripting.plan import Plan
from layerwise.experiments.scripting.section import part

SAMPLE = 'print(go_on({model}, tokenizer, "import", 100, WINDOW))'
LAST = 'print(f"test: {bits:.4f} bits a byte of {int(token_bytes[test_y].sum())} bytes")'


def writing(plan: Plan) -> Goal:
    """Cross-entropy of a token, and bits a byte."""
    evaluation = ("bits = bits_a_byte({model}, test_x, test_y, token_bytes)", LAST)
    return Goal(
        reached="tells {text_bytes} bytes of test text with {bits_per_byte:.4f} bits a byte",
        loss="F.cross_entropy({network}({inputs}).flatten(0, 1), {targets}.flatten(), ignore_index=0)",
        measure="bits = bits_a_byte({model}, {part}_x, {part}_y, token_bytes)",
        told="{bits:.4f} bits a byte",
        score="bits",
        worst="math.inf",
        is_error=True,
        weight="({targets} != 0).sum()",
        ending=(filled(SAMPLE, model=plan.chosen), *(filled(line, model=plan.chosen) for line in evaluation)),
        functions=f"{part(plan.excerpts, 'measures', 'bits_a_byte')}\n{part(plan.excerpts, 'prose', 'go_on')}",
    )
