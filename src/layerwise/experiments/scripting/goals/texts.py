"""A text of one language to a text of another."""

from __future__ import annotations

from layerwise.experiments.scripting.goals.goal import Goal, filled
from layerwise.experiments.scripting.plan import Plan
from layerwise.experiments.scripting.section import part
from layerwise.tasks.translation import Translation

ENDING = (
    "accuracy, test_loss = measure_tokens({model}, test_x, test_y)",
    "given = [text_of(tokenizer, tokens) for tokens in translate({model}, test_x)]",
    "references = [text_of(tokenizer, tokens) for tokens in test_y.tolist()]",
    "for (source, _), text in list(zip(test_pairs, given, strict=True))[:5]:",
    '    print(f"{source} -> {text}")',
    "bleu = sacrebleu.corpus_bleu(given, [references]).score",
    'print(f"test: BLEU {bleu:.4f}, {accuracy:.4f} of the tokens right, loss {test_loss:.4f} on {len(test_y)} texts")',
)


def translation(plan: Plan) -> Goal:
    """Cross-entropy of a token, and BLEU at the end."""
    task = plan.run.task
    assert isinstance(task, Translation)
    smoothing = ", label_smoothing=LABEL_SMOOTHING" if task.label_smoothing else ""
    return Goal(
        reached="reached a BLEU of {bleu:.4f} on {count} test texts",
        loss=f"F.cross_entropy(*foretold({{network}}, {{inputs}}, {{targets}}), ignore_index=0{smoothing})",
        measure="accuracy, {part}_loss = measure_tokens({model}, {part}_x, {part}_y)",
        told="loss {{part}_loss:.4f} nats a token, {accuracy:.4f} of them right",
        score="{part}_loss",
        worst="math.inf",
        is_error=True,
        weight="({targets} != 0).sum()",
        ending=tuple(filled(line, model=plan.chosen) for line in ENDING),
        functions=part(plan.excerpts, "measures", "foretold", "measure_tokens", "translate"),
        settings={"LABEL_SMOOTHING": task.label_smoothing} if smoothing else {},
        needs=("sacrebleu",),
    )
