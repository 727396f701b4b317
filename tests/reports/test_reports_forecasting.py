"""Forecasts beside what came, and beside what a naive forecaster would have said."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from layerwise.data.build import build as build_dataset
from layerwise.data.config import DataConfig
from layerwise.data.raw import RawForecast
from layerwise.errors import UsageError
from layerwise.models import build
from layerwise.reports.results import measure, result_from_json
from layerwise.reports.results.forecasting import seasonal
from layerwise.reports.results.result import EvaluationInput
from layerwise.tasks import Regression
from layerwise.tasks.config import TaskConfig

SEASON = 6


class Yesterday(nn.Module):
    """Repeats a season, scaled as it comes in."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, -SEASON:][:, torch.arange(4) % SEASON, 0]


@pytest.fixture
def evaluation_input() -> EvaluationInput:
    """A wave of six steps that rises by one each step."""
    steps = np.arange(80)
    values = 10 * np.sin(2 * math.pi * steps / SEASON) + steps
    frame = pl.DataFrame({"day": [f"day {n}" for n in steps], "sold": values})
    dataset = build_dataset(RawForecast(frame, "sold", "day", "made", 12, 4), "shop", DataConfig(data="shop"))
    return EvaluationInput(
        Yesterday(), Regression.for_data(dataset, TaskConfig()), dataset.preprocessing, dataset.test, lambda: dataset
    )


def test_a_forecast_is_measured_against_the_last_value_and_the_season(evaluation_input: EvaluationInput) -> None:
    result = measure(evaluation_input)
    forecast = result.forecast
    assert forecast.name == "sold"
    assert forecast.season == SEASON
    assert forecast.season_rmse == pytest.approx(SEASON, abs=1e-3)  # it rises by one a step
    assert forecast.rmse == pytest.approx(forecast.season_rmse, abs=1e-4)
    assert forecast.last_rmse > forecast.season_rmse
    assert len(forecast.truth) == len(evaluation_input.split) + 3
    end = forecast.starts[-1] + len(forecast.paths[-1])
    assert end == len(forecast.truth)
    assert result_from_json(json.loads(json.dumps(result.to_json()))) == result


def test_it_is_told_and_drawn(evaluation_input: EvaluationInput) -> None:
    result = measure(evaluation_input)
    assert "repeating the value of 6 steps before" in result.lines()[1]
    names = [name for name, _ in result.drawings(evaluation_input)]
    assert names[0] == "forecasts"
    assert len(names) == 5


def test_a_season_is_repeated_as_often_as_it_takes() -> None:
    inputs = np.arange(10.0).reshape(2, 5)
    np.testing.assert_array_equal(seasonal(inputs, 2, 5), [[3, 4, 3, 4, 3], [8, 9, 8, 9, 8]])
    np.testing.assert_array_equal(seasonal(inputs, 1, 3), [[4, 4, 4], [9, 9, 9]])


def test_a_network_that_tells_the_change_from_a_season_before_begins_there() -> None:
    model = build("gru", (12, 2), 8, season=SEASON)
    for parameter in model.output.parameters():
        nn.init.zeros_(parameter)
    series = torch.randn(3, 12, 2)
    expected = seasonal(series[..., 0].double().numpy(), SEASON, 8)
    np.testing.assert_allclose(model(series).detach().numpy(), expected, rtol=1e-6)


def test_a_season_longer_than_the_window_is_refused() -> None:
    with pytest.raises(UsageError, match="`season` must be at most the 12 steps of a sample, received 13"):
        build("gru", (12, 2), 8, season=13)
    with pytest.raises(UsageError, match=r"`season` \(6\) and `from_last` exclude each other"):
        build("gru", (12, 2), 8, season=6, from_last=True)
