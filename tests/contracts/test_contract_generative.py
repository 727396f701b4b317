"""What every network promises that gives pictures: autoencoders and the players of a GAN.

The promises are those of `test_contract_models.py`, said of pictures where those are of classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.errors import UsageError
from layerwise.models import CATALOGUE, build, config_of, option_help, option_names
from layerwise.models.gan import GAN, GANConfig
from layerwise.tasks.adversarial import Adversarial
from layerwise.tasks.config import TaskConfig
from layerwise.tasks.reconstruction import Reconstruction
from layerwise.training.config import MachineConfig, PenaltyConfig, TrainingConfig

NAMES = sorted(name for name, entry in CATALOGUE.items() if entry.task in ("reconstruction", "adversarial"))
GAMES = [name for name in NAMES if CATALOGUE[name].task == "adversarial"]
BATCH = 6

LEAST_PX = {"autoencoder": 3, "vae": 3, "gan": 8, "dcgan": 8}
CODERS: dict[str, Any] = {"code": 12, "widths": (8, 16), "hidden": 32}
PLAYERS: dict[str, Any] = {"noise": 5, "widths": (16, 8, 8)}
NARROW = {"autoencoder": CODERS, "vae": CODERS, "gan": PLAYERS, "dcgan": PLAYERS}

# Parameters for the usual input, and how they are counted.
CODER = 320 + 18_496 + 3_136 * 256 + 256  # 3x3 filters of 1 x 32 and 32 x 64, 64 x 7 x 7 to 256
DECODER = 16 * 256 + 256 + 257 * 3_136 + 64 * 32 * 9 + 32 + 32 * 9 + 1
GENERATOR = 65 * 3_136 + 64 * 32 * 9 + 32 + 32 * 16 * 9 + 16 + 16 * 9 + 1
DISCRIMINATOR = 160 + 16 * 32 * 16 + 32 + 32 * 64 * 16 + 64 + 3_136 + 1
COUNTS = {
    "autoencoder": (CODER + 257 * 16 + DECODER, "halvings by 3x3 filters to 64 x 7 x 7, dense to 256 and 16, and back"),
    "vae": (CODER + 257 * 32 + DECODER, "16 more outputs of the encoder, for the variances"),
    "gan": (GENERATOR + DISCRIMINATOR, "64 to 64 x 7 x 7, 3x3 filters up; 4x4 filters down to one score"),
    "dcgan": (GENERATOR + DISCRIMINATOR + 2 * (32 + 16) - 48 + 2 * (32 + 64) - 96, "two numbers for each bias"),
}


def shape_of(name: str) -> tuple[int, int, int]:
    return (3, 9, 8)


def network(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build(name, shape_of(name), 3, **NARROW[name])


PICTURES = torch.rand(BATCH, 3, 9, 8, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8
NOISE = torch.randn(BATCH, 5, generator=torch.Generator().manual_seed(2))


def inputs_of(name: str) -> Tensor:
    """What the network's forward pass takes: noise of a GAN, pictures of an autoencoder."""
    return NOISE if name in GAMES else PICTURES


def outputs_of(model: nn.Module, inputs: Tensor) -> list[Tensor]:
    """All that a network gives: an autoencoder's pictures and codes, a GAN's pictures and their scores."""
    if isinstance(model, GAN):
        generated = model(inputs)
        return [generated, model.discriminator(generated)]
    return [tensor for tensor in model(inputs) if tensor is not None]


def task_of(name: str) -> Any:
    if name in GAMES:
        training = CATALOGUE[name].training
        return Adversarial((0.0,) * 3, (1.0,) * 3, training.get("relativistic", True), training["gradient_penalty"])
    return Reconstruction((0.0,) * 3, (1.0,) * 3, beta=0.02)


class Batch:
    inputs, targets = PICTURES, torch.zeros(BATCH)


def steps(name: str, model: nn.Module, count: int) -> Iterator[dict[str, float]]:
    """Take steps as the loop does, an optimiser a part; yield the losses of each."""
    task = task_of(name)
    parts = task.parts(model)
    optimisers = {part: torch.optim.Adam(module.parameters(), lr=3e-3) for part, module in parts.items()}
    for _ in range(count):
        losses = {}
        for part, loss in task.losses(model, Batch()):
            optimisers[part].zero_grad()
            loss.backward(inputs=list(parts[part].parameters()))
            optimisers[part].step()
            losses[part] = loss.item()
        yield losses


@pytest.mark.parametrize("name", NAMES)
def test_a_network_gives_a_picture_of_the_samples_shape(name: str) -> None:
    picture, *others = outputs_of(network(name), inputs_of(name))
    assert picture.shape == PICTURES.shape
    assert picture.isfinite().all()
    assert all(len(other) == BATCH and other.isfinite().all() for other in others)


@pytest.mark.parametrize("name", NAMES)
def test_each_sample_is_made_for_itself(name: str) -> None:
    model, inputs = network(name).eval().double(), inputs_of(name).double()
    alone = [outputs_of(model, one[None]) for one in inputs]
    for together, *apart in zip(outputs_of(model, inputs), *alone, strict=True):
        torch.testing.assert_close(together, torch.cat(apart))


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient_from_its_own_loss(name: str) -> None:
    model, task = network(name), task_of(name)
    for part, loss in task.losses(model, Batch()):
        parameters = dict(task.parts(model)[part].named_parameters())
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        silent = [path for path, slope in zip(parameters, gradients, strict=True) if slope is None or not slope.any()]
        # The relativistic loss sees differences of scores alone, so that nothing moves the last threshold.
        unseen = [*parameters][-1:] if part == "discriminator" and task.relativistic else []
        assert silent == unseen
        assert all(slope.isfinite().all() for slope in gradients if slope is not None)


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_network_gives_the_same_outputs_when_loaded(name: str, tmp_path: Path) -> None:
    model = network(name)
    list(steps(name, model, 2))  # so that running statistics differ from those of a new network
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    other = network(name, seed=1).eval()
    expected = outputs_of(model.eval(), inputs_of(name))
    assert not torch.equal(outputs_of(other, inputs_of(name))[0], expected[0])
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    pairs = zip(outputs_of(other, inputs_of(name)), expected, strict=True)
    assert all(torch.equal(given, one) for given, one in pairs)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in GAMES])
def test_an_autoencoder_gives_a_tiny_batch_back(name: str) -> None:
    model = network(name)
    list(steps(name, model, 300))
    with torch.no_grad():
        error = F.mse_loss(model.eval()(PICTURES).picture, PICTURES)
    assert error < 0.25 * PICTURES.var()


@pytest.mark.parametrize("name", GAMES)
def test_each_player_can_learn_a_tiny_batch(name: str) -> None:
    model: Any = network(name)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(250):
        optimiser.zero_grad()
        generated = model(NOISE)
        told = torch.cat((model.discriminator(PICTURES), model.discriminator(-PICTURES)))
        truth = torch.tensor([1.0] * BATCH + [0.0] * BATCH)
        loss = F.mse_loss(generated, PICTURES) + F.binary_cross_entropy_with_logits(told, truth)
        loss.backward()
        optimiser.step()
    assert F.mse_loss(generated, PICTURES) < 0.1 * PICTURES.var()
    assert ((told > 0) == (truth > 0)).all()


@pytest.mark.parametrize("name", GAMES)
def test_the_game_ends_near_the_one_picture_that_it_is_shown(name: str) -> None:
    torch.manual_seed(0)
    model: Any = build(name, (1, 8, 8), 1, noise=4, widths=(16, 8))
    picture = (torch.arange(64.0).view(1, 1, 8, 8) % 8 / 7 * 1.6 - 0.8).expand(16, -1, -1, -1)
    task = task_of(name)
    optimisers = {p: torch.optim.RMSprop(m.parameters(), lr=1e-3) for p, m in task.parts(model).items()}
    batch: Any = type("One", (), {"inputs": (picture + 1) / 2, "targets": torch.zeros(16)})
    task = Adversarial((0.0,), (1.0,), task.relativistic, task.gradient_penalty)
    before = F.mse_loss(model(model.draw_noise(64)), picture[:1].expand(64, -1, -1, -1)).item()
    for _ in range(300):
        for part, loss in task.losses(model, batch):
            optimisers[part].zero_grad()
            loss.backward(inputs=list(task.parts(model)[part].parameters()))
            optimisers[part].step()
    with torch.no_grad():
        after = F.mse_loss(model.eval()(model.draw_noise(64)), picture[:1].expand(64, -1, -1, -1)).item()
    assert after < 0.3 * before


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_are_as_many_as_counted(name: str) -> None:
    entry = CATALOGUE[name]
    with torch.device("meta"):
        model = build(name, entry.usual_input, entry.usual_outputs)
    count, source = COUNTS[name]
    assert sum(p.numel() for p in model.parameters()) == count, source


def test_the_maps_of_a_generator_grow_as_those_of_the_dcgan_paper() -> None:
    with torch.device("meta"):
        model = GAN((3, 64, 64), config=GANConfig(noise=100, widths=(1024, 512, 256, 128, 64), batch_norm=True))
    maps: list[tuple[int, ...]] = []
    for layer in model.generator:
        if isinstance(layer, nn.Unflatten | nn.Conv2d):
            layer.register_forward_hook(lambda _, __, output: maps.append(tuple(output.shape[1:])))
    model(torch.zeros(1, 100, device="meta"))
    assert maps[:4] == [(1024, 4, 4), (512, 8, 8), (256, 16, 16), (128, 32, 32)]  # figure 1 of the paper
    assert maps[-1] == (3, 64, 64)


@pytest.mark.parametrize("name", NAMES)
def test_channels_last_changes_nothing_but_the_order_in_memory(name: str) -> None:
    model, inputs = network(name).eval().double(), inputs_of(name).double()
    expected = outputs_of(model, inputs)
    model = model.to(memory_format=torch.channels_last)
    laid = inputs.to(memory_format=torch.channels_last) if inputs.ndim == 4 else inputs
    for given, one in zip(outputs_of(model, laid), expected, strict=True):
        torch.testing.assert_close(given, one)


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_gives_one_network_and_one_training_and_another_seed_another(name: str) -> None:
    trained = []
    for seed in (5, 5, 6):
        model = network(name, seed)
        list(steps(name, model, 3))
        trained.append(model.state_dict())
    assert all(torch.equal(trained[0][key], trained[1][key]) for key in trained[0])
    assert any(not torch.equal(trained[0][key], trained[2][key]) for key in trained[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_network_trains_in_bfloat16(name: str) -> None:
    model, task = network(name), task_of(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert outputs_of(model, inputs_of(name))[0].dtype == torch.bfloat16
        losses = list(task.losses(model, Batch()))
    for part, loss in losses:
        parameters = list(task.parts(model)[part].parameters())
        gradients = torch.autograd.grad(loss.float(), parameters, allow_unused=True)
        assert all(slope is None or bool(slope.isfinite().all()) for slope in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_the_compiler_takes_a_network_in_one_piece(name: str) -> None:
    model, inputs = network(name).eval(), inputs_of(name)
    compiled: Callable[[Tensor], Any] = torch.compile(model, backend="eager", fullgraph=True)
    given = compiled(inputs) if name in GAMES else compiled(inputs).picture
    torch.testing.assert_close(given, outputs_of(model, inputs)[0])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 4])
def test_the_smallest_picture_works_and_a_smaller_one_is_refused(name: str, channels: int) -> None:
    least = LEAST_PX[name]
    for shape in ((channels, least, least), (channels, least + 5, least)):
        model = build(name, shape, 3, **NARROW[name]).eval()
        assert outputs_of(model, NOISE[:1] if name in GAMES else torch.zeros(1, *shape))[0].shape == (1, *shape)
    sentence = f"at least {least}x{least} pixels, received {least - 1}x{least}; use `image_size` {least}"
    with pytest.raises(UsageError, match=sentence):
        build(name, (channels, least - 1, least), 3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(), (30,), (28, 28), (1, 3, 28, 28), (0, 28, 28)])
def test_samples_that_are_no_pictures_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="takes pictures"):
        build(name, shape, 3)


@pytest.mark.parametrize("name", NAMES)
def test_the_options_of_a_network_are_few_frozen_explained_and_corrected(name: str) -> None:
    config = config_of(name)
    assert is_dataclass(config)
    assert 0 < len(fields(config)) <= 12
    with pytest.raises(FrozenInstanceError):
        setattr(config, option_names(name)[0], None)
    assert all(sentence and not sentence.endswith(".") for sentence in option_help(name).values())
    option = option_names(name)[0]
    with pytest.raises(UsageError, match=f"Did you mean `{option}`"):
        config_of(name, **{option + "s": 1})


@pytest.mark.parametrize("name", NAMES)
def test_the_good_values_for_training_are_accepted_and_the_entry_says_what_it_is(name: str) -> None:
    entry = CATALOGUE[name]
    training = dict(entry.training)
    for kind in (TrainingConfig, PenaltyConfig, MachineConfig, TaskConfig):
        kind(**{field.name: training.pop(field.name) for field in fields(kind) if field.name in training})
    assert training == {}
    assert entry.summary
    assert any(character.isdigit() for character in entry.paper)
