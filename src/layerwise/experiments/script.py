"""A run as a short, self-contained plain-PyTorch script that trains the same network on the same data.

Definitions are taken out of this package's own sources and rewritten for the settings of the run (see `scripting`);
what joins them is written here.
"""

from __future__ import annotations

import textwrap

from layerwise.errors import UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.scripting.augmentation import variation
from layerwise.experiments.scripting.excerpts import Excerpts, import_lines
from layerwise.experiments.scripting.fold import fold
from layerwise.experiments.scripting.goals.catalogue import GOALS
from layerwise.experiments.scripting.goals.goal import Goal
from layerwise.experiments.scripting.networks import network, own_module
from layerwise.experiments.scripting.plan import Plan
from layerwise.experiments.scripting.section import WIDTH, device_of, settings_text, tidy
from layerwise.experiments.scripting.sections.catalogue import section_of
from layerwise.experiments.scripting.training import training_section
from layerwise.tasks import task_name
from layerwise.tasks.segmentation import Segmentation


def plain_script(run: Run) -> str:
    """Return the source of a script that trains as `run` did, and needs no Layerwise.

    Raises:
        UsageError: the run has something that no short script can be written of; the sentence says what.
        NotFoundError: the data of the run is not where it was.
    """
    check(run)
    excerpts = Excerpts()
    data = section_of(run, excerpts)
    augment = run.experiment.data.augment
    moves_masks = isinstance(run.task, Segmentation)
    vary, policy = variation(augment, excerpts, moves_masks) if augment != "none" else ("", {})
    classes, build, model = network(run, excerpts)
    plan = Plan(run, model, build, data, bool(vary), device_of(run), excerpts)
    goal = GOALS[task_name(run.task)](plan)
    training = training_section(plan, goal)
    settings = settings_text({"SEED": run.experiment.training.seed, **data.settings, **policy, **training.settings})
    body = "\n".join(
        [
            settings,
            f"\n# The data\n\n{data.functions}\n{data.steps}",
            f"\n# The augmentation\n\n{vary}" if vary else "",
            f"\n# The network\n\n{classes}" if classes else "",
            f"\n# The training\n\n{training.functions}\n{training.steps}",
        ]
    )
    needs = tuple(dict.fromkeys((*data.needs, *goal.needs)))
    return f"{_docstring(plan, goal, needs)}\n{written(body, excerpts)}"


def check(run: Run) -> None:
    """Raise UsageError for a run that no script is written of."""
    if task_name(run.task) not in GOALS:
        raise UsageError(f"no plain script can be written of a {task_name(run.task)} yet; read the run's folder.")
    if run.experiment.start.pretrained != "no":
        raise UsageError(
            f"no plain script can be written of run {run.name}, which started from published weights; "
            "read the run's folder."
        )


def written(body: str, excerpts: Excerpts) -> str:
    """Fold the statements of a script, lay them out, and put the imports that are left needed above them."""
    body = tidy(fold(body))
    gap = "\n\n\n" if body.startswith(("def ", "class ", "@")) else "\n\n"
    return f"{import_lines(body, excerpts.imports)}{gap}{body}"


def _docstring(plan: Plan, goal: Goal, needs: tuple[str, ...]) -> str:
    run = plan.run
    sentences = [_figure(run, goal), _likeness(plan)]
    packages = ", ".join(["torch", *needs[:-1]]) + f" and {needs[-1]}" if needs else "torch alone"
    paragraphs = [" ".join(sentences), f"It needs {packages}. {plan.data.note}".strip()]
    text = "\n\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in paragraphs)
    return f'"""Train {run.experiment.model} on {run.facts["name"]} in plain PyTorch.\n\n{text}\n"""\n'


def _figure(run: Run, goal: Goal) -> str:
    """Say what the run reached."""
    if run.status != "finished":
        return f"Run {run.name}, which this repeats, is {run.status} and has no figure yet."
    return f"Run {run.name}, which this repeats, {goal.reached.format(**run.result['test'])}."


def _likeness(plan: Plan) -> str:
    """Say what is the same as in the run, and what is only alike."""
    if own_module(plan.run) is not None:
        return "The data and its division are the same; the first weights are drawn anew, so the figure is only alike."
    if plan.same_steps and plan.is_rounded:
        return (
            "The division of the data, the first weights and every step are the same but for rounding, so the figure "
            "is the same or close to it."
        )
    if plan.same_steps:
        return (
            "The division of the data, the first weights and every step are the same, so on the same machine with the "
            "same PyTorch the figure is the same."
        )
    return (
        "The division of the data and the first weights are the same; the chance in the steps is not, so the figure "
        "is alike, as it is for another seed."
    )
