"""What single papers ask of their networks."""

import pytest
import torch
from torch import nn

from layerwise.models import build
from layerwise.models.lenet import C3_READS, DIGITS, BitmapDistance, PartialConvolution, Subsampling, class_bitmaps

torch.set_num_threads(1)


def test_lenet_s_third_layer_reads_only_the_maps_of_table_1() -> None:
    layer = PartialConvolution()
    nn.init.normal_(layer.weight)
    maps = torch.randn(1, 6, 5, 5, requires_grad=True)
    outputs = layer(maps)
    for reader, reads in enumerate(C3_READS):
        (gradient,) = torch.autograd.grad(outputs[0, reader, 0, 0], maps, retain_graph=True)
        assert gradient[0].abs().sum((1, 2)).nonzero().flatten().tolist() == list(reads)


def test_every_map_of_s2_is_read_equally_often() -> None:
    assert [sum(read in reads for reads in C3_READS) for read in range(6)] == [10] * 6
    assert sum(map(len, C3_READS)) == 60


def test_subsampling_is_the_learned_multiple_of_four_pixels_and_a_bias() -> None:
    layer = Subsampling(2)
    with torch.no_grad():
        layer.coefficient.copy_(torch.tensor([0.5, 2.0]))
        layer.bias.copy_(torch.tensor([1.0, -1.0]))
    picture = torch.arange(8.0).view(1, 2, 2, 2)
    assert layer(picture).flatten().tolist() == [0.5 * 6 + 1, 2 * 22 - 1]


def test_the_outputs_are_negated_squared_distances() -> None:
    layer, units = BitmapDistance(10), torch.randn(5, 84)
    expected = -((units[:, None] - class_bitmaps(10)[None]) ** 2).sum(2)
    torch.testing.assert_close(layer(units), expected, rtol=1e-4, atol=1e-3)


def test_the_bitmaps_are_7_by_12_and_differ() -> None:
    assert all([len(row) for row in rows.split()] == [7] * 12 for rows in DIGITS)
    for count in (2, 10, 100):
        bitmaps = class_bitmaps(count)
        assert bitmaps.shape == (count, 84)
        assert bitmaps.abs().eq(1).all()
        assert torch.equal(bitmaps, class_bitmaps(count))
        assert torch.cdist(bitmaps, bitmaps, p=1).add(torch.eye(count) * 1e6).min() >= 2


NARROW = {"widths": (8, 12, 16, 16, 8), "dense": 32, "dropout": 0.0}


def test_the_towers_read_each_other_at_the_third_convolution_only() -> None:
    model = build("alexnet", (3, 67, 67), 4, **NARROW).eval()
    seen: dict[str, torch.Tensor] = {}
    for name in ("conv1_2", "conv3_5"):
        getattr(model.upper, name).register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
    model(torch.randn(2, 3, 67, 67))
    lower = list(model.lower.conv1_2.parameters())
    assert all(
        g is None for g in torch.autograd.grad(seen["conv1_2"].sum(), lower, allow_unused=True, retain_graph=True)
    )
    assert all(g is not None and g.abs().sum() > 0 for g in torch.autograd.grad(seen["conv3_5"].sum(), lower))


def test_the_towers_read_separate_halves_at_the_fourth_and_fifth() -> None:
    model = build("alexnet", (3, 67, 67), 4, **NARROW)
    convolutions = [layer for layer in model.upper.conv3_5 if isinstance(layer, nn.Conv2d)]
    assert [layer.in_channels for layer in convolutions] == [12, 8, 8]


def test_two_towers_equal_one_network_with_groups() -> None:
    """Caffe writes the same network as grouped convolutions; the maps of both must agree."""
    model = build("alexnet", (3, 67, 67), 4, **NARROW).eval()
    towers = (model.upper, model.lower)
    x = torch.randn(2, 3, 67, 67)

    def grouped(stage: str, index: int, maps: torch.Tensor, groups: int, stride: int, padding: int) -> torch.Tensor:
        parts = [getattr(tower, stage)[index] for tower in towers]
        weight, bias = torch.cat([p.weight for p in parts]), torch.cat([p.bias for p in parts])
        return nn.functional.conv2d(maps, weight, bias, stride, padding, groups=groups).relu()

    def norm_pool(maps: torch.Tensor) -> torch.Tensor:
        halves = [nn.functional.local_response_norm(half, 5, 5e-4, 0.75, 2.0) for half in maps.chunk(2, 1)]
        return nn.functional.max_pool2d(torch.cat(halves, 1), 3, 2)

    maps = norm_pool(grouped("conv1_2", 0, x, 1, 4, 2))
    maps = norm_pool(grouped("conv1_2", 4, maps, 2, 1, 2))
    maps = grouped("conv3_5", 0, maps, 1, 1, 1)
    maps = grouped("conv3_5", 2, maps, 2, 1, 1)
    maps = nn.functional.max_pool2d(grouped("conv3_5", 4, maps, 2, 1, 1), 3, 2).flatten(1)
    for dense in ("dense6", "dense7"):
        maps = torch.cat([getattr(tower, dense)(maps) for tower in towers], 1)
    torch.testing.assert_close(model(x), model.output(maps), rtol=1e-4, atol=1e-5)


def test_towers_return_to_their_devices_when_the_model_moves() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a second device; the towers share the processor here")
    model = build("alexnet", (3, 67, 67), 4, **NARROW, devices=("cpu", "cuda:0")).eval()
    x = torch.randn(2, 3, 67, 67)
    split = model(x)
    for target in ("cuda:0", "cpu"):
        model.to(target)
        assert (model.upper.device.type, model.lower.device.type, model.output.weight.device.type) == (
            "cpu",
            "cuda",
            "cpu",
        )
    model.devices = ("", "")
    torch.testing.assert_close(split, model.to("cpu")(x), rtol=1e-3, atol=1e-4)


def test_the_towers_compute_the_same_with_devices_named() -> None:
    x = torch.randn(2, 3, 67, 67)
    outputs = []
    for devices in (("", ""), ("cpu", "cpu"), ("cpu", "")):
        torch.manual_seed(0)
        outputs.append(build("alexnet", (3, 67, 67), 4, **NARROW, devices=devices).eval()(x))
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])


@pytest.mark.parametrize("name", ["resnet-small", "resnet18", "resnet50", "resnet20"])
def test_a_new_residual_block_is_its_shortcut(name: str) -> None:
    model = build(name, (3, 33, 33), 4).eval()
    block = model.stages[0][-1] if name != "resnet-small" else model.stages[1][0]
    x = torch.rand(2, block.convolutions[0].in_channels, 9, 9)
    torch.testing.assert_close(block(x), block.shortcut(x).relu())


def test_a_shortcut_without_parameters_keeps_every_other_pixel_and_adds_empty_channels() -> None:
    shortcut = build("resnet20", (3, 32, 32), 10).stages[1][0].shortcut
    x = torch.randn(2, 16, 8, 8)
    assert not list(shortcut.parameters())
    assert torch.equal(shortcut(x)[:, :16], x[:, :, ::2, ::2])
    assert shortcut(x)[:, 16:].eq(0).all()


def test_a_dense_layer_keeps_what_it_reads() -> None:
    layer = build("densenet-small", (3, 8, 8), 4).blocks[0]
    x = torch.randn(2, 24, 8, 8)
    outputs = layer(x)
    assert outputs.shape == (2, 36, 8, 8)
    assert torch.equal(outputs[:, :24], x)


def test_googlenet_has_22_layers_and_a_map_of_7_by_7() -> None:
    with torch.device("meta"):
        model = build("googlenet", (3, 224, 224), 1000)
        assert model.trunk(model.stem(torch.zeros(1, 3, 224, 224))).shape == (1, 1024, 7, 7)
    assert 3 + 2 * sum(type(layer).__name__ == "Inception" for layer in model.trunk) + 1 == 22


def test_alexnet_s_maps_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        model = build("alexnet", (3, 224, 224), 1000)
        assert model.upper.conv1_2[0](torch.zeros(1, 3, 224, 224)).shape == (1, 48, 55, 55)
        assert model.upper.dense6[1].in_features == 6 * 6 * 256
