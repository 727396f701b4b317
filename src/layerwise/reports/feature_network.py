"""A classifier trained here on the real pictures, whose features measure how similar generated images are to them.

Others compare features of Inception v3, which was trained on 1.2 million photographs. Figures by this network are
comparable only with those of the same images, by the same network.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from layerwise.data.batches import Batches
from layerwise.data.dataset import Dataset, Split
from layerwise.data.download.fetch import cache_folder
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.models import build
from layerwise.runs.atomic import write_bytes
from layerwise.runs.tensors import tensors_from_bytes, tensors_to_bytes
from layerwise.tasks import Classification
from layerwise.training.config import TrainingConfig
from layerwise.training.loop import train

NETWORK = "resnet-tiny"
TRAINING = TrainingConfig(epochs=3, batch_size=64, optimizer="adamw", learning_rate=2e-3, schedule="one-cycle")
PICTURES_AT_MOST = 12_000
AT_ONCE = 512
VERSION = "1"  # of all that decides the weights beside the pictures


@dataclass(frozen=True)
class FeatureNetwork:
    """A trained classifier with the preprocessing of its pictures. learned_from: how many it was shown."""

    network: nn.Module
    preprocessing: ImagePreprocessing
    learned_from: int

    @property
    def name(self) -> str:
        return f"{NETWORK} trained on {self.learned_from:,} of the same training pictures to name their classes"

    def features(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return what goes into its last layer, (n, features), and the class it gives, (n,), of (n, c, h, w) uint8."""
        seen: list[Tensor] = []
        handle = self.network.get_submodule("output").register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        try:
            with torch.inference_mode():
                parts = [self.preprocessing.transform(part) for part in pictures.split(AT_ONCE)]
                given = torch.cat([self.network(part).argmax(1) for part in parts])
        finally:
            handle.remove()
        return torch.cat(seen), given


def load_feature_network(dataset: Dataset) -> FeatureNetwork:
    """Return the feature network of a data set: from the cache, or trained now in 20 seconds of one core at most."""
    preprocessing = dataset.preprocessing
    assert isinstance(preprocessing, ImagePreprocessing)
    rows = torch.linspace(0, len(dataset.train) - 1, min(PICTURES_AT_MOST, len(dataset.train))).long().unique()
    inputs, targets = dataset.train.take(rows)
    shown = Split(inputs, targets, [dataset.train.ids[row] for row in rows.tolist()])
    path = cache_folder() / "judges" / f"{_key(inputs, targets)}.safetensors"
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build(NETWORK, preprocessing.input_shape, len(dataset.classes))
        if path.is_file():
            network.load_state_dict(tensors_from_bytes(path.read_bytes()))
        else:
            batches = Batches(shown, preprocessing, int(TRAINING.batch_size), shuffle=True)
            with torch.enable_grad():
                for _ in train(network, Classification(dataset.classes), batches, TRAINING):
                    pass
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, tensors_to_bytes(network.state_dict()))
    return FeatureNetwork(network.eval(), preprocessing, len(rows))


def _key(inputs: Tensor, targets: Tensor) -> str:
    """Return a name for the feature_network of these pictures and classes."""
    digest = hashlib.sha256(f"{VERSION} {tuple(inputs.shape)}".encode())
    for tensor in (inputs, targets):
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]
