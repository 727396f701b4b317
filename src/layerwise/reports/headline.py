"""The result in one plain sentence, and the key figures under it."""

from __future__ import annotations

from layerwise.reports import wording
from layerwise.reports.evaluation import ClassEvaluation, Evaluation, ValueEvaluation
from layerwise.reports.facts import ReportFacts

NOUNS = {"pictures": "picture", "table": "row", "text": "text", "series": "series", "tokens": "text"}
BALANCED_TO = 1.3  # the commonest class has at most this many times its even share


def headline(evaluation: Evaluation | None, kind: str, split_name: str = "test") -> str:
    """Say how good the model is, of how many samples, and what guessing would reach.

    kind: 'pictures', 'table' or 'text', for the right noun.
    """
    if evaluation is None:
        return "The network is trained; it has not been measured on data of its own yet."
    noun = NOUNS.get(kind, "sample")
    unseen = " that it never saw" if split_name == "test" else f" of the {split_name} split"
    samples = wording.plural(evaluation.count, noun) + unseen
    if isinstance(evaluation, ClassEvaluation):
        return f"It names {wording.share(evaluation.accuracy)} of {samples} correctly; {guessing(evaluation)}."
    return _values_headline(evaluation, samples)


def guessing(evaluation: ClassEvaluation) -> str:
    """Say what an answer that does not look at the input would reach."""
    class_count = len(evaluation.classes)
    if evaluation.baseline * class_count <= BALANCED_TO:
        return f"chance is {wording.share(1 / class_count)}"
    commonest = max(evaluation.classes, key=lambda score: score.support)
    return f"always answering ‘{commonest.name}’ would be right in {wording.share(evaluation.baseline)}"


def _values_headline(evaluation: ValueEvaluation, samples: str) -> str:
    if len(evaluation.targets) > 1:
        return (
            f"It predicts {len(evaluation.targets)} values of {samples}; it explains "
            f"{wording.share(max(0.0, evaluation.r2))} of their variance on average."
        )
    score = evaluation.targets[0]
    explained = f"It explains {wording.share(score.r2)} of the variance" if score.r2 > 0 else "It explains nothing"
    return (
        f"It predicts ‘{score.name}’ of {samples} with a typical error of {wording.decimal(score.rmse)}; "
        f"always giving the mean would have {wording.decimal(score.baseline_rmse)}. {explained}."
    )


def key_figures(facts: ReportFacts) -> list[tuple[str, str, str]]:
    """Return (value, what it is, small print) of the figures that are looked for first."""
    figures = _measured(facts.evaluation)
    parameters = sum(parameter.numel() for parameter in facts.model.parameters())
    figures.append((wording.compact(parameters), "parameters", f"{wording.count(parameters)} numbers were learned"))
    if facts.elapsed_s is not None:
        steps = max((record["step"] for record in facts.records), default=0)
        figures.append((wording.duration(facts.elapsed_s), "training", f"{wording.count(steps)} steps"))
    noun = NOUNS.get(facts.dataset.kind, "sample") + "s"
    others = f"{wording.count(len(facts.dataset.valid))} to choose, {wording.count(len(facts.dataset.test))} to test"
    figures.append((wording.count(len(facts.dataset.train)), f"{noun} to learn from", others))
    return figures


def _measured(evaluation: Evaluation | None) -> list[tuple[str, str, str]]:
    if isinstance(evaluation, ClassEvaluation):
        low, high = wording.share(evaluation.accuracy_low), wording.share(evaluation.accuracy_high)
        wrong = round((1 - evaluation.accuracy) * evaluation.count)
        return [
            (wording.share(evaluation.accuracy), "accuracy", f"95 % interval: {low} to {high}"),
            (
                f"{wording.count(wrong)} of {wording.count(evaluation.count)}",
                "mistakes",
                "all are listed below" if 0 < wrong <= len(evaluation.worst) else "",
            ),
        ]
    if isinstance(evaluation, ValueEvaluation):
        return [
            (wording.decimal(evaluation.r2), "R²", "1 is perfect, 0 is the mean"),
            (wording.decimal(evaluation.mae), "mean absolute error", "MAE, in the target's unit"),
            (wording.decimal(evaluation.rmse), "root mean squared error", "RMSE, in the target's unit"),
        ]
    return []
