"""What a user can say about the task itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from layerwise.errors import UsageError, nearest

BALANCES = ("none", "median")


@dataclass(frozen=True)
class TaskConfig:
    """Raises UsageError, naming the field, for a value that cannot work."""

    label_smoothing: float = field(
        default=0.0, metadata={"help": "share of each label spread evenly over all classes (classification)"}
    )
    beta: float = field(
        default=1.0, metadata={"help": "weight of the divergence of a VAE's codes from normal ones (reconstruction)"}
    )
    relativistic: bool = field(
        default=True, metadata={"help": "score real pictures against painted ones (adversarial)"}
    )
    gradient_penalty: float = field(
        default=0.5, metadata={"help": "price of the slope of a discriminator, 0 for none (adversarial)"}
    )

    class_weights: str = field(
        default="none",
        metadata={"help": "weights of classes in the loss: none, or median, by how frequent they are (segmentation)"},
    )

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise UsageError(
                f"`label_smoothing` must be a number from 0 to below 1, received {self.label_smoothing!r}."
            )
        if self.class_weights not in BALANCES:
            raise UsageError(
                f"`class_weights` must be one of {', '.join(BALANCES)}, received '{self.class_weights}'."
                f"{nearest(self.class_weights, BALANCES)}"
            )
        for name, value in (("`beta`", self.beta), ("`gradient_penalty`", self.gradient_penalty)):
            if not (value >= 0 and math.isfinite(value)):
                raise UsageError(f"{name} must be 0 or a positive number, received {value!r}.")
