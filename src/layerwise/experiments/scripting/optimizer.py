"""The optimiser of a script, the rate of each of its steps, and the price on large weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from layerwise.errors import UsageError
from layerwise.experiments.scripting.plan import Plan
from layerwise.layers.sequences import Embedding
from layerwise.training.optimizers import weights_of

SHAPES = {
    "constant": "LEARNING_RATE",
    "plateau": "LEARNING_RATE",
    "step": "LEARNING_RATE * (1 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01)",
    "cosine": "LEARNING_RATE * (1 + math.cos(math.pi * progress)) / 2",
    "linear": "LEARNING_RATE * (1 - progress)",
    "one-cycle": "LEARNING_RATE * (1 - progress)",
}
WORDS = {
    "constant": "the same rate",
    "plateau": "the same rate",
    "step": "a tenth of the rate from half the steps on, a hundredth from three quarters",
    "cosine": "half a cosine wave down to zero",
    "linear": "a straight line down to zero",
    "one-cycle": "a straight line down to zero",
    "inverse-root": "a fall with the root of the steps so far",
}


def check(plan: Plan) -> None:
    """Raise UsageError for a network whose weights a script cannot tell from its other parameters."""
    weights = weights_of(plan.model)
    grouped = plan.training.optimizer == "muon" or plan.decay or plan.run.experiment.penalty.strength
    wide = [p for p in plan.model.parameters() if p.ndim >= 2]
    same = len(wide) == len(weights) and all(a is b for a, b in zip(wide, weights, strict=True))
    if grouped and not same:
        raise UsageError(
            f"the network of run {plan.run.name} has biases, normalisation or embeddings of two dimensions or more, "
            "which decay otherwise than its weights, and no script can be written of that."
        )


def optimizer_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that make the optimiser; weights alone decay."""
    penalty = plan.run.experiment.penalty.strength
    if plan.decay or penalty or plan.training.optimizer == "muon":
        yield "weights = [p for p in model.parameters() if p.ndim >= 2]"
        yield "others = [p for p in model.parameters() if p.ndim < 2]  # biases and normalisation"
    parameters = "model.parameters()"
    decayed = "WEIGHT_DECAY" if plan.decay else "0"
    if plan.training.optimizer == "muon":
        hidden, apart = _divided(plan)
        if apart != "weights[-1:]":
            yield f"hidden = {hidden}"
            yield f"apart = {apart}  # vectors of tokens, and the last layer"
            hidden, apart = "hidden", "apart"
        yield f"muon = Muon({hidden}, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay={decayed})"
        yield f'groups = [{{"params": {apart}, "weight_decay": {decayed}}}, {{"params": others, "weight_decay": 0}}]'
        parameters = "groups"
    elif plan.decay:
        yield 'groups = [{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0}]'
        parameters = "groups"
    yield f"optimizer = {torch_optimizer(plan, parameters)}"


def torch_optimizer(plan: Plan, parameters: str) -> str:
    """Return the call that makes an optimiser of torch's for some parameters, or groups of them."""
    name, options = {
        "sgd": ("SGD", ", fused=True"),
        "momentum": ("SGD", ", momentum=MOMENTUM, fused=True"),
        "nesterov": ("SGD", ", momentum=MOMENTUM, nesterov=True, fused=True"),
        "rmsprop": ("RMSprop", ""),
    }.get(plan.training.optimizer, ("AdamW" if plan.decay or plan.training.optimizer != "adam" else "Adam", ""))
    if name == "AdamW" and parameters != "groups":
        options = ", weight_decay=0"
    if name.startswith("Adam"):
        options += ", fused=True"
    return f"torch.optim.{name}({parameters}, lr=LEARNING_RATE{options})"


def _divided(plan: Plan) -> tuple[str, str]:
    """Return the expressions of the weights that Muon moves, and of those that Adam does."""
    modules = list(plan.model.modules())
    weights = weights_of(plan.model)
    embeddings = [part.weight for part in modules if isinstance(part, nn.Embedding | Embedding)]
    own = [p for part in modules for p in part.parameters(recurse=False)]
    last = next(p for p in reversed(own) if any(p is weight for weight in weights))
    apart = {id(p): p for p in (*embeddings, last)}
    if list(apart) == [id(weights[-1])]:
        return "weights[:-1]", "weights[-1:]"
    names = [f"model.{name}" for name, p in plan.model.named_parameters() if id(p) in apart]
    return f"[p for p in weights if {' and '.join(f'p is not {name}' for name in names)}]", f"[{', '.join(names)}]"


# The rate


def rate(plan: Plan) -> str:
    """Return the expression of the rate of a step."""
    if plan.training.schedule in ("constant", "plateau") and not plan.training.warmup:
        return "LEARNING_RATE"
    return "rate_at(step)"


def is_on_plateau(plan: Plan) -> bool:
    """Whether evaluations lower the rate."""
    return bool(plan.training.schedule == "plateau" and plan.has_valid)


def rate_lines(plan: Plan, optimizers: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines that set the rate of a step."""
    if rate(plan) == "LEARNING_RATE" and not is_on_plateau(plan):
        return
    one, *more = (f"{name}.param_groups" for name in optimizers)
    yield f"for group in {f'[*{one}, *{more[0]}]' if more else one}:"
    yield f'    group["lr"] = {"factor * " if is_on_plateau(plan) else ""}{rate(plan)}'


def schedule(plan: Plan) -> str:
    """Return the function of the learning rate at each step."""
    if rate(plan) == "LEARNING_RATE":
        return ""
    training = plan.training
    rises = training.warmup or training.schedule == "one-cycle"
    rise = "round(WARMUP * steps_per_epoch)" if training.warmup else "round(0.3 * steps)"
    shape = WORDS[training.schedule]
    doc = f"A straight rise, then {shape}." if rises else f"{shape.capitalize()}."
    lines = ["def rate_at(step: int) -> float:", f'    """{doc}"""']
    if rises:
        lines += [f"    rise = {rise}", "    if step < rise:", "        return (step + 1) / rise * LEARNING_RATE"]
    if training.schedule == "inverse-root":
        return "\n".join([*lines, f"    return LEARNING_RATE * math.sqrt({_peak(plan)} / (step + 1))"]) + "\n"
    if "progress" in SHAPES[training.schedule]:
        lines.append("    progress = (step - rise) / (steps - rise)" if rises else "    progress = step / steps")
    return "\n".join([*lines, f"    return {SHAPES[training.schedule]}"]) + "\n"


def _peak(plan: Plan) -> str:
    """Return the expression of the steps after which the rate falls: those of the rise, one at least."""
    return "max(1, rise)" if plan.training.warmup else "1"


# The penalty


def penalty_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines that shrink the weights by the size of the optimiser's step."""
    training, penalty = plan.training, plan.run.experiment.penalty
    if not penalty.strength:
        return
    factors = f"{'L1' if penalty.l1 else 0}, {'L2' if penalty.l2 else 0}"
    now = 'optimizer.param_groups[0]["lr"]'
    if training.optimizer == "muon":
        hidden, apart = _divided(plan)
        if apart != "weights[-1:]":
            hidden, apart = "hidden", "apart"
        count = "len(hidden)" if hidden == "hidden" else "(len(weights) - 1)"
        yield f'shrink({hidden}, [muon.param_groups[0]["lr"]] * {count}, {factors})'
        yield f"shrink({apart}, adam_step_sizes(optimizer, {apart}, {now}), {factors})"
    elif training.optimizer in ("sgd", "momentum", "nesterov"):
        size = now if training.optimizer == "sgd" else f"{now} / (1 - MOMENTUM)"
        yield f"shrink(weights, [{size}] * len(weights), {factors})"
    else:
        kind = "rmsprop" if training.optimizer == "rmsprop" else "adam"
        yield f"shrink(weights, {kind}_step_sizes(optimizer, weights, {now}), {factors})"


def settings(plan: Plan) -> dict[str, Any]:
    """Return the constants that are read here."""
    training, penalty = plan.training, plan.run.experiment.penalty
    found = {
        "MOMENTUM": training.momentum if training.optimizer in ("momentum", "nesterov", "muon") else None,
        "WEIGHT_DECAY": plan.decay or None,
        "L1": penalty.l1 or None,
        "L2": penalty.l2 or None,
    }
    return {name: value for name, value in found.items() if value is not None}
