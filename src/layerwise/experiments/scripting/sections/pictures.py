"""Pictures: where they come from, and how they are divided and scaled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from layerwise.data.fetch import cache_folder
from layerwise.data.folders import PART_NAMES, scan_folder
from layerwise.data.pictures import PicturePreprocessing
from layerwise.data.sources.cifar import ARCHIVE
from layerwise.data.sources.emoji import ARCHIVE as EMOJI_ARCHIVE
from layerwise.data.sources.emoji import TEST_EVERY
from layerwise.errors import NotFoundError
from layerwise.experiments.run import Run
from layerwise.experiments.scripting.excerpts import Excerpts
from layerwise.experiments.scripting.section import Raw, Section, device_of, part, place, take
from layerwise.tasks import Classification

EMOJI_FILE = "layerwise.data.sources.emoji"
RESIZED = 'F.interpolate({}, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bicubic", antialias=True)'
CHOSEN = "train_x, valid_x, train_y, valid_y = pictures[train], pictures[valid], labels[train], labels[valid]\n"


def picture_section(run: Run, excerpts: Excerpts) -> Section:
    """Read the pictures of the run into train_x, train_y, valid_x, valid_y, test_x and test_y, as bytes."""
    name = run.experiment.data.data
    readers = {"digits": _digits, "mnist": _idx, "fashion-mnist": _idx, "cifar10": _cifar, "emoji": _emoji}
    return scaled(run, readers.get(name, _folder)(run, excerpts))


def scaled(run: Run, section: Section) -> Section:
    """Add the function that makes network inputs of pictures."""
    preprocessing = run.preprocessing
    assert isinstance(preprocessing, PicturePreprocessing)
    scale = (
        "def scale(pictures: Tensor) -> Tensor:\n"
        '    """Turn values from 0 to 1 into values about 0, by mean and deviation of the training pictures."""\n'
        "    return (pictures - MEAN) / STD\n"
    )
    if preprocessing.channels > 1 and device_of(run) != "cpu":
        scale = scale.replace("MEAN", "MEAN.to(pictures.device)").replace("STD", "STD.to(pictures.device)")
    settings = {**section.settings, "MEAN": _channels(preprocessing.mean), "STD": _channels(preprocessing.std)}
    functions = f"{section.functions}\n{scale}"
    return replace(section, functions=functions, settings=settings, prepare="scale({samples} / 255)")


def _channels(values: tuple[float, ...]) -> Any:
    return values[0] if len(values) == 1 else Raw(f"torch.tensor({list(values)})[:, None, None]")


def _digits(run: Run, excerpts: Excerpts) -> Section:
    steps = (
        "digits = load_digits()\n"
        "pictures = torch.from_numpy(np.rint(digits.images * (255 / 16)).astype(np.uint8))[:, None]\n"
        "labels = torch.from_numpy(digits.target)\n"
    )
    size = _size(run)
    if size:
        steps += f"pictures = {RESIZED.format('pictures')}\n"
    divided = _divided(run, excerpts)
    return Section(steps + divided.steps, divided.functions, {**size, **divided.settings}, ("numpy", "scikit-learn"))


def _idx(run: Run, excerpts: Excerpts) -> Section:
    name = run.experiment.data.data
    steps = (
        'pictures = read_idx(FOLDER / "train-images-idx3-ubyte")[:, None]\n'
        'labels = read_idx(FOLDER / "train-labels-idx1-ubyte").long()\n'
        'test_x = read_idx(FOLDER / "t10k-images-idx3-ubyte")[:, None]\n'
        'test_y = read_idx(FOLDER / "t10k-labels-idx1-ubyte").long()\n'
    )
    note = f"The four IDX files of {name} are read from FOLDER."
    reading = Section(steps, part(excerpts, "files", "read_idx"), {"FOLDER": place(cache_folder() / name)})
    return _with_own_test(run, excerpts, reading, note)


def _cifar(run: Run, excerpts: Excerpts) -> Section:
    steps = (
        "with tarfile.open(ARCHIVE) as tar:\n"
        "    files = {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isfile()}\n"
        'batches = [files[f"cifar-10-batches-bin/data_batch_{number}.bin"] for number in range(1, 6)]\n'
        'pictures, labels = read_records(b"".join(batches))\n'
        'test_x, test_y = read_records(files["cifar-10-batches-bin/test_batch.bin"])\n'
    )
    note = "The binary version of CIFAR-10 is read from ARCHIVE."
    settings = {"ARCHIVE": place(cache_folder() / "cifar10" / ARCHIVE.name)}
    reading = Section(steps, part(excerpts, "files", "read_records"), settings)
    return _with_own_test(run, excerpts, reading, note)


def _emoji(run: Run, excerpts: Excerpts) -> Section:
    steps = (
        'found = [one for one in read_emoji(EMOJI) if one.category != "Component"]\n'
        "classes = sorted({one.category for one in found})\n"
        "large = torch.from_numpy(np.stack([on_white(one.pixels) for one in found])).permute(0, 3, 1, 2)\n"
        "small = F.avg_pool2d(large.float(), 2).round().to(torch.uint8)  # (emoji, 3, 32, 32)\n"
        "numbers = torch.tensor([classes.index(one.category) for one in found])\n"
        f"is_test = torch.arange(len(found)) % {TEST_EVERY} == {TEST_EVERY - 1}\n"
        "pictures, labels, test_x, test_y = small[~is_test], numbers[~is_test], small[is_test], numbers[is_test]\n"
    )
    functions = part(excerpts, "emoji", "read_emoji") + "\n" + take(excerpts, EMOJI_FILE, "on_white")
    settings = {"EMOJI": place(cache_folder() / "emoji" / EMOJI_ARCHIVE.name)}
    reading = Section(steps, functions, settings)
    section = _with_own_test(run, excerpts, reading, "The emoji are read from EMOJI.")
    return replace(section, needs=("numpy", "pillow"))


def _with_own_test(run: Run, excerpts: Excerpts, reading: Section, note: str) -> Section:
    steps, size = reading.steps, _size(run)
    if size:
        steps += "".join(f"{name} = {RESIZED.format(name)}\n" for name in ("pictures", "test_x"))
    held_out = _held_out(run, excerpts, "VALID")
    return Section(
        steps + held_out.steps,
        f"{reading.functions}\n{held_out.functions}",
        {**reading.settings, **size, **held_out.settings},
        ("numpy",),
        note,
    )


def _folder(run: Run, excerpts: Excerpts) -> Section:
    folder = Path(run.experiment.data.data)
    if not folder.is_dir():
        raise NotFoundError(f"the folder {folder} that run {run.name} was trained on is not there; put it back.")
    preprocessing, task = run.preprocessing, run.task
    assert isinstance(preprocessing, PicturePreprocessing)
    classes = task.classes if isinstance(task, Classification) else scan_folder(folder).classes
    colours = '"L"' if preprocessing.channels == 1 else '"RGB"'
    shape = f"({colours}, {preprocessing.height}, {preprocessing.width})  # colours, height, width"
    settings = {"FOLDER": place(folder), "CLASSES": list(classes), "SHAPE": Raw(shape)}
    parts = parts_of(folder)
    if not parts:
        steps, divided = "pictures, labels = read_classes(FOLDER, CLASSES, *SHAPE)\n", _divided(run, excerpts)
    else:
        steps = f'pictures, labels = read_classes(FOLDER / "{parts["train"]}", CLASSES, *SHAPE)\n'
        for name in ("valid", "test"):
            if name in parts:
                steps += f'{name}_x, {name}_y = read_classes(FOLDER / "{parts[name]}", CLASSES, *SHAPE)\n'
        divided = _with_parts(run, excerpts, parts)
    return Section(
        steps + divided.steps,
        f"{part(excerpts, 'files', 'read_classes')}\n{divided.functions}",
        {**settings, **divided.settings},
        ("numpy", "pillow"),
        "The pictures are read from FOLDER.",
    )


def _with_parts(run: Run, excerpts: Excerpts, parts: dict[str, str]) -> Section:
    """Hold out what a folder does not bring along."""
    if "valid" in parts and "test" in parts:
        return _all_kept(run, excerpts)
    if "test" in parts:
        return _held_out(run, excerpts, "VALID")
    section = _held_out(run, excerpts, "TEST")
    return Section(section.steps.replace("valid", "test"), section.functions, section.settings)


def parts_of(folder: Path) -> dict[str, str]:
    """Return the folders called train, valid and test by their part, none where the classes stand in the folder."""
    names = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    named = [name for name in names if name.lower() in PART_NAMES]
    if not named or (len(named) < len(names) and len(named) < 2):
        return {}
    return {PART_NAMES[name.lower()]: name for name in named}


# Division


def _divided(run: Run, excerpts: Excerpts) -> Section:
    """Divide `pictures` and `labels` into three parts, or two where none is wanted to choose by."""
    data = run.experiment.data
    settings: dict[str, Any] = {"TEST": Raw(f"{data.test}  # share held out for the final figure")}
    if data.valid:
        functions = part(excerpts, "division", "divide")
        settings["VALID"] = Raw(f"{data.valid}  # share of the rest held out to choose the best epoch")
        steps = "train, valid, test = divide(labels, TEST, VALID, SEED)\n"
    else:
        functions = part(excerpts, "division", "divide_in_two")
        steps = "train, test = divide_in_two(labels, TEST, SEED)\n"
    limit = _limit(run, excerpts)
    chosen = "train_x, valid_x, test_x = pictures[train], pictures[valid], pictures[test]\n"
    chosen += "train_y, valid_y, test_y = labels[train], labels[valid], labels[test]\n"
    if not data.valid:
        chosen = "train_x, test_x, train_y, test_y = pictures[train], pictures[test], labels[train], labels[test]\n"
    return Section(steps + limit.steps + chosen, functions + limit.functions, {**settings, **limit.settings})


def _held_out(run: Run, excerpts: Excerpts, share: str) -> Section:
    """Hold out one part of `pictures` and `labels`."""
    data = run.experiment.data
    value = data.valid if share == "VALID" else data.test
    if not value:
        return _all_kept(run, excerpts)
    functions = part(excerpts, "division", "hold_out")
    limit = _limit(run, excerpts)
    return Section(
        f"train, valid = hold_out(labels, {share}, SEED)\n{limit.steps}{CHOSEN}",
        functions + limit.functions,
        {share: Raw(f"{value}  # share of the training pictures held out"), **limit.settings},
    )


def _all_kept(run: Run, excerpts: Excerpts) -> Section:
    limit = _limit(run, excerpts)
    if not limit.steps:
        return Section("train_x, train_y = pictures, labels\n")
    steps = f"train = torch.arange(len(labels))\n{limit.steps}train_x, train_y = pictures[train], labels[train]\n"
    return Section(steps, limit.functions, limit.settings)


def _limit(run: Run, excerpts: Excerpts) -> Section:
    """Leave all but a few of the training samples."""
    limit = run.experiment.data.limit
    if limit is None or limit > run.facts["sizes"]["train"]:
        return Section("")
    functions = "\n" + part(excerpts, "division", "thin")
    return Section("train = thin(train, labels, LIMIT, SEED)\n", functions, {"LIMIT": limit})


def _size(run: Run) -> dict[str, Any]:
    size = run.experiment.data.image_size
    return {"IMAGE_SIZE": size} if size else {}
