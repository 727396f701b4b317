"""Policies: each picture takes one of several short lists of operations, each done with its own probability.

Source: Cubuk et al., "AutoAugment: learning augmentation strategies from data" (2019), arXiv:1805.09501.
Magnitudes run from 0 to 10 over the ranges of the authors' CIFAR-10 code. With s = magnitude / 10:

    shear-x, shear-y            by 0.3 s, either way
    translate-x, translate-y    by 10/32 of the side times s, in whole pixels, either way
    rotate                      by 30 degrees times s, either way
    solarize                    levels from 256 - 256 s on are inverted
    posterize                   8 - 4 s bits of each level stay
    cutout                      a square of 20/32 of the side times s
    contrast, saturation, brightness, sharpness
                                blended by 0.1 + 1.8 s: magnitude 5 leaves the picture as it is

Auto-contrast, invert and equalize have no strength. Deviations: geometry is interpolated bilinearly, not by the
nearest pixel; uncovered pixels are mid grey, not the mean of the data; posterize keeps the 4 to 8 bits of the
paper, where the authors' code kept 0 to 4.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from layerwise.data.images import augmentation_ops as ops
from layerwise.errors import DataError, NotFoundError, UsageError, nearest

GREY = 128 / 255
STRONGEST = 10.0
GEOMETRY = ("shear-x", "shear-y", "translate-x", "translate-y", "rotate")
COLOUR = (
    "auto-contrast", "invert", "equalize", "solarize", "posterize",
    "contrast", "saturation", "brightness", "sharpness",
)  # fmt: skip
OPERATIONS = (*GEOMETRY, *COLOUR, "cutout")
BLENDS = {
    "contrast": ops.contrast,
    "saturation": ops.saturation,
    "brightness": ops.brightness,
    "sharpness": ops.sharpness,
}
COLUMNS_A_STEP = 4  # whether, which way, and the two places of a cutout
_STEP = r"\([^(),]+,[^(),]+,[^(),]+\)"
_ALIASES = {"color": "saturation", "colour": "saturation"}


@dataclass(frozen=True)
class Operation:
    """One step of a sub-policy."""

    name: str
    probability: float
    magnitude: float


SubPolicy = tuple[Operation, ...]


@dataclass(frozen=True)
class Policy:
    """Each picture takes one of the sub-policies, all equally likely, and its operations in order."""

    subpolicies: tuple[SubPolicy, ...]

    @property
    def step_count(self) -> int:
        return max(len(subpolicy) for subpolicy in self.subpolicies)

    @property
    def column_count(self) -> int:
        """How many random numbers a picture needs."""
        return 1 + COLUMNS_A_STEP * self.step_count

    def apply(self, pictures: Tensor, draws: Tensor) -> Tensor:
        """Return the pictures (b, c, h, w) under the draws, (column_count, b) in [0, 1)."""
        choice = (draws[0] * len(self.subpolicies)).long()
        for step in range(self.step_count):
            first = 1 + COLUMNS_A_STEP * step
            pictures = self._apply_step(step, pictures, choice, draws[first : first + COLUMNS_A_STEP])
        return pictures

    def _apply_step(self, step: int, pictures: Tensor, choice: Tensor, draws: Tensor) -> Tensor:
        """Apply operation number `step` of each picture's sub-policy, one group of pictures an operation."""
        numbers, chances, magnitudes = self._table(step).to(pictures.device)[:, choice]
        numbers = torch.where(draws[0] < chances, numbers, -1.0)
        on_host = numbers.cpu()  # once a step the host waits for the device
        is_geometry = (on_host >= 0) & (on_host < len(GEOMETRY))
        groups = {number: on_host == number for number in range(len(GEOMETRY), len(OPERATIONS))}
        for number, members in {0: is_geometry, **groups}.items():
            group = members.nonzero().squeeze(1).to(pictures.device)
            if len(group) == 0:
                continue
            some, share, chance = pictures[group], magnitudes[group] / STRONGEST, draws[1:, group]
            if number == 0:
                changed = _move(some, numbers[group], torch.where(chance[0] < 0.5, share, -share))
            else:
                changed = _recolour(OPERATIONS[number], some, share, chance)
            pictures = pictures.index_copy(0, group, changed)
        return pictures

    def _table(self, step: int) -> Tensor:
        """Operation number, probability and magnitude of each sub-policy at `step`, (3, sub-policies)."""
        rows = []
        for subpolicy in self.subpolicies:
            if step < len(subpolicy):
                operation = subpolicy[step]
                rows.append((OPERATIONS.index(operation.name), operation.probability, operation.magnitude))
            else:
                rows.append((-1, 0.0, 0.0))
        return torch.tensor(rows, dtype=torch.float32).T

    def to_text(self) -> str:
        """The text that `parse_policy` reads as this policy."""
        for name, policy in POLICIES.items():
            if policy == self:
                return name
        return "policy:" + ";".join(
            "[" + ",".join(f"({o.name},{o.probability!r},{o.magnitude!r})" for o in subpolicy) + "]"
            for subpolicy in self.subpolicies
        )

    def describe(self) -> str:
        """One sentence."""
        names = sorted({operation.name for subpolicy in self.subpolicies for operation in subpolicy})
        title = "the published AutoAugment policy for CIFAR-10" if self == CIFAR10 else "a policy"
        count = len(self.subpolicies)
        lists = "one list" if count == 1 else f"{count} short lists, one drawn for each picture"
        return f"Each picture goes through {title} of {lists}, made of {', '.join(names)}."


def _move(pictures: Tensor, numbers: Tensor, signed: Tensor) -> Tensor:
    """Apply to each picture the operation of GEOMETRY with its number, strengths `signed` (b,) in [-1, 1]."""
    h, w = pictures.shape[-2:]
    shear_x, shear_y, translate_x, translate_y, rotate = (
        signed * (numbers == number) for number in range(len(GEOMETRY))
    )
    turned = ops.rotation(rotate * 30.0)
    source = ops.Affine(
        a=turned.a,
        b=turned.b + shear_x * 0.3,
        c=(translate_x * (w * 10 / 32)).round(),
        d=turned.d + shear_y * 0.3,
        e=turned.e,
        f=(translate_y * (h * 10 / 32)).round(),
    )
    return ops.sample_affine(pictures, source, GREY)


def _recolour(name: str, pictures: Tensor, share: Tensor, draws: Tensor) -> Tensor:
    """Apply an operation of COLOUR or the cutout with strengths `share`, (b,) in [0, 1]; draws (3, b)."""
    if name == "auto-contrast":
        return ops.auto_contrast(pictures)
    if name == "invert":
        return ops.invert(pictures)
    if name == "equalize":
        return ops.equalize(pictures)
    if name == "solarize":
        return ops.solarize(pictures, 256.0 - share * 256.0)
    if name == "posterize":
        return ops.posterize(pictures, 8 - (share * 4.0).round().long())
    if name == "cutout":
        h, w = pictures.shape[-2:]
        side = (share * (min(h, w) * 20 / 32)).round().long()
        return ops.cut_out(pictures, (draws[1] * w).long(), (draws[2] * h).long(), side, GREY)
    return BLENDS[name](pictures, 0.1 + share * 1.8)


# Reading


def make_policy(subpolicies: Iterable[Iterable[Sequence[Any]]]) -> Policy:
    """Check lists of (operation, probability, magnitude) and make a policy of them. Raises UsageError."""
    made = tuple(tuple(_make_operation(entry) for entry in subpolicy) for subpolicy in subpolicies)
    if not made or not all(made):
        raise UsageError(
            "A policy without operations does nothing; give at least one sub-policy such as "
            "[(rotate,0.7,2),(translate-x,0.3,9)]."
        )
    return Policy(made)


def read_policy(path: Path) -> Policy:
    """Read a policy from JSON: [[["rotate", 0.7, 2], ["translate-x", 0.3, 9]], ...]."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"The policy file '{path}' does not exist.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"The policy file '{path}' cannot be read as JSON: {error}.") from None
    is_nested = isinstance(content, list) and all(isinstance(subpolicy, list) for subpolicy in content)
    if not is_nested:
        raise DataError(
            f"The policy file '{path}' should hold a list of sub-policies, each a list of [operation, "
            'probability, magnitude], such as [[["rotate", 0.7, 2], ["translate-x", 0.3, 9]]].'
        )
    return make_policy(content)


def parse_policy(text: str) -> Policy:
    """Read what follows 'policy:': '[(rotate,0.7,2),(translate-x,0.3,9)];[...]', a name or a JSON file."""
    text = text.strip()
    if text.lower() in POLICIES:
        return POLICIES[text.lower()]
    if text.endswith(".json"):
        return read_policy(Path(text))
    if not text.startswith("["):
        raise UsageError(
            f"The policy '{text}' is not known.{nearest(text, POLICIES)} Known: {', '.join(POLICIES)}, a .json "
            "file, or sub-policies such as [(rotate,0.7,2),(translate-x,0.3,9)];[(invert,0.1,0)]."
        )
    return make_policy(_parse_subpolicy(part.strip()) for part in text.split(";"))


def _parse_subpolicy(text: str) -> list[tuple[str, ...]]:
    if not re.fullmatch(rf"\[\s*{_STEP}(\s*,\s*{_STEP})*\s*\]", text):
        raise UsageError(f"The sub-policy '{text}' should look like [(rotate,0.7,2),(translate-x,0.3,9)].")
    return [tuple(word.strip() for word in step.strip("()").split(",")) for step in re.findall(_STEP, text)]


def _make_operation(entry: Sequence[Any]) -> Operation:
    if isinstance(entry, str) or not isinstance(entry, Sequence) or len(entry) != 3:
        raise UsageError(f"The policy step {entry!r} should be (operation, probability, magnitude).")
    name = _operation_name(str(entry[0]))
    return Operation(
        name,
        _number(name, "probability", entry[1], 1.0),
        _number(name, "magnitude", 0.0 if entry[2] is None else entry[2], STRONGEST),
    )


def _operation_name(given: str) -> str:
    """Find the operation of a name written in any fashion: ShearX, shear_x, shear-x."""
    squeezed = given.lower().replace("-", "").replace("_", "").replace(" ", "")
    known = {name.replace("-", ""): name for name in OPERATIONS} | _ALIASES
    if squeezed in known:
        return known[squeezed]
    raise UsageError(
        f"The policy operation '{given}' is not known.{nearest(given.lower(), OPERATIONS)} Known: "
        f"{', '.join(OPERATIONS)}."
    )


def _number(name: str, what: str, value: Any, highest: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 <= number <= highest:
        raise UsageError(
            f"The {what} of the policy operation '{name}' is {value!r}; expected a number from 0 to {highest:g}."
        )
    return number


# The published policy for CIFAR-10, table 7 of the paper; an operation without a strength has magnitude 0 here.
CIFAR10 = make_policy([
    [("invert", 0.1, 0), ("contrast", 0.2, 6)],
    [("rotate", 0.7, 2), ("translate-x", 0.3, 9)],
    [("sharpness", 0.8, 1), ("sharpness", 0.9, 3)],
    [("shear-y", 0.5, 8), ("translate-y", 0.7, 9)],
    [("auto-contrast", 0.5, 0), ("equalize", 0.9, 0)],
    [("shear-y", 0.2, 7), ("posterize", 0.3, 7)],
    [("saturation", 0.4, 3), ("brightness", 0.6, 7)],
    [("sharpness", 0.3, 9), ("brightness", 0.7, 9)],
    [("equalize", 0.6, 0), ("equalize", 0.5, 0)],
    [("contrast", 0.6, 7), ("sharpness", 0.6, 5)],
    [("saturation", 0.7, 7), ("translate-x", 0.5, 8)],
    [("equalize", 0.3, 0), ("auto-contrast", 0.4, 0)],
    [("translate-y", 0.4, 3), ("sharpness", 0.2, 6)],
    [("brightness", 0.9, 6), ("saturation", 0.2, 8)],
    [("solarize", 0.5, 2), ("invert", 0.0, 0)],
    [("equalize", 0.2, 0), ("auto-contrast", 0.6, 0)],
    [("equalize", 0.2, 0), ("equalize", 0.6, 0)],
    [("saturation", 0.9, 9), ("equalize", 0.6, 0)],
    [("auto-contrast", 0.8, 0), ("solarize", 0.2, 8)],
    [("brightness", 0.1, 3), ("saturation", 0.7, 0)],
    [("solarize", 0.4, 5), ("auto-contrast", 0.9, 0)],
    [("translate-y", 0.9, 9), ("translate-y", 0.7, 9)],
    [("auto-contrast", 0.9, 0), ("solarize", 0.8, 3)],
    [("equalize", 0.8, 0), ("invert", 0.1, 0)],
    [("translate-y", 0.7, 9), ("auto-contrast", 0.9, 0)],
])  # fmt: skip
POLICIES = {"cifar10": CIFAR10}
