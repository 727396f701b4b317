"""Folders of class folders that are empty, ambiguous, or laid out in another way than is expected."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from bad_pictures import data_of, plain
from case import LOOK, TRAIN_FOLDER, Case, Maker, refused, works

Content = bytes | str | None  # the bytes of a file, the target of a link, or nothing for a folder


def picture(number: int) -> bytes:
    """Return a small picture that differs from the others."""
    return data_of(plain("RGB", ((37 * number) % 256, (91 * number) % 256, (13 * number) % 256), 8), "PNG")


def classes(*names: str, count: int = 5, below: str = "") -> dict[str, Content]:
    """Return `count` pictures for each class, by their paths."""
    return {
        f"{below}{name}/{number}.png": picture(100 * place + number)
        for place, name in enumerate(names)
        for number in range(count)
    }


def tree(*parts: Mapping[str, Content]) -> Maker:
    """Write a folder of files, links and folders by their paths."""

    def make(path: Path) -> None:
        path.mkdir()
        for part in parts:
            for name, content in part.items():
                place = path / name
                place.parent.mkdir(parents=True, exist_ok=True)
                if content is None:
                    place.mkdir(exist_ok=True)
                elif isinstance(content, str):
                    os.symlink(content, place)
                else:
                    place.write_bytes(content)

    return make


def bad(
    name: str, code: int, *words: str, parts: tuple[Mapping[str, Content], ...], command: str = TRAIN_FOLDER
) -> Case:
    """A folder that must be refused."""
    return refused(name, tree(*parts), code, *words, command=command)


def fine(name: str, *words: str, parts: tuple[Mapping[str, Content], ...], command: str = LOOK) -> Case:
    """A folder that must work."""
    return works(name, tree(*parts), *words, command=command)


CATS_AND_DOGS = classes("cats", "dogs")
NFC, NFD = (unicodedata.normalize(form, "bébé") for form in ("NFC", "NFD"))
TRUNCATED = picture(1)[:-30]

FOLDERS: tuple[Case, ...] = (
    # --- nothing to learn from
    bad("empty-folder", 65, "empty-folder", "no pictures", "folder for each class", parts=({},)),
    bad("empty-classes", 65, "empty-classes", "no pictures", parts=({"cats": None, "dogs": None},)),
    bad("flat", 65, "flat", "no class folders", parts=({f"{n}.png": picture(n) for n in range(9)},)),
    bad("one-class", 65, "one-class", "one class folder alone", "'cats'", parts=(classes("cats"),)),
    bad("hollow-class", 65, "hollow-class", "'birds'", "0 pictures", parts=(CATS_AND_DOGS, {"birds": None})),
    bad("small-class", 65, "'birds'", "2 pictures", "at least 3", parts=(CATS_AND_DOGS, classes("birds", count=2))),
    bad(
        "other-files",
        65,
        "cats/a.txt, dogs/b.txt: the training text has",
        "does not fill one window",
        parts=({"cats/a.txt": b"a", "dogs/b.txt": b"b"},),
    ),
    bad("hidden-alone", 65, "hidden-alone", "no pictures", parts=({"cats/.a.png": picture(1), ".dogs": None},)),
    bad("links-alone", 65, "nothing but links", "copy the files", parts=({"a/x.png": "/etc/hostname", "b": None},)),
    bad("links-to-itself", 65, "nothing but links", parts=({"cats": ".", "dogs": "."},)),
    bad("missing-folder", 66, "there is no data", parts=({},), command="train mlp --data {it}/nothing"),
    bad(
        "mistyped-folder",
        66,
        "Did you mean 'mistyped-folder'",
        parts=({},),
        command="train mlp --data {folder}/mistypd-folder",
    ),
    # --- unreadable pictures
    bad("many-damaged", 65, "1 of 11", "more than 1%", "bad.png", parts=(CATS_AND_DOGS, {"cats/bad.png": TRUNCATED})),
    fine(
        "few-damaged",
        "1 of 121 pictures are left out",
        "bad.png",
        parts=(classes("cats", "dogs", count=60), {"cats/bad.png": TRUNCATED}),
    ),
    bad("disguised-inside", 65, "JPEG", parts=(CATS_AND_DOGS, {"cats/a.png": data_of(plain("L", 3), "JPEG")})),
    # --- names
    bad("case-clash", 65, "'Cats'", "'cats'", "one name on other machines", parts=(CATS_AND_DOGS, classes("Cats"))),
    bad("form-clash", 65, "one name on other machines", parts=(classes(NFC, NFD),)),
    bad(
        "form-clash-of-files", 65, "one name", parts=(CATS_AND_DOGS, {f"cats/{f}.png": picture(1) for f in (NFC, NFD)})
    ),
    fine("decomposed", f'"{NFC}"', parts=(classes(NFD, "dogs"),)),
    fine("any-script", '"猫"', '"собаки"', '"طيور"', parts=(classes("猫", "собаки", "طيور"),)),
    fine("spaces-and-quotes", "black & 'white' cats", parts=(classes("black & 'white' cats", "a,b;c"),)),
    fine("names-like-markup", "[red]cats[/red]", parts=(classes("[red]cats[", "<b>dogs"), classes("[red]cats[/red]"))),
    fine("names-like-numbers", '"1"', '"10"', parts=(classes("1", "10", "2"),)),
    fine("names-like-flags", '"--cats"', parts=(classes("--cats", "-dogs"),)),
    # --- layouts
    fine("good-folder", '"cats"', '"dogs"', parts=(CATS_AND_DOGS,)),
    fine("nested", '"cats"', parts=(classes("a", "b", below="cats/"), classes("dogs"))),
    fine("hidden-beside", '"cats"', parts=(CATS_AND_DOGS, {".DS_Store": b"x", "cats/.thumb.png": b"x", ".git": None})),
    fine("notes-beside", "no pictures by name", "notes.txt", parts=(CATS_AND_DOGS, {"cats/notes.txt": b"x"})),
    fine("picture-beside", "beside the class folders", "logo.png", parts=(CATS_AND_DOGS, {"logo.png": picture(1)})),
    fine("link-beside", "1 link is not followed", parts=(CATS_AND_DOGS, {"cats/more.png": "0.png"})),
    fine(
        "same-in-two-classes",
        "of another class",
        parts=(CATS_AND_DOGS, {f"dogs/c{n}.png": picture(n) for n in range(5)}),
    ),
    fine("parts", '"test": 4', parts=(classes("a", "b", below="train/"), classes("a", "b", count=2, below="test/"))),
    fine("val", '"valid": 4', parts=(classes("a", "b", below="train/"), classes("a", "b", count=2, below="val/"))),
    bad("no-train", 65, "no train folder", parts=(classes("a", "b", below="test/"), classes("a", "b", below="valid/"))),
    bad(
        "mixed-parts",
        65,
        "'birds'",
        "take",
        parts=(classes("a", below="train/"), classes("a", below="test/"), classes("birds")),
    ),
    bad(
        "val-and-valid",
        65,
        "two for one part",
        parts=tuple(classes("a", "b", below=f"{p}/") for p in ("train", "val", "valid")),
    ),
    bad(
        "new-in-test",
        65,
        "'c' is a class of test",
        parts=(classes("a", "b", below="train/"), classes("c", below="test/")),
    ),
    bad("hollow-test", 65, "test folder holds no pictures", parts=(classes("a", "b", below="train/"), {"test": None})),
    fine(
        "grey-and-colour", '"input_shape"', parts=(CATS_AND_DOGS, {"cats/grey.png": data_of(plain("L", 9, 8), "PNG")})
    ),
    fine("several-sizes", "brought to", parts=(CATS_AND_DOGS, {"cats/wide.png": data_of(plain("RGB", 9, 90), "PNG")})),
    # --- for a run that is trained already, and flags that do not suit
    bad(
        "nothing-to-predict",
        65,
        "nothing-to-predict",
        "no pictures",
        parts=({"notes.txt": b"x"},),
        command="predict {pictures} {it}",
    ),
    bad(
        "new-class",
        65,
        "'birds'",
        "was not trained on",
        "cats, dogs",
        parts=(classes("birds"),),
        command="evaluate {pictures} --data {it}",
    ),
    bad("folder-for-a-table", 65, "folder-for-a-table", parts=(CATS_AND_DOGS,), command="predict {table} {it}"),
    bad("truth-in-folders", 65, "truth-in-folders", parts=(CATS_AND_DOGS,), command="evaluate {table} --data {it}"),
    bad("too-small-for-alexnet", 2, "--image-size 63", parts=(CATS_AND_DOGS,), command="train alexnet --data {it}"),
    bad("no-columns", 2, "--target", "no table", parts=(CATS_AND_DOGS,), command="train mlp --data {it} --target y"),
    fine("to-predict", '"cats/0.png"', '"label"', parts=(CATS_AND_DOGS,), command="predict {pictures} {it} --json"),
)
