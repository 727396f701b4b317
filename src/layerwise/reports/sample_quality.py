"""Similarity of generated and real images: distances of features, classes, nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from layerwise.data.dataset import Dataset, Notice, Split
from layerwise.generation.distances import frechet_distance, kernel_distance, nearest_distances
from layerwise.reports import markup, wording
from layerwise.reports.feature_network import load_feature_network

COMPARED_AT_MOST = 5000  # pictures of each set whose features are compared
SEARCHED_FOR = 500  # pictures whose nearest training picture is searched for
SEARCHED_AMONG = 60_000
RARE = 0.2  # a class generated less often than this share of its due is worth a sentence
COPIED = 0.5  # so is a distance from the training pictures of less than this share of that of real ones
SAMPLING_SEED = 20_26

Generate = Callable[[int], Tensor]  # so many pictures as (n, channels, height, width) uint8


@dataclass(frozen=True)
class SampleQuality:
    """Generated pictures beside the test split, whose two halves, drawn by chance, say what is to be had.

    count: images of each set: generated ones, and the two halves. feature_network: whose features were compared, in
        words. feature_network_accuracy: its accuracy on the test split.
    frechet, kernel: distances of the generated pictures from one half; frechet_real, kernel_real: of the other half.
    nearest: median distance of a generated picture from the nearest training picture, the root mean square over its
        values from 0 to 1; nearest_real: of a test picture.
    classes: their names. shares, shares_real: of each class among the generated pictures and in the test split, as the
        feature_network names them.
    """

    count: int
    feature_network: str
    feature_network_accuracy: float
    frechet: float
    frechet_real: float
    kernel: float
    kernel_real: float
    nearest: float
    nearest_real: float
    classes: tuple[str, ...]
    shares: tuple[float, ...]
    shares_real: tuple[float, ...]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SampleQuality:
        lists = {name: tuple(values[name]) for name in ("classes", "shares", "shares_real")}
        return cls(**{**values, **lists})

    @property
    def summary(self) -> dict[str, float]:
        """The figures that fit on a line."""
        names = ("frechet", "frechet_real", "kernel", "kernel_real", "nearest", "nearest_real")
        return {name: getattr(self, name) for name in names}

    def lines(self) -> list[str]:
        """Return the figures as they are printed."""
        return [
            f"Fréchet distance {wording.decimal(self.frechet)} (two halves of the real pictures: "
            f"{wording.decimal(self.frechet_real)}), kernel distance {wording.decimal(self.kernel)} "
            f"({wording.decimal(self.kernel_real)}), over {wording.count(self.count)} pictures each, by features of a "
            f"{self.feature_network}, test accuracy {wording.share(self.feature_network_accuracy)}",
            f"distance to the nearest training image: {wording.decimal(self.nearest)} for a generated image, "
            f"{wording.decimal(self.nearest_real)} for a real test image (medians, root mean square per pixel)",
        ]

    def tiles(self) -> list[tuple[str, str, str]]:
        """Return the figures that are looked for first."""
        return [
            (wording.decimal(self.frechet), "Fréchet distance", f"two halves of the real: {_short(self.frechet_real)}"),
            (wording.decimal(self.kernel), "kernel distance", f"two halves of the real: {_short(self.kernel_real)}"),
        ]

    def notices(self) -> Iterator[Notice]:
        """Yield what the figures say in words."""
        if self.nearest < COPIED * self.nearest_real:
            yield Notice(
                "warning",
                f"Generated pictures are as close as {wording.decimal(self.nearest)} to training pictures, where real "
                f"ones are {wording.decimal(self.nearest_real)} away: it may have learned pictures by heart.",
            )
        shares = zip(self.classes, self.shares, self.shares_real, strict=True)
        rare = [name for name, share, due in shares if share < RARE * due]
        if rare:
            yield Notice(
                "warning",
                f"It rarely generates {', '.join(rare[:5])}{', ...' if len(rare) > 5 else ''}: "
                "its images are less varied than the real pictures.",
            )


def _short(value: float) -> str:
    return f"{value:.2g}"


def measure_sample_quality(generate: Generate, dataset: Dataset, test: Split) -> SampleQuality:
    """Compare generated images with those of `test`.

    Raises:
        DataError: there are fewer than four test pictures.
    """
    feature_network = load_feature_network(dataset)
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(SAMPLING_SEED))
    count = min(COMPARED_AT_MOST, len(test) // 2)
    real, labels = test.take(order[: 2 * count])
    features, given = feature_network.features(real)
    one, other = features[:count], features[count:]
    generated = generate(count)
    generated_features, generated_given = feature_network.features(generated)
    class_count = len(dataset.classes)
    training = dataset.train.take(torch.arange(min(SEARCHED_AMONG, len(dataset.train))))[0]
    return SampleQuality(
        count=count,
        feature_network=feature_network.name,
        feature_network_accuracy=(given == labels).float().mean().item(),
        frechet=frechet_distance(one, generated_features),
        frechet_real=frechet_distance(one, other),
        kernel=kernel_distance(one, generated_features),
        kernel_real=kernel_distance(one, other),
        nearest=median_nearest(generated[:SEARCHED_FOR], training),
        nearest_real=median_nearest(real[:SEARCHED_FOR], training),
        classes=dataset.classes,
        shares=_shares(generated_given, class_count),
        shares_real=_shares(given, class_count),
    )


def median_nearest(pictures: Tensor, training: Tensor) -> float:
    """Return the median distance of a picture from the nearest training picture, both uint8, on the scale 0 to 1."""
    lengths, _ = nearest_pictures(pictures, training)
    return lengths.median().item()


def nearest_pictures(pictures: Tensor, training: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far the nearest training picture of each picture is, (n,), and which it is, (n,)."""
    lengths, places = nearest_distances(pictures.float() / 255, training.float() / 255)
    return lengths / pictures[0].numel() ** 0.5, places


def _shares(given: Tensor, class_count: int) -> tuple[float, ...]:
    return tuple((torch.bincount(given, minlength=class_count) / len(given)).tolist())


def sample_quality_table(sample_quality: SampleQuality) -> str:
    """Return the distances of generated and of real pictures beside each other, and what they are of."""
    rows = [
        ["Fréchet distance", wording.decimal(sample_quality.frechet), wording.decimal(sample_quality.frechet_real)],
        ["kernel distance", wording.decimal(sample_quality.kernel), wording.decimal(sample_quality.kernel_real)],
        [
            "to the nearest training picture",
            wording.decimal(sample_quality.nearest),
            wording.decimal(sample_quality.nearest_real),
        ],
    ]
    count, accuracy = wording.count(sample_quality.count), wording.share(sample_quality.feature_network_accuracy)
    told = (
        f"Distances of {count} generated pictures, and of as many real ones, from {count} other real ones of the "
        f"test split. Features are those of a {sample_quality.feature_network}, right on {accuracy} of the test "
        "split: compare such figures with one another."
    )
    return markup.table(["", "generated", "real"], rows, caption=told)
