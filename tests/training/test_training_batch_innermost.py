"""Stages with the batch innermost give what torch gives, to rounding, and stay behind the same model."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.data.batches import Batches
from layerwise.data.dataset import Split
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.errors import UsageError
from layerwise.models import build
from layerwise.runs.checkpoints import CheckpointStore
from layerwise.tasks import Classification
from layerwise.training.batch_innermost import BatchInnermost, arranged, suits
from layerwise.training.config import MachineConfig, TrainingConfig
from layerwise.training.events import Finished, Stepped
from layerwise.training.execution import ExecutionPlan, choose_execution
from layerwise.training.loop import train


def stage(inputs: int, outputs: int, padding: int = 0) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 5, padding=padding), nn.ReLU(), nn.MaxPool2d(2)]


def gradients(model: nn.Module, of: nn.Module, inputs: torch.Tensor, weights: torch.Tensor) -> list[torch.Tensor]:
    """Return outputs, gradients by the input and by the parameters `of` a module, of (outputs * weights).sum()."""
    inputs = inputs.clone().requires_grad_()
    outputs = model(inputs)
    total = (outputs * weights.to(outputs)).sum()
    return [outputs.detach(), *torch.autograd.grad(total, [inputs, *of.parameters()])]


def assert_close(ours: list[torch.Tensor], exact: list[torch.Tensor]) -> None:
    for own, theirs in zip(ours, exact, strict=True):
        assert own.shape == theirs.shape
        scale = theirs.abs().max() + 1e-3
        torch.testing.assert_close(own.double() / scale, theirs.double() / scale, rtol=0, atol=2e-6)


@settings(max_examples=15, deadline=None)
@given(
    batch=st.integers(1, 70),
    inputs=st.integers(1, 3),
    maps=st.integers(1, 4),
    height=st.integers(6, 11),
    width=st.integers(6, 11),
    padding=st.integers(0, 3),
)
def test_outputs_and_gradients_are_those_of_autograd_in_float64(batch, inputs, maps, height, width, padding):
    torch.manual_seed(batch)
    model = nn.Sequential(*stage(inputs, maps, padding))
    pictures = torch.randn(batch, inputs, height, width)
    exact = copy.deepcopy(model).double()
    weights = torch.randn(batch, maps, (height + 2 * padding - 4) // 2, (width + 2 * padding - 4) // 2)
    fast = arranged(model)
    assert isinstance(fast[0], BatchInnermost)
    assert_close(gradients(fast, model, pictures, weights), gradients(exact, exact, pictures.double(), weights))


def test_among_equal_units_the_first_has_the_gradient_and_a_dead_window_gives_none():
    model = nn.Sequential(*stage(1, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.randint(-1, 2, (2, 1, 5, 5), generator=torch.Generator().manual_seed(0)))
        model[0].bias.zero_()
    pictures = torch.randint(0, 2, (40, 1, 12, 12), generator=torch.Generator().manual_seed(1)).float()
    weights = torch.ones(40, 2, 4, 4)
    ours = gradients(arranged(model), model, pictures, weights)
    theirs = gradients(model, model, pictures, weights)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))  # whole numbers: no rounding


def test_a_nan_is_not_hidden_by_the_maximum():
    model = nn.Sequential(*stage(1, 2))
    pictures = torch.zeros(3, 1, 12, 12)
    pictures[1, 0, 5, 5] = torch.nan
    outputs = arranged(model)(pictures)
    assert torch.equal(outputs.isnan(), model(pictures).isnan())


def test_more_threads_change_no_bit():
    torch.manual_seed(0)
    model = build("lenet5", (1, 28, 28), 10)
    pictures, before = torch.randn(100, 1, 28, 28), torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            features = arranged(model.features)
            found.append(torch.autograd.grad(features(pictures).square().sum(), list(model.features.parameters())))
    finally:
        torch.set_num_threads(before)
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


def test_the_model_stays_as_it_is_and_whoever_watches_a_module_sees_it_work():
    model = build("lenet5", (1, 28, 28), 10)
    names = list(model.state_dict())
    fast, pictures = arranged(model), torch.randn(4, 1, 28, 28)
    fast(pictures).sum().backward()
    assert list(model.state_dict()) == names
    assert all(parameter.grad is not None for parameter in model.parameters())
    seen = []
    model.features[1].register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    torch.testing.assert_close(fast(pictures), model(pictures))
    assert seen == [(4, 6, 28, 28)] * 2


@pytest.mark.parametrize("name", ["mlp", "lenet5-paper", "alexnet-small", "resnet-small"])
def test_other_networks_are_left_alone(name):
    model = build(name, (1, 32, 32), 10)
    assert not suits(model)
    with pytest.raises(UsageError, match="batch-innermost is for networks"):
        choose_execution(model, lambda twin: twin(torch.zeros(2, 1, 32, 32)).sum(), 1, memory_format())


def memory_format(**options: str) -> MachineConfig:
    return MachineConfig(memory_format="batch-innermost", **options)


def test_long_runs_of_lenet5_are_given_it_and_told_why():
    model = build("lenet5", (1, 28, 28), 10)

    def execution(steps: int, **options: str) -> ExecutionPlan:
        return choose_execution(
            model, lambda twin: twin(torch.zeros(128, 1, 28, 28)).sum(), steps, MachineConfig(**options)
        )

    long = execution(10_000)
    assert long.batch_innermost
    assert not long.channels_last
    assert any("few channels" in reason for reason in long.reasons)
    assert ExecutionPlan.from_json(long.to_json()) == long
    assert not execution(100).batch_innermost
    assert not execution(10_000, memory_format="contiguous").batch_innermost
    with pytest.raises(UsageError, match="float32 and not compiled"):
        execution(10, memory_format="batch-innermost", precision="bfloat16")


def test_left_in_the_middle_and_resumed_it_ends_with_the_same_bits(tmp_path):
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (50, 1, 10, 10), generator=generator, dtype=torch.uint8)
    split = Split(pictures, torch.randint(0, 4, (50,), generator=generator), range(50))
    batches = Batches(split, ImagePreprocessing(1, 10, 10, (0.5,), (0.5,)), 8, shuffle=True)
    task, training = Classification(tuple("abcd")), TrainingConfig(epochs=2)

    def make() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(*stage(1, 3, padding=2), nn.Flatten(), nn.Linear(75, 4))

    def run(model: nn.Module, store: CheckpointStore | None, stop_at: int = -1) -> None:
        for event in train(
            model, task, batches, training, checkpoints=store, execution=ExecutionPlan(batch_innermost=True)
        ):
            if isinstance(event, Stepped) and event.step == stop_at:
                return
        assert isinstance(event, Finished)

    straight, left, resumed = make(), make(), make()
    run(straight, None)
    store = CheckpointStore(tmp_path)
    run(left, store, stop_at=9)
    run(resumed, store)
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), resumed.parameters(), strict=True))
