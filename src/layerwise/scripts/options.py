"""Every option that a run can have: how a script covers it, or why it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layerwise.data.images.augmentation import Augmentation
from layerwise.data.images.augmentation_policy import Policy
from layerwise.data.images.preprocessing import ImagePreprocessing

IN_THE_DATA = "the data file holds the samples that it leads to"
IN_THE_NETWORK = "the network of the script is written from the run's own"
IN_THE_STEPS = "the script takes its steps so"
NOTHING_TO_DO = "it changes no step that a script takes"

COVERED: dict[str, dict[str, str]] = {
    "data": {
        **dict.fromkeys(("data", "target", "valid", "test", "split_by", "split_column", "image_size"), IN_THE_DATA),
        **dict.fromkeys(("window", "horizon", "vocabulary", "limit"), IN_THE_DATA),
        "augment": "the script draws by torch's generators, so that the figure is alike",
        "mixup": "the script draws by torch's generators, so that the figure is alike",
    },
    "task": dict.fromkeys(
        ("label_smoothing", "beta", "relativistic", "gradient_penalty", "class_weights"), IN_THE_STEPS
    ),
    "training": {
        **dict.fromkeys(("epochs", "batch_size", "optimizer", "learning_rate", "momentum", "schedule"), IN_THE_STEPS),
        **dict.fromkeys(("warmup", "clip_norm", "accumulation_steps", "ema_decay", "patience", "seed"), IN_THE_STEPS),
    },
    "penalty": dict.fromkeys(("weight_decay", "penalty", "penalty_strength", "mix"), IN_THE_STEPS),
    "machine": {
        "device": "the script takes the same kind of device where it finds one",
        "precision": "the losses are computed in it",
        "compile": "the network is compiled",
        "memory_format": "channels last is taken over; other orders change rounding alone",
        "threads": "the script sets as many",
        "checkpoint_every_s": NOTHING_TO_DO,
    },
    "start": {"pretrained": "the weights that the run started from are written, whatever they are; frozen is refused"},
}
PICTURES = ("classification", "segmentation", "reconstruction", "adversarial")  # tasks that keep pictures as bytes
NETWORK_REFUSED = {"devices": "a network on several devices is more than a short script can hold"}


def obstacles(run: Any, task: str) -> Iterator[str]:
    """Yield why no script can be written of a run; combinations that a short one does not hold."""
    experiment = run.experiment
    training, penalty = experiment.training, experiment.penalty
    if experiment.start.pretrained == "frozen":
        yield "it started from frozen published weights, of which a script would repeat nothing but the last layer"
    for option, reason in NETWORK_REFUSED.items():
        if any(experiment.model_options.get(option, ())):
            yield reason
    if training.optimizer == "muon" and penalty.penalty_strength:
        yield "Muon with a penalty on large weights is more than a short script can hold"
    if task == "segmentation" and training.accumulation_steps > 1 and getattr(run.task, "weights", ()):
        yield "class weights in batches that are cut into pieces are more than a short script can hold"
    if task == "adversarial" and (
        training.optimizer == "muon" or penalty.penalty_strength or training.accumulation_steps > 1
    ):
        yield "two networks with Muon, a penalty or batches in pieces are more than a short script can hold"
    if task == "adversarial" and experiment.data.mixup:
        yield "mixup is for classes"
    if task in PICTURES[1:] and not isinstance(run.preprocessing, ImagePreprocessing):
        yield "its pictures have a preprocessing of your own"
    if task not in PICTURES and experiment.data.augment != "none":
        yield f"augmented pictures for {task} are more than a short script can hold"
    parts = Augmentation.parse(experiment.data.augment).parts if experiment.data.augment != "none" else ()
    if task == "segmentation" and any(isinstance(part, Policy) for part in parts):
        yield "a policy of augmentation does not move masks"
