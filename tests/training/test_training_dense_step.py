"""Steps on the dense engine are those of autograd, to rounding, behind the same loop, modules and checkpoints."""

import copy
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.data.batches import Batches, TrainTransforms
from layerwise.data.dataset import Split
from layerwise.errors import DivergedError
from layerwise.layers.activations import ACTIVATIONS
from layerwise.models import build
from layerwise.runs.checkpoints import CheckpointStore
from layerwise.tasks import Classification, Regression
from layerwise.training.config import MachineConfig, PenaltyConfig, TrainingConfig
from layerwise.training.dense_step import MOMENTS, unsupported_reason
from layerwise.training.events import Evaluated, Finished, Reported, Stepped
from layerwise.training.execution import ExecutionPlan, choose_execution
from layerwise.training.loop import train

CLASSES = Classification(tuple("abc"))
PENALTIES = [None, PenaltyConfig(0.1), *(PenaltyConfig(None, kind, 0.01) for kind in ("l1", "elastic"))]
NUMBERS = Regression(("u", "v", "w"), (0.0,) * 3, (1.0,) * 3)


class Plain:
    """A preprocessing that leaves the numbers as they are."""

    kind = "table"

    def __init__(self, features: int) -> None:
        self.input_shape = (features,)

    def transform(self, raw: torch.Tensor) -> torch.Tensor:
        return raw


def batches_for(task=CLASSES, features=4, count=50, size=8, seed=0, mixup=0.0) -> Batches:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, features, generator=generator)
    centres = torch.randn(features, 3, generator=generator)
    values = inputs @ centres
    targets = values.argmax(1) if isinstance(task, Classification) else values
    split = Split(inputs, targets, [str(i) for i in range(count)])
    return Batches(split, Plain(features), size, seed=seed, shuffle=True, variation=TrainTransforms(None, mixup, 3))


def trained(model, task, batches, training, dense, penalty=None, **more):
    """Return a trained copy of the model, and what was told."""
    model = copy.deepcopy(model)
    events = list(train(model, task, batches, training, penalty=penalty, execution=ExecutionPlan(dense=dense), **more))
    return model, events


def flat(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().ravel() for p in model.parameters()])


@given(
    hidden=st.lists(st.integers(1, 20), max_size=3),
    name=st.sampled_from(list(ACTIVATIONS)),
    optimizer=st.sampled_from(list(MOMENTS)),
    task=st.sampled_from([CLASSES, Classification(tuple("abc"), 0.1), NUMBERS]),
    penalty=st.sampled_from(PENALTIES),
    size=st.integers(2, 60),
    clip_norm=st.sampled_from([0.0, 0.5]),
    mixup=st.sampled_from([0.0, 0.4]),
)  # fmt: skip
@settings(deadline=None, max_examples=60, derandomize=True)
def test_a_training_is_that_of_autograd_up_to_rounding(
    hidden, name, optimizer, task, penalty, size, clip_norm, mixup
):  # fmt: skip
    torch.manual_seed(size)
    kind = "mlp" if hidden else "linear"
    model = build(kind, (4,), 3, **({"hidden": tuple(hidden), "activation": name} if hidden else {}))
    mixed = mixup if isinstance(task, Classification) else 0.0
    batches = batches_for(task, size=size, mixup=mixed)
    training = TrainingConfig(epochs=2, optimizer=optimizer, learning_rate=3e-3, schedule="cosine", clip_norm=clip_norm)
    assert unsupported_reason(model, task, training) == ""
    ours, told = trained(model, task, batches, training, True, penalty)
    theirs, told_by_torch = trained(model, task, batches, training, False, penalty)
    torch.testing.assert_close(flat(ours), flat(theirs), rtol=1e-4, atol=2e-5)
    losses, expected = (
        [e.losses["model"] for e in events if isinstance(e, Reported)] for events in (told, told_by_torch)
    )
    assert losses == pytest.approx(expected, rel=1e-4)
    assert [type(e) for e in told] == [type(e) for e in told_by_torch]
    assert not torch.equal(flat(ours), flat(model))


@pytest.mark.parametrize("optimizer", MOMENTS)
def test_left_in_the_middle_and_resumed_it_ends_with_the_same_bits(tmp_path, optimizer):
    torch.manual_seed(0)
    model, batches = build("mlp", (4,), 3, hidden=(6, 5)), batches_for()
    training = TrainingConfig(epochs=3, optimizer=optimizer, ema_decay=0.9, learning_rate=0.01)
    more = {"valid": batches_for(seed=1), "penalty": PenaltyConfig(None, "l2", 0.01)}
    whole, told = trained(model, CLASSES, batches, training, True, **more)
    store, steps = CheckpointStore(tmp_path), 0
    with pytest.raises(StopIteration):
        events = train(
            model, CLASSES, batches, training, checkpoints=store, execution=ExecutionPlan(dense=True), **more
        )
        while True:
            steps += isinstance(next(events), Stepped)
            if steps == 10:
                events.close()
    resumed = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in resumed.parameters():
            parameter.zero_()
    after, told_after = trained(resumed, CLASSES, batches, training, True, checkpoints=store, **more)
    assert torch.equal(flat(after), flat(whole))
    assert told_after[-1] == told[-1]
    assert isinstance(told[-1], Finished)
    evaluated = [[e for e in events if isinstance(e, Evaluated)] for events in (told, told_after)]
    assert evaluated[0][-2:] == evaluated[1]


def test_whoever_watches_a_module_sees_it_work_and_the_steps_go_on():
    torch.manual_seed(0)
    model, batches = build("mlp", (4,), 3), batches_for()
    training = TrainingConfig(epochs=2, learning_rate=0.01)
    plain, _ = trained(model, CLASSES, batches, training, False)
    seen, steps = [], 0
    watched = model.hidden[0][0].register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    for event in train(model, CLASSES, batches, training, execution=ExecutionPlan(dense=True)):
        steps += isinstance(event, Stepped)
        if steps == 3:
            watched.remove()
    assert seen == [8, 8, 8]
    torch.testing.assert_close(flat(model), flat(plain), rtol=1e-4, atol=2e-5)


def test_a_loss_that_is_not_finite_is_named_and_changes_nothing():
    torch.manual_seed(0)
    model, batches = build("mlp", (4,), 3), batches_for()
    batches._prepared[batches.order(0)[20]] = torch.inf
    events = train(model, CLASSES, batches, TrainingConfig(epochs=1), execution=ExecutionPlan(dense=True))
    before = flat(model).clone()
    with pytest.raises(DivergedError, match=r"the loss of 'model' became nan at step 3 \(epoch 1, batch of"):
        for event in events:
            if isinstance(event, Stepped):
                before = flat(model).clone()
    assert event.step == 2
    assert torch.equal(flat(model), before)


@pytest.mark.parametrize(
    ("model", "task", "training", "words"),
    [
        (build("mlp", (4,), 3, dropout=0.5), CLASSES, TrainingConfig(), "no Dropout"),
        (build("mlp", (4,), 3, batch_norm=True), CLASSES, TrainingConfig(), "no BatchNorm1d"),
        (build("mlp", (4,), 3), CLASSES, TrainingConfig(optimizer="muon"), "muon"),
        (build("mlp", (4,), 3), CLASSES, TrainingConfig(accumulation_steps=2), "accumulate"),
        (build("linear", (4,), 3, bias=False), CLASSES, TrainingConfig(), "order of layers"),
        (nn.Sequential(nn.Linear(4, 3), nn.Tanh()), CLASSES, TrainingConfig(), "order of layers"),
        (nn.Sequential(nn.Linear(4, 3), nn.ELU(2.0), nn.Linear(3, 3)), CLASSES, TrainingConfig(), "order of layers"),
        (build("mlp", (4,), 3).double(), CLASSES, TrainingConfig(), "float32"),
        (build("mlp", (4,), 3), object(), TrainingConfig(), "no loss for object"),
    ],
)
def test_what_the_engine_cannot_do_is_left_to_autograd_and_said(model, task, training, words):
    found = unsupported_reason(model, task, training)
    assert words in found
    inputs = torch.zeros(8, 4, dtype=next(model.parameters()).dtype)
    execution = choose_execution(model, lambda m: m(inputs).sum(), 10**6, MachineConfig(compile="no"), found)
    assert not execution.dense
    assert any(found in reason for reason in execution.reasons)


def test_long_trainings_of_small_networks_are_given_it_and_told_why():
    model = build("mlp", (4,), 3)

    def execution(steps: int, network=model, features: int = 4, **options: str) -> ExecutionPlan:
        found = unsupported_reason(network, CLASSES, TrainingConfig())
        inputs = torch.zeros(128, features)
        return choose_execution(network, lambda m: m(inputs).sum(), steps, MachineConfig(**options), found)

    long = execution(30_000)
    assert long.dense
    assert not long.compile
    assert any("compiled engine, for 30,000 steps" in reason for reason in long.reasons)
    assert ExecutionPlan.from_json(long.to_json()) == long
    assert not execution(1000).dense
    assert not execution(30_000, precision="bfloat16", compile="no").dense
    assert not execution(
        30_000, build("mlp", (2000,), 3, hidden=(2000, 2000)), 2000, compile="no", precision="float32"
    ).dense
    assert unsupported_reason(build("lenet5", (1, 28, 28), 10), CLASSES, TrainingConfig()) is None


@pytest.mark.slow
def test_a_small_network_is_trained_at_least_twice_as_fast_as_by_autograd():
    model, batches = build("mlp", (4,), 3, hidden=(8, 8)), batches_for(count=1000, size=10)
    seconds = {True: [], False: []}
    trained(model, CLASSES, batches, TrainingConfig(epochs=1), True)
    for _ in range(5):
        for dense, taken in seconds.items():
            started = time.perf_counter()
            trained(model, CLASSES, batches, TrainingConfig(epochs=2), dense)
            taken.append(time.perf_counter() - started)
    assert 2 * min(seconds[True]) < min(seconds[False])
