"""Training by the engine: the same bits every time, alone or among others, on one device or another."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_oracle import samples_for

from layerwise.errors import DataError, DivergedError, UsageError
from layerwise.neuron.engine import counter_rng, epochs
from layerwise.neuron.engine.configs import OPTIMIZERS, DescentConfig, StackConfig
from layerwise.neuron.engine.network import DenseStack
from layerwise.neuron.engine.population import Population
from layerwise.neuron.engine.source_hash import files_behind, source_hash
from layerwise.neuron.tables.activations import ACTIVATIONS
from layerwise.neuron.tables.losses import LOSSES


def members(dtype=np.float32) -> list[DenseStack]:
    """Return networks that differ in everything, on five inputs and three classes."""
    made = []
    for number, (optimizer, activation) in enumerate(zip(OPTIMIZERS * 2, ACTIVATIONS, strict=False)):
        config = StackConfig(
            (5, *([4 + 3 * number, 70][: 1 + number % 2]), 3), activation, "identity", "cross-entropy",
            dropout=0.3 * (number % 3 == 1),
        )  # fmt: skip
        penalty = ("none", "l1", "l2", "elastic")[number % 4]
        descent = DescentConfig(
            epochs=2 + number % 3, batch_size=(7, 16, "full")[number % 3], optimizer=optimizer, schedule="cosine",
            learning_rate=0.002 * (number + 1), penalty=penalty,
            penalty_strength=1e-3 * (penalty != "none"), seed=number,
        )  # fmt: skip
        made.append(DenseStack(config, descent, dtype=dtype))
    return made


def test_a_population_ends_with_the_bits_of_its_members_trained_alone():
    inputs, targets = samples_for(StackConfig((5, 3), loss="cross-entropy"), 60)
    alone = members()
    losses = [network.fit(inputs, targets) for network in alone]
    for threads in (1, 3):
        together = members()
        assert Population(together, threads=threads).fit(inputs, targets) == losses
        for one, other in zip(alone, together, strict=True):
            assert np.array_equal(one.parameters, other.parameters)


def test_batched_tensors_train_the_same_population_up_to_rounding():
    inputs, targets = samples_for(StackConfig((5, 3), loss="cross-entropy"), 60)
    compiled, batched = members(np.float64), members(np.float64)
    expected = Population(compiled).fit(inputs, targets)
    received = Population(batched, device="cpu:0").fit(inputs, targets)
    for one, other in zip(expected, received, strict=True):
        assert other == pytest.approx(one, rel=1e-6)
    for one, other in zip(compiled, batched, strict=True):
        assert other.parameters == pytest.approx(one.parameters, rel=1e-5, abs=1e-8)
        assert other.epoch == one.epoch


def test_epochs_one_by_one_are_the_same_training_as_all_at_once():
    inputs, targets = samples_for(StackConfig((5, 3), loss="cross-entropy"), 50)
    for network, other in zip(members(), members(), strict=True):
        reports = list(network.epochs(inputs, targets))
        assert other.fit(inputs, targets) == [report.loss for report in reports]
        assert [report.epoch for report in reports] == list(range(1, network.descent.epochs + 1))
        assert np.array_equal(network.parameters, other.parameters)


def test_an_order_is_a_permutation_of_its_own_for_every_seed_and_epoch():
    orders = [counter_rng.permutation(seed, epoch, 100) for seed in range(5) for epoch in range(5)]
    assert all(np.array_equal(np.sort(order), np.arange(100)) for order in orders)
    assert len({order.tobytes() for order in orders}) == 25
    firsts = np.bincount([counter_rng.permutation(0, epoch, 10)[0] for epoch in range(2000)], minlength=10)
    assert firsts.min() > 140  # 200 expected, deviation 13
    assert firsts.max() < 260


def test_dropout_silences_its_share_and_keeps_the_mean():
    masks = np.zeros((500, 200))
    counter_rng.keep(counter_rng.key_of(1, counter_rng.DROPOUT, 3), 0, 0.7, 1 / 0.7, masks)
    assert set(np.unique(masks)) == {0, 1 / 0.7}
    assert (masks > 0).mean() == pytest.approx(0.7, abs=0.006)  # deviation 0.0014
    assert masks.mean() == pytest.approx(1, abs=0.01)
    assert abs(np.corrcoef(masks[:-1].ravel(), masks[1:].ravel())[0, 1]) < 0.015


def test_with_dropout_the_network_in_use_is_whole_and_training_differs():
    config = StackConfig((4, 40, 1), "tanh")
    inputs, targets = samples_for(config, 64)
    plain = DenseStack(config, DescentConfig(epochs=5))
    dropped = DenseStack(StackConfig((4, 40, 1), "tanh", dropout=0.5), DescentConfig(epochs=5))
    assert np.array_equal(plain.outputs(inputs), dropped.outputs(inputs))
    plain.fit(inputs, targets)
    dropped.fit(inputs, targets)
    assert not np.array_equal(plain.parameters, dropped.parameters)
    assert np.array_equal(dropped.outputs(inputs), dropped.outputs(inputs))


def test_l1_makes_true_zeros_and_l2_none():
    config = StackConfig((20, 1))
    random = np.random.default_rng(0)
    inputs = random.normal(size=(400, 20))
    targets = inputs[:, 0] - 2 * inputs[:, 1]
    zeros = {}
    for penalty in ("l1", "l2"):
        descent = DescentConfig(60, 20, "sgd", 0.02, penalty=penalty, penalty_strength=0.1)
        network = DenseStack(config, descent)
        network.fit(inputs, targets)
        zeros[penalty] = (network.weights[0][0] == 0).ravel()
    assert np.array_equal(zeros["l1"], np.arange(20) >= 2)
    assert not zeros["l2"].any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_two_interleaved_classes(optimizer):
    random = np.random.default_rng(0)
    inputs = random.uniform(-1, 1, size=(400, 2))
    targets = (inputs[:, 0] * inputs[:, 1] > 0).astype(float)
    rate = {"sgd": 0.5, "momentum": 0.1, "nesterov": 0.1}.get(optimizer, 0.02)
    network = DenseStack(
        StackConfig((2, 16, 16, 1), "tanh", "sigmoid", "logistic"),
        DescentConfig(80, 20, optimizer, rate, schedule="linear"),
    )
    losses = network.fit(inputs, targets)
    assert losses[-1] < 0.2 < losses[0]
    assert ((network.outputs(inputs)[:, 0] > 0.5) == (targets > 0)).mean() > 0.95


def test_whole_sample_weights_are_copies_of_samples():
    config = StackConfig((3, 5, 1), "tanh")
    inputs, targets = samples_for(config, 12)
    copies = np.array([1, 2, 0, 3] * 3)
    network = DenseStack(config, dtype=np.float64)
    weighted = network.gradients(inputs, targets, copies)
    repeated = network.gradients(np.repeat(inputs, copies, 0), np.repeat(targets, copies, 0))
    for (W, b), (W2, b2) in zip(weighted, repeated, strict=True):
        assert pytest.approx(W2, rel=1e-9) == W
        assert pytest.approx(b2, rel=1e-9) == b


def test_a_rate_that_is_too_large_is_named_with_its_step_and_the_weights_stay_finite():
    config = StackConfig((3, 1))
    inputs, targets = samples_for(config, 50)
    network = DenseStack(config, DescentConfig(epochs=400, optimizer="sgd", learning_rate=50.0))
    with pytest.raises(DivergedError, match=r"at step \d+ \(epoch \d+\) with sgd at rate 50; .* Try a smaller"):
        network.fit(inputs, targets)
    assert np.isfinite(network.parameters).all()
    calm = DenseStack(config, DescentConfig(epochs=400, optimizer="sgd", learning_rate=0.01))
    wild = DenseStack(config, DescentConfig(epochs=400, optimizer="sgd", learning_rate=50.0))
    first, second = Population([calm, wild]).fit(inputs, targets)
    assert np.isfinite(first).all()
    assert np.isnan(second[-1])
    assert np.array_equal(wild.parameters, network.parameters)


@given(
    config=st.sampled_from([StackConfig((2, 3), loss=loss) for loss in LOSSES]),
    change=st.sampled_from(["nan", "words", "narrow", "short", "foreign", "negative weights"]),
)
@settings(deadline=None)
def test_what_cannot_be_learnt_from_is_refused_in_a_sentence(config, change):
    inputs, targets = samples_for(config, 6)
    inputs, weights = inputs.astype(object), np.ones(6)
    match change:
        case "nan":
            inputs[2, 0] = np.nan
        case "words":
            inputs[2, 0] = "seven"
        case "narrow":
            inputs = inputs[:, :1]
        case "short":
            targets = targets[:4]
        case "foreign":
            targets = targets + 7.5 if LOSSES[config.loss].targets != "numbers" else targets[:, :2]
        case _:
            weights[3] = -1
    with pytest.raises(DataError, match=r"must|needs") as refusal:
        DenseStack(config).fit(inputs, targets, weights)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: StackConfig((2,)), "`sizes` must be"),
        (lambda: StackConfig((2, 0)), "`sizes` must be"),
        (lambda: StackConfig((2, 1), "rele"), "Did you mean 'relu'"),
        (lambda: StackConfig((2, 1), output="tanh", loss="logistic"), "contains the sigmoid"),
        (lambda: StackConfig((2, 1), dropout=1.0), "`dropout` must be"),
        (lambda: DescentConfig(learning_rate=0.0), "`learning_rate` must be"),
        (lambda: DescentConfig(optimizer="adamm"), "Did you mean 'adam"),
        (lambda: DescentConfig(batch_size=0), "`batch_size` must be"),
        (lambda: DenseStack(StackConfig((2, 1)), weights=[(np.zeros((2, 1)), np.zeros(1))]), "shapes"),
        (lambda: Population([]), "one network or more"),
    ],
)
def test_a_description_that_cannot_work_is_refused(make, words):
    with pytest.raises(UsageError, match=words):
        make()


def test_compiled_code_is_kept_under_a_stamp_of_every_file_that_it_is_made_of(tmp_path):
    names = {path.stem for path in files_behind(Path(epochs.__file__), set())}
    assert {"epochs", "dense", "optimizers", "updates", "losses", "penalties", "elementary", "counter_rng"} <= names
    assert "population" not in names
    user = tmp_path / "user.py"
    user.write_text("from layerwise.neuron.tables import (\n    elementary,\n    losses,\n)\n")
    behind = {path.stem for path in files_behind(user, set())}
    assert {"user", "losses", "activations", "elementary"} <= behind
    first = source_hash(str(user))
    user.write_text(user.read_text() + "\n")
    assert source_hash(str(user)) != first
