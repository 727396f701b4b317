"""From a description to the things that are trained: data set, task, model, batches, and the execution plan."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn

from layerwise.data.batches import Batches, TrainTransforms
from layerwise.data.dataset import Dataset, Split
from layerwise.data.images.augmentation import Augmentation
from layerwise.data.loading import load
from layerwise.errors import UsageError
from layerwise.experiments.compatibility import check_suits, fitted
from layerwise.experiments.experiment import Experiment
from layerwise.experiments.pretrained import check_start, start_of
from layerwise.models import CATALOGUE, build
from layerwise.tasks import TASKS, Task
from layerwise.tasks.config import TaskConfig
from layerwise.training.dense_step import unsupported_reason
from layerwise.training.execution import ExecutionPlan, choose_execution, pick_device
from layerwise.training.parallel import Ranks

EVALUATION_BATCH = 512
PIXELS_AT_ONCE = 2**20  # that are measured together where each has an answer of its own
STEPS_AN_EPOCH, SMALLEST_BATCH = 32, 32  # where the size of a batch was not asked for
FINGERPRINT_ROWS = 4096


@dataclass(frozen=True)
class Setup:
    """Everything that a training loop is given. The batches live on the device of the model.

    model: what is trained. network: what is kept of it in the end; `model` is a part of it where the rest is frozen.
    """

    experiment: Experiment
    dataset: Dataset
    task: Task
    model: nn.Module
    execution: ExecutionPlan
    train: Batches
    valid: Batches | None
    ranks: Ranks
    network: nn.Module

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device


def set_up(
    experiment: Experiment,
    *,
    dataset: Dataset | None = None,
    module: nn.Module | None = None,
    execution: ExecutionPlan | None = None,
) -> Setup:
    """Load, build and arrange everything that `experiment` describes.

    Args:
        dataset, module: of the user's own, in place of the ones that the experiment names.
        pace: of an earlier session of the same run; without it, it is chosen.

    Raises:
        UsageError: a combination cannot work (pictures too small for the model, a batch larger than the data).
    """
    training, machine = experiment.training, experiment.machine
    dataset = dataset or load(experiment.data, training.seed)
    check_splits(dataset)
    batch_size = check_batch_size(experiment, len(dataset.train))
    if training.batch_size != "full":
        training = replace(training, batch_size=batch_size)
        experiment = replace(experiment, training=training)
    variation = train_transforms(experiment, dataset)
    task = task_of(experiment, dataset)
    check_start(experiment, dataset)
    torch.manual_seed(training.seed)
    if module is None:
        check_suits(experiment, dataset)
        experiment = fitted(experiment, dataset)
    network = module or build(experiment.model, dataset.input_shape, dataset.output_count, **experiment.model_options)
    ranks = Ranks.join(pick_device(machine.device))
    network.to(ranks.device)
    start = start_of(experiment, dataset, network)
    model = start.trained

    def batches(split: Split, size: int, *, is_training: bool = False, channels_last: bool = False) -> Batches:
        return Batches(
            split,
            start.transform,
            size,
            seed=training.seed,
            shuffle=is_training,
            variation=variation if is_training else None,
            device=ranks.device,
            channels_last=channels_last,
            rank=ranks.rank if is_training else 0,
            world=ranks.world if is_training else 1,
        )

    if execution is None:
        execution = plan_execution(model, task, batches(start.train, batch_size, is_training=True), experiment, ranks)
    execution.set_threads()
    return Setup(
        experiment=experiment,
        dataset=dataset,
        task=task,
        model=model,
        execution=execution,
        train=batches(start.train, batch_size, is_training=True, channels_last=execution.channels_last),
        valid=batches(start.valid, evaluation_size(dataset), channels_last=execution.channels_last)
        if len(start.valid)
        else None,
        ranks=ranks,
        network=network,
    )


def plan_execution(model: nn.Module, task: Task, train: Batches, experiment: Experiment, ranks: Ranks) -> ExecutionPlan:
    """Return how this machine trains `model` fastest, the same on every rank; a batch is tried."""
    sample = train.batch(train.order(0)[: train.batch_size])
    steps = experiment.training.epochs * len(train)
    engine = unsupported_reason(model, task, experiment.training) if ranks.world == 1 else None
    chosen = choose_execution(
        model, lambda twin: next(iter(task.losses(twin, sample)))[1], steps, experiment.machine, engine
    )
    return ExecutionPlan.from_json(ranks.from_first(chosen.to_json()))


def evaluation_size(dataset: Dataset) -> int:
    """Return how many samples are measured together: fewer where each pixel of them has an answer."""
    if dataset.task != "segmentation":
        return EVALUATION_BATCH
    return max(1, min(EVALUATION_BATCH, PIXELS_AT_ONCE // math.prod(dataset.input_shape[1:])))


def check_splits(dataset: Dataset) -> None:
    """Raise UsageError where nothing is left to learn from or to measure on; validation can be left out."""
    if not len(dataset.train):
        raise UsageError(f"{dataset.name} has no samples left to learn from; lower `test` or `valid`.")
    if not len(dataset.test):
        raise UsageError(f"{dataset.name} has no test samples for the final figure; set `test`, such as `test` 0.2.")


def task_of(experiment: Experiment, dataset: Dataset) -> Task:
    """Return what a network learns on `dataset`: what it is made for, or what the data asks.

    Raises:
        UsageError: an option was asked for that says nothing about this task.
    """
    entry = CATALOGUE.get(experiment.model)
    name = (entry.task if entry else "") or dataset.task
    for option in ("mixup", *(field.name for field in fields(TaskConfig))):
        readers = ["classification"] if option == "mixup" else [task for task in TASKS if option in TASKS[task].options]
        if experiment.options.get(option) and name not in readers:
            raise UsageError(
                f"`{option}` is for {' and '.join(readers)}, and {experiment.model} on {dataset.name} is {name}; "
                "leave it out."
            )
    return TASKS[name].for_data(dataset, experiment.task)


def train_transforms(experiment: Experiment, dataset: Dataset) -> TrainTransforms:
    """Return what is done anew to each training sample in each epoch."""
    augmentation = Augmentation.parse(experiment.data.augment) if experiment.data.augment != "none" else None
    if augmentation and dataset.kind != "images":
        raise UsageError(f"`augment` changes pictures, and {dataset.name} is a {dataset.kind}; leave it out.")
    return TrainTransforms(augmentation, experiment.data.mixup, len(dataset.classes))


def check_batch_size(experiment: Experiment, sample_count: int) -> int:
    """Return the batch size in samples: a smaller one than the model's own where the data is small.

    A model's own size is made for its own data. On few samples it would leave too few steps to learn by, so that an
    epoch gets 32 steps as long as batches do not fall below 32 samples.

    Raises:
        UsageError: one was asked for that the data cannot fill.
    """
    size = experiment.training.batch_size
    if size == "full":
        return sample_count
    if size > sample_count and "batch_size" in experiment.options:
        raise UsageError(
            f"`batch_size` {size} is larger than the {sample_count} training samples; "
            f"use at most {sample_count}, or `batch_size` full."
        )
    most = sample_count
    if "batch_size" not in experiment.options:
        steady = 2 ** math.floor(math.log2(max(1, sample_count // STEPS_AN_EPOCH)))  # a power of two
        most = min(most, max(SMALLEST_BATCH, int(steady)))
    return min(size, most)


def fingerprint(dataset: Dataset) -> str:
    """Return a hash of the training targets and of some training samples, to notice data that has changed."""
    digest = hashlib.sha256()
    rows = torch.linspace(0, len(dataset.train) - 1, min(FINGERPRINT_ROWS, len(dataset.train))).long().unique()
    inputs, _ = dataset.train.take(rows)
    for tensor in (dataset.train.targets, dataset.valid.targets, dataset.test.targets, inputs):
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.cpu().contiguous().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
