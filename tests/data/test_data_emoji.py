"""Emoji: read from an archive of the package's layout, and the real ones where they can be had."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from layerwise.data.sources.emoji import FOLDER, LIST, Emoji, emoji, make_images, on_white, read_emoji
from layerwise.errors import DataError, UnavailableError


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def entry(name: str, image: str) -> dict[str, str]:
    return {"name": name, "image": image, "category": "Food & Drink", "subcategory": "food-vegetable"}


def write_archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            information = tarfile.TarInfo(name)
            information.size = len(content)
            archive.addfile(information, io.BytesIO(content))
    return path


def test_emoji_come_with_name_category_and_alpha_in_the_order_of_the_list(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    listed = json.dumps([entry("GARLIC", "b.png"), entry("ONION", "a.png"), entry("NOT DRAWN", "c.png")]).encode()
    files = {LIST: listed, FOLDER + "a.png": png(255 - pixels), FOLDER + "b.png": png(pixels)}
    found = read_emoji(write_archive(tmp_path / "emoji.tgz", files))
    assert [one.name for one in found] == ["garlic", "onion"]
    assert (found[0].category, found[0].subcategory) == ("Food & Drink", "food-vegetable")
    assert np.array_equal(found[0].pixels, pixels)
    assert np.array_equal(found[1].pixels, 255 - pixels)


def test_emoji_become_pictures_of_half_the_side_on_white_and_every_fifth_is_for_testing():
    draw = np.random.default_rng(0)
    found = [
        Emoji(
            f"name {number}", ("Objects", "Flags")[number % 2], "", draw.integers(0, 256, (64, 64, 4), dtype=np.uint8)
        )
        for number in range(11)
    ]
    raw = make_images(found)
    assert raw.classes == ("Flags", "Objects")
    assert raw.test is not None
    assert list(raw.test.ids) == ["name 4", "name 9"]
    assert raw.test.targets.tolist() == [1, 0]
    assert len(raw.train) == 9
    expected = on_white(found[4].pixels).reshape(32, 2, 32, 2, 3).mean((1, 3))
    got = raw.test.inputs[torch.tensor([0])][0].permute(1, 2, 0).numpy()
    assert np.abs(got - expected).max() <= 0.5


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"package/readme": b""}, "holds no package/emoji.json"),
        ({LIST: json.dumps([entry("GARLIC", "a.png")]).encode()}, "holds no pictures under package/img/twitter/64/"),
        (
            {
                LIST: json.dumps([entry("GARLIC", "a.png")]).encode(),
                FOLDER + "a.png": png(np.zeros((32, 64, 4), np.uint8)),
            },
            r"a.png is of shape \(32, 64, 4\), expected 64x64 pixels",
        ),
    ],
)
def test_an_archive_of_another_layout_is_refused(files: dict[str, bytes], complaint: str, tmp_path: Path):
    with pytest.raises(DataError, match=complaint):
        read_emoji(write_archive(tmp_path / "emoji.tgz", files))


def test_laid_on_white_what_is_clear_is_white_and_what_is_opaque_stays():
    pixels = np.array([[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 255, 128]], np.uint8)
    assert on_white(pixels).tolist() == [[10, 20, 30], [255, 255, 255], [127, 177, 255]]


@pytest.mark.network
def test_the_real_emoji_are_1911_with_clear_corners_and_opaque_middles():
    try:
        found = emoji()
    except UnavailableError as error:
        pytest.skip(str(error))
    assert len(found) == 1911
    assert len({one.category for one in found}) == 10
    alpha = np.stack([one.pixels[..., 3] for one in found])
    assert (alpha[:, 0, 0] == 0).mean() > 0.9
    assert (alpha[:, 28:36, 28:36].mean((1, 2)) > 128).mean() > 0.8
