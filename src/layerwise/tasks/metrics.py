"""The metrics there are: name, label for people, unit, and whether higher is better. Read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A figure of a trained network on data.

    Parameters
    ----------
    label : str
        What people call it.
    is_higher_better : bool or None
        None where neither end is good by itself, as for a discriminator's accuracy.
    is_share : bool
        It is a share of 1, written as per cent.
    unit : str
        What it is measured in, such as bits per byte; empty where it is a share or has none.
    """

    label: str
    is_higher_better: bool | None
    is_share: bool = False
    unit: str = ""

    def is_at_least_as_good(self, value: float, bound: float) -> bool:
        """Whether a value is as good as the bound; one that is no number is not."""
        if self.is_higher_better is None:
            raise ValueError(f"{self.label} has no better end")
        return value >= bound if self.is_higher_better else value <= bound


METRICS: dict[str, Metric] = {  # the first one that a run has is its headline
    "bleu": Metric("BLEU", True),
    "bits_per_byte": Metric("bits per byte", False, unit="bits per byte"),
    "mean_iou": Metric("mean IoU", True, is_share=True),
    "accuracy": Metric("accuracy", True, is_share=True),
    "r2": Metric("R²", True),
    "squared_error": Metric("squared error", False, unit="per pixel"),
    "frechet": Metric("Fréchet distance", False),
    "loss": Metric("loss", False),
    "mae": Metric("MAE", False, unit="of the target"),
    "rmse": Metric("RMSE", False, unit="of the target"),
    "pixel_accuracy": Metric("pixel accuracy", True, is_share=True),
    "class_accuracy": Metric("class accuracy", True, is_share=True),
    "kl_divergence": Metric("KL divergence", None, unit="nats"),
    "accuracy_on_real": Metric("accuracy on real images", None, is_share=True),
    "accuracy_on_generated": Metric("accuracy on generated images", None, is_share=True),
}


def label_of(name: str) -> str:
    """Return what people call a metric; the name itself for one of a task of the user's own."""
    return METRICS[name].label if name in METRICS else name


def is_share(name: str) -> bool:
    """Whether a metric is a share of 1."""
    return name in METRICS and METRICS[name].is_share


def headline(metrics: Mapping[str, float]) -> str | None:
    """Return the name of the metric that says most of a run, or None where none is known."""
    return next((name for name in METRICS if name in metrics), None)


def score_by(metrics: Mapping[str, float], *names: str) -> tuple[float, ...]:
    """Return metrics as numbers of which larger is better, the most important first, to choose the best epoch by."""
    return tuple(metrics[name] if METRICS[name].is_higher_better else -metrics[name] for name in names)
