"""The figures of masks against scikit-learn, and their colours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import confusion_matrix, jaccard_score, precision_score, recall_score
from torch import nn

from layerwise.data.dataset import UNLABELLED, Dataset, Split
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.reports.overlays import class_colours, generated, laid_over, with_legend
from layerwise.reports.results import measure, result_from_json
from layerwise.reports.results.result import EvaluationInput
from layerwise.reports.results.segmentation import SegmentationResult
from layerwise.tasks.segmentation import Segmentation

NAMES = ("sea", "land", "lake", "ice")


class FirstChannels(nn.Module):
    """Takes the channels of a picture for the scores."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def measured(truth: np.ndarray, scores: np.ndarray) -> SegmentationResult:
    """Measure (n, height, width) classes against (n, 4, height, width) uint8 scores."""
    split = Split(torch.from_numpy(scores), torch.from_numpy(truth), [f"picture {n}" for n in range(len(truth))])
    preprocessing = ImagePreprocessing(4, *truth.shape[1:], (0.0,) * 4, (1.0,) * 4)
    dataset = Dataset("made", "pictures", "segmentation", split, split, split, preprocessing, classes=NAMES)
    result = measure(EvaluationInput(FirstChannels(), Segmentation(NAMES), preprocessing, split, lambda: dataset))
    assert isinstance(result, SegmentationResult)
    return result


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_figures_agree_with_scikit_learn(seed: int, classes: int) -> None:
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, classes, (5, 6, 7), dtype=np.uint8)
    truth[chance.random(truth.shape) < 0.1] = UNLABELLED
    truth[0, 0, 0] = 0
    scores = chance.permuted(np.tile(np.arange(4, dtype=np.uint8) * 60, (5, 6, 7, 1)), axis=-1).transpose(0, 3, 1, 2)
    result = measured(truth, np.ascontiguousarray(scores))
    judged = truth != UNLABELLED
    t, g = truth[judged], scores.argmax(1)[judged]
    there = np.unique(t)
    assert result.pixels == judged.sum()
    assert np.array_equal(result.confusion, confusion_matrix(t, g, labels=range(4)))
    options = {"labels": range(4), "average": None, "zero_division": 0}
    for name, score in (("iou", jaccard_score), ("accuracy", recall_score), ("precision", precision_score)):
        assert [getattr(one, name) for one in result.classes] == pytest.approx(score(t, g, **options))
    constant = np.full_like(t, np.bincount(t).argmax())
    for value, given_classes in ((result.mean_iou, g), (result.baseline_iou, constant)):
        assert value == pytest.approx(jaccard_score(t, given_classes, labels=there, average="macro", zero_division=0))
    assert result.baseline == pytest.approx((t == constant).mean())
    wrong = ((scores.argmax(1) != truth) & judged).sum((1, 2)) / judged.sum((1, 2)).clip(1)
    assert [one.wrong for one in result.worst] == pytest.approx(sorted(wrong[wrong > 0], reverse=True))
    assert result_from_json(result.to_json()) == result


def test_the_loss_is_the_mean_over_pixels_that_were_judged() -> None:
    truth = np.array([[[0, 1, UNLABELLED]]], np.uint8)
    scores = np.zeros((1, 4, 1, 3), np.uint8)
    assert measured(truth, scores).loss == pytest.approx(np.log(4))


def test_a_network_no_better_than_one_class_is_warned_of_and_a_hard_class_is_named() -> None:
    truth = np.zeros((2, 4, 4), np.uint8)
    truth[:, 0, 0] = 1
    scores = np.zeros((2, 4, 4, 4), np.uint8)
    scores[:, 0] = 200
    found = list(measured(truth, scores).notices())
    assert [notice.severity for notice in found] == ["warning", "info"]
    assert "no more than if all pixels were called the commonest class" in found[0].text
    assert "‘land’ is hard: 0 % of its pixels are found" in found[1].text


def test_the_sentence_names_figures_and_what_one_class_alone_would_reach() -> None:
    truth = np.array([[[0, 0, 0, 1]]], np.uint8)
    scores = np.zeros((1, 4, 1, 4), np.uint8)
    scores[0, 0, 0, :2], scores[0, 1, 0, 2:] = 9, 9
    result = measured(truth, scores)
    assert result.sentence("1 unseen test image") == (
        "It reaches a mean IoU of 58.3 % and a pixel accuracy of 75 % on 1 unseen test image "
        "(predicting ‘sea’ everywhere: 37.5 % and 75 %)."
    )


# -- colours ------------------------------------------------------------------------------------------------


def test_every_class_has_a_colour_of_its_own() -> None:
    colours = class_colours(60).astype(int)
    apart = np.abs(colours[:, None] - colours[None]).sum(-1) + 999 * np.eye(60, dtype=int)
    assert apart.min() > 8
    assert np.array_equal(class_colours(3), colours[:3])


def test_unjudged_pixels_are_grey_in_a_mask_and_plain_in_an_overlay() -> None:
    mask = np.array([[0, 1, UNLABELLED]], np.uint8)
    picture = np.full((1, 3, 3), 200, np.uint8)
    assert generated(mask, 2)[0].tolist() == [*class_colours(2).tolist(), [128, 128, 128]]
    assert laid_over(picture, mask, 2, 0.5)[0, 2].tolist() == [200] * 3
    assert laid_over(picture, mask, 2, 1.0)[0, :2].tolist() == class_colours(2).tolist()


@pytest.mark.parametrize("width", [20, 200, 700])
def test_a_legend_shows_each_colour_below_the_picture_and_fits_the_page(width: int) -> None:
    entries = [(f"a class with a long name {number}", number) for number in range(5)]
    page = with_legend(np.zeros((30, width, 3), np.uint8), entries, 5)
    assert isinstance(page, Image.Image)
    pixels = np.asarray(page)
    assert not pixels[:30, :width].any()
    below = {tuple(colour) for colour in pixels[30:].reshape(-1, 3).tolist()}
    assert {tuple(colour) for colour in class_colours(5).tolist()} <= below
    edge = pixels[30:, -1].astype(int)
    assert (edge == edge[0]).all()  # no letter runs into the margin


def test_a_legend_grows_with_its_picture() -> None:
    small, large = (with_legend(np.zeros((side, side, 3), np.uint8), [("sea", 0)], 2) for side in (300, 3000))
    assert large.height - 3000 > 3 * (small.height - 300)
