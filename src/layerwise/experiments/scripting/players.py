"""The training of two players, a discriminator and a generator, each with its optimiser."""

from __future__ import annotations

from collections.abc import Iterator

from layerwise.experiments.scripting import optimizer as descent
from layerwise.experiments.scripting.goals.goal import Goal
from layerwise.experiments.scripting.plan import Plan
from layerwise.experiments.scripting.steps import INDENT, autocast, chance, closing
from layerwise.tasks.adversarial import Adversarial

PLAYERS = {"judge": "discriminator", "painter": "generator"}


def optimizer_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that make an optimiser for each player; weights alone decay."""
    for name, player in PLAYERS.items():
        own = f"model.{player}.parameters()"
        if plan.decay:
            yield f'groups = [{{"params": [p for p in {own} if p.ndim >= 2], "weight_decay": WEIGHT_DECAY}}]'
            yield f'groups.append({{"params": [p for p in {own} if p.ndim < 2], "weight_decay": 0}})'
        yield f"{name} = {descent.torch_optimizer(plan, 'groups' if plan.decay else own)}"


def step_lines(plan: Plan, goal: Goal) -> Iterator[str]:
    """Yield the lines of one step: the judge learns first, then the painter by its judgement."""
    task = plan.run.task
    assert isinstance(task, Adversarial)
    yield from chance(plan)
    yield from descent.rate_lines(plan, tuple(PLAYERS))
    pictures = "train_x[batch] / 255"
    yield f"real = {f'vary({pictures})' if plan.varied else pictures} * 2 - 1  # from -1 to 1"
    yield "with torch.no_grad():"
    yield f"{INDENT}painted = model(model.draw_noise(len(real)))"
    penalty = "GRADIENT_PENALTY" if task.gradient_penalty else "0.0"
    judged = f"judge_loss = judging(model.discriminator, real, painted, {task.relativistic}, {penalty})"
    yield from _learn(plan, "judge", judged)
    yield from _learn(plan, "painter", f"loss = {goal.loss}")
    yield from closing(plan)


def _learn(plan: Plan, name: str, loss: str) -> Iterator[str]:
    """Yield the lines of a step of one player."""
    yield from autocast(plan, [loss])
    yield f"{name}.zero_grad()"
    yield f"{loss.partition(' ')[0]}.backward()"
    if plan.training.clip_norm:
        yield f"nn.utils.clip_grad_norm_(model.{PLAYERS[name]}.parameters(), CLIP_NORM)"
    yield f"{name}.step()"
