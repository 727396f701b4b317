"""The function `vary` of a script: what is done anew to each training picture in each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from layerwise.data.augmentation import AFFINE, COPIED, Augmentation, Part
from layerwise.data.augmentation_policy import Policy
from layerwise.experiments.scripting.excerpts import Excerpts, names_used
from layerwise.experiments.scripting.section import Raw, part

SHIFT = "across, along = torch.randint(-{}, {}, (2, len(pictures)), device=pictures.device)"
SIDE = "side = 1 - 2.0 * torch.randint(2, (len(pictures),), device=pictures.device)"
PLACE = "x, y = torch.rand(2, len(pictures), device=pictures.device)"
COLOURS = ("brightness", "contrast", "saturation")


def variation(text: str, excerpts: Excerpts, moves_masks: bool = False) -> tuple[str, dict[str, Raw]]:
    """Return the function `vary` for an augmentation with what it needs, and the constant POLICY if it has one.

    moves_masks: pictures have a plane more, their masks, which are moved with them.
    """
    augmentation = Augmentation.parse(text)
    lines: list[str] = []
    for is_map, group in groupby(augmentation.parts, lambda one: getattr(one, "name", "") in AFFINE):
        members = list(group)
        own = [one for one in members if isinstance(one, Part)]
        if is_map and not COPIED.issuperset(one.name for one in own):
            lines += _joined(own)
        else:
            lines += [line for one in members for line in _alone(one)]
    if moves_masks:
        lines = [_both(line) for line in lines]
    if lines[-1].startswith("pictures = "):
        lines[-1] = lines[-1].replace("pictures = ", "return ", 1)
    else:
        lines.append("return pictures")
    body = "\n    ".join(lines)
    size = (
        "height, width = pictures.shape[-2:]\n    " if {"height", "width"} & set(names_used("\n".join(lines))) else ""
    )
    doc = "\n    ".join(augmentation.describe())
    end = "\n    " if "\n" in doc else ""
    vary = f'def vary(pictures: Tensor) -> Tensor:\n    """{doc}{end}"""\n    {size}{body}\n'
    names = [name for name in names_used("\n".join(lines)) if name in HELPERS]
    names += ["with_masks", "taken_apart"] if moves_masks else []
    return part(excerpts, "variation", *names) + "\n" + vary, policy_of(augmentation)


HELPERS = (
    "affine", "between", "cut_out", "cut_windows", "flip", "resample", "resample_both", "rotation", "take_lists",
    *COLOURS,
)  # fmt: skip


def _both(line: str) -> str:
    """Return what a line does to pictures with their masks: moves alike, and colours without them."""
    if line.startswith("pictures = resample("):
        return line.replace("resample(", "resample_both(", 1)
    for blend in COLOURS:
        if line.startswith(f"pictures = {blend}(pictures, "):
            return line.replace("pictures", "pictures[:, :-1]", 2)
    return line


def _alone(one: Part | Policy) -> Iterator[str]:
    """Yield the lines of a part that stands alone."""
    if isinstance(one, Policy):
        yield "pictures = take_lists(pictures, POLICY)"
        return
    amount = f"{one.amount:g}"
    match one.name:
        case "flip" | "vflip":
            yield f"pictures = flip(pictures, {-1 if one.name == 'flip' else -2})"
        case "shift" | "crop":
            yield f'pictures = cut_windows(pictures, {amount}, "{"reflect" if one.name == "crop" else "constant"}")'
        case "cutout":
            yield PLACE
            yield f"pictures = cut_out(pictures, (x * width).long(), (y * height).long(), {amount})"
        case "colour":
            for blend in COLOURS:
                yield f"pictures = {blend}(pictures, 1 + between(pictures, {amount}))"


def _joined(parts: Sequence[Part]) -> Iterator[str]:
    """Yield the lines of parts that are one map with one interpolation."""
    yield "source = affine(pictures)"
    for one in parts:
        amount = f"{one.amount:g}"
        match one.name:
            case "flip" | "vflip":
                yield SIDE
                yield f"source = source @ affine(pictures, {'a' if one.name == 'flip' else 'e'}=side)"
            case "shift":
                yield SHIFT.format(amount, int(one.amount) + 1)
                yield "source = source @ affine(pictures, c=across, f=along)"
            case "rotate":
                yield f"source = source @ rotation(pictures, between(pictures, {amount}))"
            case "shear":
                yield f"source = source @ affine(pictures, b=between(pictures, {amount}))"
                yield f"source = source @ affine(pictures, d=between(pictures, {amount}))"
            case "scale":
                yield f"zoom = 1 / (1 + between(pictures, {amount}))"
                yield "source = source @ affine(pictures, a=zoom, e=zoom)"
            case "translate":
                yield f"across, along = width * between(pictures, {amount}), height * between(pictures, {amount})"
                yield "source = source @ affine(pictures, c=across, f=along)"
    yield "pictures = resample(pictures, source)"


def policy_of(augmentation: Augmentation) -> dict[str, Raw]:
    """Return the constant POLICY where the augmentation has one."""
    for one in augmentation.parts:
        if isinstance(one, Policy):
            rows = (
                ", ".join(f'("{o.name}", {o.probability:g}, {o.magnitude:g})' for o in sub) for sub in one.subpolicies
            )
            return {"POLICY": Raw("[\n" + "".join(f"    [{row}],\n" for row in rows) + "]")}
    return {}
