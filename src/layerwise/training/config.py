"""What a user can say about a training: the same fields are Python arguments, flags and saved JSON.

Nothing here needs torch, so that `layerwise --help` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from layerwise.errors import UsageError
from layerwise.fields import check, choice, documented, numeric

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
    "l1": "lasso, strength * sum |w|: weights of little use become exactly zero",
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
    "cuda": "an NVIDIA or AMD card",
    "cuda:1": "the second card, and so on",
    "mps": "the graphics part of an Apple processor",
}

COMPILATION: dict[str, str] = {
    "auto": "where a measurement shows that the run is long enough to gain",
    "yes": "always",
    "no": "never",
}

MEMORY_FORMATS: dict[str, str] = {
    "auto": "the fastest for the network, the device and the length of the run",
    "channels-last": "the channels of a pixel side by side",
    "batch-innermost": "the same pixel of all images side by side (processor, few channels)",
    "contiguous": "the pixels of a channel side by side",
}

LARGEST_SEED = 2**63 - 1


STARTS: dict[str, str] = {
    "no": "random weights",
    "frozen": "published weights of which only the last layer, a new one, learns",
    "fine-tune": "published weights that all go on learning, below a new last layer",
}


@documented
@dataclass(frozen=True)
class StartConfig:
    """What the weights are before the first step."""

    pretrained: str = choice("no", STARTS, "start image networks from weights learned on ImageNet")

    def __post_init__(self) -> None:
        check(self)


@documented
@dataclass(frozen=True)
class TrainingConfig:
    """How the weights are found."""

    epochs: int = numeric(10, "passes over the training data", at_least=1, unit="epochs", scale="log", search=(1, 100))
    batch_size: int | Literal["full"] = numeric(
        128,
        "samples per step; 'full' takes all of them",
        at_least=1,
        unit="samples",
        scale="powers of two",
        search=(16, 512),
    )
    optimizer: str = choice("adam", OPTIMIZERS, "update rule")
    learning_rate: float = numeric(1e-3, "step size, before the schedule", above=0, scale="log", search=(1e-5, 1.0))
    momentum: float = numeric(
        0.9,
        "share of the velocity kept from step to step (momentum, nesterov, muon)",
        at_least=0,
        below=1,
        search=(0.5, 0.99),
    )
    schedule: str = choice("constant", SCHEDULES, "how the learning rate changes over the steps")
    warmup: float = numeric(
        0.0, "epochs over which the learning rate rises from zero", at_least=0, unit="epochs", search=(0, 5)
    )
    clip_norm: float = numeric(
        0.0,
        "largest norm of the gradient (2-norm over all parameters); longer ones are scaled down to it",
        at_least=0,
        off="no limit",
        scale="log",
        search=(0.1, 10.0),
    )
    accumulation_steps: int = numeric(
        1,
        "parts into which each batch is divided to fit into memory; the step is that of the whole batch",
        at_least=1,
        unit="parts of a batch",
        scale="powers of two",
    )
    ema_decay: float = numeric(
        0.0,
        "decay of the exponential moving average of the weights",
        at_least=0,
        below=1,
        example="0.999",
        off="no average",
        search=(0.9, 0.9999),
    )
    patience: int = numeric(
        0, "stop after so many epochs without a better validation loss", at_least=0, off="never", unit="epochs"
    )
    seed: int = numeric(0, "every random choice follows from it", at_least=0, at_most=LARGEST_SEED)

    def __post_init__(self) -> None:
        check(self)
        if self.warmup and self.warmup >= self.epochs:
            raise UsageError(f"`warmup` must be shorter than `epochs` ({self.epochs}), received {self.warmup!r}.")
        if self.batch_size != "full" and self.accumulation_steps > self.batch_size:
            raise UsageError(
                f"`accumulation_steps` must be at most `batch_size` ({self.batch_size}), "
                f"received {self.accumulation_steps!r}."
            )


@documented
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

    weight_decay: float | None = numeric(
        None,
        "share of a weight that is lost per step, times the learning rate [0.01 for adamw, else 0]",
        at_least=0,
        scale="log",
        search=(1e-6, 0.1),
    )
    penalty: str = choice("none", PENALTIES, "term of the objective that keeps weights small")
    penalty_strength: float = numeric(0.0, "factor of the penalty, lambda", at_least=0, scale="log", search=(1e-6, 0.1))
    mix: float = numeric(
        0.5, "alpha of the elastic net: 0 is all L1, 1 is all L2", at_least=0, at_most=1, search=(0, 1)
    )

    def __post_init__(self) -> None:
        check(self)
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


@documented
@dataclass(frozen=True)
class MachineConfig:
    """Device, number format and memory layout of the computation. 'auto' follows a stated rule (see execution.py)."""

    device: str = choice("auto", DEVICES, "device to train on", pattern=r"cuda:\d+")
    precision: str = choice("auto", PRECISIONS, "number format of the products")
    compile: str = choice("auto", COMPILATION, "compile the network with torch.compile")
    memory_format: str = choice("auto", MEMORY_FORMATS, "order of images in memory")
    threads: int = numeric(0, "processor threads", at_least=0, off="chosen by the size of the work", unit="threads")
    checkpoint_every_s: float = numeric(30.0, "time between checkpoints", at_least=0, off="at every step", unit="s")

    def __post_init__(self) -> None:
        if isinstance(self.device, str) and self.device.lower().startswith("gpu"):
            raise UsageError(
                f"`device` must be one of {', '.join(DEVICES)}, received {self.device!r}. Did you mean 'cuda'?"
            )
        check(self)
