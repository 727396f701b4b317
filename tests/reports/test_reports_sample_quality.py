"""Grids, films, maps of codes, and how like real pictures generated ones are."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from layerwise.data.dataset import Dataset, Split
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.reports import feature_network
from layerwise.reports.grids import grid_files, grid_name, picture_grid, sample_grids, to_gif, to_png
from layerwise.reports.latent import apart, latent_map, two_directions
from layerwise.reports.sample_quality import SampleQuality, measure_sample_quality, nearest_pictures

CHANCE = np.random.default_rng(0)


def pixels(count: int, height: int = 4, width: int = 6) -> list[Any]:
    return list(CHANCE.integers(0, 256, (count, height, width, 3), dtype=np.uint8))


def two_kinds(seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Noisy pictures of 8x8, the left or the right half light."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    light = torch.zeros(count, 1, 8, 8)
    light[labels == 0, :, :, :4] = 1
    light[labels == 1, :, :, 4:] = 1
    noise = torch.rand(count, 1, 8, 8, generator=generator)
    return (light * 160 + noise * 90).byte(), labels


def halves() -> Dataset:
    splits = [Split(*two_kinds(seed, count), [str(n) for n in range(count)]) for seed, count in ((1, 200), (2, 120))]
    return Dataset(
        *("halves", "pictures", "classification"),
        train=splits[0],
        valid=splits[1],
        test=splits[1],
        preprocessing=ImagePreprocessing.fit(splits[0].inputs),
        classes=("left", "right"),
    )


@pytest.fixture(scope="module", autouse=True)
def _judges_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the judges of these pictures out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAYERWISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def real_likeness() -> SampleQuality:
    """Other pictures of the same two kinds, told as generated ones."""
    dataset = halves()
    return measure_sample_quality(lambda count: two_kinds(3, count)[0], dataset, dataset.test)


def test_a_grid_holds_each_picture_once_in_its_place() -> None:
    shown = pixels(5)
    grid = picture_grid(shown, 2, shown_px=12)  # twice as large, 2 pixels apart
    assert grid.shape == (3 * 8 + 2 * 2, 2 * 12 + 2, 3)
    for number, picture in enumerate(shown):
        top, left = number // 2 * 10, number % 2 * 14
        assert np.array_equal(grid[top : top + 8 : 2, left : left + 12 : 2], picture)
    assert (grid[20:, 14:] == 255).all()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(to_png(grid)))), grid)


def test_a_film_shows_every_frame_and_the_last_one_for_long() -> None:
    with Image.open(io.BytesIO(to_gif(pixels(4), 100, 900))) as film:
        assert film.n_frames == 4  # type: ignore[attr-defined]
        assert film.info["duration"] == 100
        film.seek(3)
        assert film.info["duration"] == 900


def test_the_first_and_the_last_grid_are_among_those_shown(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    steps = [0, 5, 90, 1000, 10_000_000, 99, 40, 7]
    for step in steps:
        (tmp_path / "samples" / grid_name(step // 10, step)).write_bytes(to_png(pixels(1)[0]))
    assert [int(file.stem[-7:].lstrip("-")) for file in grid_files(tmp_path)][:4] == [0, 5, 7, 40]
    titles = [title for title, _ in sample_grids(tmp_path, 3)]
    assert len(titles) == 3
    assert (titles[0], titles[-1]) == ("after 0 steps", "after 10,000,000 steps")
    assert sample_grids(tmp_path / "nowhere") == []


def test_a_map_shows_the_two_directions_of_most_variance() -> None:
    codes = CHANCE.normal(size=(50, 5)).astype(np.float32) * [1, 9, 1, 4, 1]
    places = two_directions(codes)
    singular = np.linalg.svd(codes - codes.mean(0), compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(places, axis=0), singular[:2], rtol=1e-5)
    assert two_directions(codes[:, :1]).shape == (50, 2)
    figure = latent_map(codes, [n % 3 for n in range(50)], ("a", "b", "c"), pixels(50))
    [axes] = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b", "c"]  # type: ignore[union-attr]
    assert len(axes.images) > 3


def test_pictures_on_a_map_do_not_cover_one_another() -> None:
    places = CHANCE.uniform(size=(60, 2))
    kept = apart(places, 0.2)
    gaps = np.abs(places[kept][:, None] - places[kept][None]).max(2) + np.eye(len(kept))
    assert gaps.min() >= 0.2
    assert all(any(np.abs(places[one] - places[other]).max() < 0.2 for other in kept) for one in range(60))


def test_pictures_of_the_same_kinds_are_as_far_as_the_halves_of_the_real_ones(real_likeness: SampleQuality) -> None:
    assert real_likeness.count == 60
    assert real_likeness.feature_network_accuracy == 1
    assert real_likeness.frechet < 3 * real_likeness.frechet_real
    assert real_likeness.nearest == pytest.approx(real_likeness.nearest_real, rel=0.1)
    assert real_likeness.shares == real_likeness.shares_real == (0.5, 0.5)
    assert list(real_likeness.notices()) == []
    assert SampleQuality.from_json(json.loads(json.dumps(asdict(real_likeness)))) == real_likeness


def test_grey_pictures_are_far_from_real_ones_and_copies_and_lacks_are_told(real_likeness: SampleQuality) -> None:
    dataset = halves()
    grey = measure_sample_quality(
        lambda count: torch.full((count, 1, 8, 8), 90, dtype=torch.uint8), dataset, dataset.test
    )
    assert grey.frechet > 10 * grey.frechet_real
    assert grey.kernel > 10 * abs(grey.kernel_real)
    [lack] = grey.notices()
    assert any(f"It rarely generates {name}:" in lack.text for name in dataset.classes)
    copied = measure_sample_quality(lambda count: dataset.train.inputs[torch.arange(count)], dataset, dataset.test)
    assert copied.nearest == 0
    [copy] = copied.notices()
    assert "by heart" in copy.text
    assert list(replace(copied, nearest=copied.nearest_real).notices()) == []


def test_the_nearest_pictures_are_measured_on_the_scale_of_light() -> None:
    pictures, training = torch.zeros(1, 1, 2, 2), torch.tensor([255.0, 51.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    lengths, places = nearest_pictures(pictures.byte(), training.byte())
    assert lengths.tolist() == pytest.approx([0.2])
    assert places.tolist() == [1]


def test_a_judge_is_trained_once_and_alike_and_leaves_chance_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = feature_network.load_feature_network(halves())
    assert torch.equal(torch.random.get_rng_state(), before)
    shown = two_kinds(4, 10)[0]
    features, given = first.features(shown)
    assert given.tolist() == [0, 1] * 5
    assert features.shape == (10, 128)
    output: Any = first.network.get_submodule("output")
    assert torch.equal(output(features).argmax(1), given)

    def refuse(*_: Any) -> Any:
        raise AssertionError("it was to come from the cache")

    with monkeypatch.context() as patch:
        patch.setattr(feature_network, "train", refuse)
        assert torch.equal(feature_network.load_feature_network(halves()).features(shown)[0], features)
        with pytest.raises(AssertionError, match="from the cache"):
            feature_network.load_feature_network(replace(halves(), train=halves().test))
