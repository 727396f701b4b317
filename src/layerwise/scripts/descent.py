"""The optimiser, the schedule and the constants of a run as lines of its script."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from torch import nn

from layerwise.data.images.augmentation import AFFINE, COPIED, Augmentation, Part
from layerwise.layers.sequences import Embedding
from layerwise.scripts.network import refused
from layerwise.training.optimizers import weights_of

SCHEDULES = {"constant": "constant", "plateau": "constant", "step": "stepwise", "one-cycle": "linear"}
ALONE = {
    "flip": "flip(pictures, -1)",
    "vflip": "flip(pictures, -2)",
    "shift": "shift(pictures, {})",
    "crop": 'shift(pictures, {}, "reflect")',
    "cutout": "cover(pictures, {})",
    "colour": "recolour(pictures, {})",
}
AS_MATRIX = {
    "flip": 'mirrored(pictures, "a")',
    "vflip": 'mirrored(pictures, "e")',
    "shift": "shifted(pictures, {})",
    "rotate": "turned(pictures, {})",
    "shear": "sheared(pictures, {})",
    "scale": "zoomed(pictures, {})",
    "translate": "moved(pictures, {})",
}


def optimizer_line(experiment: Any, model: nn.Module, owner: str, name: str) -> str:
    """Return the statement that makes an optimiser of the network called `owner`; weights alone decay.

    Raises:
        UsageError: weights cannot be told from biases by their dimensions.
    """
    training, decay = experiment.training, experiment.penalty.decay(experiment.training.optimizer)
    lines, parameters = [], f"{owner}.parameters()"
    if decay or experiment.penalty.penalty_strength or training.optimizer == "muon":
        weights, wide = weights_of(model), [p for p in model.parameters() if p.requires_grad and p.ndim >= 2]
        if [id(p) for p in weights] != [id(p) for p in wide]:
            raise refused("it has biases, normalisation or embeddings of two dimensions, which decay otherwise")
        lines.append(f"weights = [p for p in {parameters} if p.ndim >= 2]")
        lines.append(f"others = [p for p in {parameters} if p.ndim < 2]  # biases and normalisation do not decay")
        parameters = "groups"
    decayed = "WEIGHT_DECAY" if decay else "0.0"
    grouped = f'[{{"params": weights, "weight_decay": {decayed}}}, {{"params": others, "weight_decay": 0.0}}]'
    if training.optimizer == "muon":
        apart = ", ".join(f'{owner}.get_parameter("{one}")' for one in moved_by_adam(model))
        lines += [f"apart = [{apart}]  # vectors of tokens, and the last layer"]
        lines += ["matrices = [p for p in weights if all(p is not one for one in apart)]"]
        lines += [f"groups = {grouped.replace('weights', 'apart')}"]
        call = f"Muon(matrices, groups, lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay={decayed})"
    else:
        lines += [f"groups = {grouped}"] if parameters == "groups" else []
        kind, options = {
            "sgd": ("SGD", ", fused=True"),
            "momentum": ("SGD", ", momentum=MOMENTUM, fused=True"),
            "nesterov": ("SGD", ", momentum=MOMENTUM, nesterov=True, fused=True"),
            "rmsprop": ("RMSprop", ""),
        }.get(training.optimizer, ("AdamW", f"{'' if parameters == 'groups' else ', weight_decay=0.0'}, fused=True"))
        call = f"torch.optim.{kind}({parameters}, lr=LEARNING_RATE{options})"
    return "\n".join([*lines, f"{name} = {call}"])


def moved_by_adam(model: nn.Module) -> list[str]:
    """Return the names of the weights that Muon leaves to AdamW: embeddings and the last layer."""
    modules, weights = list(model.modules()), {id(p) for p in weights_of(model)}
    apart = {id(part.weight) for part in modules if isinstance(part, nn.Embedding | Embedding)}
    own = [p for part in modules for p in part.parameters(recurse=False) if id(p) in weights]
    apart |= {id(own[-1])} if own else set()
    return [name for name, p in model.named_parameters() if id(p) in apart]


def penalty_line(optimizer: str) -> str:
    """Return the statement that shrinks the weights after a step."""
    kind = optimizer if optimizer == "rmsprop" else "adam" if optimizer in ("adam", "adamw") else "sgd"
    return f"shrink_after_{kind}(optimizer, L1, L2)"


def rate_line(training: Any) -> str:
    """Return the statement that gives the rate of a step."""
    name = SCHEDULES.get(training.schedule, training.schedule)
    if name == "inverse-root":
        return "rate = LEARNING_RATE * inverse_root(step, rise)"
    if training.warmup or training.schedule == "one-cycle":
        return f"rate = LEARNING_RATE * warmed_up({name}, step, steps, rise)"
    return "rate = LEARNING_RATE" if name == "constant" else f"rate = LEARNING_RATE * {name}(step / steps)"


def rise_line(training: Any) -> str:
    """Return the statement that gives the steps over which the rate rises."""
    if training.schedule == "one-cycle" and not training.warmup:
        return "rise = round(0.3 * steps)"
    rise = "round(WARMUP * (steps // EPOCHS))" if training.warmup else "1"
    return f"rise = max(1, {rise})" if training.schedule == "inverse-root" and training.warmup else f"rise = {rise}"


def augment_function(augmentation: Augmentation, moves_masks: bool) -> str:
    """Return the function `augment` of a script; neighbouring moves are one map with one interpolation."""
    lines: list[str] = []
    for is_map, group in groupby(augmentation.parts, lambda one: getattr(one, "name", "") in AFFINE):
        parts = list(group)
        own = [part for part in parts if isinstance(part, Part)]
        if is_map and not COPIED.issuperset(part.name for part in own):
            maps = " @ ".join(AS_MATRIX[part.name].format(f"{part.amount:g}") for part in own)
            lines.append(f"pictures = {'resample_both' if moves_masks else 'resample'}(pictures, {maps})")
            continue
        for part in parts:
            if not isinstance(part, Part):
                lines.append("pictures = apply_policy(pictures, POLICY)")
            elif part.name == "colour" and moves_masks:
                lines.append(f"colours = recolour(pictures[:, :-1], {part.amount:g})")
                lines.append("pictures = torch.cat((colours, pictures[:, -1:]), dim=1)")
            else:
                lines.append(f"pictures = {ALONE[part.name].format(f'{part.amount:g}')}")
    said = textwrap.fill(" ".join(augmentation.describe()), 110, subsequent_indent="    ")
    doc = f"{said}\n    " if "\n" in said else said
    body = "\n    ".join([f'"""{doc}"""', *lines, "return pictures"])
    return f"def augment(pictures: Tensor) -> Tensor:\n    {body}"


def policy_of(augmentation: Augmentation) -> Iterator[list[list[tuple[str, float, float]]]]:
    """Yield the policies of an augmentation as plain lists."""
    for part in augmentation.parts:
        if not isinstance(part, Part):
            yield [[(one.name, one.probability, one.magnitude) for one in sub] for sub in part.subpolicies]


def constants_of(run: Any, facts: Mapping[str, Any], count: int) -> dict[str, str]:
    """Return the lines of all constants that scripts read, by their names. count: training samples."""
    experiment, task = run.experiment, run.task
    training, penalty = experiment.training, experiment.penalty
    size = count if training.batch_size == "full" else min(int(training.batch_size), count)
    channels = {"MEAN": "mean", "STD": "std"}
    values: dict[str, tuple[Any, str]] = {
        "SEED": (training.seed, ""),
        "EPOCHS": (training.epochs, ""),
        "BATCH_SIZE": (size, "all samples" if training.batch_size == "full" else ""),
        "LEARNING_RATE": (training.learning_rate, ""),
        "WARMUP": (training.warmup, "epochs over which the rate rises"),
        "MOMENTUM": (training.momentum, ""),
        "WEIGHT_DECAY": (penalty.decay(training.optimizer), ""),
        "L1": (penalty.l1, "factor of sum |w| in the objective"),
        "L2": (penalty.l2, "factor of sum w^2 in the objective"),
        "CLIP_NORM": (training.clip_norm, "longest gradient"),
        "PIECES": (training.accumulation_steps, "that a batch is cut into"),
        "AVERAGE": (training.ema_decay, "decay of the running average of the weights"),
        "PATIENCE": (training.patience, "epochs without a better one before it ends"),
        "MIXUP": (experiment.data.mixup, "alpha of the beta distribution of the shares"),
        "LABEL_SMOOTHING": (experiment.task.label_smoothing, ""),
        "BETA": (experiment.task.beta, "weight of the KL divergence"),
        "GRADIENT_PENALTY": (experiment.task.gradient_penalty, ""),
        "CLASSES": (facts["output_count"], ""),
        "CLASS_WEIGHTS": (tuple(getattr(task, "weights", ())), ""),
        "DEVIATIONS": (tuple(getattr(task, "deviations", ())), "of the targets, in their units"),
        "START": (1, "the token in front of a text"),
        "END": (2, "the token behind it"),
        **{name: (tuple(getattr(run.preprocessing, own, ())), "of each channel") for name, own in channels.items()},
    }
    return {
        name: f"{name} = {value!r}{f'  # {comment}' if comment else ''}" for name, (value, comment) in values.items()
    }
