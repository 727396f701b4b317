"""The training of a run as a loop that can be read aloud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layerwise.experiments.scripting import optimizer as descent
from layerwise.experiments.scripting import players
from layerwise.experiments.scripting.excerpts import names_used
from layerwise.experiments.scripting.goals.goal import Goal, filled
from layerwise.experiments.scripting.plan import Plan
from layerwise.experiments.scripting.section import Raw, Section, part
from layerwise.experiments.scripting.steps import INDENT, autocast, chance, closing, counts_steps
from layerwise.tasks.adversarial import Adversarial

HELPERS = ("derive_seed", "mix", "follow", "shrink", "adam_step_sizes", "rmsprop_step_sizes")


def training_section(plan: Plan, goal: Goal) -> Section:
    """Return the training: model, optimiser, loop, and the final figure."""
    if isinstance(plan.run.task, Adversarial):
        makers, step = players.optimizer_lines(plan), players.step_lines(plan, goal)
    else:
        descent.check(plan)
        makers, step = descent.optimizer_lines(plan), step_lines(plan, goal)
    loop = (*epoch_lines(plan, step), *judgement(plan, goal))
    lines = [
        *(*beginning(plan), *makers, *memory(plan, goal), ""),
        "for epoch in range(EPOCHS):",
        *(INDENT + line if line else "" for line in loop),
        *("", *ending(plan, goal)),
    ]
    steps = "\n".join(lines) + "\n"
    return Section(steps, f"{helpers(plan, steps)}\n{goal.functions}\n{descent.schedule(plan)}", settings(plan, goal))


def helpers(plan: Plan, steps: str) -> str:
    """Return the functions that the steps of a training call, whatever its task."""
    functions = part(plan.excerpts, "descent", *(name for name in HELPERS if name in names_used(steps)))
    if "Muon" in names_used(steps):
        functions += "\n" + part(plan.excerpts, "muon", "Muon")
    return functions


def settings(plan: Plan, goal: Goal) -> dict[str, Any]:
    """Return the constants of the training."""
    training = plan.training
    found: dict[str, Any] = {"EPOCHS": training.epochs}
    if not plan.is_full:
        found["BATCH_SIZE"] = min(int(training.batch_size), plan.run.facts["sizes"]["train"])
    found["LEARNING_RATE"] = training.learning_rate
    optional = {
        "WARMUP": Raw(f"{training.warmup:g}  # epochs over which the rate rises") if training.warmup else None,
        **descent.settings(plan),
        "CLIP_NORM": training.clip_norm or None,
        "PIECES": Raw(f"{training.accumulate}  # of a batch, one after the other") if training.accumulate > 1 else None,
        "AVERAGE": Raw(f"{training.average}  # decay of the running average of the weights")
        if training.average
        else None,
        **goal.settings,
        "MIXUP": plan.run.experiment.data.mixup or None,
        "PATIENCE": Raw(f"{training.patience}  # epochs without a better one") if _is_patient(plan, goal) else None,
    }
    return found | {name: value for name, value in optional.items() if value is not None}


def _is_patient(plan: Plan, goal: Goal) -> bool:
    return bool(plan.training.patience and _chooses(plan, goal))


def _chooses(plan: Plan, goal: Goal) -> bool:
    """Whether the best epoch is kept, and not the last one."""
    return plan.has_valid and bool(goal.score)


def beginning(plan: Plan) -> Iterator[str]:
    """Yield the lines that make the network, the seed of its first weights before them."""
    pace = plan.run.pace
    if pace.threads and plan.device == "cpu":
        yield f"torch.set_num_threads({pace.threads})  # with another number the last digits differ"
    yield "torch.manual_seed(SEED)"
    model = plan.build
    if plan.device != "cpu":
        names = ", ".join(f"{name}_x, {name}_y" for name in ("train", *(["valid"] * plan.has_valid), "test"))
        yield 'device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"'
        yield f"{names} = (part.to(device) for part in ({names}))"
        model += ".to(device)"
    if pace.channels_last:
        model += ".to(memory_format=torch.channels_last)"
    yield f"model = {model}"
    if pace.compile:
        yield "compiled = torch.compile(model)"


def memory(plan: Plan, goal: Goal) -> Iterator[str]:
    """Yield what is remembered from step to step."""
    if plan.training.average:
        yield "average = copy.deepcopy(model)"
    if descent.rate(plan) == "rate_at(step)":
        count = "1" if plan.is_full else "math.ceil(len(train_x) / BATCH_SIZE)"
        if left_out(plan):
            count = "len(train_x) // BATCH_SIZE"
        if plan.training.warmup:
            yield f"steps_per_epoch = {count}"
            count = "steps_per_epoch"
        yield f"steps = EPOCHS * {f'({count})' if ' // ' in count else count}"
    if counts_steps(plan):
        yield "step = 0"
    if descent.is_on_plateau(plan):
        yield "factor, waited = 1.0, 0"
    if _chooses(plan, goal):
        yield f"best = {goal.worst}"


def left_out(plan: Plan) -> bool:
    """Whether a last batch of one sample is left out, for it has no statistics."""
    size, count = plan.training.batch_size, plan.run.facts["sizes"]["train"]
    return bool(size != "full" and 1 < size < count and count % size == 1)


def epoch_lines(plan: Plan, steps: Iterator[str]) -> Iterator[str]:
    """Yield the lines of an epoch: the order of the samples, and what is done with each batch."""
    generator = "torch.Generator().manual_seed(derive_seed(SEED, epoch))" if plan.same_steps else ""
    yield "model.train()"
    if plan.data.order:
        yield f"generator = {generator or 'torch.Generator().manual_seed(epoch)'}"
        order = filled(plan.data.order, order="torch.randperm(len(train_x), generator=generator)")
    else:
        order = f"torch.randperm(len(train_x){f', generator={generator}' if generator else ''})"
    yield f"order = {order}"
    if left_out(plan):
        yield "order = order[:-1]  # the last batch would hold one sample"
    yield f"for batch in order.split({'len(order)' if plan.is_full else 'BATCH_SIZE'}):"
    for line in steps:
        yield INDENT + line


def step_lines(plan: Plan, goal: Goal) -> Iterator[str]:
    """Yield the lines of one step."""
    optimizers = ("muon", "optimizer") if plan.training.optimizer == "muon" else ("optimizer",)
    yield from chance(plan)
    yield from descent.rate_lines(plan, optimizers)
    yield from inputs_lines(plan)
    for name in optimizers:
        yield f"{name}.zero_grad()"
    yield from _losses(plan, goal)
    if plan.training.clip_norm:
        yield "nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)"
    for name in optimizers:
        yield f"{name}.step()"
    yield from descent.penalty_lines(plan)
    yield from closing(plan)


def inputs_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that cut a batch out of the training samples."""
    data = plan.run.experiment.data
    inputs, targets = plan.data.cut("train_x[batch]"), plan.data.cut("train_y[batch]")
    if plan.moves_masks:
        yield f"pictures, targets = taken_apart(vary(with_masks({inputs} / 255, {targets})))"
        yield f"inputs = {plan.data.prepared('PICTURES').replace('PICTURES / 255', 'pictures')}"
    else:
        inputs = plan.data.prepared(inputs)
        inputs = inputs.replace("train_x[batch] / 255", "vary(train_x[batch] / 255)") if plan.varied else inputs
        yield f"inputs, targets = {inputs}, {targets}"
    if data.mixup:
        is_of_classes = plan.run.facts["goal"] == "classification"
        count = plan.run.facts["output_count"]
        shares = f"F.one_hot(targets, {count}).float()" if is_of_classes else "targets"
        yield f"inputs, targets = mix(inputs, {shares}, MIXUP)"


def _losses(plan: Plan, goal: Goal) -> Iterator[str]:
    """Yield the lines of the loss and its gradient, piece by piece where a batch is cut."""
    network = "compiled" if plan.run.pace.compile else "model"
    lines = [f"loss = {goal.loss_of(network, 'inputs', 'targets')}"]
    if plan.training.accumulate > 1:
        truth, whole = (filled(goal.weight, targets=name) for name in ("truth", "targets"))
        share = [f"share = {truth} / {whole}"] if goal.weight else []
        factor = "share" if goal.weight else "len(some) / len(batch)"
        lines = [*share, f"loss = {factor} * {goal.loss_of(network, 'some', 'truth')}"]
    lines = [*autocast(plan, lines), "loss.backward()"]
    if plan.training.accumulate > 1:
        yield "pieces = min(PIECES, len(batch))"
        yield "for some, truth in zip(inputs.tensor_split(pieces), targets.tensor_split(pieces), strict=True):"
        lines = [INDENT + line for line in lines]
    yield from lines


def judgement(plan: Plan, goal: Goal) -> Iterator[str]:
    """Yield the lines that measure an epoch and keep the best one."""
    if not plan.has_valid:
        yield 'print(f"epoch {epoch + 1}: last loss {loss:.4f}")'
        return
    yield from filled(goal.measure, model=plan.chosen, part="valid").splitlines()
    yield f'print(f"epoch {{epoch + 1}}: validation {filled(goal.told, part="valid")}")'
    if not goal.score:
        return
    score = filled(goal.score, part="valid")
    yield f"if {score} {'<' if goal.is_error else '>'} best:"
    yield f"    best, best_weights = {score}, copy.deepcopy({plan.chosen}.state_dict())"
    if _is_patient(plan, goal):
        yield "    best_epoch = epoch"
    if descent.is_on_plateau(plan):
        yield "    waited = 0"
        yield "elif waited < 2:"
        yield "    waited += 1"
        yield "else:"
        yield "    factor, waited = factor / 2, 0"
    if _is_patient(plan, goal):
        yield "if epoch - best_epoch >= PATIENCE:"
        yield "    break"


def ending(plan: Plan, goal: Goal) -> Iterator[str]:
    """Yield the lines of the final figure."""
    if _chooses(plan, goal):
        yield f"{plan.chosen}.load_state_dict(best_weights)"
    if goal.ending:
        yield from goal.ending
        return
    yield from filled(goal.measure, model=plan.chosen, part="test").splitlines()
    yield f'print(f"test: {filled(goal.told, part="test")} on {{len(test_y)}} samples")'
