"""Forecasts of a series beside what came, and beside what a naive forecaster would have said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from layerwise.data.series.preprocessing import SeriesPreprocessing
from layerwise.reports import wording
from layerwise.reports.figures import BLUE, INK, MUTED, ORANGE, legend, new_chart
from layerwise.reports.results.result import EvaluationInput

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN_AT_MOST = 8

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """The forecasts of a split over time, in the unit of the series. Errors are means over the steps ahead.

    name: of the series. times: what the data calls each step from the first that was told on. truth: what came.
    starts, paths: some forecasts: the step that each begins at, and its values. naive: of the same starts.
    rmse: of the network. last_rmse: of repeating the last value. season_rmse: of repeating the values of a season
    before, for the season of `season` steps that suits this split best afterwards, which favours it.
    """

    name: str
    times: tuple[str, ...]
    truth: tuple[float, ...]
    starts: tuple[int, ...]
    paths: tuple[tuple[float, ...], ...]
    naive: tuple[tuple[float, ...], ...]
    rmse: float
    last_rmse: float
    season: int
    season_rmse: float

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Forecast:
        """Rebuild what `asdict` gave."""
        rows = {name: tuple(map(tuple, values[name])) for name in ("paths", "naive")}
        flat = {name: tuple(values[name]) for name in ("times", "truth", "starts")}
        return cls(**{**values, **flat, **rows})

    def sentence(self) -> str:
        """Compare the forecasts with naive ones."""
        is_seasonal = self.season > 1
        season = f"; repeating the value of {self.season} steps before: {wording.decimal(self.season_rmse)}"
        return (
            f"RMSE {wording.decimal(self.rmse)} (repeating the last value: {wording.decimal(self.last_rmse)}"
            f"{season if is_seasonal else ''})."
        )


def forecast_of(
    evaluation_input: EvaluationInput, given: Floats, truth: Floats, names: Sequence[str]
) -> Forecast | None:
    """Return the forecasts of a split of windows, None for other samples.

    given, truth: (windows, steps ahead) in the unit of the series, each window a step after the one before.
    """
    if not (
        isinstance(evaluation_input.preprocessing, SeriesPreprocessing) and evaluation_input.preprocessing.is_window
    ):
        return None
    windows, ahead = truth.shape
    inputs = evaluation_input.split.take(torch.arange(windows))[0][..., 0].double().numpy()  # (windows, time)
    guesses = {season: seasonal(inputs, season, ahead) for season in range(1, inputs.shape[1] + 1)}
    errors = {season: rmse_of(guess, truth) for season, guess in guesses.items()}
    best = min(errors, key=lambda season: errors[season])
    starts = sorted(range(windows - 1, -1, -max(ahead, -(-windows // DRAWN_AT_MOST))))  # the last one to the end
    ids = list(evaluation_input.split.ids)
    return Forecast(
        name=names[0].rpartition(" +")[0] or names[0],
        times=tuple(ids),
        truth=(*truth[:, 0].tolist(), *truth[-1, 1:].tolist()),
        starts=tuple(starts),
        paths=tuple(tuple(given[start].tolist()) for start in starts),
        naive=tuple(tuple(guesses[best][start].tolist()) for start in starts),
        rmse=rmse_of(given, truth),
        last_rmse=errors[1],
        season=best,
        season_rmse=errors[best],
    )


def seasonal(inputs: Floats, season: int, ahead: int) -> Floats:
    """Return what stood a season before each step ahead: (windows, time) -> (windows, ahead)."""
    last = inputs[:, -season:]
    return last[:, np.arange(ahead) % season]


def rmse_of(given: Floats, truth: Floats) -> float:
    """Return the root mean squared error of each step ahead, averaged over the steps."""
    return float(np.sqrt(((given - truth) ** 2).mean(0)).mean())


def forecast_chart(forecast: Forecast) -> Figure:
    """Draw what came over time, some forecasts from where they were made, and what a season before would have said."""
    figure, axes = new_chart("", forecast.name, width=9.0, height=3.4)
    axes.plot(range(len(forecast.truth)), forecast.truth, color=INK, linewidth=1.4, label="what came")
    for number, (start, path, guess) in enumerate(zip(forecast.starts, forecast.paths, forecast.naive, strict=True)):
        steps = range(start, start + len(path))
        labels = ("forecast", f"{wording.plural(forecast.season, 'step')} before") if number == 0 else ("", "")
        axes.plot(steps, path, color=BLUE, linewidth=1.4, marker="o", markersize=2.5, label=labels[0])
        axes.plot(steps, guess, color=ORANGE, linewidth=1.0, linestyle=":", label=labels[1])
        axes.axvline(start, color=MUTED, linewidth=0.4, alpha=0.5)
    places = np.unique(np.linspace(0, len(forecast.times) - 1, min(5, len(forecast.times))).astype(int))
    axes.set_xticks(places, [forecast.times[place] for place in places])
    legend(axes)
    return figure
