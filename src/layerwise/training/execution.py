"""Where and how the arithmetic is done: device, threads, precision, compilation, order in memory.

What is faster depends on the machine and on the size of the work, so it is measured where the run is long
enough to pay for that, and every choice comes with its reason. The choice (ExecutionPlan) is saved with the run and
used again when it is resumed, because another precision or thread count would give other bits.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.training import batch_innermost
from layerwise.training.config import DEVICES, MachineConfig

__all__ = ["DEVICES", "ExecutionPlan", "choose_execution", "core_count", "multiply_adds", "pick_device", "pick_threads"]

Loss = Callable[[nn.Module], Tensor]  # the loss of a model on one fixed batch

MOST_THREADS = 64  # or the cores of the machine: far more than that, and the system ends the process
WORK_PER_THREAD = 16_000_000  # multiply-adds of a forward pass that pay for one thread, see pick_threads
MEASURED_FROM_S = 60.0  # predicted length of a run from which precisions are timed against each other
COMPILED_FROM_S = {"cpu": 600.0, "cuda": 120.0}  # the same for torch.compile, whose trial costs 8 to 35 s
INNERMOST_FROM = 2 * 10**11  # multiply-adds of a whole run, see _with_layout
ENGINE_FROM_STEPS = 20_000  # steps that save about 4 s, see _with_engine
WORTHWHILE = 1.15  # times faster, below which the plain way is kept
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
PAYBACK = 3.0  # times its own cost that compiling must be predicted to save
TRIAL_S, TRIAL_ROUNDS = 4.0, 15  # a race ends after so many seconds or rounds, but not before three rounds


@dataclass(frozen=True)
class ExecutionPlan:
    """How the steps of a run are computed. The default is plain float32, as the model is.

    precision: 'float32' or 'bfloat16' of the products; weights are always float32.
    batch_innermost: small convolutions by kernels of our own, see batch_innermost.py.
    dense: the steps of a stack of dense layers by the compiled engine, see dense_step.py.
    threads: of the processor; 0 leaves them as they are.
    reasons: a sentence for each choice, for people.
    """

    precision: str = "float32"
    compile: bool = False
    channels_last: bool = False
    batch_innermost: bool = False
    dense: bool = False
    threads: int = 0
    reasons: tuple[str, ...] = ()

    def wrap(self, model: nn.Module) -> nn.Module:
        """Arrange the weights of `model` in place and return what to call: itself, or itself compiled."""
        if self.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.batch_innermost:
            return batch_innermost.arranged(model)
        return _compiled(model) if self.compile else model

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        """Within it products are computed in the chosen precision; for the forward pass and the loss."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(device.type, getattr(torch, self.precision))

    def set_threads(self) -> None:
        """Let torch use the chosen number of processor threads, in this whole process."""
        if self.threads:
            torch.set_num_threads(self.threads)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> ExecutionPlan:
        """Rebuild the plan that `to_json` described."""
        return cls(**{**saved, "reasons": tuple(saved["reasons"])})


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; 'auto' is the first of cuda, mps and cpu that is there.

    Raises UsageError where the device that was asked for is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, is_there in there.items() if is_there))
    kind, _, index = MachineConfig(device=name).device.partition(":")
    if not there[kind]:
        found = " or ".join(known for known, is_there in there.items() if is_there)
        raise UsageError(f"`device` {name}: PyTorch finds no such device here; use {found}.")
    if index and int(index) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise UsageError(f"`device` {name}: the last one here is cuda:{last}; use one up to that.")
    return torch.device(name)


def core_count() -> int:
    """Return how many cores this process may use, by affinity, OMP_NUM_THREADS and its container's quota.

    torchrun sets OMP_NUM_THREADS to 1 for processes that share a machine.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    cores = min(cores, int(asked)) if asked.isdecimal() and int(asked) else cores
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def pick_threads(work: int, cores: int | None = None) -> int:
    """Return the processor threads for a network of `work` multiply-adds, forward on a batch.

    One thread for each WORK_PER_THREAD of them, whatever else the machine is doing, so that a run has the same
    bits again. The rule is shy of threads, because the stakes are uneven. Measured with torch 2.13 and Adam, one
    thread against two of a two-core machine (in ms a step): 2-8-8-1 with batch 10 takes 0.21 against 0.23 (880
    multiply-adds), 64-64-10 with batch 128 0.23 against 0.25 (0.6 million), 784-256-128-10 with batch 128 1.7
    against 1.7 (30 million), with batch 1024 17 against 9.9 (240 million). Where other processes hold the cores,
    the second thread makes a step 10 to 100 times slower, as OpenMP's threads wait for each other by spinning;
    OMP_WAIT_POLICY=PASSIVE in the environment, set before torch is imported, takes most of that away.
    """
    return max(1, min(work // WORK_PER_THREAD, core_count() if cores is None else cores))


def multiply_adds(model: nn.Module, loss: Loss) -> int:
    """Return the multiply-adds of the weights of `model` in one forward pass of `loss`; changes nothing.

    A module's matrix or filters are used once at each position of its output: a sample, a time step, a pixel.
    Products without weights, such as those of attention, are not counted. (torch's FlopCounterMode counts them,
    but takes 2 s to load.)
    """
    counts: list[int] = []

    def count(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        weights = [p for p in module.parameters(recurse=False) if p.ndim >= 2]
        signal = inputs[0] if isinstance(module, TRANSPOSED) else output
        signal = signal[0] if isinstance(signal, tuple) else signal  # recurrent layers return their state, too
        if weights and isinstance(signal, Tensor) and not isinstance(module, nn.Embedding):
            channels = signal.size(1) if weights[0].ndim > 2 else signal.size(-1)
            counts.append(sum(p.numel() for p in weights) * (signal.numel() // max(1, channels)))

    twin = copy.deepcopy(model)
    for part in twin.modules():
        part.register_forward_hook(count)
    with _nothing_disturbed(_device_of(model)):  # with gradients, for there are losses that look at slopes
        loss(twin)
    return sum(counts)


def choose_execution(
    model: nn.Module, loss: Loss, steps: int, machine: MachineConfig, unsupported_reason: str | None = None
) -> ExecutionPlan:
    """Return the fastest way found to take `steps` training steps of `model`, which is left as it was.

    loss: gives the loss of a model on one typical batch; it is called on deep copies, in training mode.
    unsupported_reason: what keeps the dense engine off, '' for nothing, None for other networks; see dense_step.py.
    The model, its buffers and the random state are the same afterwards.

    Raises UsageError for a precision that the device cannot compute in.
    """
    device = _device_of(model)
    _check_precision(machine.precision, device)
    if device.type == "cpu":
        work = multiply_adds(model, loss)
        execution = _with_threads(_with_layout(ExecutionPlan(), model, machine, device, steps * work), work, machine)
        execution = _with_engine(execution, steps, work, machine, unsupported_reason)
    else:
        execution = _with_layout(ExecutionPlan(), model, machine, device)
    trial = Trial(model, loss, device, steps)
    execution = _with_precision(execution, trial, machine)
    return _with_compilation(execution, trial, machine)


class Trial:
    """Times training steps on deep copies of a model."""

    def __init__(self, model: nn.Module, loss: Loss, device: torch.device, steps: int) -> None:
        self.model, self.loss, self.device, self.steps = model, loss, device, steps
        self._step_s: dict[str, float] = {}

    def predicted_s(self, execution: ExecutionPlan) -> float:
        """Return about how long the whole run takes, from the better of two warm steps."""
        if execution.precision not in self._step_s:
            with _nothing_disturbed(self.device):
                step = self._step(execution)
                step()
                self._step_s[execution.precision] = min(step(), step())
        return self._step_s[execution.precision] * self.steps

    def race(self, plans: list[ExecutionPlan]) -> tuple[list[float], list[float]]:
        """Return the first and the shortest step of each plan, in seconds; they take turns to share noise."""
        with _nothing_disturbed(self.device):
            steps = [self._step(execution) for execution in plans]
            first = [step() for step in steps]
            shortest = [float("inf")] * len(steps)
            started = time.perf_counter()
            for turn in range(TRIAL_ROUNDS):
                if turn >= 3 and time.perf_counter() - started > TRIAL_S:
                    break
                shortest = [min(best, step()) for best, step in zip(shortest, steps, strict=True)]
        return first, shortest

    def _step(self, execution: ExecutionPlan) -> Callable[[], float]:
        """Return a function that takes one step without the optimiser's part, and returns its seconds."""
        twin = copy.deepcopy(self.model).train()
        runner = execution.wrap(twin)

        def step() -> float:
            execution.set_threads()
            started = time.perf_counter()
            with execution.autocast(self.device):
                loss = self.loss(runner)
            loss.backward()
            twin.zero_grad(set_to_none=True)
            if self.device.type != "cpu":
                torch.accelerator.synchronize(self.device)
            return time.perf_counter() - started

        return step


def _with_layout(
    execution: ExecutionPlan, model: nn.Module, machine: MachineConfig, device: torch.device, work: int = 0
) -> ExecutionPlan:
    """Pictures with the channels innermost suit the convolutions of CPUs and of tensor cores; few channels do not.

    work: multiply-adds of all steps forward. The kernels for few channels are compiled once for a machine, which takes
    about 10 s, so they are for runs that save as much: LeNet-5 with batch 128 (53 million) saves 3 ms a step and more.
    """
    if machine.memory_format == "batch-innermost":
        _check_batch_innermost(model, machine)
        return _because(execution, "batch innermost in memory, as asked", batch_innermost=True)
    if machine.memory_format != "auto":
        return replace(execution, channels_last=machine.memory_format == "channels-last")
    is_free = machine.precision != "bfloat16" and machine.compile != "yes"
    if work >= INNERMOST_FROM and is_free and batch_innermost.suits(model):
        reason = "batch innermost in memory, as its convolutions have few channels and the run is long enough"
        return _because(execution, reason, batch_innermost=True)
    is_convolutional = any(isinstance(part, nn.Conv2d) for part in model.modules())
    is_volumetric = any(p.ndim > 4 for p in model.parameters())
    if not is_convolutional or is_volumetric or device.type not in ("cpu", "cuda"):
        return execution
    return _because(execution, "channels last in memory, as convolutions like it", channels_last=True)


def _check_batch_innermost(model: nn.Module, machine: MachineConfig) -> None:
    if not batch_innermost.suits(model):
        raise UsageError(
            "`memory_format` batch-innermost is for networks on the processor whose every convolution is one of 5x5 "
            f"from at most {batch_innermost.MOST_CHANNELS} channels with ReLU and 2x2 max-pooling after it; "
            "use auto or channels-last."
        )
    if machine.precision == "bfloat16" or machine.compile == "yes":
        raise UsageError("`memory_format` batch-innermost is float32 and not compiled; leave that or the other out.")


def _with_threads(execution: ExecutionPlan, work: int, machine: MachineConfig) -> ExecutionPlan:
    most = max(MOST_THREADS, os.cpu_count() or 1)
    if machine.threads > most:
        raise UsageError(f"`threads` must be at most {most} here, received {machine.threads}; use 0 to have it chosen.")
    if machine.threads:
        return _because(execution, f"{_count(machine.threads, 'thread')}, as asked", threads=machine.threads)
    threads = pick_threads(work)
    return _because(execution, f"{_count(threads, 'thread')} for {work:,} multiply-adds a batch", threads=threads)


def _with_engine(
    execution: ExecutionPlan, steps: int, work: int, machine: MachineConfig, unsupported_reason: str | None
) -> ExecutionPlan:
    """Leave small stacks of dense layers to the engine, which takes one thread, where the run is long enough.

    Measured with torch 2.13 on two busy cores, the whole loop: 64-64-10 with batch 32 is 2.5 to 4 times as fast as by
    torch, 2-8-8-2 with batch 10 6 to 8 times, which saves 0.15 ms a step and more. Loading the engine takes
    about 1 s and compiling it, once for a machine, about 15 s.
    """
    if unsupported_reason is None or pick_threads(work, MOST_THREADS) > 1:
        return execution
    if unsupported_reason or machine.precision == "bfloat16" or machine.compile == "yes":
        return _because(
            execution, f"dense layers by autograd, since {unsupported_reason or 'the engine is float32 and compiled'}"
        )
    if steps < ENGINE_FROM_STEPS:
        return _because(
            execution, f"dense layers by autograd, since the engine pays from {ENGINE_FROM_STEPS:,} steps on"
        )
    return _because(execution, f"dense layers by the compiled engine, for {steps:,} steps", dense=True)


def _with_precision(execution: ExecutionPlan, trial: Trial, machine: MachineConfig) -> ExecutionPlan:
    if execution.batch_innermost or execution.dense:
        return _because(execution, "float32 and without torch.compile, since its kernels are compiled for that")
    if machine.precision != "auto":
        return _because(execution, f"{machine.precision}, as asked", precision=machine.precision)
    if not _has_fast_bfloat16(trial.device):
        return _because(execution, f"float32, since this {trial.device.type} has no instructions for bfloat16")
    predicted_s = trial.predicted_s(execution)
    if predicted_s < MEASURED_FROM_S:
        return _because(execution, f"float32, since about {predicted_s:.0f} s of training are too short to try more")
    half = replace(execution, precision="bfloat16")
    _, (full_s, half_s) = trial.race([execution, half])
    measured = f"{1e3 * half_s:.1f} ms a step against {1e3 * full_s:.1f} ms in float32"
    if full_s < WORTHWHILE * half_s:
        return _because(execution, f"float32, since bfloat16 takes {measured}")
    return _because(half, f"bfloat16, since it takes {measured}")


def _with_compilation(execution: ExecutionPlan, trial: Trial, machine: MachineConfig) -> ExecutionPlan:
    if execution.batch_innermost or execution.dense:
        return execution
    if machine.compile != "auto":
        return _because(execution, f"torch.compile: {machine.compile}, as asked", compile=machine.compile == "yes")
    threshold_s = COMPILED_FROM_S.get(trial.device.type)
    if threshold_s is None or not _can_compile(trial.device):
        return _because(execution, "not compiled, since there is no compiler for this device")
    predicted_s = trial.predicted_s(execution)
    if predicted_s < threshold_s:
        return _because(execution, f"not compiled, since that pays only from about {threshold_s:.0f} s of training")
    return _compiled_if_worth_it(execution, trial)


def _compiled_if_worth_it(execution: ExecutionPlan, trial: Trial) -> ExecutionPlan:
    compiled = replace(execution, compile=True)
    try:
        (_, compile_s), (plain_s, compiled_s) = trial.race([execution, compiled])
    except Exception as error:  # a compiler can fail in any way, and the plain model is still there
        return _because(execution, f"not compiled, since torch.compile failed ({type(error).__name__})")
    saved_s = (plain_s - compiled_s) * trial.steps
    measured = f"compiling takes {compile_s:.0f} s and saves {saved_s:.0f} s"
    if saved_s < PAYBACK * compile_s:
        return _because(execution, f"not compiled, since {measured}")
    return _because(compiled, f"compiled, since {measured}")


def _check_precision(precision: str, device: torch.device) -> None:
    if precision == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise UsageError("`precision` bfloat16: this CUDA device does not know it; use float32.")


def _has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices by instructions of its own (tensor cores, AMX, AVX-512 BF16).

    Without them the processor's products are emulated and take longer than in float32. With AVX-512 BF16 alone (AMD's
    Zen 4 and 5) the steps of the recipes took, float32 against bfloat16 on one thread: gpt 2.6, transformer 2.2, gru of
    characters 1.9, seq2seq 1.8, gan and vae 1.5, segnet, unet and a small vit 1.3 times as long.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def _can_compile(device: torch.device) -> bool:
    """Whether torch.compile finds what it generates code for: a C++ compiler, or Triton."""
    if device.type == "cpu":
        return any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++"))
    return importlib.util.find_spec("triton") is not None


def _compiled(model: nn.Module) -> nn.Module:
    compiled = torch.compile(model)
    assert isinstance(compiled, nn.Module)  # for the type checker: it is one where it was given one
    return compiled


def _because(execution: ExecutionPlan, reason: str, **choice: Any) -> ExecutionPlan:
    return replace(execution, **choice, reasons=(*execution.reasons, reason))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


@contextmanager
def _nothing_disturbed(device: torch.device) -> Iterator[None]:
    """Put the random generators and the thread count back afterwards."""
    threads = torch.get_num_threads()
    mps_state = torch.mps.get_rng_state() if device.type == "mps" else None
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.set_num_threads(threads)
        if mps_state is not None:
            torch.mps.set_rng_state(mps_state)
