"""Two processes that share a batch take the step of one process on the whole batch."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from layerwise.errors import UsageError
from layerwise.training.parallel import Ranks

SCRIPT = textwrap.dedent(
    """
    import json, sys, torch
    from torch import nn
    from layerwise.training.config import PenaltyConfig, TrainingConfig
    from layerwise.training.optimizers import make_optimizer
    from layerwise.training.parallel import Ranks

    torch.set_num_threads(1)
    ranks = Ranks.join()
    torch.manual_seed(ranks.rank)  # rank 0 of two has the weights of the process on its own
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 2))
    model.to(memory_format=torch.channels_last)
    spare = nn.Parameter(torch.ones(3))
    ranks.broadcast(model)
    optimizer = make_optimizer(model, TrainingConfig(optimizer="momentum", learning_rate=0.05), PenaltyConfig())
    generator = torch.Generator().manual_seed(7)
    inputs = torch.randn(11, 1, 6, 6, generator=generator)
    labels = torch.arange(11) % 2
    for size in (11, 11, 1, 7):  # shares of 5 and 6; of 0 and 1, where one rank has nothing to do
        mine = ranks.share(size)
        x, y = inputs[:size][mine], labels[:size][mine]
        optimizer.zero_grad()
        if len(x):
            nn.functional.cross_entropy(model(x), y).backward()
        ranks.average_gradients([*model.parameters(), spare], len(x))
        optimizer.step()
    model.register_buffer("running_mean", torch.full((2,), float(ranks.rank)))
    ranks.average_statistics(model)
    seen = {
        "world": ranks.world,
        "weights": [p.detach().flatten().tolist() for p in model.parameters()],
        "spare_is_none": spare.grad is None,
        "mean": model.running_mean.tolist(),
        "any": [ranks.any(ranks.rank == 1), ranks.any(False)],
        "sum": ranks.sum(torch.tensor([1.0, float(ranks.rank)])).tolist(),
        "from_first": ranks.from_first({"rank": ranks.rank, "word": "ä"}),
    }
    ranks.barrier()
    with open(f"{sys.argv[1]}/{ranks.world}-{ranks.rank}.json", "w") as file:
        json.dump(seen, file)
    ranks.leave()
    """
)


def start(folder, count):
    script = folder / "script.py"
    script.write_text(SCRIPT)
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    return subprocess.Popen(
        [sys.executable, *(torchrun if count > 1 else []), str(script), str(folder)],
        env={**environment, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, folder, count):
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    return [json.loads((folder / f"{count}-{rank}.json").read_text()) for rank in range(count)]


@pytest.fixture(scope="module")
def alone_and_together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    processes = {count: start(folder, count) for count in (1, 2)}
    (alone,) = finish(processes[1], folder, 1)
    return alone, finish(processes[2], folder, 2)


def test_two_ranks_end_with_the_weights_of_one_process_within_rounding(alone_and_together):
    alone, together = alone_and_together
    assert [seen["world"] for seen in together] == [2, 2]
    for one, two in zip(alone["weights"], together[0]["weights"], strict=True):
        assert two == pytest.approx(one, abs=1e-6)


def test_the_ranks_have_the_same_bits(alone_and_together):
    _, (first, second) = alone_and_together
    assert first["weights"] == second["weights"]


def test_a_gradient_that_nobody_has_stays_none(alone_and_together):
    alone, together = alone_and_together
    assert all(seen["spare_is_none"] for seen in (alone, *together))


def test_ranks_agree_on_flags_sums_statistics_and_what_the_first_says(alone_and_together):
    alone, together = alone_and_together
    for seen in together:
        assert seen["any"] == [True, False]
        assert seen["sum"] == [2.0, 1.0]
        assert seen["mean"] == [0.5, 0.5]
        assert seen["from_first"] == {"rank": 0, "word": "ä"}
    assert alone["any"] == [False, False]
    assert alone["from_first"] == {"rank": 0, "word": "ä"}


def test_a_process_on_its_own_changes_nothing():
    ranks = Ranks.join(environment={})
    model = nn.Linear(2, 2)
    gradient = torch.ones(2, 2)
    model.weight.grad = gradient
    ranks.broadcast(model)
    ranks.average_gradients(model.parameters(), 5)
    ranks.barrier()
    ranks.leave()
    assert model.weight.grad is gradient
    assert torch.equal(gradient, torch.ones(2, 2))
    assert ranks.is_first
    assert ranks.share(7) == slice(0, 7)


@given(count=st.integers(0, 1000), world=st.integers(1, 16))
def test_shares_are_even_and_cover_the_batch_once(count, world):
    samples = list(range(count))
    parts = [samples[Ranks(rank, world).share(count)] for rank in range(world)]
    assert [sample for part in parts for sample in part] == samples
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    "environment", [{"RANK": "0"}, {"RANK": "2", "WORLD_SIZE": "2"}, {"RANK": "a", "WORLD_SIZE": "2"}]
)
def test_variables_that_make_no_sense_are_refused(environment):
    with pytest.raises(UsageError, match="The variables of torchrun make no sense"):
        Ranks.join(environment=environment)


def test_several_processes_on_mps_are_refused():
    with pytest.raises(UsageError, match="`device` mps works in one process only"):
        Ranks.join(torch.device("mps"), {"RANK": "0", "WORLD_SIZE": "2"})
