"""Every option of every network does something: set to another value, it makes another network."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from layerwise.errors import UsageError
from layerwise.experiments.experiment import Experiment
from layerwise.fields import Field, fields_of
from layerwise.models import CATALOGUE, build, config_of
from layerwise.models.gan import GAN
from legal_values import others

# One network of every class, narrow enough that all are built within seconds.
NARROW: dict[str, dict[str, Any]] = {
    "linear": {},
    "mlp": {"hidden": (6, 5)},
    "gru": {"embedding": 8, "hidden": 6, "layers": 2},
    "gpt": {"embed_dim": 16, "heads": 2, "layers": 2},
    "vit": {"embed_dim": 16, "heads": 2, "layers": 2},
    "lenet5": {},
    "lenet5-paper": {},
    "alexnet": {"widths": (4, 8, 8, 8, 8), "dense": 8},
    "alexnet-small": {"widths": (4, 8, 8, 8, 8), "dense": 8},
    "vgg-small": {"widths": (4, 8, 8), "convolutions": (1, 2, 1), "dense": (8,)},
    "googlenet-small": {"width": 0.25},
    "resnet20": {"widths": (4, 8, 8), "blocks": (1, 2, 1)},
    "densenet-small": {"growth": 4, "layers": (2, 2)},
    "efficientnet-lite0": {"width": 0.25},
    "segnet": {"widths": (4, 8), "convolutions": (1, 2)},
    "unet": {"widths": (4, 8)},
    "autoencoder": {"code": 3, "widths": (4, 8), "hidden": 8},
    "gan": {"noise": 3, "widths": (8, 4)},
    "seq2seq": {"embedding": 8, "hidden": 6, "layers": 2},
    "transformer": {"embed_dim": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 1},
}
SHAPES = {"linear": (7,), "mlp": (7,), "gru": (8, 4), "gpt": (5, 4), "seq2seq": (5, 9), "transformer": (5, 9)}
SIDES_PX = {"alexnet": 63, "alexnet-small": 63, "lenet5-paper": 28}
OUTPUTS = {"seq2seq": 9, "transformer": 9}
PLACED = "devices"  # says where the towers are computed, and not what
CASES = [(name, field) for name in NARROW for field in fields_of(type(config_of(name))) if field.name != PLACED]


def shape_of(name: str) -> tuple[int, ...]:
    return SHAPES.get(name) or (3, SIDES_PX.get(name, 32), SIDES_PX.get(name, 32))


def made(name: str, options: dict[str, Any]) -> tuple[str, list[tuple[str, Tensor]], nn.Module]:
    """Return what can be seen of a network: its modules with their settings, its first weights, and itself."""
    torch.manual_seed(0)
    model = build(name, shape_of(name), OUTPUTS.get(name, 5), **options)
    return repr(model), list(model.state_dict().items()), model


def answers(name: str, model: nn.Module) -> list[Tensor]:
    """Return what a network gives for the same samples."""
    generator = torch.Generator().manual_seed(1)
    samples = torch.randn(3, *shape_of(name), generator=generator)
    if CATALOGUE[name].takes in ("text", "pairs"):
        samples = torch.randint(1, shape_of(name)[1], (3, shape_of(name)[0]), generator=generator)
    elif isinstance(model, GAN):
        samples = model.draw_noise(3, generator)
    given = model.eval()(samples, samples) if CATALOGUE[name].takes == "pairs" else model.eval()(samples)
    return [one for one in given if one is not None] if isinstance(given, tuple) else [given]


def differ(first: list[Tensor], second: list[Tensor]) -> bool:
    """Whether tensors differ in number, shape or value."""
    return len(first) != len(second) or not all(map(torch.equal, first, second))


def test_a_network_of_every_class_is_looked_at() -> None:
    assert {type(config_of(name)) for name in NARROW} == {type(config_of(name)) for name in CATALOGUE}


@pytest.mark.parametrize(("name", "field"), CASES, ids=lambda one: getattr(one, "name", one))
def test_an_option_set_to_another_value_makes_another_network(name: str, field: Field) -> None:
    before, weights, model = made(name, NARROW[name])
    value, tried = getattr(config_of(name, **NARROW[name]), field.name), []
    for other in others(field, value):
        tried.append(other)
        options = {**NARROW[name], field.name: other}
        try:
            after, changed, altered = made(name, options)
        except UsageError:
            continue  # it does not go with the other options
        if (
            before != after
            or differ([one for _, one in weights], [one for _, one in changed])
            or differ(answers(name, model), answers(name, altered))
        ):
            break
    else:
        pytest.fail(f"no other value of {field.name} changes {name}: tried {tried}")
    saved = Experiment.of(name, options)
    assert asdict(config_of(name, **options))[field.name] == other != value
    assert saved.to_json()["model_options"][field.name] == other
    assert Experiment.from_json(saved.to_json()) == saved
