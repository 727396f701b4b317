"""Every optimiser takes the textbook step, leaves biases and norms undecayed, and survives being saved."""

import json

import pytest
import torch
from torch import nn

from layerwise.errors import UsageError
from layerwise.models import build
from layerwise.training.adam import QuickAdamW
from layerwise.training.config import OPTIMIZERS, PenaltyConfig, TrainingConfig
from layerwise.training.muon import Muon
from layerwise.training.optimizers import make_optimizer, weights_of

RATE = 0.01


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(16, 2)
    )


def take_steps(module, optimizer, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        inputs = torch.randn(8, 3, 6, 6, generator=generator)
        optimizer.zero_grad()
        module(inputs).square().mean().backward()
        optimizer.step()


def written_out(name, w, gradients, decay):
    """The steps of the textbook (Goodfellow, Bengio and Courville, chapter 8), in plain float64."""
    w, m, v = w.double(), torch.zeros_like(w).double(), torch.zeros_like(w).double()
    for t, g in enumerate(gradients, start=1):
        g = g.double()
        if name in ("adam", "adamw"):
            w = w * (1 - RATE * decay)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            w = w - RATE * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
            continue
        g = g + decay * w
        if name == "sgd":
            w = w - RATE * g
        elif name == "rmsprop":
            v = 0.99 * v + 0.01 * g**2
            w = w - RATE * g / (v.sqrt() + 1e-8)
        else:
            m = 0.9 * m + g
            w = w - RATE * (g + 0.9 * m if name == "nesterov" else m)
    return w


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "muon"])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_steps_are_those_of_the_textbook(name, decay):
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(5, 3)
    start = layer.weight.detach().clone()
    gradients = [torch.randn(3, 5, generator=generator) for _ in range(10)]
    config = TrainingConfig(optimizer=name, learning_rate=RATE)
    optimizer = make_optimizer(layer, config, PenaltyConfig(weight_decay=decay))
    for gradient in gradients:
        layer.weight.grad = gradient.clone()
        optimizer.step()
    expected = written_out(name, start, gradients, decay)
    assert torch.allclose(layer.weight.detach().double(), expected, atol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_parameter_has_one_place_and_only_weights_decay(name):
    module = small_network()
    optimizer = make_optimizer(module, TrainingConfig(optimizer=name), PenaltyConfig(weight_decay=0.1))
    places = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(places) == len(set(places)) == len(list(module.parameters()))
    decaying = {p for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    penalised = {p for group in optimizer.param_groups if group["penalised"] for p in group["params"]}
    assert decaying == penalised == {module[0].weight, module[3].weight, module[5].weight}


def test_muon_leaves_embeddings_and_the_last_layer_to_adamw():
    module = nn.ModuleList([nn.Embedding(9, 4), nn.Linear(4, 4), nn.LayerNorm([4, 4]), nn.Linear(4, 2)])
    optimizer = make_optimizer(module, TrainingConfig(optimizer="muon"), PenaltyConfig())
    orthogonal = [p for group in optimizer.param_groups if group["orthogonal"] for p in group["params"]]
    assert len(orthogonal) == 1
    assert orthogonal[0] is module[1].weight


def test_muon_leaves_tied_vectors_of_tokens_to_adamw_and_every_matrix_between_to_itself():
    model = build("gpt", (6, 20), 20, embed_dim=8, heads=2, layers=2)
    assert model.output.weight is model.tokens.weight
    optimizer = make_optimizer(model, TrainingConfig(optimizer="muon"), PenaltyConfig())
    orthogonal = {p for group in optimizer.param_groups if group["orthogonal"] for p in group["params"]}
    others = {name for name, p in model.named_parameters() if p.ndim == 2 and p not in orthogonal}
    assert others == {"tokens.weight"}


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_muon_orthogonalises_in_the_precision_of_the_run(precision: str, dtype: torch.dtype) -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    optimizer = make_optimizer(module, TrainingConfig(optimizer="muon"), PenaltyConfig(), precision)
    assert isinstance(optimizer, Muon)
    assert optimizer.dtype == dtype


def test_tied_and_frozen_weights_and_norms_of_matrices_are_told_apart():
    module = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3), "c": nn.Linear(3, 3)})
    module["norm"] = nn.LayerNorm([3, 3])
    module["b"].weight = module["a"].weight
    module["c"].weight.requires_grad_(False)
    assert [id(p) for p in weights_of(module)] == [id(module["a"].weight)]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_an_optimizer_that_was_saved_as_plain_numbers_goes_on_with_the_same_bits(name, layout):
    config, penalty = TrainingConfig(optimizer=name), PenaltyConfig(weight_decay=0.01)
    straight = small_network().to(memory_format=layout)
    optimizer = make_optimizer(straight, config, penalty)
    take_steps(straight, optimizer, 3)

    resumed = small_network().to(memory_format=layout)
    resumed.load_state_dict(straight.state_dict())
    saved = optimizer.state_dict()
    state = {
        i: {key: value.contiguous().clone() for key, value in entries.items() if value is not None}
        for i, entries in saved["state"].items()
    }
    loaded = make_optimizer(resumed, config, penalty)
    loaded.load_state_dict({"state": state, "param_groups": json.loads(json.dumps(saved["param_groups"]))})

    take_steps(straight, optimizer, 3, seed=1)
    take_steps(resumed, loaded, 3, seed=1)
    for ours, theirs in zip(straight.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_lowers_a_loss(name):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = make_optimizer(module, TrainingConfig(optimizer=name, learning_rate=RATE), PenaltyConfig())
    inputs = torch.randn(64, 4)
    targets = inputs[:, :1] * inputs[:, 1:2]
    losses = []
    for _ in range(300):
        loss = (module(inputs) - targets).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_a_model_without_anything_to_train_is_refused():
    with pytest.raises(UsageError, match="no trainable parameter"):
        make_optimizer(nn.Flatten(), TrainingConfig(), PenaltyConfig())


def test_quick_adamw_has_the_bits_of_torchs_through_saving_and_missing_gradients():
    ours, theirs = small_network(), small_network()
    training, penalty = TrainingConfig(optimizer="adamw", learning_rate=RATE), PenaltyConfig(weight_decay=0.1)
    quick = make_optimizer(ours, training, penalty)
    assert isinstance(quick, QuickAdamW)
    groups = [{**group, "params": []} for group in quick.param_groups]
    twins = dict(zip(ours.parameters(), theirs.parameters(), strict=True))
    for group, twin in zip(quick.param_groups, groups, strict=True):
        twin["params"] = [twins[parameter] for parameter in group["params"]]
    oracle = torch.optim.AdamW(groups, fused=True)
    for part in (ours, theirs):
        optimizer = quick if part is ours else oracle
        take_steps(part, optimizer, 3)
        optimizer.load_state_dict(optimizer.state_dict())
        for group in optimizer.param_groups:
            group["lr"] = RATE / 3
        take_steps(part, optimizer, 2, seed=1)
        part[0].requires_grad_(False).zero_grad()
        take_steps(part, optimizer, 2, seed=2)
        part[0].requires_grad_(True)
        take_steps(part, optimizer, 2, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
