"""Pictures with masks: folders of them, land and sea cut from the earth, and things laid on photographs."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from layerwise.data.catalogue import SOURCES, load_raw
from layerwise.data.config import DataConfig
from layerwise.data.dataset import UNLABELLED, Dataset
from layerwise.data.images.mask_folders import list_starts
from layerwise.data.loading import load
from layerwise.data.raw import RawImages
from layerwise.data.sources import cut_outs, land_sea
from layerwise.data.sources.emoji import Emoji
from layerwise.errors import DataError, UnavailableError, UsageError

CLASSES = "field\nwood\nwater\n"


def write_pair(folder: Path, name: str, mask: np.ndarray, *, picture: np.ndarray | None = None) -> None:
    """Write a mask, and a picture whose red is ten times the class."""
    for side in ("pictures", "masks"):
        (folder / side).mkdir(parents=True, exist_ok=True)
    shown = np.stack([10 * np.minimum(mask, 20), *[np.full_like(mask, 7)] * 2], -1) if picture is None else picture
    Image.fromarray(shown).save(folder / "pictures" / f"{name}.png")
    Image.fromarray(mask).save(folder / "masks" / f"{name}.png")


def write_folder(folder: Path, count: int = 12, height: int = 20, width: int = 20) -> Path:
    chance = np.random.default_rng(0)
    for number in range(count):
        write_pair(folder, f"{number:02}", chance.integers(0, 3, (height, width), dtype=np.uint8))
    return folder


def splits_of(dataset: Dataset) -> list:
    return [dataset.train, dataset.valid, dataset.test]


# -- folders ------------------------------------------------------------------------------------------------


def test_a_folder_of_pictures_and_masks_is_read_with_its_classes(tmp_path: Path) -> None:
    (write_folder(tmp_path / "land") / "classes.txt").write_text(CLASSES)
    dataset = load(DataConfig(str(tmp_path / "land"), valid=0.2))
    assert (dataset.task, dataset.kind, dataset.output_count) == ("segmentation", "images", 3)
    assert dataset.classes == ("field", "wood", "water")
    assert [len(split) for split in splits_of(dataset)] == [8, 2, 2]
    for split in splits_of(dataset):
        assert torch.equal(split.inputs[:, 0], 10 * split.targets)  # each picture is with its own mask
        assert split.targets.dtype == torch.uint8
    assert sorted(name for split in splits_of(dataset) for name in split.ids) == [f"{n:02}" for n in range(12)]


def test_without_names_classes_are_called_by_their_numbers_and_palettes_are_numbers(tmp_path: Path) -> None:
    write_folder(tmp_path / "land", 5)
    with Image.open(tmp_path / "land" / "masks" / "00.png") as image:
        coloured = image.convert("P")
        coloured.putdata(list(image.get_flattened_data() if hasattr(image, "get_flattened_data") else image.getdata()))
    coloured.putpalette([9, 9, 9, 200, 0, 0, 0, 0, 200])
    coloured.save(tmp_path / "land" / "masks" / "00.png")
    dataset = load(DataConfig(str(tmp_path / "land")))
    assert dataset.classes == ("0", "1", "2")
    assert all(torch.equal(split.inputs[:, 0], 10 * split.targets) for split in splits_of(dataset))


def test_large_pictures_are_cut_into_tiles_of_one_split(tmp_path: Path) -> None:
    write_folder(tmp_path / "land", 10, 50, 33)
    dataset = load(DataConfig(str(tmp_path / "land"), image_size=20))
    assert dataset.input_shape == (3, 20, 20)
    pictures = [{name.partition(" at ")[0] for name in split.ids} for split in splits_of(dataset)]
    assert [len(names) for names in pictures] == [7, 1, 2]
    assert len(set.union(*pictures)) == 10
    assert len(dataset.train) == 7 * 6
    assert {name.partition(" at ")[2] for name in dataset.train.ids} == {
        f"{left}, {top}" for top in (0, 20, 30) for left in (0, 13)
    }
    assert any("cut into tiles of 20x20 pixels" in notice.text for notice in dataset.notices)


def test_a_picture_smaller_than_a_tile_is_framed_by_what_nobody_has_judged(tmp_path: Path) -> None:
    write_folder(tmp_path / "land", 6, 10, 12)
    dataset = load(DataConfig(str(tmp_path / "land"), image_size=16))
    masks = dataset.train.targets
    assert masks.shape[1:] == (16, 16)
    assert (masks[:, 10:] == UNLABELLED).all()
    assert (masks[:, :, 12:] == UNLABELLED).all()
    assert (masks[:, :10, :12] != UNLABELLED).all()


@given(st.integers(1, 300), st.integers(1, 300))
def test_tiles_cover_a_side_and_stay_in_it(size: int, side: int) -> None:
    side = min(size, side)
    found = list_starts(size, side)
    assert found[0] == 0
    assert set(range(size)) == {place for start in found for place in range(start, start + side)}


def spoil(folder: Path, how: str) -> None:
    pictures, masks = folder / "pictures", folder / "masks"
    grey = np.zeros((20, 20), np.uint8)
    if how == "missing mask":
        (masks / "03.png").unlink()
    elif how == "missing picture":
        (pictures / "04.png").unlink()
    elif how == "size":
        Image.fromarray(grey[:, :19]).save(masks / "05.png")
    elif how == "class":
        grey[3, 7] = 3
        Image.fromarray(grey).save(masks / "06.png")
    elif how == "colour":
        Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(masks / "07.png")
    elif how == "lossy":
        (masks / "08.png").unlink()
        Image.fromarray(grey).save(masks / "08.jpg")
    elif how == "deep":
        Image.fromarray(np.full((20, 20), 300, np.uint16)).save(masks / "09.png")
    elif how == "black and white":
        for path in masks.iterdir():
            Image.fromarray(np.where(np.array(Image.open(path)) > 0, 255, 0).astype(np.uint8)).save(path)
    elif how == "other names":
        for path in list(masks.iterdir()):
            path.rename(masks / f"{path.stem}_mask.png")
    elif how == "one class":
        for path in masks.iterdir():
            Image.fromarray(grey).save(path)
    elif how == "no masks":
        for path in masks.iterdir():
            path.unlink()
        masks.rmdir()
    elif how == "named twice":
        (folder / "classes.txt").write_text("field\nwood\nfield\n")
    elif how == "damaged":
        (masks / "01.png").write_bytes(b"no picture")


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        (
            "missing mask",
            r"masks holds no mask for the picture '03'; add one of the same name, or take the picture out",
        ),
        (
            "missing picture",
            r"pictures holds no picture for the mask '04'; add one of the same name, or take the mask out",
        ),
        ("size", r"05.png is of 20x19 pixels, and its picture 05.png of 20x20; make a mask of the picture's size"),
        ("class", r"06.png: row 4, column 8 is of class 3, and .*classes.txt names classes 0 to 2"),
        ("colour", r"07.png is in colour \(RGB\); a mask holds one class number a pixel"),
        ("lossy", r"08.jpg is a JPEG, which blurs class numbers; save masks as PNG"),
        ("deep", r"09.png holds the value 300; class numbers go from 0 to 254"),
        ("black and white", "hold 0 and 255 alone, and 255 is no class but .* nobody has judged; write 1 in its place"),
        ("other names", r"no mask for the picture '00' and 11 more; call '00_mask' as it, or take"),
        ("one class", r"hold class 0 alone; at least two are needed to learn, numbered from 0, where 255"),
        ("no masks", r"holds no folder masks/; put a mask of the same name beside each picture"),
        ("named twice", r"classes.txt names a class twice"),
        ("damaged", r"01.png is named as PNG and holds no picture"),
    ],
)
def test_a_folder_that_cannot_be_learned_from_is_refused_in_one_sentence(
    how: str, complaint: str, tmp_path: Path
) -> None:
    (write_folder(tmp_path / "land") / "classes.txt").write_text(CLASSES)
    spoil(tmp_path / "land", how)
    with pytest.raises(DataError, match=complaint):
        load(DataConfig(str(tmp_path / "land")))


def test_classes_that_no_pixel_is_of_are_told(tmp_path: Path) -> None:
    (write_folder(tmp_path / "land") / "classes.txt").write_text(CLASSES + "lake\nswamp\n")
    warned = [one.text for one in load(DataConfig(str(tmp_path / "land"))).notices if one.severity == "warning"]
    assert any("No pixel is of 2 of the 5 classes ('lake', 'swamp')" in text for text in warned)


@pytest.mark.parametrize("start", ["\ufeff".encode(), b""])
def test_names_of_classes_may_be_written_by_old_editors(tmp_path: Path, start: bytes) -> None:
    folder = write_folder(tmp_path / "land")
    (folder / "classes.txt").write_bytes(start + "Wüste\r\nWald\r\nMoor\r\n".encode("utf-8" if start else "latin-1"))
    assert load(DataConfig(str(folder))).classes == ("Wüste", "Wald", "Moor")


# -- land and sea -------------------------------------------------------------------------------------------


def small_earth() -> tuple[np.ndarray, np.ndarray]:
    """An earth of 10x20 tiles whose pixels tell where they are, half of it coast."""
    chance = np.random.default_rng(0)
    picture = np.zeros((3, 600, 1200), np.uint8)
    picture[0], picture[1] = np.arange(600)[:, None] // 60, np.arange(1200) // 60
    mask = (chance.random((600, 1200)) < 0.5).astype(np.uint8)
    mask[:, 600:] = 0
    picture[2] = mask
    return picture, mask


def test_tiles_of_coasts_and_a_tenth_of_the_others_are_kept_each_with_its_own_mask() -> None:
    raw = land_sea.cut_tiles(*small_earth(), "made")
    parts = [raw.train, raw.valid, raw.test]
    rows, columns = (torch.cat([part.inputs[:, channel, 0, 0] for part in parts]).tolist() for channel in (0, 1))
    kept = set(zip(rows, columns, strict=True))
    assert len(kept) == sum(map(len, parts)) == 100 + 10
    assert {(row, column) for row in range(10) for column in range(10)} <= kept
    assert all(torch.equal(part.inputs[:, 2], part.targets) for part in parts)
    assert all((part.inputs == part.inputs[..., :1, :1])[:, :2].all() for part in parts)  # no tile is of two places
    first = raw.train.ids[0], int(raw.train.inputs[0, 0, 0, 0]), int(raw.train.inputs[0, 1, 0, 0])
    row, column = first[1:]
    assert first[0] == f"{abs(90 - 18 * row)}°{'NS'[90 - 18 * row < 0]} {abs(180 - 18 * column)}°W"


def test_blocks_of_the_earth_are_of_one_split_and_every_fifth_is_for_testing() -> None:
    picture, mask = small_earth()
    raw = land_sea.cut_tiles(picture, np.concatenate([mask[:, :600]] * 2, 1), "made")  # coast all around
    blocks: dict[tuple[int, int], set[str]] = {}
    for name, part in (("train", raw.train), ("valid", raw.valid), ("test", raw.test)):
        for row, column in part.inputs[:, :2, 0, 0].tolist():
            blocks.setdefault((row // 5, column // 5), set()).add(name)
    assert all(len(names) == 1 for names in blocks.values())
    found = [next(iter(names)) for names in blocks.values()]
    assert (found.count("test"), found.count("valid")) == (2, 1)


def test_a_pixel_is_the_cell_that_its_middle_is_in() -> None:
    cells = np.arange(16, dtype=np.uint8)[None].repeat(8, 0) + 16 * np.arange(8, dtype=np.uint8)[:, None]
    pixels = land_sea.nearest_cells(cells, (5, 10))
    middles = [[int((row + 0.5) * 1.6) * 16 + int((column + 0.5) * 1.6) for column in range(10)] for row in range(5)]
    assert pixels.tolist() == middles


def test_a_mask_is_turned_north_up_and_one_of_another_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mask.bin"
    path.write_bytes(gzip.compress(bytes([0, 0, 0, 1, 1, 2])))
    assert land_sea.read_mask(path, (2, 3)).tolist() == [[1, 1, 2], [0, 0, 0]]
    with pytest.raises(DataError, match="no mask of 3x3 cells of 0, 1 and 2"):
        land_sea.read_mask(path, (3, 3))
    path.write_bytes(gzip.compress(bytes([0, 0, 0, 1, 1, 3])))
    with pytest.raises(DataError, match="no mask of 2x3 cells"):
        land_sea.read_mask(path, (2, 3))
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="is damaged"):
        land_sea.read_mask(path)


# -- cut-outs -----------------------------------------------------------------------------------------------


def disc(colour: tuple[int, int, int]) -> np.ndarray:
    y, x = np.mgrid[:64, :64] - 31.5
    alpha = np.where(x**2 + y**2 <= 30**2, 255, 0)
    return np.dstack([np.full((64, 64, 3), colour), alpha]).astype(np.uint8)


def thing(colour: tuple[int, int, int], subcategory: str) -> Emoji:
    return Emoji("thing", "Things", subcategory, disc(colour))


def test_a_mask_is_where_the_thing_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_outs, "MOST_OBJECTS", 1)
    grounds = [np.zeros((80, 90, 3), np.uint8)]
    things = [(thing((255, 0, 0), "face-smiling"), 1), (thing((0, 255, 0), "animal-bug"), 2)]
    split = cut_outs.paste(grounds, things, 40, np.random.default_rng(3))
    red, green = split.inputs[:, 0].int(), split.inputs[:, 1].int()
    assert torch.equal(split.targets == 1, red >= 128)
    assert torch.equal(split.targets == 2, green >= 128)
    assert {1, 2} <= set(split.targets.unique().tolist())


def test_what_is_laid_last_lies_on_top() -> None:
    picture, mask = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
    for number, colour in ((1, (255, 0, 0)), (2, (0, 255, 0))):
        cut_outs.lay(picture, mask, disc(colour), number, np.random.default_rng(0))
    assert picture[32, 32].tolist() == [0, 255, 0]
    assert set(np.unique(mask)) == {0, 2}


def test_cut_outs_are_the_same_for_one_seed_and_others_for_another() -> None:
    grounds, things = [np.zeros((64, 64, 3), np.uint8)], [(thing((9, 99, 200), "food-fruit"), 3)]
    one, again, other = (cut_outs.paste(grounds, things, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.inputs, again.inputs)
    assert torch.equal(one.targets, again.targets)
    assert not torch.equal(one.targets, other.targets)


def test_no_thing_is_in_two_splits_and_classes_follow_the_subcategories() -> None:
    things = [(thing((number, 0, 0), "face-smiling"), 1) for number in range(50)]
    colours = [
        {int(one.pixels[32, 32, 0]) for one, _ in cut_outs.choose_objects(part, things)}
        for part in ("train", "valid", "test")
    ]
    assert [len(part) for part in colours] == [35, 5, 10]
    assert len(set.union(*colours)) == 50
    names = {
        subcategory: cut_outs.CLASSES[cut_outs.find_class(thing((0, 0, 0), subcategory))]
        for subcategory in ("cat-face", "animal-bird", "food-asian", "transport-air", "transport-sign", "heart")
    }
    assert list(names.values()) == ["face", "animal", "food", "traffic", "background", "background"]


# -- the real ones ------------------------------------------------------------------------------------------


@pytest.mark.network
@pytest.mark.parametrize("name", ["land-sea", "cut-outs"])
def test_the_real_set_is_what_the_catalogue_says(name: str) -> None:
    try:
        raw = load_raw(name)
    except UnavailableError as error:
        pytest.skip(str(error))
    source = SOURCES[name]
    assert isinstance(raw, RawImages)
    assert raw.valid
    assert raw.test
    assert (len(raw.train), len(raw.test)) == source.sizes
    assert source.task == raw.task == "segmentation"
    parts = (raw.train, raw.valid, raw.test)
    for part in parts:
        assert part.inputs.shape[2:] == part.targets.shape[1:]
        assert set(part.targets.unique().tolist()) == set(range(len(raw.classes)))
    if name == "land-sea":
        train = raw.train
        blue, red = (train.inputs[:, channel].float() for channel in (2, 0))
        sea = train.targets == 0
        assert (blue - red)[sea].mean() > 20 + (blue - red)[~sea].mean()  # the sea is where it is blue


def test_the_scale_of_a_named_set_of_masks_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = land_sea.cut_tiles(*small_earth(), "made")
    monkeypatch.setattr("layerwise.data.loading.load_raw", lambda *_: raw)
    assert load(DataConfig("land-sea")).input_shape == (3, 60, 60)
    with pytest.raises(UsageError, match="`image_size` cannot be used for land-sea: its masks would no longer match"):
        load(DataConfig("land-sea", image_size=32))
