"""The loop against a loop written by hand, and what it promises about stopping, resuming and going wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.data.batches import Batches, TrainTransforms
from layerwise.data.dataset import Split
from layerwise.data.images.augmentation import Augmentation
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.errors import DivergedError
from layerwise.runs.checkpoints import CheckpointStore
from layerwise.tasks import Classification
from layerwise.training.config import PenaltyConfig, TrainingConfig
from layerwise.training.events import Evaluated, Event, Finished, Reported, Saved, Started, Stepped
from layerwise.training.loop import train

CLASSES = ("a", "b", "c")


def pictures(count: int, seed: int) -> Split:
    """Blurred blots whose class is the corner they lie in: learnable within a few epochs."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    inputs = torch.randint(0, 60, (count, 1, 8, 8), generator=generator, dtype=torch.uint8)
    for position, label in enumerate(labels.tolist()):
        row, column = ((0, 0), (0, 5), (5, 0))[label]
        inputs[position, 0, row : row + 3, column : column + 3] += 150
    return Split(inputs, labels, [f"picture-{i}" for i in range(count)])


PREPROCESSING = ImagePreprocessing(channels=1, height=8, width=8, mean=(0.2,), std=(0.3,))


def make_batches(count: int = 50, size: int = 8, augment: str | None = "shift:1", **options: object) -> Batches:
    variation = TrainTransforms(Augmentation.parse(augment)) if augment else None
    return Batches(pictures(count, 0), PREPROCESSING, size, seed=3, shuffle=True, variation=variation, **options)


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 3)
    )


def valid_batches() -> Batches:
    return Batches(pictures(30, 1), PREPROCESSING, 16)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def assert_same_bits(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def told(events: Iterator[Event]) -> list[Event]:
    """All events but those that say how long something took."""
    return [event for event in events if not isinstance(event, Saved | Started)]


@pytest.mark.parametrize(
    ("count", "size", "reported"),
    [(50, 8, [7]), (24, 1, [12, 24]), (500, 2, [*range(13, 250, 13), 250])],
    ids=["short", "of two reports", "of at most twenty"],
)
def test_an_epoch_is_reported_every_tenth_step_or_more_rarely_and_at_its_end(
    count: int, size: int, reported: list[int]
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    batches = make_batches(count, size, augment=None)
    events = train(model, Classification(CLASSES), batches, TrainingConfig(epochs=2))
    steps = [event.step for event in events if isinstance(event, Reported)]
    assert steps == [*reported, *(len(batches) + step for step in reported)]


def test_it_takes_the_same_steps_as_a_loop_written_by_hand() -> None:
    batches = make_batches(augment=None)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 3))
    twin = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 3))
    twin.load_state_dict(model.state_dict())

    config = TrainingConfig(epochs=3, optimizer="momentum", learning_rate=0.05)
    reports = [e for e in train(model, Classification(CLASSES), batches, config) if isinstance(e, Reported)]

    optimizer = torch.optim.SGD(twin.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for epoch in range(3):
        for batch in batches.epoch(epoch):
            loss = F.cross_entropy(twin(batch.inputs), batch.targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    means = torch.tensor(losses).view(3, -1).mean(1)  # a short epoch is reported once, at its end
    assert [report.losses["model"] for report in reports] == pytest.approx(means.tolist(), rel=1e-5)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_it_learns_and_ends_with_the_weights_of_the_best_epoch() -> None:
    model = make_model()
    config = TrainingConfig(epochs=8, learning_rate=0.01)
    events = list(train(model, Classification(CLASSES), make_batches(), config, valid=valid_batches()))
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.metrics["accuracy"] > 0.9
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    best = max(evaluations, key=lambda e: (e.metrics["accuracy"], -e.metrics["loss"]))
    assert finished.best_epoch == best.epoch
    model.eval()
    with torch.inference_mode():
        metrics = Classification(CLASSES).evaluate(model, valid_batches().epoch(0))
    assert metrics == dict(best.metrics)


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "rmsprop", "adamw", "muon"])
@pytest.mark.parametrize("stop_at", [1, 6, 7, 8, 14, 20])
def test_left_at_any_step_and_resumed_it_ends_with_the_same_bits(optimizer: str, stop_at: int, tmp_path: Path) -> None:
    config = TrainingConfig(
        epochs=3, optimizer=optimizer, learning_rate=0.01, schedule="plateau", ema_decay=0.9, accumulation_steps=2
    )
    penalty = PenaltyConfig(penalty="elastic", penalty_strength=1e-3)
    task = Classification(CLASSES, label_smoothing=0.1)

    def begin(model: nn.Module, folder: Path | None) -> Iterator[Event]:
        store = CheckpointStore(folder) if folder else None
        return train(model, task, make_batches(), config, penalty=penalty, valid=valid_batches(), checkpoints=store)

    whole = make_model()
    expected = told(begin(whole, None))

    stopped, seen = make_model(), []
    with closing(begin(stopped, tmp_path)) as events:
        for event in events:
            if not isinstance(event, Saved | Started):
                seen.append(event)
            if isinstance(event, Stepped) and event.step == stop_at:
                break
    resumed = make_model()
    seen += told(begin(resumed, tmp_path))

    assert seen == expected
    assert_same_bits(weights(whole), weights(resumed))


def test_a_checkpoint_of_another_model_is_refused_by_name(tmp_path: Path) -> None:
    from layerwise.errors import CheckpointError

    config, task = TrainingConfig(epochs=1), Classification(CLASSES)
    with closing(train(make_model(), task, make_batches(), config, checkpoints=CheckpointStore(tmp_path))) as events:
        for event in events:
            if isinstance(event, Stepped):
                break
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(CheckpointError, match="does not belong to this model"):
        list(train(other, task, make_batches(), config, checkpoints=CheckpointStore(tmp_path)))


class Sums(nn.Module):
    """Gives NaN from its third batch on, in the forward or in the backward pass."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 3)
        self.where = where
        self.calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        outputs = self.layer(inputs.flatten(1))
        if self.calls < 3:
            return outputs
        if self.where == "loss":
            return outputs * float("nan")
        return outputs + (outputs - outputs).abs().sqrt()  # value 0, derivative 0 * infinity


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_nan_stops_before_the_step_and_names_step_batch_and_remedy(where: str) -> None:
    model, before = Sums(where), {}
    with pytest.raises(DivergedError, match=r"step 3 \(epoch 1, batch of picture-\d+.*`learning_rate`"):
        for event in train(model, Classification(CLASSES), make_batches(), TrainingConfig(epochs=1)):
            if isinstance(event, Stepped):
                before = weights(model)
    assert_same_bits(before, weights(model))
    assert torch.isfinite(model.layer.weight).all()


def test_cutting_a_batch_into_pieces_changes_nothing_but_rounding() -> None:
    def final(accumulate: int) -> Tensor:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        config = TrainingConfig(epochs=2, accumulation_steps=accumulate, optimizer="sgd", learning_rate=0.1)
        list(train(model, Classification(CLASSES), make_batches(augment=None), config))
        return model[1].weight.detach()

    torch.testing.assert_close(final(1), final(3))


class Rivals:
    """Two parts in the manner of a GAN: each loss reaches both parts, each optimiser may move only its own."""

    def parts(self, model: nn.Module) -> Mapping[str, nn.Module]:
        return {"critic": model[2], "maker": model[1]}

    def losses(self, model: nn.Module, batch: object) -> Iterator[tuple[str, Tensor]]:
        yield "critic", -model(batch.inputs).mean()
        yield "maker", model(batch.inputs).square().mean()

    def evaluate(self, model: nn.Module, batches: object) -> dict[str, float]:
        return {}

    def score(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        return ()


def test_each_part_is_moved_by_its_own_loss_alone_and_one_after_the_other() -> None:
    def make() -> nn.Module:
        torch.manual_seed(1)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Linear(4, 1))

    ours, theirs = make(), make()
    batches = make_batches(augment=None)
    list(train(ours, Rivals(), batches, TrainingConfig(epochs=1, optimizer="sgd", learning_rate=0.01)))

    critic = torch.optim.SGD(theirs[2].parameters(), lr=0.01)
    maker = torch.optim.SGD(theirs[1].parameters(), lr=0.01)
    for batch in batches.epoch(0):
        for optimizer, sign in ((critic, 0), (maker, 1)):
            outputs = theirs(batch.inputs)
            loss = outputs.square().mean() if sign else -outputs.mean()
            theirs.zero_grad()
            loss.backward()
            optimizer.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


def test_patience_ends_a_training_that_no_longer_gets_better() -> None:
    config = TrainingConfig(epochs=50, learning_rate=1e-9, patience=3)
    events = list(train(make_model(), Classification(CLASSES), make_batches(), config, valid=valid_batches()))
    finished = events[-1]
    assert isinstance(finished, Finished)
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    assert finished.reason == "patience"
    assert len(evaluations) == finished.best_epoch + 1 + 3


def test_steps_use_a_gradient_no_longer_than_the_limit() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    config = TrainingConfig(epochs=1, optimizer="sgd", learning_rate=1.0, clip_norm=0.01)
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    for event in train(model, Classification(CLASSES), make_batches(augment=None), config):
        if isinstance(event, Stepped):
            after = torch.cat([p.detach().flatten() for p in model.parameters()])
            assert (after - before).norm() <= 0.01 * 1.001
            before = after
