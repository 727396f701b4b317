"""Attributions against Captum, against sums that can be worked out, and against the axioms of their paper."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from layerwise.diagnosis.attribution import attribute
from layerwise.diagnosis.attribution_methods import integrated_gradients, occlusion, spread, windows
from layerwise.errors import UsageError
from layerwise.models import build


@pytest.mark.parametrize("values", [[1.0, -2.0, 3.0], [0.0, 0.5, 0.0]])
def test_of_a_linear_score_each_number_adds_its_weight_times_itself(values: list[float]) -> None:
    weight, sample = torch.tensor([2.0, 1.0, -1.0]), torch.tensor(values)
    found = integrated_gradients(lambda rows: rows @ weight + 7, sample, torch.zeros(3))
    torch.testing.assert_close(found.values, weight * sample)
    assert found.gap < 1e-5
    covered = occlusion(lambda rows: rows @ weight + 7, sample, torch.eye(3, dtype=torch.bool), torch.zeros(3))
    torch.testing.assert_close(covered, weight * sample)


@given(st.lists(st.floats(-2, 2), min_size=2, max_size=5))
def test_a_product_is_shared_as_the_integral_says(values: list[float]) -> None:
    """Of x^3 each number gets x^3, of a product of two each half: both have closed forms."""
    sample = torch.tensor(values, dtype=torch.float64)
    cubes = integrated_gradients(lambda rows: (rows**3).sum(1), sample, torch.zeros_like(sample))
    torch.testing.assert_close(cubes.values, sample**3)
    product = integrated_gradients(lambda rows: rows[:, 0] * rows[:, 1], sample, torch.zeros_like(sample))
    torch.testing.assert_close(product.values[:2], (sample[0] * sample[1] / 2).expand(2))


@pytest.mark.parametrize(
    ("name", "shape"), [("lenet5", (1, 12, 12)), ("vit", (1, 8, 8)), ("mlp", (6,)), ("gru", (5, 3))]
)
def test_gradients_along_the_path_agree_with_captum_and_add_up(name: str, shape: tuple[int, ...]) -> None:
    captum: Any = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    model, sample = build(name, shape, 3).eval(), torch.randn(shape)
    found = attribute(model, sample, parts=("gradients",), output=1).gradients
    assert found is not None
    theirs = captum.IntegratedGradients(model).attribute(sample[None], target=1, n_steps=found.points)
    torch.testing.assert_close(found.values, theirs[0].float(), atol=2e-4, rtol=2e-3)
    assert found.is_complete
    assert found.gap <= 0.01 * max(abs(found.difference), 1e-3)


def test_occlusion_agrees_with_captum_where_windows_meet_without_overlap() -> None:
    captum: Any = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    model, sample = build("lenet5", (1, 12, 12), 3).eval(), torch.randn(1, 12, 12)
    masks = windows(12, 12, 4, 4)
    falls = occlusion(lambda rows: model(rows)[:, 2], sample, masks, torch.zeros(1, 12, 12))
    theirs = captum.Occlusion(model).attribute(
        sample[None], sliding_window_shapes=(1, 4, 4), strides=(1, 4, 4), target=2
    )
    torch.testing.assert_close(spread(falls, masks), theirs[0, 0].float(), atol=1e-5, rtol=1e-4)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4))
def test_windows_cover_every_pixel(height: int, width: int, side: int, stride: int) -> None:
    side = min(side, height, width)
    masks = windows(height, width, side, min(stride, side))
    assert masks.any(0).all()
    assert all(mask.sum() == side * side for mask in masks)


class Own(nn.Module):
    """Writes in place, as many modules do, and has dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.body(x)
        return outputs


def test_a_module_of_ones_own_is_explained_and_left_as_it_was() -> None:
    torch.manual_seed(0)
    model, sample = Own().train(), torch.tensor([1.0, -1.0, 2.0, 0.5])
    before = sample.clone()
    found = attribute(model, sample, output=0)
    assert found.gradients is not None
    torch.testing.assert_close(found.gradients.values, model.body[2].weight[0] * before.clamp(min=0))
    torch.testing.assert_close(found.occlusion, found.gradients.values, atol=1e-5, rtol=1e-4)
    assert torch.equal(sample, before)
    assert all(layer.training for layer in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_columns_that_belong_together_are_covered_and_summed_together() -> None:
    torch.manual_seed(0)
    model, sample = nn.Linear(4, 2), torch.randn(4)
    found = attribute(model, sample, output=1, groups={"a": slice(0, 1), "b": slice(1, 4)})
    terms = (model.weight[1] * sample).detach()
    expected = torch.stack([terms[0], terms[1:].sum()])
    assert found.gradients is not None
    torch.testing.assert_close(found.gradients.values, expected)
    torch.testing.assert_close(found.occlusion, expected)


def test_tokens_get_a_number_each_that_add_up_and_padding_of_series_gets_none() -> None:
    torch.manual_seed(0)
    model = build("gru", (6, 12), 3)
    tokens = torch.tensor([2, 5, 7, 11])
    found = attribute(model, tokens)
    assert found.gradients is not None
    assert found.gradients.values.shape == found.occlusion.shape == (4,)
    assert found.gradients.is_complete
    series = torch.randn(6, 3)
    series[4:] = float("nan")
    found = attribute(build("gru", (6, 3), 3), series)
    assert found.gradients is not None
    assert found.gradients.is_complete
    assert found.gradients.values.shape == (6, 3)
    assert not found.gradients.values[4:].any()
    assert found.occlusion is not None
    torch.testing.assert_close(found.occlusion[4:], torch.zeros(2))


@pytest.mark.parametrize(
    ("part", "words"), [("filters", "no filters to show"), ("maps", "no maps to show"), ("attention", "no attention")]
)
def test_a_part_that_a_network_does_not_have_is_refused_when_asked_for_and_left_out_otherwise(
    part: str, words: str
) -> None:
    model, sample = build("mlp", (5,), 3), torch.randn(5)
    with pytest.raises(UsageError, match=words):
        attribute(model, sample, parts=(part,))
    found = attribute(model, sample)
    assert found.filters is None
    assert not found.maps
    assert not found.attention


def test_samples_outputs_and_windows_that_cannot_be_are_refused() -> None:
    model = build("lenet5", (1, 12, 12), 3)
    with pytest.raises(UsageError, match=r"LeNet5 cannot read a sample of shape \(2, 12, 12\)"):
        attribute(model, torch.randn(2, 12, 12))
    with pytest.raises(UsageError, match="leave the batch out"):
        attribute(model, torch.randn(1, 1, 12, 12))
    with pytest.raises(UsageError, match="outputs 0 to 2, received 3"):
        attribute(model, torch.randn(1, 12, 12), output=3)
    with pytest.raises(UsageError, match="`window` must be at least 1 pixel, received 0"):
        attribute(model, torch.randn(1, 12, 12), window=0)
    with pytest.raises(UsageError, match="`window` is for pictures; leave it out, received 3"):
        attribute(nn.Linear(4, 2), torch.randn(4), window=3)
    with pytest.raises(UsageError, match="`window` 13 is larger than the picture of 12x12"):
        attribute(model, torch.randn(1, 12, 12), parts=("occlusion",), window=13)
    with pytest.raises(UsageError, match="one row of numbers a sample"):
        attribute(nn.Conv2d(1, 2, 3), torch.randn(1, 12, 12))
    with pytest.raises(UsageError, match=r"layer 'head.*' gives .* no maps"):
        dense = next(name for name, layer in model.named_modules() if isinstance(layer, nn.Linear))
        attribute(model, torch.randn(1, 12, 12), parts=("maps",), layers=(dense,))
