"""Probes see what happens inside any module, change nothing, and leave nothing behind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.diagnosis import probes
from layerwise.diagnosis.embeddings import features_of, in_the_plane
from layerwise.errors import DataError, UsageError
from layerwise.models import build


class Reader(nn.Module):
    """PyTorch's own transformer blocks, and a dense layer on the mean."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.output = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.output(self.blocks(x).mean(1))
        return outputs


def network(name: str, shape: tuple[int, ...]) -> nn.Module:
    torch.manual_seed(0)
    return build(name, shape, 3).eval()


def hooks(model: nn.Module) -> int:
    return sum(len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in model.modules())


def test_maps_are_what_the_layer_gives_and_no_hook_is_left() -> None:
    model, picture = network("lenet5", (1, 28, 28)), torch.randn(1, 1, 28, 28)
    plain = model(picture)
    first = next(iter(probes.convolutions(model)))
    with probes.feature_maps(model, [first]) as kept:
        assert torch.equal(model(picture), plain)
    expected = dict(model.named_modules())[first](picture)
    torch.testing.assert_close(kept[first], expected)
    assert hooks(model) == 0


def test_a_layer_that_there_is_not_is_answered_with_those_there_are() -> None:
    model = network("lenet5", (1, 28, 28))
    with (
        pytest.raises(UsageError, match=r"no layer 'conv9'; its convolutions are features\.0"),
        probes.feature_maps(model, ["conv9"]),
    ):
        pass


def test_hooks_go_even_where_the_block_fails() -> None:
    model = network("vit", (1, 8, 8))
    with pytest.raises(RuntimeError), probes.attention(model):
        model(torch.randn(1, 3, 8, 8))
    assert hooks(model) == 0


def test_the_attention_kept_gives_the_values_that_the_fused_kernel_gives() -> None:
    model, picture = network("vit", (1, 8, 8)), torch.randn(2, 1, 8, 8)
    with torch.no_grad(), probes.attention(model) as kept, probes.feature_maps(model, ["layers.0.attention"]) as maps:
        model(picture)
    layer = dict(model.named_modules())["layers.0.attention"]
    with torch.no_grad():
        patches = model.patches(picture).flatten(2).transpose(1, 2)
        steps = torch.cat((model.class_token.expand(2, 1, -1), patches), 1) + model.position_embedding
        values = layer.split_heads(layer.value(model.layers[0].norm_attention(steps)))
        joined = layer.output((kept["layers.0.attention"] @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(joined, maps["layers.0.attention"])
    torch.testing.assert_close(kept["layers.0.attention"].sum(-1), torch.ones(2, 4, 5))


def test_the_attention_of_pytorchs_own_blocks_is_seen_and_their_outputs_stay() -> None:
    torch.manual_seed(0)
    model, series = Reader().eval(), torch.randn(2, 5, 8)
    with torch.no_grad():
        plain = model(series)
        with probes.attention(model) as kept:
            torch.testing.assert_close(model(series), plain)
    assert [weights.shape for weights in kept.values()] == [(2, 2, 5, 5)] * 2
    layer = model.blocks.layers[0].self_attn
    with torch.no_grad():
        _, expected = layer(series, series, series, average_attn_weights=False)
    torch.testing.assert_close(kept["blocks.layers.0.self_attn"], expected)
    assert hooks(model) == 0


def test_a_rollout_is_the_product_of_the_layers_as_in_the_paper() -> None:
    uniform, own = torch.full((1, 2, 3, 3), 1 / 3), torch.eye(3).expand(1, 2, 3, 3)
    torch.testing.assert_close(probes.rollout([own, own])[0], torch.eye(3))
    half = 0.5 * torch.full((3, 3), 1 / 3) + 0.5 * torch.eye(3)
    torch.testing.assert_close(probes.rollout([uniform, uniform])[0], half @ half)
    torch.testing.assert_close(probes.rollout([uniform] * 3).sum(-1), torch.ones(1, 3))


def test_the_features_kept_are_what_the_last_layer_reads() -> None:
    model, pictures = network("lenet5", (1, 28, 28)), torch.randn(7, 1, 28, 28)
    features = features_of(model, pictures, at_once=3)
    last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
    torch.testing.assert_close(F.linear(features, last.weight, last.bias), model(pictures))
    with pytest.raises(UsageError, match="no dense layer"):
        features_of(nn.Sequential(nn.Conv2d(1, 1, 3)), pictures)


def test_groups_that_lie_apart_stay_apart_in_the_plane() -> None:
    torch.manual_seed(0)
    features = torch.cat([torch.randn(30, 8), torch.randn(30, 8) + 20])
    places = in_the_plane(features)
    assert places.shape == (60, 2)
    distances = ((places[:, None] - places[None]) ** 2).sum(-1)
    distances[range(60), range(60)] = float("inf")
    nearest = distances.argmin(1)
    assert all((nearest < 30) == ([True] * 30 + [False] * 30))
    assert (in_the_plane(features) == places).all()


def test_a_map_of_too_few_samples_is_refused() -> None:
    with pytest.raises(DataError, match="at least 5 samples, received 4"):
        in_the_plane(torch.randn(4, 8))
