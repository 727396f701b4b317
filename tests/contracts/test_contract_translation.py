"""What every network that reads a text and writes another promises, checked on every one of the catalogue."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.errors import UsageError
from layerwise.generation.decoding import beam, greedy
from layerwise.models import CATALOGUE, build, option_names
from layerwise.models.summary import summarise
from layerwise.tasks.translation import END, START, Pairs, Translation
from layerwise.training.config import MachineConfig, PenaltyConfig, TrainingConfig

NAMES = sorted(name for name, entry in CATALOGUE.items() if entry.takes == "pairs")
TOKENS = 12
SMALL = {"embed_dim": 16, "heads": 2, "encoder_layers": 2, "decoder_layers": 2}
NARROW: dict[str, dict[str, Any]] = {
    "seq2seq": {"embedding": 16, "hidden": 16},
    "transformer": SMALL,
    "transformer-paper": SMALL,
}
SOURCE = torch.tensor([[3, 4, 5, 6], [5, 3, 0, 0], [7, 0, 0, 0], [11, 8, 9, 0]])
TARGET = torch.tensor([[4, 5, 3, END], [3, END, 0, 0], [5, 4, END, 0], [10, 9, 8, END]])
BATCH = Pairs(SOURCE, TARGET)
PREVIOUS = torch.cat((torch.full((4, 1), START), TARGET[:, :-1]), dim=1)


def network(name: str, seed: int = 0, **options: Any) -> nn.Module:
    torch.manual_seed(seed)
    return build(name, (4, TOKENS), TOKENS, **{**NARROW[name], "dropout": 0.0, **options})


def fit(model: nn.Module, steps: int) -> float:
    """Train by Adam until a token costs less than 0.1 nats or `steps` are over; return the last loss."""
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    task, loss = Translation(label_smoothing=0.0), torch.tensor(float("inf"))
    for _ in range(steps):
        [(_, loss)] = task.losses(model, BATCH)
        if loss < 0.1:
            break
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return loss.item()


def scores_of(model: nn.Module) -> Tensor:
    scores: Tensor = model(SOURCE, PREVIOUS)
    return scores


@pytest.mark.parametrize("name", NAMES)
def test_a_translator_gives_raw_scores_of_every_token_at_every_place(name: str) -> None:
    scores = scores_of(network(name))
    assert scores.shape == (4, 4, TOKENS)
    assert scores.isfinite().all()
    assert not torch.allclose(scores.exp().sum(2), torch.ones(4, 4))  # no softmax has been at work


@pytest.mark.parametrize("name", NAMES)
def test_each_text_is_read_for_itself_whatever_stands_beside_it(name: str) -> None:
    model = network(name).eval().double()
    alone = [model(SOURCE[row : row + 1, : (SOURCE[row] != 0).sum()], PREVIOUS[row : row + 1]) for row in range(4)]
    torch.testing.assert_close(scores_of(model), torch.cat(alone))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shared", [True, False])
def test_every_parameter_gets_a_gradient(name: str, shared: bool) -> None:
    model = network(name, shared=shared)
    [(_, loss)] = Translation().losses(model, BATCH)
    loss.backward()  # type: ignore[no-untyped-call]
    assert [path for path, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_translator_gives_the_same_scores_when_loaded(name: str, tmp_path: Path) -> None:
    model, other = network(name).eval(), network(name, seed=1).eval()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    assert not torch.equal(scores_of(other), scores_of(model))
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(scores_of(other), scores_of(model))


@pytest.mark.parametrize("name", NAMES)
def test_a_translator_learns_a_tiny_batch_and_writes_it_by_every_way_of_decoding(name: str) -> None:
    model: Any = network(name)
    assert fit(model, steps=300) < 0.1
    meant = [[token for token in row if token not in (0, END)] for row in TARGET.tolist()]
    assert greedy(model.eval(), SOURCE, start=START, end=END, limit=9) == meant
    for row in range(4):
        assert beam(model, SOURCE[row : row + 1], start=START, end=END, limit=9, width=3)[0].tokens == meant[row]


def pytorchs(name: str) -> list[nn.Module]:
    """PyTorch's own layers of the usual sizes, without vectors and what is apart from the layers."""
    if name == "seq2seq":
        reads = nn.GRU(256, 256, bidirectional=True)
        dense = [nn.Linear(512, 256), nn.Linear(512, 256), nn.Linear(512, 256), nn.Linear(256, 256, bias=False)]
        return [reads, nn.GRU(256, 256), *dense]
    return [nn.Transformer(256, 4, 3, 3, 1024, batch_first=True)]


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_are_as_many_as_those_of_pytorchs_layers(name: str) -> None:
    entry = CATALOGUE[name]
    with torch.device("meta"):
        model = build(name, entry.usual_input, entry.usual_outputs)
        layers = sum(p.numel() for part in pytorchs(name) for p in part.parameters())
    vectors = 4000 * 256 + 4000  # one a token, and a bias of its score
    last_norms = 2 * 2 * 256 if name == "transformer-paper" else 0  # which PyTorch has in any case
    assert sum(p.numel() for p in model.parameters()) == layers + vectors - last_norms


@pytest.mark.parametrize("name", NAMES)
def test_the_summary_counts_every_parameter_once(name: str) -> None:
    model = network(name)
    rows = summarise(model, (4, TOKENS)).rows
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_two_trainings_from_one_seed_end_with_the_same_bits(name: str) -> None:
    ends = []
    for _ in range(2):
        model = network(name, dropout=0.2)
        fit(model, steps=3)
        ends.append(model.state_dict())
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_translator_trains_in_bfloat16(name: str) -> None:
    model = network(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = scores_of(model)
        loss = F.cross_entropy(scores.float().flatten(0, 1), TARGET.flatten(), ignore_index=0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(), (30,), (3, 28, 28), (0, 12), (28, 0)])
def test_samples_that_are_no_sequences_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"takes sequences .* received samples of shape"):
        build(name, shape, TOKENS)


@pytest.mark.parametrize("name", NAMES)
def test_the_good_values_for_training_are_accepted(name: str) -> None:
    training = dict(CATALOGUE[name].training)
    for kind in (TrainingConfig, PenaltyConfig, MachineConfig):
        kind(**{field.name: training.pop(field.name) for field in fields(kind) if field.name in training})
    assert training == {}
    assert "shared" in option_names(name)
