"""Picture files of every kind become the same 8-bit values, or are refused by name; preprocessing is exact."""

from __future__ import annotations

import io
import json
import struct
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from layerwise.data.dataset import Preprocessing
from layerwise.data.images.files import PIXEL_LIMIT, read_header, read_picture
from layerwise.data.images.folders import FolderPictures
from layerwise.data.images.preprocessing import ImagePreprocessing
from layerwise.errors import DataError, NotFoundError

Picture = NDArray[np.uint8]
LOSSLESS = (".png", ".bmp", ".tif", ".tiff", ".ppm", ".gif")
TURNS = {  # EXIF 2.3, tag 274: where the stored first row and column are shown
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, 1),
}


def noise(*shape: int, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int, width: int) -> Picture:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([y * 255 // height, x * 255 // width, (x + y) * 127 // (height + width)], -1).astype(np.uint8)


def save(path: Path, values: NDArray[np.generic], **options: object) -> Path:
    Image.fromarray(values).save(path, **options)
    return path


def png(width: int, height: int, depth: int = 8, colour: int = 2, data: bytes = b"") -> bytes:
    """Return a PNG by hand: its header may promise what its data does not hold."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_grey_values_come_back_bit_by_bit(suffix: str, tmp_path: Path):
    values = noise(5, 7)
    assert (read_picture(save(tmp_path / f"a{suffix}", values), 1) == values).all()


@pytest.mark.parametrize("suffix", [suffix for suffix in LOSSLESS if suffix != ".gif"])
def test_colours_come_back_bit_by_bit_with_channels_first(suffix: str, tmp_path: Path):
    values = noise(5, 7, 3)
    assert (read_picture(save(tmp_path / f"a{suffix}", values), 3) == values.transpose(2, 0, 1)).all()


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_come_back_nearly(suffix: str, tmp_path: Path):
    values = smooth(32, 48)
    read = read_picture(save(tmp_path / f"a{suffix}", values, quality=95), 3)
    assert np.abs(read.astype(int) - values.transpose(2, 0, 1)).mean() < 3


@pytest.mark.parametrize("turn", TURNS)
def test_exif_turns_are_done(turn: int, tmp_path: Path):
    values = noise(5, 7, 3)
    exif = Image.Exif()
    exif[274] = turn
    path = save(tmp_path / "a.png", values, exif=exif)
    shown = TURNS[turn](values)
    assert (read_picture(path, 3) == shown.transpose(2, 0, 1)).all()
    header = read_header(path)
    assert (header.height, header.width) == shown.shape[:2]


def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path):
    values = np.array([[0, 128, 257, 32768, 65535]], np.uint16)
    for suffix in (".png", ".tif"):
        path = save(tmp_path / f"a{suffix}", values)
        assert read_picture(path, 1).tolist() == [[[0, 0, 1, 128, 255]]]
        assert read_header(path).is_grey


def test_16_bit_colour_is_scaled_not_clipped(tmp_path: Path):
    row = struct.pack(">B6H", 0, 0, 32768, 65535, 256, 257 * 100, 65535)
    (tmp_path / "a.png").write_bytes(png(2, 1, depth=16, data=row))
    read = read_picture(tmp_path / "a.png", 3)
    assert np.abs(read[:, 0].T.astype(int) - [[0, 128, 255], [1, 100, 255]]).max() <= 1


def test_floats_of_0_to_1_are_scaled_and_others_refused(tmp_path: Path):
    path = save(tmp_path / "a.tif", np.array([[0.0, 0.5, 1.0]], np.float32))
    assert read_picture(path, 1).tolist() == [[[0, 128, 255]]]
    with pytest.raises(DataError, match="values outside 0 to 1"):
        read_picture(save(tmp_path / "b.tif", np.array([[2.0]], np.float32)), 1)


def test_cmyk_becomes_rgb(tmp_path: Path):
    inks = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    inks.save(tmp_path / "a.jpg", quality=100)
    inks.save(tmp_path / "a.tif")
    for name in ("a.jpg", "a.tif"):
        cyan = read_picture(tmp_path / name, 3)[:, 8, 8]
        assert np.abs(cyan.astype(int) - [0, 255, 255]).max() <= 3


@settings(max_examples=50, deadline=None)
@given(colour=st.tuples(*[st.integers(0, 255)] * 4))
def test_alpha_is_composited_on_white(colour: tuple[int, ...], tmp_path_factory: pytest.TempPathFactory):
    path = save(tmp_path_factory.mktemp("alpha") / "a.png", np.array([[colour]], np.uint8))
    alpha = colour[3] / 255
    expected = [alpha * value + (1 - alpha) * 255 for value in colour[:3]]
    assert np.abs(read_picture(path, 3).flatten() - expected).max() <= 1


def test_transparent_grey_and_palettes_show_white(tmp_path: Path):
    grey = np.array([[[0, 0], [0, 255], [200, 0]]], np.uint8)
    assert read_picture(save(tmp_path / "la.png", grey), 1).tolist() == [[[255, 0, 255]]]
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putdata([0, 1])
    picture.save(tmp_path / "p.png", transparency=1)
    picture.save(tmp_path / "p.gif", transparency=1)
    for name in ("p.png", "p.gif"):
        assert read_picture(tmp_path / name, 3)[:, 0].T.tolist() == [[255, 0, 0], [255, 255, 255]]
    Image.new("1", (1, 1), 1).save(tmp_path / "one.png")
    assert read_picture(tmp_path / "one.png", 1).tolist() == [[[255]]]


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_of_an_animation_the_first_frame_is_taken(suffix: str, tmp_path: Path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:])
    assert read_header(tmp_path / f"a{suffix}").is_animated
    assert np.abs(read_picture(tmp_path / f"a{suffix}", 3)[:, 4, 4].astype(int) - [255, 0, 0]).max() <= 2


@pytest.mark.parametrize("suffix", [*LOSSLESS, ".jpg", ".webp"])
def test_a_picture_of_one_pixel_works(suffix: str, tmp_path: Path):
    path = save(tmp_path / f"a{suffix}", np.full((1, 1, 3), 100, np.uint8))
    assert np.abs(read_picture(path, 3, (4, 4)).astype(int) - 100).max() <= 2


@settings(max_examples=60, deadline=None)
@given(sides=st.tuples(*[st.integers(1, 60)] * 4), channels=st.sampled_from([1, 3]))
def test_any_size_is_brought_to_any_size_and_a_flat_picture_stays_flat(
    sides: tuple[int, ...], channels: int, tmp_path_factory: pytest.TempPathFactory
):
    path = save(tmp_path_factory.mktemp("flat") / "a.png", np.full((*sides[:2], 3), 77, np.uint8))
    read = read_picture(path, channels, sides[2:])
    assert read.shape == (channels, *sides[2:])
    assert (read == 77).all()


def test_the_centre_is_cut_out_and_fine_patterns_are_averaged(tmp_path: Path):
    values = np.zeros((40, 120), np.uint8)
    values[:, 40:80] = np.indices((40, 40)).sum(0) % 2 * 255  # a checkerboard between two black sides
    read = read_picture(save(tmp_path / "a.png", values), 1, (10, 10))
    assert np.abs(read[0, :, 2:-2].astype(int) - 128).max() <= 4
    jpeg = read_picture(save(tmp_path / "b.jpg", smooth(800, 800), quality=95), 3, (50, 50))
    whole = read_picture(save(tmp_path / "b.png", smooth(800, 800)), 3, (50, 50))
    assert np.abs(jpeg.astype(int) - whole).mean() < 2


@pytest.mark.parametrize("side", [50_000, 10_000])
def test_a_huge_picture_is_refused_from_its_header(side: int, tmp_path: Path):
    assert side * side > PIXEL_LIMIT
    (tmp_path / "huge.png").write_bytes(png(side, side, data=bytes(1000)))
    begin = time.monotonic()
    with pytest.raises(DataError, match=r"huge\.png has more than 89,478,485 pixels by its header"):
        read_picture(tmp_path / "huge.png", 3)
    assert time.monotonic() - begin < 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".ppm", ".webp", ".gif"])
def test_a_truncated_picture_is_refused_by_name(suffix: str, tmp_path: Path):
    path = save(tmp_path / f"cut{suffix}", noise(64, 64, 3))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"cut\{suffix} (is truncated or damaged|holds no|is named)"):
        read_picture(path, 3)


def disguises() -> dict[str, bytes]:
    zipped, pictured = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a", "a")
    Image.new("RGB", (4, 4)).save(pictured, "PNG")
    return {
        "zip.png": zipped.getvalue(),
        "svg.png": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "text.jpg": b"hello",
        "empty.gif": b"",
        "nul.bmp": bytes(100),
        "page.webp": b"<!doctype html>",
        "postscript.tif": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "png.jpg": pictured.getvalue(),
    }


@pytest.mark.parametrize("name", disguises())
def test_a_disguised_file_is_refused_by_name(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(disguises()[name])
    with pytest.raises(DataError, match=rf"{name} is named as .* (holds no picture|is PNG inside)"):
        read_picture(tmp_path / name, 3)


def test_a_missing_file_and_one_of_another_kind_are_named(tmp_path: Path):
    save(tmp_path / "cat.png", noise(3, 3))
    with pytest.raises(NotFoundError, match=r"Did you mean 'cat\.png'"):
        read_picture(tmp_path / "cta.png", 1)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match=r"notes\.txt is no picture by its name"):
        read_picture(tmp_path / "notes.txt", 1)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_bytes_give_a_picture_or_a_typed_error(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory):
    suffix = data.draw(st.sampled_from([".png", ".jpg", ".gif", ".bmp", ".tif", ".webp", ".ppm"]))
    path = save(tmp_path_factory.mktemp("damaged") / f"a{suffix}", noise(9, 9, 3))
    content = bytearray(path.read_bytes())
    places = st.integers(0, min(len(content), 200) - 1)
    for position, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=5)):
        content[position] = value
    path.write_bytes(content)
    refusal = ""
    try:
        assert read_picture(path, 3, (8, 8)).shape == (3, 8, 8)
    except DataError as error:
        refusal = str(error)
    assert not refusal or (str(path) in refusal and "\n" not in refusal)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 99), count=st.integers(1, 40), channels=st.sampled_from([1, 3]))
def test_mean_and_deviation_are_those_of_numpy_in_any_order(seed: int, count: int, channels: int):
    values = noise(count, channels, 5, 4, seed=seed)
    fitted = ImagePreprocessing.fit(torch.from_numpy(values))
    scaled = values.astype(np.float64) / 255
    np.testing.assert_allclose(fitted.mean, scaled.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(fitted.std, scaled.std((0, 2, 3)), rtol=1e-9)
    assert ImagePreprocessing.fit(torch.from_numpy(values[::-1].copy())) == fitted


def test_rows_read_on_demand_are_fitted_as_those_in_memory(tmp_path: Path):
    values = noise(600, 1, 4, 4)
    files = tuple(save(tmp_path / f"{number}.png", picture[0]) for number, picture in enumerate(values))
    fitted = ImagePreprocessing.fit(torch.from_numpy(values))
    assert ImagePreprocessing.fit(FolderPictures(files, (1, 4, 4))) == fitted


def test_a_constant_channel_does_not_divide_by_zero():
    fitted = ImagePreprocessing.fit(torch.full((3, 1, 2, 2), 51, dtype=torch.uint8))
    assert (fitted.mean, fitted.std) == ((0.2,), (1.0,))


def test_prepared_pictures_have_mean_0_and_deviation_1_in_every_channel():
    pictures = torch.from_numpy(noise(100, 3, 8, 8) // np.array([1, 2, 3], np.uint8)[:, None, None])
    fitted = ImagePreprocessing.fit(pictures)
    prepared = fitted.transform(pictures)
    assert prepared.dtype == torch.float32
    assert prepared.mean((0, 2, 3)).abs().max() < 1e-5
    assert (prepared.std((0, 2, 3)) - 1).abs().max() < 1e-3
    assert torch.equal(prepared, fitted.normalise(fitted.to_float(pictures)))


def test_normalising_leaves_its_input_as_it_was():
    fitted = ImagePreprocessing(1, 2, 2, (0.5,), (0.25,))
    given_pictures = torch.rand(1, 1, 2, 2)
    kept = given_pictures.clone()
    fitted.normalise(given_pictures)
    assert torch.equal(given_pictures, kept)


def test_a_preprocessing_survives_json_and_keeps_the_contract():
    fitted = ImagePreprocessing.fit(torch.from_numpy(noise(10, 3, 4, 5)))
    restored = ImagePreprocessing.from_json(json.loads(json.dumps(fitted.to_json())))
    assert restored == fitted
    assert restored.input_shape == (3, 4, 5)
    assert isinstance(restored.kind, str)
    assert {name for name in vars(Preprocessing) if not name.startswith("_")} <= set(dir(restored)) | {"kind"}


def test_a_raw_colour_picture_is_read_for_a_grey_network_of_28x28(tmp_path: Path):
    path = save(tmp_path / "five.jpg", smooth(300, 400))
    pictures, ids = ImagePreprocessing(1, 28, 28, (0.1,), (0.3,)).read(path)
    assert (tuple(pictures.shape), pictures.dtype, ids) == ((1, 1, 28, 28), torch.uint8, ["five.jpg"])


def test_a_folder_is_read_with_its_subfolders_in_order(tmp_path: Path):
    (tmp_path / "b").mkdir()
    for number, name in enumerate(["c.png", "b/z.png", "a.png"]):
        save(tmp_path / name, np.full((4, 4), number, np.uint8))
    pictures, ids = ImagePreprocessing(1, 4, 4, (0.1,), (0.3,)).read(tmp_path)
    assert ids == ["a.png", "c.png", "b/z.png"]
    assert pictures[:, 0, 0, 0].tolist() == [2, 0, 1]


def test_reading_says_what_is_wrong(tmp_path: Path):
    preprocessing = ImagePreprocessing(1, 4, 4, (0.1,), (0.3,))
    with pytest.raises(DataError, match="holds no pictures"):
        preprocessing.read(tmp_path)
    with pytest.raises(NotFoundError, match="does not exist"):
        preprocessing.read(tmp_path / "none")
    (tmp_path / "bad.png").write_bytes(b"bad")
    with pytest.raises(DataError, match=r"bad\.png"):
        preprocessing.read(tmp_path)
