"""The choice of device, threads, precision and compilation follows its rule, says why, and disturbs nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from layerwise.errors import UsageError
from layerwise.training.config import MachineConfig
from layerwise.training.execution import (
    ExecutionPlan,
    choose_execution,
    core_count,
    multiply_adds,
    pick_device,
    pick_threads,
)

CPU = torch.device("cpu")
HOURS = 10**9  # steps; any network takes long enough for every measurement
CPU_FACTS = Path("/proc/cpuinfo")
HAS_BFLOAT16 = CPU_FACTS.exists() and any(flag in CPU_FACTS.read_text() for flag in ("amx_bf16", "avx512_bf16"))


def picture_network(width=8):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.Dropout(0.5), nn.Flatten(), nn.Linear(width * 36, 3)
    )


def loss_of_a_batch(model):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(16, 1, 8, 8, generator=generator)
    return nn.functional.cross_entropy(model(inputs), torch.arange(16) % 3)


def test_auto_is_the_best_device_there_is():
    best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pick_device().type == best
    assert pick_device("cpu") == CPU


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused_with_what_is_there():
    with pytest.raises(UsageError, match=r"`device` cuda:1: PyTorch finds no such device here; use .*cpu"):
        pick_device("cuda:1")


def test_an_unknown_device_is_refused():
    with pytest.raises(UsageError, match="`device` must be one of auto, cpu, cuda, cuda:1, mps, received 'cpuu'"):
        pick_device("cpuu")


@given(work=st.integers(0, 10**12), more=st.integers(0, 10**12), cores=st.integers(1, 256))
def test_threads_grow_with_the_work_and_stay_within_the_cores(work, more, cores):
    assert 1 <= pick_threads(work, cores) <= pick_threads(work + more, cores) <= cores


@pytest.mark.parametrize(
    ("sizes", "batch", "threads"),
    [((2, 8, 8, 1), 10, 1), ((2, 8, 8, 1), 1000, 1), ((64, 64, 10), 128, 1), ((784, 2048, 2048, 10), 128, 8)],
)
def test_tiny_networks_get_one_thread_and_wide_ones_all(sizes, batch, threads):
    work = batch * sum(a * b for a, b in pairwise(sizes))
    assert pick_threads(work, cores=8) == threads


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (picture_network(width=8), (16, 1, 8, 8)),
        (nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 2)), (3, 7)),
        (nn.Linear(7, 5), (3, 4, 7)),
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9, 9)),
        (nn.ConvTranspose2d(4, 6, 3, stride=2), (2, 4, 5, 5)),
        (nn.Conv1d(3, 4, 5), (2, 3, 20)),
    ],
)
def test_the_work_of_a_network_is_what_torch_counts(model, shape):
    inputs = torch.randn(shape)
    with FlopCounterMode(display=False) as counter:
        model(inputs)
    assert multiply_adds(model, lambda m: m(inputs).sum()) == counter.get_total_flops() // 2


def test_a_recurrent_layer_uses_its_weights_at_every_time_step():
    model = nn.LSTM(3, 5, batch_first=True)
    work = multiply_adds(model, lambda m: m(torch.randn(2, 7, 3))[0].sum())
    assert work == 2 * 7 * 4 * 5 * (3 + 5)


def test_processes_that_share_a_machine_keep_to_the_threads_that_torchrun_grants(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert 1 <= core_count() <= (os.cpu_count() or 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert core_count() == 1


@pytest.mark.parametrize("steps", [1, HOURS])
def test_choosing_disturbs_neither_the_model_nor_the_random_state_nor_the_threads(steps):
    model = picture_network()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    chance, threads = torch.get_rng_state(), torch.get_num_threads()
    choose_execution(model, loss_of_a_batch, steps, MachineConfig(compile="no"))
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), chance)
    assert torch.get_num_threads() == threads
    assert model.training
    assert model[0].weight.is_contiguous()


def test_a_short_run_is_plain_and_says_so():
    execution = choose_execution(picture_network(), loss_of_a_batch, 5, MachineConfig(device="cpu"))
    assert (execution.precision, execution.compile, execution.channels_last, execution.threads) == (
        "float32",
        False,
        True,
        1,
    )
    assert any(reason.startswith("not compiled, since") for reason in execution.reasons)
    assert any("float32" in reason for reason in execution.reasons)
    assert any("1 thread for" in reason for reason in execution.reasons)


@pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor has no instructions for bfloat16")
def test_bfloat16_is_chosen_where_it_is_measured_to_be_faster():
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Linear(1024, 2048), nn.ReLU(), nn.Linear(2048, 2048), nn.ReLU(), nn.Linear(2048, 10))
    inputs = torch.randn(256, 1024)
    execution = choose_execution(
        wide, lambda m: m(inputs).float().square().mean(), 10**6, MachineConfig(compile="no", threads=1)
    )
    assert execution.precision == "bfloat16"
    with execution.autocast(CPU):
        assert wide(inputs).dtype == torch.bfloat16


@pytest.mark.skipif(HAS_BFLOAT16 or torch.cuda.is_available(), reason="this machine has instructions for bfloat16")
def test_bfloat16_is_not_tried_where_it_would_be_emulated():
    execution = choose_execution(picture_network(), loss_of_a_batch, HOURS, MachineConfig(compile="no", threads=1))
    assert execution.precision == "float32"
    assert any("no instructions for bfloat16" in reason for reason in execution.reasons)


def test_what_was_asked_for_is_not_measured():
    asked = MachineConfig(precision="bfloat16", compile="no", memory_format="contiguous", threads=3)
    execution = choose_execution(picture_network(), loss_of_a_batch, HOURS, asked)
    assert (execution.precision, execution.compile, execution.channels_last, execution.threads) == (
        "bfloat16",
        False,
        False,
        3,
    )


def test_a_pace_that_went_through_json_is_the_same():
    execution = ExecutionPlan("bfloat16", compile=True, channels_last=True, threads=2, reasons=("one", "two"))
    assert ExecutionPlan.from_json(json.loads(json.dumps(execution.to_json()))) == execution


def test_wrapping_arranges_the_filters_and_keeps_the_outputs():
    model = picture_network().eval()
    inputs = torch.randn(4, 1, 8, 8)
    expected = model(inputs)
    assert ExecutionPlan().wrap(model) is model
    runner = ExecutionPlan(channels_last=True).wrap(model)
    assert runner[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(runner(inputs), expected, atol=1e-5)


def test_volumes_are_left_in_plain_order():
    model = nn.Sequential(nn.Conv3d(1, 2, 3), nn.Flatten(2, 3), nn.Conv2d(2, 2, 3))
    execution = choose_execution(model, lambda m: m(torch.ones(1, 1, 6, 6, 6)).sum(), 1, MachineConfig(device="cpu"))
    assert not execution.channels_last


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler for torch.compile")
def test_compiling_is_measured_for_long_runs_and_its_reason_has_both_figures():
    """In a process of its own, as the compiler keeps state and warns by rules that differ between versions."""
    script = """
import torch
from torch import nn
from layerwise.training.config import MachineConfig
from layerwise.training.execution import choose_execution

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
inputs = torch.randn(32, 4)
pace = choose_execution(model, lambda m: m(inputs).square().mean(), 10**8, MachineConfig(precision="float32"))
assert torch.allclose(pace.wrap(model)(inputs), model(inputs), atol=1e-5)
print(pace.reasons[-1])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.search(r"compil.* takes \d+ s and saves -?\d+ s", done.stdout), done.stdout + done.stderr
