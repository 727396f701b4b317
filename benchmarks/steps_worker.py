"""Times one recipe's steps, as `layerwise.train` takes them, against those of steps_by_hand.py: in turns, one thread.

Started by steps.py. Answers on its standard output with one JSON object.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
from steps_by_hand import LOOPS, Job
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from layerwise.experiments.experiment import Experiment
from layerwise.experiments.recorder import Recorder
from layerwise.experiments.run_files import begin
from layerwise.experiments.setup import Setup, set_up
from layerwise.experiments.training import event_stream
from layerwise.recipes import options_of
from layerwise.reports.progress import Progress
from layerwise.tasks.catalogue import task_name
from layerwise.training.events import Evaluated, Reported, Stepped
from layerwise.training.schedules import rate_at

ALIKE = {"threads": 1, "compile": "no", "checkpoint_every_s": 1e6}
WARM_UP = 5
aten = torch.ops.aten
SIDE = 1024  # of the square matrices whose product shows what a core can do
PRODUCTS = 9
Seconds = tuple[float, float]  # of the processor, of the clock


def main() -> None:
    name, turns, block_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory() as runs:
        answer = compare(name, turns, block_s, Path(runs))
    print(json.dumps(answer), file=answers, flush=True)


def compare(name: str, turns: int, block_s: float, runs: Path) -> dict[str, Any]:
    """Let both take blocks of steps in turns; return seconds a step of each block, mean losses, and the work."""
    setup = set_up(Experiment.of(**described(name)))
    job = job_of(setup)
    theirs = ByHand(LOOPS[task_name(setup.task)](job))
    ours = Ours(setup, runs)
    loops: dict[str, Callable[[int], Seconds]] = {"ours": ours.take, "hand": theirs.take}
    for take in loops.values():
        take(WARM_UP)
    step_s = min(theirs.take(1)[0] for _ in range(WARM_UP))
    ours.take(WARM_UP)  # both have taken as many steps
    block = max(1, min(int(block_s / step_s), (len(job.rates) - 4 * WARM_UP) // turns))
    seconds: dict[str, list[Seconds]] = {"ours": [], "hand": []}
    for turn in range(turns):
        for side in ("ours", "hand") if turn % 2 else ("hand", "ours"):
            cpu_s, wall_s = loops[side](block)
            seconds[side].append((cpu_s / block, wall_s / block))
    return {
        "recipe": name,
        "precision": setup.execution.precision,
        "execution": setup.execution.to_json(),
        "batch_size": job.batch_size,
        "block": block,
        "seconds": seconds,
        "losses": {"ours": ours.mean_losses(), "hand": theirs.mean_losses()},
        "multiply_adds": theirs.multiply_adds(),
        "peak": peak(job.bfloat16),
    }


def described(name: str) -> dict[str, Any]:
    options = options_of(name)
    return {"model": options.pop("model"), "given": {**options, **ALIKE}}


class Ours:
    """The recipe's own training: every event goes to who writes the run folder and to who shows progress.

    Its time is that of steps and reports; measuring on the validation split at the end of an epoch is left out.
    """

    def __init__(self, setup: Setup, runs: Path) -> None:
        self.folder = begin(setup, runs, None, "")
        self.watchers = (Recorder(self.folder), Progress(quiet=True))
        self.events = event_stream(setup, self.folder)
        self.steps_per_epoch = len(setup.train)
        self.reported = 0  # steps whose losses were reported
        self.losses: list[tuple[int, list[float]]] = []

    def take(self, count: int) -> Seconds:
        watch = Watch()
        for event in self.events:
            for watcher in self.watchers:
                watcher(event)
            match event:
                case Reported():
                    self.losses.append((event.step - self.reported, list(event.losses.values())))
                    self.reported = event.step
                case Stepped():
                    count -= 1
                    if event.step % self.steps_per_epoch == 0:
                        watch.stop()
                    if not count:
                        break
                case Evaluated():
                    watch.start()
        return watch.stop()

    def mean_losses(self) -> list[float]:
        """End the training; return the mean loss of each part over its steps, the unreported of its checkpoint, too."""
        self.events.close()
        checkpoint = self.folder.checkpoint_store().newest()
        assert checkpoint
        sums = [[steps * loss for loss in losses] for steps, losses in self.losses]
        if gathered := checkpoint.tensors["gathered"]:
            sums.append([total.item() for total in gathered.values()])
        return [sum(column) / checkpoint.state["progress"]["step"] for column in zip(*sums, strict=True)]


class ByHand:
    """The hand-written training, with the same clocks read as often."""

    def __init__(self, steps: Iterator[tuple[Tensor, ...]]) -> None:
        self.steps = steps
        self.losses: list[tuple[Tensor, ...]] = []

    def take(self, count: int) -> Seconds:
        watch = Watch()
        for losses in self.steps:
            self.losses.append(losses)
            count -= 1
            if not count:
                break
        return watch.stop()

    def mean_losses(self) -> list[float]:
        return [torch.stack(column).double().mean().item() for column in zip(*self.losses, strict=True)]

    def multiply_adds(self) -> float:
        """Return those of all products in one step, forward and backward."""
        with Counter() as counter:
            next(self.steps)
        return counter.flops / 2


class Watch:
    """Adds up the time between start and stop; it runs from the beginning. Read rarely, for a read may cost a turn."""

    def __init__(self) -> None:
        self.cpu_s = self.wall_s = 0.0
        self.start()

    def start(self) -> None:
        self.is_running, self.cpu, self.wall = True, time.process_time(), time.perf_counter()

    def stop(self) -> Seconds:
        if self.is_running:
            self.cpu_s += time.process_time() - self.cpu
            self.wall_s += time.perf_counter() - self.wall
            self.is_running = False
        return self.cpu_s, self.wall_s


class Counter(TorchDispatchMode):
    """Counts floating-point operations of products. (torch's own counter stumbles over slopes within a loss.)"""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        kind = func.overloadpacket
        if kind in flop_registry:
            self.flops += flop_registry[kind](*args, **(kwargs or {}), out_val=result)
        elif kind is aten._scaled_dot_product_flash_attention_for_cpu:
            self.flops += 4 * args[0].numel() * args[1].shape[2]
        elif kind is aten._scaled_dot_product_flash_attention_for_cpu_backward:
            self.flops += 8 * args[1].numel() * args[2].shape[2]
        return result


def job_of(setup: Setup) -> Job:
    """Return what the hand-written loop is given: a copy of the untrained network, and plain tensors."""
    training, preparing, train = setup.experiment.training, setup.dataset.preprocessing, setup.dataset.train
    kind = task_name(setup.task)
    steps = training.epochs * len(setup.train)
    augmentation = setup.train.variation.augmentation
    mean, std = (torch.tensor(getattr(preparing, name, [0.0]))[:, None, None] for name in ("mean", "std"))
    if kind == "adversarial":
        mean = std = torch.full_like(mean, 0.5)
    if augmentation:
        inputs = train.inputs
    else:
        inputs = (train.inputs / 255 - mean) / std if kind == "adversarial" else preparing.transform(train.inputs)
    layout = torch.channels_last if setup.execution.channels_last or setup.execution.batch_innermost else None
    model = copy.deepcopy(setup.model).train()
    assert isinstance(training.batch_size, int)
    return Job(
        model=model.to(memory_format=layout) if layout else model,
        inputs=inputs,
        targets=train.targets,
        order=setup.train.order,
        batch_size=training.batch_size,
        steps_per_epoch=len(setup.train),
        rates=[rate_at(step, steps, len(setup.train), training) for step in range(steps)],
        optimizer=training.optimizer,
        momentum=training.momentum,
        weight_decay=setup.experiment.penalty.decay(training.optimizer),
        clip_norm=training.clip_norm,
        average=training.ema_decay,
        bfloat16=setup.execution.precision == "bfloat16",
        channels_last=layout is not None,
        moves={part.name: part.amount for part in augmentation.parts} if augmentation else {},
        mean=mean,
        std=std,
        facts=vars(setup.task),
    )


def peak(is_bfloat16: bool) -> float:
    """Return the multiply-adds a second of the product of two large square matrices on this thread."""
    a = torch.randn(SIDE, SIDE, dtype=torch.bfloat16 if is_bfloat16 else torch.float32)
    seconds = []
    for _ in range(PRODUCTS):
        started = time.process_time()
        a @ a
        seconds.append(time.process_time() - started)
    return SIDE**3 / median(seconds)


if __name__ == "__main__":
    main()
