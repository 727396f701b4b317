"""What a user can say about a training: the same fields are Python arguments, flags and saved JSON.

Nothing here needs torch, so that `layerwise --help` answers at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from layerwise.errors import UsageError, nearest

OPTIMIZERS: dict[str, str] = {
    "sgd": "gradient descent on mini-batches: w <- w - rate * gradient",
    "momentum": "SGD with a velocity that sums the gradients, each step forgetting 1 - momentum of it",
    "nesterov": "momentum that looks one step ahead along its velocity",
    "rmsprop": "each weight's gradient is divided by its own running root mean square",
    "adam": "RMSProp with momentum, both corrected for their start at zero",
    "adamw": "Adam with decoupled weight decay, 0.01 unless `weight_decay` says otherwise",
    "muon": "momentum whose step is made orthogonal, a matrix at a time; the other parameters by AdamW",
}

SCHEDULES: dict[str, str] = {
    "constant": "the same rate at every step",
    "step": "a tenth of the rate from half the steps on, a hundredth from three quarters",
    "cosine": "half a cosine wave from the rate down to zero",
    "linear": "a straight line from the rate down to zero",
    "one-cycle": "a straight line up for 0.3 of the steps (or `warmup`), then a straight line down to zero",
    "inverse-root": "the rate times the root of `warmup` over all epochs so far, as transformers are trained",
    "plateau": "half the rate after the third evaluation in a row without a better one",
}

PENALTIES: dict[str, str] = {
    "none": "no penalty",
    "l1": "lasso, strength * sum |w|: weights that do not earn their keep become exactly zero",
    "l2": "ridge, strength * sum w^2: small weights, none of them exactly zero",
    "elastic": "elastic net, strength * ((1 - mix) * sum |w| + mix * sum w^2)",
}

PRECISIONS: dict[str, str] = {
    "auto": "bfloat16 where the device is made for it and a measurement shows a gain, else float32",
    "float32": "32 bits throughout",
    "bfloat16": "16-bit products with the range of float32; weights stay float32",
}

DEVICES: dict[str, str] = {
    "auto": "cuda if there is one, else mps, else cpu",
    "cpu": "the processor",
    "cuda": "an NVIDIA or AMD card; cuda:1 for the second",
    "mps": "the graphics part of an Apple processor",
}


def _help(sentence: str) -> dict[str, str]:
    return {"help": sentence}


def _refuse(name: str, expected: str, received: object) -> UsageError:
    return UsageError(f"`{name}` must be {expected}, received {received!r}.")


def _number(config: object, name: str, low: float, high: float, expected: str, *, open_low: bool = False) -> None:
    """Check that a field is a finite number in [low, high], or in (low, high] if `open_low`."""
    value = getattr(config, name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not low <= value <= high or (open_low and value == low):
        raise _refuse(name, expected, value)


def _count(config: object, name: str, low: int, expected: str) -> None:
    """Check that a field is an integer of at least `low`."""
    value = getattr(config, name)
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise _refuse(name, expected, value)


def _choice(config: object, name: str, known: Iterable[str]) -> None:
    """Check that a field is one of the known names."""
    value, names = getattr(config, name), list(known)
    if value not in names:
        hint = nearest(value, names) if isinstance(value, str) else ""
        raise UsageError(f"`{name}` must be one of {', '.join(names)}, received {value!r}.{hint}")


STARTS: dict[str, str] = {
    "no": "random weights",
    "frozen": "published weights of which only the last layer, a new one, learns",
    "fine-tune": "published weights that all go on learning, below a new last layer",
}


@dataclass(frozen=True)
class StartConfig:
    """What the weights are before the first step. Raises UsageError, naming the field, for another word."""

    pretrained: str = field(
        default="no",
        metadata=_help("start pictures from weights learned on ImageNet: no, frozen (a new last layer) or fine-tune"),
    )

    def __post_init__(self) -> None:
        _choice(self, "pretrained", STARTS)


@dataclass(frozen=True)
class TrainingConfig:
    """How the weights are found. Raises UsageError, naming the field, for a value that cannot work."""

    epochs: int = field(default=10, metadata=_help("passes over the training data"))
    batch_size: int | Literal["full"] = field(default=128, metadata=_help("samples a step, or 'full' for all of them"))
    optimizer: str = field(default="adam", metadata=_help(f"one of {', '.join(OPTIMIZERS)}"))
    learning_rate: float = field(default=1e-3, metadata=_help("the size of a step, before the schedule"))
    momentum: float = field(
        default=0.9, metadata=_help("share of the velocity kept from step to step (momentum, nesterov, muon)")
    )
    schedule: str = field(default="constant", metadata=_help(f"how the rate changes: {', '.join(SCHEDULES)}"))
    warmup: float = field(default=0.0, metadata=_help("epochs over which the rate rises from zero"))
    clip_norm: float = field(
        default=0.0, metadata=_help("longest gradient allowed (2-norm over all parameters); 0 for no limit")
    )
    accumulation_steps: int = field(default=1, metadata=_help("pieces a batch is cut into, to fit it into memory"))
    ema_decay: float = field(
        default=0.0, metadata=_help("decay of the running average of the weights, such as 0.999; 0 for none")
    )
    patience: int = field(
        default=0, metadata=_help("stop after this many epochs without a better validation; 0 for never")
    )
    seed: int = field(default=0, metadata=_help("every random choice follows from this number"))

    def __post_init__(self) -> None:
        _count(self, "epochs", 1, "a whole number of at least 1")
        if self.batch_size != "full":
            _count(self, "batch_size", 1, "a whole number of at least 1, or 'full'")
        _choice(self, "optimizer", OPTIMIZERS)
        _number(self, "learning_rate", 0, math.inf, "a positive number", open_low=True)
        _number(self, "momentum", 0, math.nextafter(1, 0), "a number from 0 to below 1")
        _choice(self, "schedule", SCHEDULES)
        _number(self, "warmup", 0, math.inf, "a number of epochs, 0 or more")
        _number(self, "clip_norm", 0, math.inf, "0 (no limit) or a positive number")
        _count(self, "accumulation_steps", 1, "a whole number of at least 1")
        _number(self, "ema_decay", 0, math.nextafter(1, 0), "0 (none) or a decay below 1, such as 0.999")
        _count(self, "patience", 0, "a whole number of epochs, 0 for never")
        _count(self, "seed", 0, "a whole number from 0 to 2^63 - 1")
        if self.seed >= 2**63:
            raise _refuse("seed", "a whole number from 0 to 2^63 - 1", self.seed)
        if self.warmup and self.warmup >= self.epochs:
            raise _refuse("warmup", f"shorter than `epochs` ({self.epochs})", self.warmup)
        if self.batch_size != "full" and self.accumulation_steps > self.batch_size:
            raise _refuse("accumulation_steps", f"at most `batch_size` ({self.batch_size})", self.accumulation_steps)


@dataclass(frozen=True)
class PenaltyConfig:
    """What keeps the weights small. Biases and the parameters of normalisation layers are left alone.

    `weight_decay` acts inside the optimiser's step. For adam, adamw and muon it is decoupled,
    w <- (1 - rate * weight_decay) * w (Loshchilov and Hutter 2019). For sgd, momentum, nesterov and rmsprop
    it is added to the gradient, as in PyTorch and in the published SGD recipes; without momentum that is the
    same thing. None is 0.01 for adamw and 0 for the others.

    `penalty` is a term of the objective, strength * ((1 - mix) * sum |w| + mix * sum w^2), with mix = 0 for
    l1 and 1 for l2. The square has no factor 1/2: l2 pulls with 2 * strength * w. It acts by proximal steps
    (see penalties.py), so that l1 gives true zeros.
    """

    weight_decay: float | None = field(
        default=None, metadata=_help("share of a weight lost a step, before the rate; 0.01 for adamw, else 0")
    )
    penalty: str = field(default="none", metadata=_help(f"a price on large weights: {', '.join(PENALTIES)}"))
    penalty_strength: float = field(default=0.0, metadata=_help("lambda, the price of a unit of penalty"))
    mix: float = field(default=0.5, metadata=_help("alpha of the elastic net: 0 is all L1, 1 is all L2"))

    def __post_init__(self) -> None:
        if self.weight_decay is not None:
            _number(self, "weight_decay", 0, math.inf, "0 or a positive number")
        _choice(self, "penalty", PENALTIES)
        _number(self, "penalty_strength", 0, math.inf, "0 or a positive number")
        _number(self, "mix", 0, 1, "a number from 0 (all L1) to 1 (all L2)")
        if self.penalty == "none" and self.penalty_strength:
            raise UsageError(
                f"`penalty_strength` {self.penalty_strength!r} needs a penalty to act on; "
                "add `penalty` l1, l2 or elastic."
            )

    def decay(self, optimizer: str) -> float:
        """Return the weight decay that `optimizer` uses."""
        if self.weight_decay is not None:
            return self.weight_decay
        return 0.01 if optimizer == "adamw" else 0.0

    @property
    def l1(self) -> float:
        """The factor of sum |w| in the objective."""
        return self.penalty_strength * {"none": 0.0, "l1": 1.0, "l2": 0.0, "elastic": 1.0 - self.mix}[self.penalty]

    @property
    def l2(self) -> float:
        """The factor of sum w^2 in the objective."""
        return self.penalty_strength * {"none": 0.0, "l1": 0.0, "l2": 1.0, "elastic": self.mix}[self.penalty]


@dataclass(frozen=True)
class MachineConfig:
    """Where and how the arithmetic is done. 'auto' is decided by a rule that is said (see machine.py)."""

    device: str = field(default="auto", metadata=_help("auto, cpu, cuda, cuda:1 or mps"))
    precision: str = field(default="auto", metadata=_help("auto, float32 or bfloat16"))
    compile: str = field(default="auto", metadata=_help("use torch.compile: auto, yes or no"))
    memory_format: str = field(
        default="auto",
        metadata=_help("order of pictures in memory: auto, channels-last, batch-innermost or contiguous"),
    )
    threads: int = field(default=0, metadata=_help("processor threads, 0 to choose by the size of the work"))
    checkpoint_every_s: float = field(default=30.0, metadata=_help("seconds between checkpoints, 0 for every step"))

    def __post_init__(self) -> None:
        kind, _, index = self.device.partition(":") if isinstance(self.device, str) else ("", "", "")
        if kind not in DEVICES or (":" in str(self.device) and (kind != "cuda" or not index.isdecimal())):
            hint = " Did you mean 'cuda'?" if kind.lower() == "gpu" else nearest(kind, DEVICES)
            raise UsageError(f"`device` must be auto, cpu, cuda, cuda:1 or mps, received {self.device!r}.{hint}")
        _choice(self, "precision", PRECISIONS)
        _choice(self, "compile", ("auto", "yes", "no"))
        _choice(self, "memory_format", ("auto", "channels-last", "batch-innermost", "contiguous"))
        _count(self, "threads", 0, "a whole number, 0 to choose")
        _number(self, "checkpoint_every_s", 0, math.inf, "a number of seconds, 0 or more")
