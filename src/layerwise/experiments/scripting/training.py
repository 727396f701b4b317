"""The training of a run as a loop that can be read aloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from layerwise.errors import UsageError
from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts, names_used
from layerwise.experiments.scripting.section import Raw, Section, part
from layerwise.tasks import Classification
from layerwise.training.optimizers import weights_of

INDENT = "    "
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
}


@dataclass(frozen=True)
class Plan:
    """What a script trains, and how.

    build: the expression that makes the network. varied, scaled: whether the samples are pictures that `vary` changes
    and that `scale` prepares. device: 'cpu' or another kind.
    """

    run: Run
    model: nn.Module
    build: str
    varied: bool
    scaled: bool
    device: str
    excerpts: Excerpts

    @property
    def is_classification(self) -> bool:
        return isinstance(self.run.task, Classification)

    @property
    def has_dropout(self) -> bool:
        return any(isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p > 0 for layer in self.model.modules())

    @property
    def same_steps(self) -> bool:
        """Whether the steps are those of the run, but for rounding at most: nothing is drawn in a way of its own."""
        experiment = self.run.experiment
        return (
            self.device == "cpu"
            and not self.varied
            and not experiment.data.mixup
            and experiment.training.optimizer != "muon"
            and not self.run.pace.compile
        )

    @property
    def chosen(self) -> str:
        """The network that is measured and kept."""
        return "average" if self.run.experiment.training.average else "model"


def training_section(plan: Plan) -> Section:
    """Return the training: model, optimiser, loop, and the final figure."""
    check(plan)
    lines = [*_beginning(plan), *_optimizer(plan), *_memory(plan), "", *_loop(plan), "", *_ending(plan)]
    steps = "\n".join(lines) + "\n"
    schedule = _schedule(plan)
    helpers = [name for name in HELPERS if name in names_used(steps)]
    functions = part(plan.excerpts, "descent", *helpers)
    if "Muon" in names_used(steps):
        functions += "\n" + part(plan.excerpts, "muon", "Muon")
    return Section(steps, f"{functions}\n{_evaluate(plan)}\n{schedule}", _settings(plan))


HELPERS = ("derive_seed", "mix", "follow", "shrink", "adam_step_sizes", "rmsprop_step_sizes")


def check(plan: Plan) -> None:
    """Raise UsageError for a network whose weights a script cannot tell from its other parameters."""
    experiment, weights = plan.run.experiment, weights_of(plan.model)
    grouped = experiment.training.optimizer == "muon" or _decay(plan) or experiment.penalty.strength
    wide = [p for p in plan.model.parameters() if p.ndim >= 2]
    embeds = any(isinstance(layer, nn.Embedding) for layer in plan.model.modules())
    same = len(wide) == len(weights) and all(a is b for a, b in zip(wide, weights, strict=True))
    if grouped and (not same or (embeds and experiment.training.optimizer == "muon")):
        raise UsageError(
            f"the network of run {plan.run.name} has biases, normalisation or embeddings of two dimensions or more, "
            "which decay otherwise than its weights, and no script can be written of that."
        )


def _decay(plan: Plan) -> float:
    experiment = plan.run.experiment
    return experiment.penalty.decay(experiment.training.optimizer)


def _settings(plan: Plan) -> dict[str, Any]:
    """Return the constants of the training."""
    experiment, training = plan.run.experiment, plan.run.experiment.training
    full = training.batch_size == "full"
    size = min(int(training.batch_size), plan.run.facts["sizes"]["train"]) if not full else 0
    settings: dict[str, Any] = {"EPOCHS": training.epochs}
    settings |= {} if full else {"BATCH_SIZE": size}
    settings["LEARNING_RATE"] = training.learning_rate
    optional = {
        "WARMUP": Raw(f"{training.warmup:g}  # epochs over which the rate rises") if training.warmup else None,
        "MOMENTUM": training.momentum if training.optimizer in ("momentum", "nesterov", "muon") else None,
        "WEIGHT_DECAY": _decay(plan) or None,
        "L1": experiment.penalty.l1 or None,
        "L2": experiment.penalty.l2 or None,
        "CLIP_NORM": training.clip_norm or None,
        "PIECES": Raw(f"{training.accumulate}  # of a batch, one after the other") if training.accumulate > 1 else None,
        "AVERAGE": Raw(f"{training.average}  # decay of the running average of the weights")
        if training.average
        else None,
        "LABEL_SMOOTHING": experiment.task.label_smoothing or None,
        "MIXUP": experiment.data.mixup or None,
        "PATIENCE": Raw(f"{training.patience}  # epochs without a better one") if _is_patient(plan) else None,
    }
    return settings | {name: value for name, value in optional.items() if value is not None}


def _is_patient(plan: Plan) -> bool:
    return bool(plan.run.experiment.training.patience) and _has_valid(plan)


def _has_valid(plan: Plan) -> bool:
    return bool(plan.run.facts["sizes"]["valid"])


def _beginning(plan: Plan) -> Iterator[str]:
    pace = plan.run.pace
    if pace.threads and plan.device == "cpu":
        yield f"torch.set_num_threads({pace.threads})  # with another number the last digits differ"
    yield "torch.manual_seed(SEED)"
    model = plan.build
    if plan.device != "cpu":
        parts = (
            "train_x, train_y, valid_x, valid_y, test_x, test_y"
            if _has_valid(plan)
            else "train_x, train_y, test_x, test_y"
        )
        yield 'device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"'
        yield f"{parts} = (part.to(device) for part in ({parts}))"
        model += ".to(device)"
    if pace.channels_last:
        model += ".to(memory_format=torch.channels_last)"
    yield f"model = {model}"
    if pace.compile:
        yield "compiled = torch.compile(model)"


def _optimizer(plan: Plan) -> Iterator[str]:
    """Yield the lines that make the optimiser; weights alone decay."""
    training, decay = plan.run.experiment.training, _decay(plan)
    penalty = plan.run.experiment.penalty.strength
    name, options = {
        "sgd": ("SGD", ", fused=True"),
        "momentum": ("SGD", ", momentum=MOMENTUM, fused=True"),
        "nesterov": ("SGD", ", momentum=MOMENTUM, nesterov=True, fused=True"),
        "rmsprop": ("RMSprop", ""),
    }.get(training.optimizer, ("AdamW" if decay or training.optimizer != "adam" else "Adam", ", fused=True"))
    if decay or penalty or training.optimizer == "muon":
        yield "weights = [p for p in model.parameters() if p.ndim >= 2]"
        yield "others = [p for p in model.parameters() if p.ndim < 2]  # biases and normalisation"
    if training.optimizer == "muon":
        own = f"momentum=MOMENTUM, weight_decay={'WEIGHT_DECAY' if decay else '0'}"
        yield f"muon = Muon(weights[:-1], lr=LEARNING_RATE, {own})"
    parameters = "model.parameters()"
    if decay or training.optimizer == "muon":
        own = "weights[-1:]" if training.optimizer == "muon" else "weights"
        own = f'{{"params": {own}, "weight_decay": {"WEIGHT_DECAY" if decay else "0"}}}'
        yield f'groups = [{own}, {{"params": others, "weight_decay": 0}}]'
        parameters = "groups"
    elif name == "AdamW":
        options = ", weight_decay=0" + options
    yield f"optimizer = torch.optim.{name}({parameters}, lr=LEARNING_RATE{options})"


def _memory(plan: Plan) -> Iterator[str]:
    """Yield what is remembered from step to step."""
    training = plan.run.experiment.training
    if training.average:
        yield "average = copy.deepcopy(model)"
    if _rate(plan) == "rate_at(step)":
        rest = _left_out(plan)
        count = f"len(train_x) {'//' if rest else '/'} BATCH_SIZE" if training.batch_size != "full" else "1"
        count = count if rest or training.batch_size == "full" else f"math.ceil({count})"
        needs_epochs = bool(training.warmup)
        if needs_epochs:
            yield f"steps_per_epoch = {count}"
        yield f"steps = EPOCHS * {'steps_per_epoch' if needs_epochs else count}"
    if _counts_steps(plan):
        yield "step = 0"
    if training.schedule == "plateau" and _has_valid(plan):
        yield "factor, waited = 1.0, 0"
    if _has_valid(plan):
        yield f"best = {'(0.0, -math.inf)' if plan.is_classification else 'math.inf'}"


def _left_out(plan: Plan) -> bool:
    """Whether a last batch of one sample is left out, for it has no statistics."""
    size, count = plan.run.experiment.training.batch_size, plan.run.facts["sizes"]["train"]
    return size != "full" and 1 < size < count and count % size == 1


def _counts_steps(plan: Plan) -> bool:
    dropout = plan.has_dropout and plan.same_steps
    return _rate(plan) == "rate_at(step)" or bool(plan.run.experiment.training.average) or dropout


def _rate(plan: Plan) -> str:
    """Return the expression of the rate of a step."""
    training = plan.run.experiment.training
    if training.schedule in ("constant", "plateau") and not training.warmup:
        return "LEARNING_RATE"
    return "rate_at(step)"


def _schedule(plan: Plan) -> str:
    """Return the function of the learning rate at each step."""
    if _rate(plan) == "LEARNING_RATE":
        return ""
    training = plan.run.experiment.training
    rises = training.warmup or training.schedule == "one-cycle"
    rise = "round(WARMUP * steps_per_epoch)" if training.warmup else "round(0.3 * steps)"
    doc = f"A straight rise, then {WORDS[training.schedule]}." if rises else f"{WORDS[training.schedule].capitalize()}."
    lines = ["def rate_at(step: int) -> float:", f'    """{doc}"""']
    if rises:
        lines += [f"    rise = {rise}", "    if step < rise:", "        return (step + 1) / rise * LEARNING_RATE"]
    if "progress" in SHAPES[training.schedule]:
        lines.append("    progress = (step - rise) / (steps - rise)" if rises else "    progress = step / steps")
    return "\n".join([*lines, f"    return {SHAPES[training.schedule]}"]) + "\n"


def _loop(plan: Plan) -> Iterator[str]:
    yield "for epoch in range(EPOCHS):"
    for line in (*_epoch(plan), *_judgement(plan)):
        yield INDENT + line if line else ""


def _epoch(plan: Plan) -> Iterator[str]:
    """Yield the lines of an epoch's steps."""
    training = plan.run.experiment.training
    seed = ", generator=torch.Generator().manual_seed(derive_seed(SEED, epoch))" if plan.same_steps else ""
    order = f"torch.randperm(len(train_x){seed})"
    if _left_out(plan):
        order += "[:-1]"
    yield "model.train()"
    yield f"order = {order}" + ("  # the last batch would hold one sample" if _left_out(plan) else "")
    yield f"for batch in order.split({'len(order)' if training.batch_size == 'full' else 'BATCH_SIZE'}):"
    for line in _step(plan):
        yield INDENT + line


def _step(plan: Plan) -> Iterator[str]:
    """Yield the lines of one step."""
    experiment, training = plan.run.experiment, plan.run.experiment.training
    optimizers = ["muon", "optimizer"] if training.optimizer == "muon" else ["optimizer"]
    if plan.has_dropout and plan.same_steps:
        yield "torch.manual_seed(derive_seed(SEED, step, 0))  # what dropout draws"
    yield from _rate_lines(plan)
    yield from _inputs(plan)
    for optimizer in optimizers:
        yield f"{optimizer}.zero_grad()"
    yield from _losses(plan)
    if training.clip_norm:
        yield "nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)"
    for optimizer in optimizers:
        yield f"{optimizer}.step()"
    if experiment.penalty.strength:
        yield from _penalty(plan)
    if _counts_steps(plan):
        yield "step += 1"
    if training.average:
        yield "follow(average, model, 1 - min(AVERAGE, (1 + step) / (10 + step)))"


def _rate_lines(plan: Plan) -> Iterator[str]:
    training, rate = plan.run.experiment.training, _rate(plan)
    on_plateau = training.schedule == "plateau" and _has_valid(plan)
    if rate == "LEARNING_RATE" and not on_plateau:
        return
    groups = (
        "optimizer.param_groups" if training.optimizer != "muon" else "[*muon.param_groups, *optimizer.param_groups]"
    )
    yield f"for group in {groups}:"
    yield f'    group["lr"] = {"factor * " if on_plateau else ""}{rate}'


def _inputs(plan: Plan) -> Iterator[str]:
    """Yield the lines that cut a batch out of the training samples."""
    data = plan.run.experiment.data
    inputs = "train_x[batch]"
    if plan.scaled:
        inputs = f"scale(vary({inputs} / 255))" if plan.varied else f"scale({inputs} / 255)"
    yield f"inputs, targets = {inputs}, train_y[batch]"
    if data.mixup:
        shares = "F.one_hot(targets, len(CLASSES)).float()" if plan.is_classification else "targets"
        shares = shares.replace("len(CLASSES)", str(plan.run.facts["output_count"]))
        yield f"inputs, targets = mix(inputs, {shares}, MIXUP)"


def _losses(plan: Plan) -> Iterator[str]:
    """Yield the lines of the loss and its gradient, piece by piece where a batch is cut."""
    training = plan.run.experiment.training
    smoothing = ", label_smoothing=LABEL_SMOOTHING" if plan.run.experiment.task.label_smoothing else ""
    name = "F.cross_entropy" if plan.is_classification else "F.mse_loss"
    network = "compiled" if plan.run.pace.compile else "model"
    lines = [f"loss = {name}({network}(inputs), targets{smoothing})"]
    if training.accumulate > 1:
        lines = [f"loss = len(some) / len(batch) * {name}({network}(some), truth{smoothing})"]
    if plan.run.pace.precision == "bfloat16":
        kind = "device" if plan.device != "cpu" else '"cpu"'
        lines = [f"with torch.autocast({kind}, torch.bfloat16):", *(INDENT + line for line in lines)]
    lines.append("loss.backward()")
    if training.accumulate > 1:
        yield "pieces = min(PIECES, len(batch))"
        yield "for some, truth in zip(inputs.tensor_split(pieces), targets.tensor_split(pieces), strict=True):"
        lines = [INDENT + line for line in lines]
    yield from lines


def _penalty(plan: Plan) -> Iterator[str]:
    """Yield the line that shrinks the weights by the size of the optimiser's step."""
    training, penalty = plan.run.experiment.training, plan.run.experiment.penalty
    factors = f"{'L1' if penalty.l1 else 0}, {'L2' if penalty.l2 else 0}"
    rate = 'optimizer.param_groups[0]["lr"]'
    if training.optimizer == "muon":
        yield f'shrink(weights[:-1], [muon.param_groups[0]["lr"]] * (len(weights) - 1), {factors})'
        yield f"shrink(weights[-1:], adam_step_sizes(optimizer, weights[-1:], {rate}), {factors})"
    elif training.optimizer in ("sgd", "momentum", "nesterov"):
        size = rate if training.optimizer == "sgd" else f"{rate} / (1 - MOMENTUM)"
        yield f"shrink(weights, [{size}] * len(weights), {factors})"
    else:
        kind = "rmsprop" if training.optimizer == "rmsprop" else "adam"
        yield f"shrink(weights, {kind}_step_sizes(optimizer, weights, {rate}), {factors})"


def _judgement(plan: Plan) -> Iterator[str]:
    """Yield the lines that measure an epoch and keep the best one."""
    training = plan.run.experiment.training
    if not _has_valid(plan):
        yield 'print(f"epoch {epoch + 1}: last loss {loss:.4f}")'
        return
    on_plateau = training.schedule == "plateau"
    if plan.is_classification:
        yield f"accuracy, valid_loss = evaluate({plan.chosen}, valid_x, valid_y)"
        yield 'print(f"epoch {epoch + 1}: validation accuracy {accuracy:.4f}, loss {valid_loss:.4f}")'
        score, is_better = "(accuracy, -valid_loss)", "(accuracy, -valid_loss) > best"
    else:
        yield f"valid_loss = F.mse_loss(answers({plan.chosen}, valid_x), valid_y).item()"
        yield 'print(f"epoch {epoch + 1}: validation loss {valid_loss:.4f}")'
        score, is_better = "valid_loss", "valid_loss < best"
    yield f"if {is_better}:"
    yield f"    best, best_weights = {score}, copy.deepcopy({plan.chosen}.state_dict())"
    if _is_patient(plan):
        yield "    best_epoch = epoch"
    if on_plateau:
        yield "    waited = 0"
        yield "elif waited < 2:"
        yield "    waited += 1"
        yield "else:"
        yield "    factor, waited = factor / 2, 0"
    if _is_patient(plan):
        yield "if epoch - best_epoch >= PATIENCE:"
        yield "    break"


def _ending(plan: Plan) -> Iterator[str]:
    """Yield the lines of the final figure."""
    if _has_valid(plan):
        yield f"{plan.chosen}.load_state_dict(best_weights)"
    if plan.is_classification:
        yield f"accuracy, test_loss = evaluate({plan.chosen}, test_x, test_y)"
        yield 'print(f"test: accuracy {accuracy:.4f}, loss {test_loss:.4f} on {len(test_y)} samples")'
        return
    yield f"residuals = (answers({plan.chosen}, test_x) - test_y) * target_deviation"
    yield "spread = (test_y - test_y.mean()) * target_deviation"
    yield "r2, rmse = 1 - residuals.square().sum() / spread.square().sum(), residuals.square().mean().sqrt()"
    yield 'print(f"test: R2 {r2:.4f}, root mean squared error {rmse:.4f} on {len(test_y)} samples")'


def _evaluate(plan: Plan) -> str:
    """Return the function that measures the network."""
    given = "model(scale(some / 255))" if plan.scaled else "model(some)"
    head = "@torch.no_grad()\n"
    if plan.is_classification:
        return (
            f"{head}def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, float]:\n"
            '    """Return the share of right answers and the mean cross-entropy."""\n'
            "    model.eval()\n"
            f"    outputs = torch.cat([{given} for some in inputs.split(512)])\n"
            "    right = (outputs.argmax(1) == labels).float().mean()\n"
            "    return right.item(), F.cross_entropy(outputs, labels).item()\n"
        )
    return (
        f"{head}def answers(model: nn.Module, inputs: Tensor) -> Tensor:\n"
        '    """Return the outputs for all inputs."""\n'
        "    model.eval()\n"
        f"    return torch.cat([{given} for some in inputs.split(512)])\n"
    )
