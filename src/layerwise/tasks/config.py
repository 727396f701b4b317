"""What a user can say about the task itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from layerwise.errors import UsageError, nearest

BALANCES = ("none", "median")


@dataclass(frozen=True)
class TaskConfig:
    """Raises UsageError, naming the flag, for a value that cannot work."""

    label_smoothing: float = field(
        default=0.0, metadata={"help": "share of each label spread evenly over all classes (classification)"}
    )

    balance: str = field(
        default="none",
        metadata={"help": "weights of classes in the loss: none, or median, by how frequent they are (segmentation)"},
    )

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise UsageError(
                f"--label-smoothing must be a number from 0 to below 1, received {self.label_smoothing!r}."
            )
        if self.balance not in BALANCES:
            expected = f"one of {', '.join(BALANCES)}"
            raise UsageError(
                f"--balance must be {expected}, received '{self.balance}'.{nearest(self.balance, BALANCES)}"
            )
