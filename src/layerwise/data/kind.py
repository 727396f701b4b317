"""What a kind of data brings of its own. All else - dividing, limiting, notices - is `build`'s, once for all kinds."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from layerwise.data.checks import check_splits
from layerwise.data.config import DataConfig
from layerwise.data.dataset import Dataset, Notice, Preprocessing, Split
from layerwise.data.raw import Parts, RawData
from layerwise.data.splits import limit_samples, split_samples

Raw = TypeVar("Raw", bound=RawData)
Samples = TypeVar("Samples", bound=RawData)
Fitted = TypeVar("Fitted", bound=Preprocessing)


@dataclass(frozen=True)
class Values:
    """The values that are predicted: their names, means and deviations over the training split."""

    names: tuple[str, ...] = ()
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()


class DataKind(Generic[Raw, Samples, Fitted]):
    """A kind of data: how it is read, fitted and encoded.

    The steps are called in the order in which they stand here. A new kind needs `fit` and `encode`; it needs `accepts`
    and `read` where its samples come from files of the user's own, and the others where it differs.

    Raw: what is divided. Samples: what is limited, fitted to and encoded. Mostly the two are one.
    """

    def accepts(self, path: Path, config: DataConfig) -> bool:
        """Tell whether a path is of this kind."""
        return False

    def read(self, path: Path, config: DataConfig) -> Any:
        """Return the raw data at a path that is of this kind."""
        raise NotImplementedError

    def prepare(self, raw: Any, name: str, config: DataConfig) -> Raw:
        """Refuse what does not suit, and return samples that can be divided.

        Raises UsageError for an option that does not suit this kind.
        """
        return raw  # type: ignore[no-any-return]

    def naming_errors(self, raw: Raw) -> AbstractContextManager[None]:
        """Return a context in which errors that do not name the source come to name it."""
        return nullcontext()

    def split(self, raw: Raw, config: DataConfig, seed: int) -> Parts[Raw]:
        """Divide the samples, keeping the parts that they bring along."""
        return split_samples(raw, config, seed)

    def cut(self, part: Raw, config: DataConfig) -> Samples:
        """Cut what was divided into the samples that a network sees: pictures into tiles, texts into pieces."""
        return part  # type: ignore[return-value]

    def limit(self, train: Samples, config: DataConfig, seed: int) -> Samples:
        """Return at most `config.limit` of the training samples."""
        return limit_samples(train, config.limit, seed)

    def fit(self, train: Samples, config: DataConfig) -> tuple[Fitted, tuple[Notice, ...]]:
        """Fit a preprocessing to the training samples, which are all that it sees, and say what was noticed."""
        raise NotImplementedError

    def encode(self, preprocessing: Fitted, samples: Samples) -> Split:
        """Turn samples into raw tensors."""
        raise NotImplementedError

    def encode_parts(self, preprocessing: Fitted, parts: Parts[Samples], config: DataConfig, seed: int) -> Parts[Split]:
        """Encode all parts."""
        return Parts(*(self.encode(preprocessing, part) for part in (parts.train, parts.valid, parts.test)))

    def values(self, preprocessing: Fitted, raw: Raw) -> Values:
        """Return the values that are predicted; none where classes or tokens are."""
        return Values()

    def look_over(self, dataset: Dataset, parts: Parts[Samples], config: DataConfig) -> Iterable[Notice]:
        """Say what is suspicious about the splits."""
        return check_splits(dataset)
