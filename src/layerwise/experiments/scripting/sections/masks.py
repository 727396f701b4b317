"""Pictures with masks: where they come from, how they are divided, and their tiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from layerwise.data.fetch import cache_folder
from layerwise.data.pictures import PicturePreprocessing
from layerwise.data.sources.emoji import ARCHIVE
from layerwise.errors import NotFoundError
from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts
from layerwise.experiments.scripting.section import Raw, Section, part, place, take
from layerwise.experiments.scripting.sections.pictures import scaled
from layerwise.tasks.segmentation import Segmentation

LAND_SEA = "layerwise.data.sources.land_sea"
CUT_OUTS = "layerwise.data.sources.cut_outs"


def mask_section(run: Run, excerpts: Excerpts) -> Section:
    """Read the pictures of the run into train_x, their masks into train_y, and so on, all as bytes."""
    task = run.task
    assert isinstance(task, Segmentation)
    readers = {"land-sea": _land_sea, "cut-outs": _cut_outs}
    section = readers.get(run.experiment.data.data, _folder)(run, excerpts)
    settings, steps, functions = dict(section.settings), section.steps, section.functions
    limit = run.experiment.data.limit
    if limit and limit <= run.facts["sizes"]["train"]:
        functions += "\n" + part(excerpts, "division", "thin")
        nowhere = "torch.zeros(len(train_x), dtype=torch.int64)"
        steps += f"chosen = thin(torch.arange(len(train_x)), {nowhere}, LIMIT, SEED)\n"
        steps += "train_x, train_y = train_x[chosen], train_y[chosen]\n"
        settings["LIMIT"] = Raw(f"{limit}  # pictures that are learned from")
    settings["CLASSES"] = list(task.classes)
    return scaled(run, replace(section, steps=steps, functions=functions, settings=settings))


def _land_sea(run: Run, excerpts: Excerpts) -> Section:
    folder = cache_folder() / "land-sea"
    steps = (
        'picture = np.asarray(Image.open(FOLDER / "bmng.jpg").convert("RGB")).transpose(2, 0, 1)\n'
        'cells = gzip.decompress((FOLDER / "lsmask_2.5min_f.bin").read_bytes())\n'
        "cells = np.frombuffer(cells, np.uint8).reshape(MASK_SHAPE)[::-1]  # from the north on\n"
        "mask = nearest_cells(cells, picture.shape[1:])\n"
        "pictures, masks = in_tiles(picture, mask)\n"
        "parts = divide_tiles(masks, mask.shape[1] // TILE_PX)\n"
    )
    steps += "".join(
        f"{name}_x, {name}_y = (torch.from_numpy(tiles[parts[{name!r}]]) for tiles in (pictures, masks))\n".replace(
            "'", '"'
        )
        for name in ("train", "valid", "test")
    )
    functions = take(excerpts, LAND_SEA, "MASK_SHAPE", "nearest_cells", "in_tiles", "divide_tiles")
    note = "The picture of the earth and its mask are read from FOLDER."
    return Section(steps, functions, {"FOLDER": place(folder)}, ("numpy", "pillow"), note)


def _cut_outs(run: Run, excerpts: Excerpts) -> Section:
    steps = (
        "photographs = load_sample_images().images\n"
        "objects = [(one, number) for one in read_emoji(EMOJI) if (number := class_of(one))]\n"
        "parts = []\n"
        'for part in ("train", "valid", "test"):\n'
        "    grounds = [side_of(part, picture) for picture in photographs]\n"
        "    chance = np.random.default_rng(SEEDS[part])\n"
        "    pictures, masks = drawn(grounds, objects_of(part, objects), COUNTS[part], chance)\n"
        "    parts += [torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(masks)]\n"
        "train_x, train_y, valid_x, valid_y, test_x, test_y = parts\n"
    )
    functions = part(excerpts, "emoji", "read_emoji") + "\n"
    functions += take(excerpts, CUT_OUTS, "COUNTS", "SEEDS", "class_of", "side_of", "objects_of", "drawn")
    settings = {"EMOJI": place(cache_folder() / "emoji" / ARCHIVE.name)}
    return Section(steps, functions, settings, ("numpy", "pillow", "scikit-learn"), "The emoji are read from EMOJI.")


def _folder(run: Run, excerpts: Excerpts) -> Section:
    data, folder, preprocessing = run.experiment.data, Path(run.experiment.data.data), run.preprocessing
    if not folder.is_dir():
        raise NotFoundError(f"the folder {folder} that run {run.name} was trained on is not there; put it back.")
    assert isinstance(preprocessing, PicturePreprocessing)
    settings: dict[str, Any] = {
        "FOLDER": place(folder),
        "COLOURS": "L" if preprocessing.channels == 1 else "RGB",
        "SIDE": Raw(f"{preprocessing.height}  # pixels a side of a tile"),
        "TEST": Raw(f"{data.test}  # share held out for the final figure"),
    }
    nowhere = "torch.zeros(len(pairs), dtype=torch.int64)"
    names = ("train", "valid", "test") if run.facts["sizes"]["valid"] else ("train", "test")
    call = f"divide({nowhere}, TEST, VALID, SEED)" if len(names) > 2 else f"divide_in_two({nowhere}, TEST, SEED)"
    if len(names) > 2:
        settings["VALID"] = Raw(f"{data.valid}  # share of the rest held out to choose the best epoch")
    steps = f"pairs = read_pairs(FOLDER, COLOURS)\n{', '.join(names)} = {call}\n"
    steps += "".join(f"{name}_x, {name}_y = tiles_of([pairs[place] for place in {name}], SIDE)\n" for name in names)
    functions = part(excerpts, "masks", "read_pairs", "tiles_of") + "\n"
    functions += part(excerpts, "division", call.partition("(")[0])
    note = "The pictures and their masks are read from FOLDER."
    return Section(steps, functions, settings, ("numpy", "pillow"), note)
