"""What every network of the catalogue promises, checked on every one of them.

The widest networks are narrowed by options of their own, which leaves every line of their code in use, so that the
whole suite stays within seconds on one thread; their true sizes are counted without allocating them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.errors import UsageError
from layerwise.models import CATALOGUE, build, config_of, option_help, option_hints, option_names
from layerwise.models.linear import LinearNeurons
from layerwise.training.config import MachineConfig, PenaltyConfig, TrainingConfig

# Painters and translators have suites of their own beside this one.
NAMES = sorted(name for name, entry in CATALOGUE.items() if not entry.task and entry.takes != "pairs")
PICTURE_NAMES = [name for name in NAMES if CATALOGUE[name].takes == "images"]
SEQUENCE_NAMES = [name for name in NAMES if CATALOGUE[name].takes in ("sequences", "text")]
TEXT_NAMES = [name for name in NAMES if CATALOGUE[name].takes == "text"]
MASK_NAMES = [name for name in NAMES if CATALOGUE[name].takes == "masks"]
CLASSES, BATCH = 3, 6

# The smallest picture, in pixels a side, that each network takes.
LEAST_PX = {
    "lenet5": 12, "lenet5-paper": 12,
    "alexnet": 63, "alexnet-one-tower": 63, "alexnet-small": 15,
    "vgg11": 32, "vgg13": 32, "vgg16": 32, "vgg19": 32, "vgg-small": 8,
    "googlenet": 31, "googlenet-small": 4,
    "resnet18": 17, "resnet34": 17, "resnet50": 17, "resnet101": 17,
    "resnet20": 3, "resnet56": 3, "resnet-small": 6, "resnet-tiny": 5,
    "densenet121": 29, "densenet169": 29, "densenet-small": 4, "vit": 4,
    "segnet": 8, "segnet-paper": 32, "unet": 8, "efficientnet-lite0": 17,
}  # fmt: skip

FURTHER_PX = {"vit": 8}  # its patches of 4x4 must divide a picture

NARROW_VGG = {"widths": (16, 16, 32, 32, 32), "dense": (64, 64)}
NARROW_RESNET = {"widths": (8, 16, 16, 32)}
NARROW_RECURRENT = {"embedding": 8, "hidden": 16}
NARROW: dict[str, dict[str, Any]] = {
    "alexnet": {"widths": (16, 32, 32, 32, 32), "dense": 64},
    "alexnet-one-tower": {"widths": (16, 32, 32, 32, 32), "dense": 64},
    **dict.fromkeys(("vgg11", "vgg13", "vgg16", "vgg19"), NARROW_VGG),
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "resnet101"), NARROW_RESNET),
    "googlenet": {"width": 0.25},
    "efficientnet-lite0": {"width": 0.25},
    "densenet121": {"growth": 8},
    "densenet169": {"growth": 8},
    **dict.fromkeys(("rnn", "lstm", "gru"), NARROW_RECURRENT),
    "vit": {"embed_dim": 16, "layers": 2},
    "gpt": {"embed_dim": 16, "heads": 2, "layers": 2},
    "segnet-paper": {"widths": (8, 8, 16, 16, 16)},
}

# Parameters for the usual input and outputs, and where the figure stands.
COUNTS = {
    "linear": (11, "10 weights and a threshold"),
    "logistic": (62, "2 x (30 weights and a threshold)"),
    "mlp": (6_274, "31 * 64 + 65 * 64 + 65 * 2"),
    "lenet5": (61_706, "156 + 2,416 + 48,120 + 10,164 + 850: all 96 kernels in C3, dense output"),
    "lenet5-paper": (60_000, "LeCun et al. 1998, section II.B: '60,000 trainable free parameters'"),
    "alexnet": (60_965_224, "Caffe's bvlc_alexnet, which keeps the paper's groups; the paper says 60 million"),
    "alexnet-one-tower": (61_100_840, "torchvision's alexnet"),
    "alexnet-small": (611_498, "own reading for small pictures"),
    "vgg11": (132_863_336, "torchvision's vgg11; table 2 of the paper says 133 million"),
    "vgg13": (133_047_848, "torchvision's vgg13; table 2 of the paper says 133 million"),
    "vgg16": (138_357_544, "torchvision's vgg16; table 2 of the paper says 138 million"),
    "vgg19": (143_667_240, "torchvision's vgg19; table 2 of the paper says 144 million"),
    "vgg-small": (551_018, "own reading for small pictures"),
    "googlenet": (6_998_552, "Caffe's bvlc_googlenet without its auxiliary heads"),
    "googlenet-small": (207_666, "own reading for small pictures"),
    "resnet18": (11_689_512, "torchvision's resnet18"),
    "resnet34": (21_797_672, "torchvision's resnet34"),
    "resnet50": (25_557_032, "torchvision's resnet50"),
    "resnet101": (44_549_160, "torchvision's resnet101"),
    "resnet20": (269_722, "table 6 of the paper: 0.27 million"),
    "resnet56": (853_018, "table 6 of the paper: 0.85 million"),
    "resnet-small": (308_074, "own reading for small pictures"),
    "resnet-tiny": (308_074, "own reading for small pictures"),
    "efficientnet-lite0": (4_652_008, "its authors' published weights, as PyTorch holds them"),
    "densenet121": (7_978_856, "torchvision's densenet121"),
    "densenet169": (14_149_480, "torchvision's densenet169"),
    "rnn": (26_761, "12 * 64 + (64 + 128 + 2) * 128 + 129 * 9"),
    "lstm": (101_257, "12 * 64 + 4 * (64 + 128 + 2) * 128 + 129 * 9: four gates"),
    "gru": (76_425, "12 * 64 + 3 * (64 + 128 + 2) * 128 + 129 * 9: three gates"),
    "segnet": (146_819, "71,856 + 448 of the encoder, 73,728 + 352 of the decoder, 435 of the scores"),
    "segnet-paper": (
        29_478_411,
        "VGG16's 13 convolutions without biases, 14,710,464, normalised, 8,448; back, where the last one has 64 maps "
        "for 3, 14,745,600 and 7,552; scores, 6,347",
    ),
    "unet": (117_395, "71,856 + 448 on the way down, 10,288 up by 2x2, 34,560 + 192 beside, 51 of the scores"),
    "vit": (456_394, "1,632 + 96 + 50 * 96, six of PyTorch's TransformerEncoderLayer(96, 4, 192), 192 + 970"),
    "gpt": (4_240_896, "4,096 * 256 + 128 * 256, four of PyTorch's TransformerEncoderLayer(256, 4, 1024), 2 * 256"),
    "densenet-small": (176_122, "the paper's DenseNet-BC with L = 40, k = 12, as its authors' Caffe model counts"),
}

# One network of every class, for what is too slow to ask of all; the compiler leaves PyTorch's recurrent layers out.
ONE_A_CLASS = {
    (e.file, e.model): name for name, e in sorted(CATALOGUE.items()) if name in NAMES and e.takes != "sequences"
}.values()


def shape_of(name: str) -> tuple[int, ...]:
    if name in SEQUENCE_NAMES:
        return (5, 4)
    side = LEAST_PX.get(name)
    return (3, side, side) if side else (7,)


def network(name: str, seed: int = 0, **options: Any) -> nn.Module:
    torch.manual_seed(seed)
    return build(name, shape_of(name), CLASSES, **{**NARROW.get(name, {}), **options})


def labels_of(name: str) -> Tensor:
    """The class of each sample, or of each of its pixels."""
    labels = torch.arange(BATCH) % CLASSES
    if name not in MASK_NAMES:
        return labels
    _, height, width = shape_of(name)
    return labels[:, None, None].expand(BATCH, height, width)


def without_dropout(name: str) -> nn.Module:
    return network(name, **({"dropout": 0.0} if "dropout" in option_names(name) else {}))


def samples_of(name: str) -> Tensor:
    if name in TEXT_NAMES:
        time, tokens = shape_of(name)
        return torch.randint(1, tokens, (BATCH, time), generator=torch.Generator().manual_seed(2))
    return torch.randn(BATCH, *shape_of(name), generator=torch.Generator().manual_seed(1))


def answer(model: nn.Module, samples: Tensor) -> Tensor:
    """Return a row a sample; of a network that answers at every step, the last one."""
    outputs: Tensor = model(samples)
    return outputs[:, -1] if outputs.ndim == 3 else outputs


def fit(model: nn.Module, name: str, steps: int) -> float:
    """Train by Adam until the cross-entropy is below 0.1 or `steps` are over; return the last loss."""
    samples, labels = samples_of(name), labels_of(name)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03 if isinstance(model, LinearNeurons) else 3e-3)
    loss = torch.tensor(float("inf"))
    for _ in range(steps):
        loss = F.cross_entropy(answer(model, samples), labels)
        if loss < 0.1:
            break
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return loss.item()


@pytest.mark.parametrize("name", NAMES)
def test_a_network_gives_one_row_of_raw_outputs_a_sample(name: str) -> None:
    outputs = answer(network(name), samples_of(name))
    assert outputs.shape == (BATCH, CLASSES, *labels_of(name).shape[1:])
    assert outputs.isfinite().all()
    assert not torch.allclose(outputs.exp().sum(1), torch.ones(labels_of(name).shape))  # no softmax has been at work


@pytest.mark.parametrize("name", PICTURE_NAMES)
@pytest.mark.parametrize("channels", [1, 4])
def test_a_network_takes_pictures_of_any_channels_and_unequal_sides(name: str, channels: int) -> None:
    shape = (channels, LEAST_PX[name] + FURTHER_PX.get(name, 5), LEAST_PX[name])
    model = build(name, shape, CLASSES, **NARROW.get(name, {})).eval()
    assert model(torch.randn(1, *shape)).shape == (1, CLASSES)


@pytest.mark.parametrize("name", MASK_NAMES)
@pytest.mark.parametrize("channels", [1, 4])
def test_a_network_of_masks_scores_each_pixel_of_pictures_of_any_sides(name: str, channels: int) -> None:
    shape = (channels, LEAST_PX[name] + 5, LEAST_PX[name])
    model = build(name, shape, CLASSES, **NARROW.get(name, {})).eval()
    for height, width in (shape[1:], (LEAST_PX[name] + 3, LEAST_PX[name] + 14)):
        assert model(torch.randn(1, channels, height, width)).shape == (1, CLASSES, height, width)


@pytest.mark.parametrize("name", NAMES)
def test_each_sample_is_judged_for_itself(name: str) -> None:
    model, samples = network(name).eval().double(), samples_of(name)
    samples = samples.double() if samples.is_floating_point() else samples
    torch.testing.assert_close(model(samples), torch.cat([model(sample[None]) for sample in samples]))


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = without_dropout(name)
    fit(model, name, steps=2)  # wakes blocks that begin as their shortcut alone
    model.zero_grad()
    F.cross_entropy(answer(model, samples_of(name)), labels_of(name)).backward()
    silent = [path for path, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_network_gives_the_same_outputs_when_loaded(name: str, tmp_path: Path) -> None:
    model = without_dropout(name)
    fit(model, name, steps=2)  # so that running statistics differ from those of a new network
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    other = network(name, seed=1).eval()
    assert not torch.equal(other(samples_of(name)), model.eval()(samples_of(name)))
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(other(samples_of(name)), model(samples_of(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_network_overfits_a_tiny_batch(name: str) -> None:
    model = without_dropout(name)
    assert fit(model, name, steps=300) < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_are_as_many_as_published(name: str) -> None:
    entry = CATALOGUE[name]
    with torch.device("meta"):
        model = build(name, entry.usual_input, entry.usual_outputs)
    count, source = COUNTS[name]
    assert sum(p.numel() for p in model.parameters()) == count, source


@pytest.mark.parametrize("name", PICTURE_NAMES + MASK_NAMES)
def test_channels_last_changes_nothing_but_the_order_in_memory(name: str) -> None:
    model, samples = network(name).eval().double(), samples_of(name).double()
    expected = model(samples)
    model = model.to(memory_format=torch.channels_last)
    torch.testing.assert_close(model(samples.to(memory_format=torch.channels_last)), expected)


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_gives_one_network_and_another_seed_another(name: str) -> None:
    first, again, other = (list(network(name, seed).parameters()) for seed in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_two_trainings_from_one_seed_end_with_the_same_bits(name: str) -> None:
    ends = []
    for _ in range(2):
        model = network(name)  # dropout is on
        fit(model, name, steps=3)
        ends.append(model.state_dict())
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_network_trains_in_bfloat16(name: str) -> None:
    model = without_dropout(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = answer(model, samples_of(name))
        loss = F.cross_entropy(outputs.float(), labels_of(name))
    loss.backward()
    in_full = name == "lenet5-paper"  # its distances are sums of squares, which the processor keeps in 32 bits
    assert outputs.dtype == (torch.float32 if in_full else torch.bfloat16)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", ONE_A_CLASS)
def test_the_compiler_takes_a_network_in_one_piece(name: str) -> None:
    model, samples = network(name).eval(), samples_of(name)
    compiled: Callable[[Tensor], Tensor] = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(samples), model(samples))


@pytest.mark.parametrize("name", PICTURE_NAMES + MASK_NAMES)
def test_the_first_convolution_reads_the_picture(name: str) -> None:
    first = next(layer for layer in network(name).modules() if isinstance(layer, nn.Conv2d))
    assert first.in_channels == 3


@pytest.mark.parametrize("name", PICTURE_NAMES)
def test_the_smallest_picture_works_and_a_smaller_one_is_refused_with_a_remedy(name: str) -> None:
    least = LEAST_PX[name]
    assert fit(network(name), name, steps=1) > 0
    for shape in ((3, least - 1, least), (3, least, least - 1)):
        with pytest.raises(UsageError) as refusal:
            build(name, shape, CLASSES)
        sentence = str(refusal.value)
        assert f"received {shape[1]}x{shape[2]}" in sentence
        assert f"at least {least}x{least}" in sentence
        assert f"`image_size` {least}" in sentence


@pytest.mark.parametrize("name", PICTURE_NAMES)
def test_a_network_named_in_a_remedy_takes_smaller_pictures(name: str) -> None:
    least = LEAST_PX[name]
    with pytest.raises(UsageError) as refusal:
        build(name, (3, least - 1, least - 1), CLASSES)
    _, _, remedy = str(refusal.value).partition(", or ")
    assert not remedy or LEAST_PX[remedy.rstrip(".")] < least


@pytest.mark.parametrize("name", PICTURE_NAMES + MASK_NAMES)
@pytest.mark.parametrize("shape", [(), (30,), (28, 28), (1, 3, 28, 28), (0, 224, 224)])
def test_samples_that_are_no_pictures_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"takes pictures .* use mlp"):
        build(name, shape, CLASSES)


@pytest.mark.parametrize("name", SEQUENCE_NAMES)
@pytest.mark.parametrize("shape", [(), (30,), (3, 28, 28), (0, 12), (28, 0)])
def test_samples_that_are_no_sequences_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=rf"{name} takes sequences .* received samples of shape .* use mlp"):
        build(name, shape, CLASSES)


@pytest.mark.parametrize("name", ["linear", "logistic", "mlp"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 4)])
def test_samples_without_features_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="at least one feature"):
        build(name, shape, CLASSES)


@pytest.mark.parametrize("name", ["linear", "logistic", "mlp"])
def test_networks_for_features_read_pictures_pixel_by_pixel(name: str) -> None:
    torch.manual_seed(0)
    model, pictures = build(name, (3, 4, 5), CLASSES).eval(), torch.randn(2, 3, 4, 5)
    assert torch.equal(model(pictures), model(pictures.reshape(2, 60)))


@pytest.mark.parametrize("name", NAMES)
def test_no_outputs_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="at least one output, received 0"):
        build(name, shape_of(name), 0)


def test_a_mistyped_network_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'resnet81' is not in the catalogue\. Did you mean 'resnet18'\?"):
        build("resnet81", (3, 64, 64), CLASSES)


@pytest.mark.parametrize("name", NAMES)
def test_a_mistyped_option_is_answered_with_the_nearest(name: str) -> None:
    option = option_names(name)[0]
    with pytest.raises(UsageError, match=f"Did you mean `{option}`"):
        config_of(name, **{option + "s": 1})


@pytest.mark.parametrize("name", NAMES)
def test_the_options_of_a_network_are_few_frozen_typed_and_explained(name: str) -> None:
    config = config_of(name)
    assert is_dataclass(config)
    assert 0 < len(fields(config)) <= 12
    with pytest.raises(FrozenInstanceError):
        setattr(config, option_names(name)[0], None)
    assert set(option_help(name)) == set(option_hints(name)) == set(option_names(name))
    assert all(sentence and not sentence.endswith(".") for sentence in option_help(name).values())


@pytest.mark.parametrize("name", NAMES)
def test_the_good_values_for_training_are_accepted(name: str) -> None:
    training = dict(CATALOGUE[name].training)
    for kind in (TrainingConfig, PenaltyConfig, MachineConfig):
        kind(**{field.name: training.pop(field.name) for field in fields(kind) if field.name in training})
    assert training == {}


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_says_what_the_network_is_and_where_it_comes_from(name: str) -> None:
    entry = CATALOGUE[name]
    assert entry.summary
    assert "SIZE" not in entry.summary
    assert any(character.isdigit() for character in entry.paper)
    if name in LEAST_PX and "from " in entry.summary:
        assert f"from {LEAST_PX[name]}x{LEAST_PX[name]} on" in entry.summary


def test_listing_the_networks_does_not_import_torch() -> None:
    code = "import sys, layerwise.models; assert layerwise.models.CATALOGUE; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
