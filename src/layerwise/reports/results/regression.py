"""Predicted numbers on one split: how far they are from the true ones, target by target, and the largest errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from layerwise.data.dataset import Notice
from layerwise.reports import charts, markup, wording
from layerwise.reports.figures import to_svg
from layerwise.reports.results.forecasting import Forecast, forecast_chart, forecast_of
from layerwise.reports.results.result import EvaluationInput, ReportContext, Rows, Tile
from layerwise.tasks import Regression

if TYPE_CHECKING:
    from matplotlib.figure import Figure


WORST_COUNT = 24
POINTS_AT_MOST = 1000
CHARTS_AT_MOST = 6

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Residual:
    """A sample with a large error. residual: given - truth, in the target's unit."""

    position: int
    id: str
    target: str
    truth: float
    given: float
    residual: float


@dataclass(frozen=True)
class TargetScore:
    """One predicted quantity, in its own unit.

    baseline_rmse: the error of always giving the split's mean. bias: mean residual (given - truth).
    quantiles: 5, 25, 50, 75 and 95 % quantiles of the residuals.
    points: (truth, given) of up to 1,000 samples evenly spread over the split, for plots.
    """

    name: str
    r2: float
    mae: float
    rmse: float
    median_error: float
    largest_error: float
    baseline_rmse: float
    bias: float
    quantiles: tuple[float, ...]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class RegressionResult:
    """A regression on one split. r2, mae, rmse: means over the targets; worst: the largest errors, measured
    in standard deviations of their target so that targets of different units compare; forecast: of a series."""

    task: ClassVar[str] = "regression"

    count: int
    loss: float
    r2: float
    mae: float
    rmse: float
    targets: tuple[TargetScore, ...]
    worst: tuple[Residual, ...]
    forecast: Forecast | None = None

    @property
    def metrics(self) -> dict[str, float]:
        return {"loss": self.loss, "r2": self.r2, "mae": self.mae, "rmse": self.rmse}

    @property
    def summary(self) -> dict[str, float]:
        return {"count": self.count, **{name: self.metrics[name] for name in ("r2", "mae", "rmse", "loss")}}

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, **asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RegressionResult:
        targets = tuple(_target_from_json(item) for item in values["targets"])
        worst = tuple(Residual(**item) for item in values["worst"])
        forecast = Forecast.from_json(values["forecast"]) if values.get("forecast") else None
        return cls(**{**values, "targets": targets, "worst": worst, "forecast": forecast})

    def sentence(self, samples: str, who: str = "It") -> str:
        if self.forecast:
            return (
                f"{who} forecasts ‘{self.forecast.name}’ {wording.plural(len(self.targets), 'step')} ahead, at "
                f"{wording.plural(self.count, 'unseen time')}. {self.forecast.sentence()}"
            )
        if len(self.targets) > 1:
            return f"{who} predicts {len(self.targets)} values of {samples}; mean R² {wording.decimal(self.r2)}."
        score = self.targets[0]
        return (
            f"{who} predicts ‘{score.name}’ of {samples} with an RMSE of {wording.decimal(score.rmse)} "
            f"(predicting the mean: {wording.decimal(score.baseline_rmse)}). R² {wording.decimal(score.r2)}."
        )

    def lines(self) -> list[str]:
        return [
            f"R² {wording.decimal(self.r2)}, MAE {wording.decimal(self.mae)}, RMSE {wording.decimal(self.rmse)} "
            f"over {wording.count(self.count)} samples",
            *([self.forecast.sentence()] if self.forecast else []),
        ]

    def table(self) -> Rows:
        rows = [
            [one.name, *(wording.decimal(value) for value in (one.r2, one.mae, one.rmse, one.baseline_rmse))]
            for one in self.targets
        ]
        return ["target", "R²", "MAE", "RMSE", "RMSE of the mean"], rows

    def examples(self) -> tuple[str, list[str]]:
        return "", []

    def tiles(self) -> list[Tile]:
        return [
            (wording.decimal(self.r2), "R²", "1 is perfect, 0 is the mean"),
            (wording.decimal(self.mae), "mean absolute error", "MAE, in the target's unit"),
            (wording.decimal(self.rmse), "root mean squared error", "RMSE, in the target's unit"),
        ]

    def notices(self) -> Iterator[Notice]:
        if self.forecast and self.forecast.rmse >= self.forecast.last_rmse:
            yield Notice(
                "warning",
                f"The network misses by {wording.decimal(self.forecast.rmse)}, no less than repeating the last value "
                f"does ({wording.decimal(self.forecast.last_rmse)}); train it longer, or let a recurrent network tell "
                "the change from a value before (from_last, season).",
            )

    def section(self, context: ReportContext) -> str:
        return regression_section(self)

    def drawings(self, evaluation_input: EvaluationInput) -> Iterator[tuple[str, Figure]]:
        if self.forecast:
            yield "forecasts", forecast_chart(self.forecast)
        for score in charted(self.targets):
            yield f"residuals-{score.name}", charts.residual_chart(score.name, score.points)


def _target_from_json(values: Mapping[str, Any]) -> TargetScore:
    points = tuple((truth, given) for truth, given in values["points"])
    return TargetScore(**{**values, "quantiles": tuple(values["quantiles"]), "points": points})


def measure(evaluation_input: EvaluationInput) -> RegressionResult:
    """Measure a regression."""
    assert isinstance(evaluation_input.task, Regression)
    outputs, targets = evaluation_input.outputs()
    result = evaluate_values(evaluation_input.task, outputs, targets, evaluation_input.split.ids)
    given, truth = (evaluation_input.task.in_units(values).numpy() for values in (outputs, targets))
    return replace(result, forecast=forecast_of(evaluation_input, given, truth, evaluation_input.task.target_names))


def evaluate_values(task: Regression, outputs: Tensor, targets: Tensor, ids: Sequence[str]) -> RegressionResult:
    """Measure a regression. outputs, targets: (n, targets), standardised; the figures are in units."""
    truth: Floats = task.in_units(targets).numpy()
    given: Floats = task.in_units(outputs).numpy()
    scores = tuple(
        score_target(name, truth[:, column], given[:, column]) for column, name in enumerate(task.target_names)
    )
    return RegressionResult(
        count=len(truth),
        loss=F.mse_loss(outputs.double(), targets.double()).item(),
        r2=float(np.mean([score.r2 for score in scores])),
        mae=float(np.mean([score.mae for score in scores])),
        rmse=float(np.mean([score.rmse for score in scores])),
        targets=scores,
        worst=_worst_residuals(task, truth, given, ids),
    )


def score_target(name: str, truth: Floats, given: Floats) -> TargetScore:
    """Measure one target in its own unit. truth, given: (n,)."""
    residuals = given - truth
    errors = np.abs(residuals)
    square_error = float(np.mean(residuals**2))
    variance = float(np.var(truth))
    r2 = 1 - square_error / variance if variance > 0 else float(square_error == 0)
    shown = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), POINTS_AT_MOST)).round().astype(int))
    return TargetScore(
        name=name,
        r2=r2,
        mae=float(errors.mean()),
        rmse=square_error**0.5,
        median_error=float(np.median(errors)),
        largest_error=float(errors.max()),
        baseline_rmse=variance**0.5,
        bias=float(residuals.mean()),
        quantiles=tuple(np.quantile(residuals, (0.05, 0.25, 0.5, 0.75, 0.95)).tolist()),
        points=tuple(zip(truth[shown].tolist(), given[shown].tolist(), strict=True)),
    )


def _worst_residuals(task: Regression, truth: Floats, given: Floats, ids: Sequence[str]) -> tuple[Residual, ...]:
    residuals = given - truth
    sizes = np.abs(residuals) / np.maximum(np.array(task.deviations), np.finfo(np.float64).tiny)
    largest = np.argsort(-sizes, axis=None, kind="stable")[:WORST_COUNT]
    rows, columns = np.unravel_index(largest, sizes.shape)
    return tuple(
        Residual(
            position=row,
            id=str(ids[row]),
            target=task.target_names[column],
            truth=float(truth[row, column]),
            given=float(given[row, column]),
            residual=float(residuals[row, column]),
        )
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    )


def charted(targets: Sequence[TargetScore]) -> list[TargetScore]:
    """Return the targets that get a chart of their own: all, or of many the first, the middle and the last."""
    if len(targets) <= CHARTS_AT_MOST:
        return list(targets)
    return [targets[0], targets[len(targets) // 2], targets[-1]]


def regression_section(evaluation: RegressionResult) -> str:
    """Given against true values of each target, and the largest errors."""
    over_time = _over_time(evaluation.forecast) if evaluation.forecast else ""
    drawn = [
        markup.chart(
            to_svg(
                charts.residual_chart(score.name, score.points),
                f"{score.name}: given against true values, and the residuals.",
            ),
            f"{score.name}: given and true values",
            "A perfect model has every point on the dashed line and every residual at zero.",
        )
        for score in charted(evaluation.targets)
    ]
    rows = [
        [item.id, item.target, wording.decimal(item.truth), wording.decimal(item.given), wording.decimal(item.residual)]
        for item in evaluation.worst
    ]
    worst = markup.table(["sample", "target", "true", "given", "given - true"], rows, words=2)
    return markup.section(
        "answers",
        "Where it is right, and where not",
        over_time,
        markup.columns(*drawn, _target_table(evaluation.targets)),
        markup.folded("The largest errors", worst),
    )


def _over_time(forecast: Forecast) -> str:
    """The forecasts beside what came."""
    svg = to_svg(forecast_chart(forecast), f"Forecasts of {forecast.name} and what came, over time.")
    return markup.chart(svg, f"Forecasts of {forecast.name} and what came", forecast.sentence(), wide=True)


def _target_table(targets: tuple[TargetScore, ...]) -> str:
    lines = {
        "R²": [score.r2 for score in targets],
        "mean absolute error": [score.mae for score in targets],
        "root mean squared error": [score.rmse for score in targets],
        "… of always giving the mean": [score.baseline_rmse for score in targets],
        "half of the errors are below": [score.median_error for score in targets],
        "largest error": [score.largest_error for score in targets],
        "mean residual (bias)": [score.bias for score in targets],
        "residuals, 5 % quantile": [score.quantiles[0] for score in targets],
        "residuals, 95 % quantile": [score.quantiles[-1] for score in targets],
    }
    rows = [[name, *(wording.decimal(value) for value in values)] for name, values in lines.items()]
    return markup.table(["figure", *(score.name for score in targets)], rows, caption="In the unit of the target")
