"""The result in one plain sentence, and the key figures under it."""

from __future__ import annotations

from layerwise.reports import wording
from layerwise.reports.facts import ReportFacts
from layerwise.reports.results.result import Result


def headline(evaluation: Result | None, kind: str, split_name: str = "test") -> str:
    """Say how good the model is, of how many samples, and what guessing would reach.

    kind: 'pictures', 'table' or 'text', for the right noun.
    """
    if evaluation is None:
        return "The network is trained; it has not been measured on data of its own yet."
    return evaluation.sentence(wording.samples_in_words(evaluation.count, kind, split_name))


def key_figures(facts: ReportFacts) -> list[tuple[str, str, str]]:
    """Return (value, what it is, small print) of the figures that are looked for first."""
    figures = facts.evaluation.tiles() if facts.evaluation else []
    parameters = sum(parameter.numel() for parameter in facts.model.parameters())
    figures.append((wording.compact(parameters), "parameters", f"{wording.count(parameters)} numbers were learned"))
    if facts.elapsed_s is not None:
        steps = max((record["step"] for record in facts.records), default=0)
        figures.append((wording.duration(facts.elapsed_s), "training", wording.plural(steps, "step")))
    noun = wording.several(wording.NOUNS.get(facts.dataset.kind, "sample"))
    others = f"{wording.count(len(facts.dataset.valid))} to choose, {wording.count(len(facts.dataset.test))} to test"
    figures.append((wording.count(len(facts.dataset.train)), f"{noun} to learn from", others))
    return figures
