"""Folders of class folders: stable, complete, and clear about what is left out or cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from layerwise.data.dataset import Rows
from layerwise.data.images import folders
from layerwise.data.images.folders import FolderPictures, list_pictures, scan_folder
from layerwise.data.raw import RawImages
from layerwise.errors import DataError, NotFoundError, UsageError


def fill(folder: Path, count: int = 4, size: tuple[int, ...] = (8, 8, 3), suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(len(folder.name))
    for number in range(count):
        Image.fromarray(generator.integers(0, 256, size, np.uint8)).save(folder / f"{number}{suffix}")
    return folder


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def notices(raw: RawImages) -> str:
    return "\n".join(f"{notice.severity}: {notice.text}" for notice in raw.notices)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    fill(tmp_path / "pets" / "dogs")
    fill(tmp_path / "pets" / "cats", 5)
    return tmp_path / "pets"


def test_classes_ids_and_pictures_are_those_of_the_folder(pets: Path):
    raw = scan_folder(pets)
    assert raw.classes == ("cats", "dogs")
    assert list(raw.train.ids) == [f"cats/{n}.png" for n in range(5)] + [f"dogs/{n}.png" for n in range(4)]
    assert raw.train.targets.tolist() == [0] * 5 + [1] * 4
    assert (raw.valid, raw.test, raw.notices) == (None, None, ())
    stored = [np.asarray(Image.open(pets / name)).transpose(2, 0, 1) for name in raw.train.ids]
    assert torch.equal(raw.train.inputs, torch.from_numpy(np.stack(stored)))


def test_names_in_any_script_are_in_composed_form_and_sorted(tmp_path: Path):
    for name in ("猫", "собака", "cafe\u0301", "zebra"):
        fill(tmp_path / name, 3)
    raw = scan_folder(tmp_path)
    assert raw.classes == ("caf\u00e9", "zebra", "собака", "猫")
    assert raw.train.ids[0] == "caf\u00e9/0.png"


@pytest.mark.parametrize(("one", "other"), [("Cats", "cats"), ("caf\u00e9", "cafe\u0301"), ("stra\u00dfe", "STRASSE")])
def test_class_names_that_are_one_elsewhere_are_an_error_with_both(tmp_path: Path, one: str, other: str):
    for name in (one, other):
        fill(tmp_path / name)
    with pytest.raises(DataError, match="one name on other machines") as caught:
        scan_folder(tmp_path)
    assert ascii(one) in str(caught.value)
    assert ascii(other) in str(caught.value)


def test_file_names_that_are_one_elsewhere_are_an_error(pets: Path):
    for name in ("caf\u00e9.png", "cafe\u0301.png"):
        Image.new("RGB", (8, 8)).save(pets / "cats" / name)
    with pytest.raises(DataError, match="one name on other machines"):
        scan_folder(pets)


def test_a_name_that_is_no_utf_8_is_shown_and_read(pets: Path):
    odd = os.fsencode(pets / "cats") + b"/\xff.png"
    Image.new("RGB", (8, 8)).save(os.fsdecode(odd))
    raw = scan_folder(pets)
    assert "cats/\ufffd.png" in raw.train.ids
    "".join(raw.train.ids).encode()


def test_parts_of_their_own_are_kept(tmp_path: Path):
    for part, count in (("train", 6), ("val", 2), ("test", 3)):
        for name in ("cats", "dogs"):
            fill(tmp_path / part / name, count)
    raw = scan_folder(tmp_path)
    assert raw.valid
    assert raw.test
    assert [len(part) for part in (raw.train, raw.valid, raw.test)] == [12, 4, 6]
    assert raw.classes == ("cats", "dogs")
    assert raw.valid.ids[0] == "val/cats/0.png"


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (("train/a", "train/b", "test/a", "test/c"), "'c' is a class of test and not of train"),
        (("train/a", "train/b", "val/a", "valid/a"), "two for one part"),
        (("test/a", "test/b", "val/a"), "no train folder"),
        (("train/a", "train/b", "test/a", "labels"), "train beside 'labels'|test and train beside"),
        (("a",), "one class folder alone, 'a'"),
    ],
)
def test_folders_that_do_not_fit_together_are_refused(tmp_path: Path, paths: tuple[str, ...], reason: str):
    for path in paths:
        fill(tmp_path / path)
    with pytest.raises(DataError, match=reason):
        scan_folder(tmp_path)


def test_an_empty_test_folder_is_refused(pets: Path):
    pets.rename(pets.parent / "train")
    (pets.parent / "test").mkdir()
    with pytest.raises(DataError, match="the test folder holds no pictures"):
        scan_folder(pets.parent)


def test_a_class_with_too_few_pictures_is_named(pets: Path):
    fill(pets / "fish", 2)
    with pytest.raises(DataError, match="class 'fish' has 2 pictures that can be read; each class needs at least 3"):
        scan_folder(pets)
    (pets / "fish").rename(pets / "unused")
    for path in (pets / "unused").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="class 'unused' has 0 pictures"):
        scan_folder(pets)


def test_an_empty_folder_pictures_alone_and_other_files_have_their_own_sentence(tmp_path: Path):
    with pytest.raises(DataError, match="holds no pictures; put a folder for each class into it"):
        scan_folder(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DataError, match=r"only other files \(notes\.txt\)"):
        scan_folder(tmp_path)
    fill(tmp_path)
    with pytest.raises(DataError, match="holds pictures and no class folders"):
        scan_folder(tmp_path)
    with pytest.raises(NotFoundError, match="does not exist"):
        scan_folder(tmp_path / "none")
    with pytest.raises(DataError, match="is no folder"):
        scan_folder(tmp_path / "notes.txt")


def test_links_are_not_followed_and_said(pets: Path):
    (pets / "cats" / "link.png").symlink_to(pets / "dogs" / "0.png")
    (pets / "more").symlink_to(pets / "dogs")
    (pets / "cats" / "round").symlink_to(pets)
    raw = scan_folder(pets)
    assert len(raw.train) == 9
    assert "warning: 3 links are not followed: more, cats/link.png, cats/round." in notices(raw)
    with pytest.raises(DataError, match="nothing but links"):
        scan_folder(linked_only(pets))


def linked_only(pets: Path) -> Path:
    folder = pets.parent / "links"
    folder.mkdir()
    (folder / "cats").symlink_to(pets / "cats")
    return folder


def test_other_files_and_pictures_beside_are_said_and_hidden_ones_skipped(pets: Path):
    (pets / "cats" / "notes.txt").write_text("hello")
    (pets / "cats" / ".hidden.png").write_text("hello")
    fill(pets / ".thumbnails")
    Image.new("RGB", (8, 8)).save(pets / "cover.png")
    os.mkfifo(pets / "dogs" / "pipe.png")
    raw = scan_folder(pets)
    assert len(raw.train) == 9
    assert "warning: 1 picture lies beside the class folders and not in one, so left out: cover.png." in notices(raw)
    assert "info: 2 files are no pictures by name and left out: cats/notes.txt, dogs/pipe.png." in notices(raw)


def test_up_to_1_percent_of_unreadable_pictures_is_left_out_and_listed(tmp_path: Path):
    fill(tmp_path / "a", 150, (12, 12, 3))
    fill(tmp_path / "b", 150, (12, 12, 3))
    truncate(tmp_path / "a" / "7.png")
    (tmp_path / "b" / "3.png").write_text("no picture")
    raw = scan_folder(tmp_path)
    assert len(raw.train) == len(raw.train.inputs) == len(raw.train.targets) == 298
    assert not {"a/7.png", "b/3.png"} & set(raw.train.ids)
    stored = np.asarray(Image.open(tmp_path / raw.train.ids[7])).transpose(2, 0, 1)
    assert torch.equal(raw.train.inputs[7], torch.from_numpy(stored.copy()))
    assert "warning: 2 of 300 pictures are left out" in notices(raw)
    assert "3.png is named as PNG and holds no picture" in notices(raw)
    assert "7.png is truncated or damaged" in notices(raw)
    truncate(tmp_path / "a" / "8.png")
    truncate(tmp_path / "a" / "9.png")
    with pytest.raises(DataError, match=r"4 of 300 pictures cannot be read, more than 1%; the first: .*3\.png"):
        scan_folder(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp"])
def test_a_set_too_large_for_memory_is_decoded_on_demand_to_the_same_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
):
    fill(tmp_path / "a", 120, (30, 20, 3), suffix)
    fill(tmp_path / "b", 120, (30, 20, 3), suffix)
    truncate(tmp_path / "a" / f"5{suffix}")
    whole = scan_folder(tmp_path)
    monkeypatch.setattr(folders, "MEMORY_BUDGET", 1000)
    rows = scan_folder(tmp_path)
    assert isinstance(rows.train.inputs, Rows)
    assert isinstance(whole.train.inputs, torch.Tensor)
    assert not isinstance(rows.train.inputs, torch.Tensor)
    assert rows.train.ids == whole.train.ids
    assert "1 of 240 pictures are left out" in notices(rows)
    assert len(rows.train.inputs) == len(whole.train.inputs) == 239
    chosen = torch.tensor([7, 200, 0, 7])
    assert torch.equal(rows.train.inputs[chosen], whole.train.inputs[chosen])


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_any_number_of_workers_reads_the_same(pets: Path, workers: int):
    expected, found = scan_folder(pets, workers=3), scan_folder(pets, workers=workers)
    assert torch.equal(expected.train.inputs[:], found.train.inputs[:])
    rows = FolderPictures(tuple(path for path, _ in list_pictures(pets)), (3, 8, 8), workers)
    assert torch.equal(rows[torch.tensor([5, 1, 5])], expected.train.inputs[torch.tensor([5, 1, 5])])


def test_a_file_that_is_damaged_later_is_named(pets: Path):
    rows = FolderPictures(tuple(path for path, _ in list_pictures(pets)), (3, 8, 8))
    (pets / "cats" / "2.png").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"2\.png"):
        rows[torch.tensor([2])]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(20, 30)], (20, 30)),
        ([(64, 64)], (64, 64)),
        ([(65, 65)], (64, 64)),
        ([(20, 30), (30, 20)], (32, 32)),
        ([(1, 1), (2, 2)], (32, 32)),
        ([(100, 300), (500, 120)], (128, 128)),
        ([(400, 300)], (224, 224)),
    ],
)
def test_the_size_suits_the_pictures(tmp_path: Path, sizes: list[tuple[int, int]], expected: tuple[int, int]):
    for number, size in enumerate(sizes * 2):
        fill(tmp_path / f"class{'ab'[number % 2]}" / str(number), 3, size)
    for size in sizes:
        fill(tmp_path / "classa" / f"{size}", 3, size)
        fill(tmp_path / "classb" / f"{size}", 3, size)
    raw = scan_folder(tmp_path)
    assert tuple(raw.train.inputs[torch.arange(1)].shape[1:]) == (1, *expected)
    assert ("brought to" in notices(raw)) == (set(sizes) != {expected})


def test_a_size_can_be_asked_for_within_reason(pets: Path):
    assert scan_folder(pets, image_size=16).train.inputs[torch.arange(2)].shape == (2, 3, 16, 16)
    for size in (0, -1, 100_000):
        with pytest.raises(UsageError, match="`image_size` must be from 1 to 4096"):
            scan_folder(pets, image_size=size)


def test_one_picture_in_colour_makes_the_set_colour(tmp_path: Path):
    fill(tmp_path / "a", 3, (8, 8))
    fill(tmp_path / "b", 3, (8, 8))
    assert scan_folder(tmp_path).train.inputs[torch.arange(1)].shape[1] == 1
    fill(tmp_path / "b", 1, (8, 8, 3))
    assert scan_folder(tmp_path).train.inputs[torch.arange(1)].shape[1] == 3


def test_animated_pictures_are_said(pets: Path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(pets / "cats" / "moving.gif", save_all=True, append_images=frames[1:])
    raw = scan_folder(pets)
    assert "info: 1 picture is animated; the first frame is taken: cats/moving.gif." in notices(raw)


def test_a_trained_network_reads_a_folder_in_its_own_shape_with_one_class_too(tmp_path: Path):
    fill(tmp_path / "cats", 1, (40, 50, 3))
    raw = scan_folder(tmp_path, shape=(1, 28, 28))
    assert raw.train.inputs[torch.arange(1)].shape == (1, 1, 28, 28)
    assert "turned to grey" in notices(raw)
