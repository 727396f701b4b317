"""Tiles of a picture give the scores of the whole picture, at their borders too."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from layerwise.generation.tiling import UNIT_PX, margin_of, spans, tiled_scores
from layerwise.models.segnet import SegNet, SegNetConfig
from layerwise.models.unet import UNet, UNetConfig

SHAPE = (3, 32, 32)


def network(kind: str) -> nn.Module:
    """A network with first weights, and with running statistics of some pictures."""
    torch.manual_seed(1)
    model: nn.Module = UNet(SHAPE, 4, UNetConfig((4, 6, 8)))
    if kind == "segnet":
        model = SegNet(SHAPE, 4, SegNetConfig((4, 6, 8), (1, 2, 1)))
    model(torch.randn(4, *SHAPE))
    return model.eval()


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(["unet", "segnet"]), st.integers(97, 200), st.integers(97, 200), st.sampled_from([32, 64, 96]))
def test_tiles_give_the_scores_of_the_whole_picture_everywhere(kind: str, height: int, width: int, core: int) -> None:
    model = network(kind).double()
    picture = torch.randn(3, height, width, generator=torch.Generator().manual_seed(height), dtype=torch.float64)
    with torch.inference_mode():
        whole = model(picture[None])[0].float()
    torch.testing.assert_close(tiled_scores(model, picture, core, margin_of(network(kind), 3)), whole)


@pytest.mark.parametrize("kind", ["unet", "segnet"])
def test_without_a_margin_tiles_would_show_their_borders(kind: str) -> None:
    model, picture = network(kind), torch.randn(3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = model(picture[None])[0]
    off = (tiled_scores(model, picture, 64, 0) - whole).abs().amax(0)
    at_the_border, away = off[:, 62:66].max(), off[:32, :32].max()
    assert at_the_border > 100 * away


@pytest.mark.parametrize("kind", ["unet", "segnet"])
def test_even_water_shows_no_jump_between_tiles(kind: str) -> None:
    """A picture of one colour has scores that repeat every 32 pixels away from its edges, whatever the tiles are."""
    model = network(kind).double()
    scores = tiled_scores(model, torch.full((3, 256, 256), 0.3, dtype=torch.float64), 64, margin_of(network(kind), 3))
    middle = scores[:, 64:192, 64:192]
    torch.testing.assert_close(middle[:, :-UNIT_PX], middle[:, UNIT_PX:])
    torch.testing.assert_close(middle[..., :-UNIT_PX], middle[..., UNIT_PX:])


class Window(nn.Module):
    """The mean of a window, and nothing else."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(side, 1, side // 2)

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = self.pool(x)
        return mean


@pytest.mark.parametrize(("side", "margin"), [(1, 0), (3, 32), (65, 32), (67, 64), (131, 96)])
def test_the_margin_is_as_far_as_a_network_sees(side: int, margin: int) -> None:
    assert margin_of(Window(side), 3) == margin


def test_a_network_that_sees_all_is_given_736_pixels() -> None:
    class Whole(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + x.mean((2, 3), keepdim=True)

    assert margin_of(Whole(), 1) == 736


@given(
    st.integers(1, 5000), st.integers(1, 20).map(lambda n: n * UNIT_PX), st.integers(0, 4).map(lambda n: n * UNIT_PX)
)
def test_cores_cover_a_side_once_and_tiles_hold_their_margins(size: int, core: int, margin: int) -> None:
    found = list(spans(size, core, margin))
    assert found[0][2] == 0
    assert found[-1][3] == size
    assert all(before[3] == after[2] for before, after in pairwise(found))
    for begin, end, first, last in found:
        assert begin % UNIT_PX == 0
        assert begin == max(0, first - margin)
        assert end == min(size, last + margin)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 40), (31, 33)])
def test_a_picture_smaller_than_a_unit_gets_scores_of_its_own_size(height: int, width: int) -> None:
    assert tiled_scores(network("segnet"), torch.randn(3, height, width)).shape == (4, height, width)
