"""What a user can say about the data. The same fields are the Python arguments, the flags and the saved JSON."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DataConfig:
    """Which data, what is asked of it, and how it is divided."""

    data: str = field(
        default="digits",
        metadata={"help": "a data set's name, a folder of class folders, or a CSV or Parquet file"},
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
    window: int | None = field(default=None, metadata={"help": "steps of a series that a forecast is made from"})
    horizon: int | None = field(default=None, metadata={"help": "steps of a series that are forecast"})
    limit: int | None = field(default=None, metadata={"help": "use only this many training samples, drawn by the seed"})
