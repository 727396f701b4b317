"""What a user can say about the data. The same fields are the Python arguments, the flags and the saved JSON.

There are more than 12, since one command takes every kind of data: each says something of one kind or two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from layerwise.errors import UsageError

LARGEST_SIDE_PX = 4096


@dataclass(frozen=True)
class DataConfig:
    """Which data, what is asked of it, and how it is divided.

    Raises UsageError, naming the field, for a value that suits no data; what suits this data is seen when it is loaded.
    """

    data: str = field(
        default="digits",
        metadata={
            "help": "a data set's name, a folder of class folders, a CSV or Parquet file, series as .ts, or a text"
        },
    )
    target: str | None = field(default=None, metadata={"help": "the column to predict (tables only)"})
    valid: float = field(default=0.1, metadata={"help": "share of the training data held out to choose the best epoch"})
    test: float = field(
        default=0.2,
        metadata={"help": "share held out for the final figure, where the data has no test part of its own"},
    )
    split_by: str = field(default="random", metadata={"help": "random (stratified), group or time"})
    split_column: str | None = field(default=None, metadata={"help": "the column with the group or the time of a row"})
    image_size: int | None = field(default=None, metadata={"help": "resize pictures to this many pixels a side"})
    augment: str = field(
        default="none",
        metadata={
            "help": "operations on the training pictures, such as 'shift:2,rotate:10,flip', or a policy: cifar10"
        },
    )
    mixup: float = field(
        default=0.0,
        metadata={"help": "blend pairs of training samples; the alpha of the beta distribution, 0 for none"},
    )
    window: int | None = field(
        default=None,
        metadata={"help": "steps of a series that a forecast is made from, or tokens of a text seen at once"},
    )
    horizon: int | None = field(default=None, metadata={"help": "steps of a series that are forecast"})
    vocabulary: int | None = field(
        default=None, metadata={"help": "tokens that a text is cut into; 259 for its bytes, one by one"}
    )
    limit: int | None = field(default=None, metadata={"help": "use only this many training samples, drawn by the seed"})

    def __post_init__(self) -> None:
        if self.image_size is not None and not 1 <= self.image_size <= LARGEST_SIDE_PX:
            expected = f"from 1 to {LARGEST_SIDE_PX} pixels"
            raise UsageError(f"`image_size` must be {expected}, received {self.image_size!r}.")
        if not (self.mixup >= 0 and math.isfinite(self.mixup)):
            raise UsageError(f"`mixup` must be 0 (none) or a positive number, such as 0.2, received {self.mixup!r}.")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"`limit` must be a number of samples of at least 1, received {self.limit!r}.")
        for name, steps in (("`window`", self.window), ("`horizon`", self.horizon)):
            if steps is not None and steps < 1:
                raise UsageError(f"{name} must be a whole number of steps of at least 1, received {steps!r}.")
