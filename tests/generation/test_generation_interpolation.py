"""Ways through the space of codes, against the geometry of the sphere."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.errors import UsageError
from layerwise.generation.interpolation import around, between, tour


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 20), st.integers(2, 9))
def test_a_walk_begins_and_ends_where_it_should_and_goes_by_equal_angles(seed: int, size: int, steps: int) -> None:
    first, second = torch.randn(2, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    way = around(first, second, steps)
    torch.testing.assert_close(way[[0, -1]], torch.stack((first, second)), check_dtype=False, atol=1e-6, rtol=1e-6)
    whole = torch.arccos(torch.cosine_similarity(first, second, dim=0).clamp(-1, 1)).item()
    for here, there in pairwise(way):
        turned = torch.arccos(torch.cosine_similarity(here, there, dim=0).clamp(-1, 1)).item()
        assert turned == pytest.approx(whole / (steps - 1), abs=1e-4)


def test_a_walk_on_the_arc_stays_at_the_length_of_its_ends_and_the_straight_one_does_not() -> None:
    first, second = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0])
    torch.testing.assert_close(around(first, second, 3)[1], torch.full((2,), 3 / math.sqrt(2)))
    assert between(first, second, 3)[1].tolist() == [1.5, 1.5]


@pytest.mark.parametrize("second", [[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_codes_in_line_with_one_another_are_joined_by_a_straight_line(second: list[float]) -> None:
    first, last = torch.tensor([1.0, 0.0]), torch.tensor(second)
    assert torch.equal(around(first, last, 5), between(first, last, 5))


def test_a_tour_visits_each_station_once_and_ends_before_the_first() -> None:
    waypoints = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    way = tour(waypoints, 5)
    assert way.shape == (15, 4)
    torch.testing.assert_close(way[::5], waypoints)
    with pytest.raises(UsageError, match="at least 2 stations, received 1; raise `count`"):
        tour(waypoints[:1], 5)
