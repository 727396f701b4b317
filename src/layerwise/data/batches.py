"""Batches as a function of (seed, epoch): the order is a permutation, augmentation a function of (seed, epoch, sample).

Nothing depends on what was drawn before, so any number of workers gives the same batches and resuming is an index.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from layerwise.data.counter_rng import derive_seed
from layerwise.data.dataset import Split, Transform
from layerwise.data.images.augmentation import Augmentation, mixup
from layerwise.data.images.preprocessing import ImagePreprocessing

POOL = 32  # batches that are sorted by length together; more are alike within and differ more between
TRANSFORMED_BYTES_LIMIT = 2**30  # prepared once and kept where it fits; beyond, every batch is prepared when it is cut


@dataclass(frozen=True)
class Batch:
    """What a model sees in one step.

    inputs: prepared samples, float32, (batch, ...).
    targets: (batch,) int64 classes, (batch, classes) float32 shares under mixup, (batch, outputs) float32 values, or
        masks, (batch, height, width) uint8, that are moved as their pictures are.
    samples: (batch,) int64, the position of each sample in its split.
    """

    inputs: Tensor
    targets: Tensor
    samples: Tensor

    def __len__(self) -> int:
        return len(self.samples)

    def pieces(self, count: int) -> list[Batch]:
        """Cut the batch into at most `count` pieces of nearly the same size."""
        if count == 1:
            return [self]
        count = min(count, len(self))
        parts = (tensor.tensor_split(count) for tensor in (self.inputs, self.targets, self.samples))
        return [Batch(*piece) for piece in zip(*parts, strict=True)]


@dataclass(frozen=True)
class TrainTransforms:
    """What is done anew to every training sample in every epoch. mixup: alpha of the beta distribution, 0 for none."""

    augmentation: Augmentation | None = None
    mixup: float = 0.0
    class_count: int = 0


class Batches:
    """The batches of one split.

    Parameters
    ----------
    split : Split
        The samples.
    preprocessing : Transform
        Makes network inputs of raw samples.
    batch_size : int
        Samples a step over all ranks; more than the split holds means the full batch.
    seed : int
        With the epoch, decides order, augmentation and mixing.
    shuffle : bool
        A new permutation each epoch; otherwise the order of the split.
    variation : TrainTransforms or None
        Augmentation and mixing, for training splits.
    device : torch.device or str
        Where the samples live and the batches are made.
    channels_last : bool
        Hand out pictures in that memory format.
    rank, world : int
        This process's share of every batch, samples rank, rank + world, ...
    """

    def __init__(
        self,
        split: Split,
        preprocessing: Transform,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        variation: TrainTransforms | None = None,
        device: torch.device | str = "cpu",
        channels_last: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.preprocessing = preprocessing
        self.batch_size = min(batch_size, len(split))
        self.seed = seed
        self.shuffle = shuffle
        self.variation = variation or TrainTransforms()
        self.device = torch.device(device)
        self.channels_last = channels_last and len(preprocessing.input_shape) == 3
        self.rank, self.world = rank, world
        self._ids = split.ids
        self._targets = split.targets.to(self.device)
        self._inputs = split.inputs.to(self.device) if isinstance(split.inputs, Tensor) else split.inputs
        self._prepared = self._transform_once()
        self._lengths = (self._targets != 0).sum(1) if preprocessing.kind == "pairs" else None

    def __len__(self) -> int:
        """Steps an epoch. A last batch too small for batch statistics (one sample a rank) is left out."""
        full, rest = divmod(self.sample_count, self.batch_size)
        return full + (rest >= 2 * self.world) or 1

    @property
    def sample_count(self) -> int:
        return len(self._targets)

    def names(self, samples: Tensor) -> list[str]:
        """Return the ids of the samples at these positions."""
        return [self._ids[position] for position in samples.tolist()]

    def order(self, epoch: int) -> Tensor:
        """Positions of the samples in the order of `epoch`, (samples,) int64; pairs of like length stand together."""
        if not self.shuffle:
            return torch.arange(self.sample_count, device=self.device)
        generator = torch.Generator().manual_seed(derive_seed(self.seed, epoch))
        order = torch.randperm(self.sample_count, generator=generator).to(self.device)
        return order if self._lengths is None else self._by_length(order, self._lengths, generator)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of `epoch` from step `start` on."""
        order = self.order(epoch)
        steps = len(self) if self.shuffle else -(-self.sample_count // self.batch_size)
        for step in range(start, steps):
            samples = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield self.batch(samples[self.rank :: self.world], epoch)

    def batch(self, samples: Tensor, epoch: int = 0) -> Batch:
        """Return the batch of the samples at these positions as `epoch` shows them."""
        targets = self._targets.index_select(0, samples)
        if self._prepared is not None:
            inputs = self._prepared.index_select(0, samples)
        else:
            inputs = self._vary(self._cut(samples), samples, epoch)
            if self.variation.augmentation and targets.dim() == 3:
                targets = self.variation.augmentation.move_masks(targets, self.seed, epoch, samples)
        if self.variation.mixup:
            inputs, targets = mixup(
                inputs, targets, self.variation.class_count, self.variation.mixup, self.seed, epoch, samples
            )
        if self.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        if self._lengths is not None:
            inputs, targets = trim_padding(inputs), trim_padding(targets)
        return Batch(inputs, targets, samples)

    def _by_length(self, order: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
        """Sort each pool of the order by length, then put its full batches in a random order."""
        pools = [pool[lengths[pool].argsort(stable=True)] for pool in order.split(POOL * self.batch_size)]
        batches = torch.cat(pools).split(self.batch_size)
        full = len(batches) - (len(batches[-1]) < self.batch_size)
        shuffled = torch.randperm(full, generator=generator).tolist()
        return torch.cat([*(batches[number] for number in shuffled), *batches[full:]])

    def _cut(self, samples: Tensor) -> Tensor:
        if isinstance(self._inputs, Tensor):
            return self._inputs.index_select(0, samples)
        return self._inputs[samples.cpu()].to(self.device, non_blocking=True)

    def _vary(self, raw: Tensor, samples: Tensor, epoch: int) -> Tensor:
        augmentation = self.variation.augmentation
        if augmentation is None or not isinstance(self.preprocessing, ImagePreprocessing):
            return self.preprocessing.transform(raw)
        pictures = augmentation(self.preprocessing.to_float(raw), self.seed, epoch, samples)
        return self.preprocessing.normalise(pictures)

    def _transform_once(self) -> Tensor | None:
        """Prepare the whole split where it stays the same every epoch and fits; None otherwise."""
        size = self.sample_count * torch.Size(self.preprocessing.input_shape).numel() * 4
        if self.variation.augmentation or not isinstance(self._inputs, Tensor) or size > TRANSFORMED_BYTES_LIMIT:
            return None
        prepared = torch.cat([self.preprocessing.transform(part) for part in self._inputs.split(8192)])
        return prepared.contiguous(memory_format=torch.channels_last) if self.channels_last else prepared


def trim_padding(rows: Tensor) -> Tensor:
    """Return rows of tokens without the columns behind the longest, which are padding: (batch, time) int64."""
    return rows[:, : max(1, int((rows != 0).sum(1).max()))]
