"""What a user can say about the data. The same fields are the Python arguments, the flags and the saved JSON.

There are more than 12, since one command takes every kind of data: each says something of one kind or two.
"""

from __future__ import annotations

from dataclasses import dataclass

from layerwise.fields import check, choice, documented, numeric, share, text

LARGEST_SIDE_PX = 4096
SPLITS: dict[str, str] = {
    "random": "by chance, stratified by class",
    "group": "no group of `split_column` in two parts",
    "time": "the latest rows of `split_column` for testing",
}


@documented
@dataclass(frozen=True)
class DataConfig:
    """Which data, what is asked of it, and how it is divided.

    What suits no data is refused here; what does not suit this data, when it is loaded.
    """

    data: str = text(
        "digits", "a data set's name, a folder of class folders, a CSV or Parquet file, series as .ts, or a text"
    )
    target: str | None = text(None, "the column to predict (tables only)")
    valid: float = share(0.1, "share of the training data held out to choose the best epoch")
    test: float = share(0.2, "share held out for the final figure, where the data has no test part of its own")
    split_by: str = choice("random", SPLITS, "how samples are divided into training, validation and test data")
    split_column: str | None = text(None, "the column with the group or the time of a row")
    image_size: int | None = numeric(
        None, "resize images to so many pixels a side", at_least=1, at_most=LARGEST_SIDE_PX, unit="px"
    )
    augment: str = text(
        "none", "operations on the training images, such as 'shift:2,rotate:10,flip', or a policy: cifar10"
    )
    mixup: float = numeric(
        0.0,
        "blend pairs of training samples; the alpha of the beta distribution, such as 0.2",
        at_least=0,
        off="no blending",
        search=(0.0, 0.5),
    )
    window: int | None = numeric(
        None,
        "steps of a series that a forecast is made from, or tokens of a text seen at once",
        at_least=1,
        unit="steps or tokens",
        scale="powers of two",
    )
    horizon: int | None = numeric(None, "steps of a series that are forecast", at_least=1, unit="steps")
    vocabulary: int | None = numeric(
        None, "vocabulary size of the BPE tokenizer; 259 = bytes only", at_least=259, unit="tokens", scale="log"
    )
    limit: int | None = numeric(
        None, "use only so many training samples, drawn by the seed", at_least=1, unit="samples", scale="log"
    )

    def __post_init__(self) -> None:
        check(self)
