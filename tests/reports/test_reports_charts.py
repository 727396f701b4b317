"""The charts show what they are given: read back from the artists of each figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from layerwise.reports import charts
from layerwise.reports.drawing import blocks_of, draw_network
from layerwise.reports.figures import save, to_svg
from layerwise.reports.findings import observe
from layerwise.reports.pictures import TrainTransforms, filter_pixels, picture_page, to_pixels, variation_page
from layerwise.reports.results import evaluate_outputs
from layerwise.tasks import Classification, Regression


def records_of(train: list[float], valid: list[float], *, steps: int = 4) -> list[dict[str, Any]]:
    """Return the records of a training with `steps` reports an epoch, each of the epoch's loss."""
    records: list[dict[str, Any]] = []
    for epoch, (loss, value) in enumerate(zip(train, valid, strict=True)):
        for step in range(epoch * steps + 1, (epoch + 1) * steps + 1):
            report = {"kind": "report", "losses": {"model": loss}, "learning_rate": 0.1 / (epoch + 1)}
            records.append({**report, "step": step, "epoch": epoch})
        metrics = {"loss": value, "accuracy": 1 - value / 10}
        is_best = value == min(valid[: epoch + 1])
        records.append({"kind": "evaluation", "metrics": metrics, "best": is_best, "step": step, "epoch": epoch})
    return records


def texts(figure: Figure) -> list[str]:
    from matplotlib.text import Text

    return [found.get_text() for found in figure.findobj(Text) if found.get_text()]


def classifier(names: tuple[str, ...], rows: int = 200) -> Any:
    draw = torch.Generator().manual_seed(1)
    labels = torch.arange(rows) % len(names)
    logits = torch.randn(rows, len(names), generator=draw) + 2 * torch.eye(len(names))[labels]
    return evaluate_outputs(Classification(names), logits, labels, [f"row {row}" for row in range(rows)])


def test_training_and_validation_are_on_one_chart_over_epochs_with_the_best_one_ringed() -> None:
    figure = charts.loss_curves(records_of([2.0, 1.0, 0.5, 0.4], [1.5, 0.9, 1.1, 1.3]))
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_allclose(lines["validation"].get_xydata(), [[1, 1.5], [2, 0.9], [3, 1.1], [4, 1.3]])
    np.testing.assert_allclose(lines["best: epoch 2"].get_xydata(), [[2, 0.9]])
    steps = np.asarray(lines["training"].get_xdata())
    assert (steps[0], steps[-1], len(steps)) == (0.25, 4.0, 16)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation", "best: epoch 2"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss")


@pytest.mark.parametrize(("losses", "scale"), [([2.0, 1.0], "linear"), ([2.0, 0.01], "log"), ([2.0, 0.0], "linear")])
def test_a_loss_that_falls_far_is_drawn_on_a_logarithmic_axis(losses: list[float], scale: str) -> None:
    assert charts.loss_curves(records_of(losses, losses)).axes[0].get_yscale() == scale


def test_the_metric_and_the_learning_rate_are_drawn_as_recorded() -> None:
    records = records_of([2.0, 1.0, 0.5], [1.5, 0.9, 1.1])
    metric = charts.metric_curve(records, "accuracy").axes[0]
    np.testing.assert_allclose(metric.get_lines()[0].get_ydata(), [0.85, 0.91, 0.89])
    assert metric.get_ylabel() == "validation accuracy"
    rate = charts.learning_rate_curve(records).axes[0].get_lines()[0]
    np.testing.assert_allclose(rate.get_ydata(), np.repeat([0.1, 0.05, 0.1 / 3], 4))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=3000))
def test_thinning_and_smoothing_keep_the_mean_and_the_range(values: list[float]) -> None:
    array = np.array(values)
    steps, thin = charts.thin(np.arange(len(array), dtype=float), array)
    assert len(steps) == len(thin) <= charts.POINTS_AT_MOST
    smooth = charts.smoothed(array)
    assert len(smooth) == len(array)
    for found in (thin, smooth):
        assert found.min() >= array.min() - 1e-9
        assert found.max() <= array.max() + 1e-9
    np.testing.assert_allclose(charts.smoothed(np.full(len(array), array[0])), array[0], atol=1e-9)


def test_a_single_last_outlier_does_not_lift_the_end_of_a_smooth_curve() -> None:
    values = np.append(np.ones(399), 5.0)
    assert charts.smoothed(values)[-1] < 1.5


@pytest.mark.parametrize("class_count", [2, 5, 10, 16])
def test_every_count_of_the_confusion_matrix_is_written_in_its_cell(class_count: int) -> None:
    evaluation = classifier(tuple(f"class {number}" for number in range(class_count)))
    axes = evaluation.draw_confusion().axes[0]
    written = {text.get_position(): text.get_text().split("\n")[0] for text in axes.texts}
    expected = {
        (column, row): str(count)
        for row, line in enumerate(evaluation.confusion)
        for column, count in enumerate(line)
        if count
    }
    assert written == expected
    assert [label.get_text() for label in axes.get_yticklabels()] == [score.name for score in evaluation.classes]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("given", "truth")


def test_short_names_stand_upright_and_long_ones_slanted() -> None:
    upright = classifier(("ham", "spam")).draw_confusion().axes[0]
    assert {label.get_rotation() for label in upright.get_xticklabels()} == {0}
    slanted = classifier(tuple(f"a long name {n}" for n in range(10))).draw_confusion().axes[0]
    assert {label.get_rotation() for label in slanted.get_xticklabels()} == {45}


def test_many_classes_have_neither_numbers_nor_names_that_overlap() -> None:
    axes = classifier(tuple(f"class {number}" for number in range(60)), rows=600).draw_confusion().axes[0]
    assert len(axes.texts) == 0
    assert [label.get_text() for label in axes.get_yticklabels() if label.get_text()] == []


def test_the_calibration_chart_draws_each_part_and_its_size() -> None:
    evaluation = classifier(("a", "b", "c"))
    upper, lower = charts.calibration_chart(evaluation.calibration).axes
    filled = [part for part in evaluation.calibration if part.count]
    line = next(line for line in upper.get_lines() if line.get_label() == "this model")
    np.testing.assert_allclose(line.get_xydata(), [[part.confidence, part.accuracy] for part in filled])
    assert [bar.get_height() for bar in lower.patches] == [part.count for part in filled]
    assert sum(bar.get_height() for bar in lower.patches) == evaluation.count


def test_the_residual_chart_draws_every_sample() -> None:
    task = Regression(("price in $",), (10.0,), (2.0,))
    draw = torch.Generator().manual_seed(0)
    targets, outputs = torch.randn(80, 1, generator=draw), torch.randn(80, 1, generator=draw)
    score = evaluate_outputs(task, outputs, targets, [str(row) for row in range(80)]).targets[0]
    left, right = charts.residual_chart(score.name, score.points).axes
    points = torch.cat([task.in_units(targets), task.in_units(outputs)], 1).numpy()
    np.testing.assert_allclose(left.collections[0].get_offsets(), points, rtol=1e-5)
    assert sum(bar.get_height() for bar in right.patches) == 80
    assert left.get_xlabel() == r"true price in \$"


def test_the_balance_chart_stacks_the_splits_of_each_class() -> None:
    counts = {"training": [5, 3], "validation": [1, 2], "test": [4, 0]}
    axes = charts.class_balance_chart(("no", "yes"), counts).axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == [5, 3, 1, 2, 4, 0]
    assert [bar.get_x() for bar in axes.patches] == [0, 0, 5, 3, 6, 5]


def test_columns_are_drawn_as_bars_of_words_or_as_a_histogram() -> None:
    columns = [["a", "b", "a", None], [float(number) for number in range(40)], [None, None]]
    figure = charts.column_chart(["word", "number", "empty"], columns, "table")
    word, number, _ = figure.axes
    assert {label.get_text() for label in word.get_yticklabels()} == {"a", "b"}
    assert sorted(bar.get_width() for bar in word.patches) == [1, 2]
    assert sum(bar.get_height() for bar in number.patches) == 40
    many = charts.column_chart([f"column {n}" for n in range(30)], [[1.0, 2.0]] * 30, "table")
    assert "table (the first 24 of 30 columns)" in texts(many)


def test_the_weights_shown_are_the_strongest_with_their_signs() -> None:
    weights = np.array([[0.1, -3.0, 2.0] + [0.01] * 30])
    axes = charts.weight_chart([f"feature {number}" for number in range(33)], weights).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()][:3] == ["feature 1", "feature 2", "feature 0"]
    assert [bar.get_width() for bar in axes.patches][:3] == [-3.0, 2.0, 0.1]
    assert len(axes.patches) == 20


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_filters_become_pixels_that_say_where_light_excites(channels: int) -> None:
    weights = torch.zeros(1, channels, 3, 3)
    weights[0, :, 0, 0], weights[0, :, 2, 2] = 1.0, -1.0
    (pixels,) = filter_pixels(weights)
    assert pixels.shape == (3, 3, 3)
    if channels == 3:
        assert pixels[0, 0].tolist() == [255] * 3
        assert pixels[2, 2].tolist() == [0] * 3
    else:
        assert pixels[1, 1].tolist() == [255] * 3  # white: no matter
        assert pixels[0, 0, 2] > pixels[0, 0, 0]  # blue
        assert pixels[2, 2, 0] > pixels[2, 2, 2]  # orange


def test_pages_of_pictures_show_them_in_order_with_their_captions() -> None:
    pictures = to_pixels(torch.randint(256, (5, 1, 4, 4), dtype=torch.uint8))
    figure = picture_page(pictures, ["a", "b", "c", "d", "e $"], title="five")
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    for picture, drawn in zip(pictures, shown, strict=True):
        assert np.array_equal(picture, np.asarray(drawn))
    assert [text for text in texts(figure) if text in ("a", "b", "c", "d", r"e \$")] == ["a", "b", "c", "d", r"e \$"]
    page = variation_page(
        [TrainTransforms("original", "", pictures), TrainTransforms("flip alone", "Each is mirrored.", pictures)]
    )
    assert {"original", "flip alone", "Each is mirrored."} <= set(texts(page))
    assert sum(len(axes.images) for axes in page.axes) == 10


@pytest.mark.parametrize("name", ["груши", "梨", "a & b < c", "$x", "x" * 200, "\u0000nul"])
def test_any_name_can_be_drawn_and_saved(name: str, tmp_path: Any) -> None:
    svg = to_svg(classifier((name, "other")).draw_confusion(), f"of {name}")
    assert svg.startswith("<svg")
    assert svg.endswith("</svg>")
    save(charts.class_balance_chart([name], {"training": [3]}), tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 1000


def test_text_in_a_page_is_text_at_one_size_whatever_the_width_of_the_chart() -> None:
    """A chart is never blown up beyond the scale at which its text is as large as the page's."""
    for figure in (classifier(("a", "b")).draw_confusion(), charts.loss_curves(records_of([2.0], [1.0]))):
        svg = to_svg(figure, "chart")
        width = float(svg.split('viewBox="')[1].split('"')[0].split()[2])
        assert f"max-width:{1.4 * width:.0f}px" in svg
        assert "<text" in svg


def test_the_network_is_drawn_by_what_its_layers_are() -> None:
    from layerwise.models import build
    from layerwise.models.summary import summarise

    rows = summarise(build("resnet-small", (3, 32, 32), 10), (3, 32, 32)).rows
    blocks = blocks_of(rows, (3, 32, 32))
    assert len(blocks) <= 12
    assert blocks[0].shape == (3, 32, 32)
    assert sum(block.parameters for block in blocks) == sum(row.parameters for row in rows if "Norm" not in row.kind)
    assert "Conv2d" in blocks[1].title
    drawing = draw_network(rows, (3, 32, 32), [str(number) for number in range(10)])
    assert drawing.count("<svg") == 1


def test_learning_by_heart_is_said_only_where_the_training_loss_went_on_falling() -> None:
    by_heart = observe(None, records_of([2.0, 1.0, 0.5, 0.1], [1.5, 0.9, 1.1, 1.3]))
    assert any("by heart" in notice.text and "epoch 2" in notice.text for notice in by_heart)
    lucky = observe(None, records_of([2.0, 1.0, 1.0, 1.0], [1.5, 0.9, 1.1, 1.3]))
    assert not any("by heart" in notice.text for notice in lucky)
    last = observe(None, records_of([2.0, 1.0, 0.5], [1.5, 0.9, 0.8]))
    assert [notice.text for notice in last] == ["The last epoch was the best one; more epochs may still help."]
