"""Augmentation: every training picture is varied anew in every epoch, as a function of (seed, epoch, sample).

The whole batch is varied at once on its device. Each decision is a counter-based random number (chance.py), so
a picture gets the same bits whatever batch it comes in. Moves by whole pixels and flips copy values; where one
of them stands beside a turn, shear or zoom, all of them are one affine map with one interpolation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from layerwise.data.counter_rng import uniforms
from layerwise.data.dataset import UNLABELLED
from layerwise.data.images import augmentation_ops as ops
from layerwise.data.images.augmentation_policy import POLICIES, Policy, make_policy, parse_policy, read_policy
from layerwise.errors import UsageError, nearest

AUGMENTATION_STREAM = 1
MIXUP_STREAM = 2


class Kind(NamedTuple):
    """What there is to know about one kind of part. Its amount is above 0; a part without one has no default."""

    columns: int  # random numbers a picture needs
    default: float | None
    highest: float
    unit: str  # pixels are whole numbers
    sentence: str


KINDS = {
    "shift": Kind(2, 2, 1024, "pixels", "moved by up to {} pixels across and along, black coming in"),
    "crop": Kind(2, 4, 1024, "pixels", "framed by {} mirrored pixels and cut back to its size anywhere"),
    "flip": Kind(1, None, 0, "", "mirrored left to right half of the time"),
    "vflip": Kind(1, None, 0, "", "mirrored top to bottom half of the time"),
    "rotate": Kind(1, 10, 180, "degrees", "turned by up to {} degrees either way"),
    "shear": Kind(2, 0.2, 2, "of the side", "sheared by up to {} of its side across and along"),
    "scale": Kind(1, 0.1, 0.9, "of the size", "zoomed by up to {} of its size, in or out"),
    "translate": Kind(2, 0.1, 1, "of the side", "moved by up to {} of its side across and along"),
    "colour": Kind(3, 0.2, 1, "of the strength", "changed by up to {} in brightness, contrast and saturation"),
    "cutout": Kind(2, 8, 1024, "pixels", "covered by a black square of {} pixels a side, anywhere"),
}
COPIED = {"shift", "crop", "flip", "vflip"}
AFFINE = {"shift", "flip", "vflip", "rotate", "shear", "scale", "translate"}
ALIASES = {"color": "colour", "hflip": "flip"}


@dataclass(frozen=True)
class Part:
    """One variation and its greatest amount (0 for flips)."""

    name: str
    amount: float = 0.0

    @property
    def column_count(self) -> int:
        return KINDS[self.name].columns

    def to_text(self) -> str:
        return self.name if KINDS[self.name].default is None else f"{self.name}:{_number_text(self.amount)}"

    def describe(self) -> str:
        return f"Each picture is {KINDS[self.name].sentence.format(_number_text(self.amount))}."


@dataclass(frozen=True)
class Augmentation:
    """A list of parts, applied in order to the training pictures, before they are normalised.

    >>> Augmentation.parse("shift:2, rotate:10, flip").to_text()
    'shift:2,rotate:10,flip'
    """

    parts: tuple[Part | Policy, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Augmentation:
        """Read parts joined by commas or plus signs, such as 'crop:4,flip,cifar10,cutout:16'; 'none' has none.

        A part is a name of KINDS with its greatest amount, the name of a policy (cifar10), 'policy:' with
        sub-policies '[(rotate,0.7,2),(translate-x,0.3,9)];[...]', or 'policy:FILE.json'. Raises UsageError.
        """
        if text.strip().lower() in ("", "none"):
            return cls()
        pieces = re.split(r"[,+](?![^\[]*\])", text)  # not between brackets
        return cls(tuple(_parse_part(piece.strip()) for piece in pieces))

    @classmethod
    def policy(cls, subpolicies: Iterable[Iterable[Sequence[Any]]]) -> Augmentation:
        """Make a policy of sub-policies [(operation, probability, magnitude), ...]. Raises UsageError."""
        return cls((make_policy(subpolicies),))

    @classmethod
    def read_policy(cls, path: str | Path) -> Augmentation:
        """Read such a list from a JSON file. Raises NotFoundError, DataError or UsageError."""
        return cls((read_policy(Path(path)),))

    def __add__(self, other: Augmentation) -> Augmentation:
        return Augmentation(self.parts + other.parts)

    def __bool__(self) -> bool:
        return bool(self.parts)

    def to_text(self) -> str:
        """Return the text that `parse` reads as this augmentation, whatever files it was read from."""
        return ",".join(part.to_text() for part in self.parts) or "none"

    def describe(self) -> list[str]:
        """Return one sentence for each part."""
        return [part.describe() for part in self.parts]

    def check(self, input_shape: tuple[int, ...]) -> None:
        """Refuse samples that cannot be varied so; `input_shape` as in Dataset. Raises UsageError."""
        if not self.parts:
            return
        if len(input_shape) != 3:
            raise UsageError(
                f"`augment` '{self.to_text()}' is for pictures, and these samples have the shape "
                f"{tuple(input_shape)}; leave it out."
            )
        side = min(input_shape[1:])
        for part in self.parts:
            if isinstance(part, Part) and part.name in ("crop", "shift", "cutout") and part.amount >= side:
                raise UsageError(
                    f"`augment` '{part.to_text()}' is too much for pictures of {input_shape[1]}x{input_shape[2]}; "
                    f"give fewer than {side} pixels."
                )

    def __call__(self, pictures: Tensor, seed: int, epoch: int, samples: Tensor) -> Tensor:
        """Vary a batch.

        Parameters
        ----------
        pictures : Tensor
            (batch, channels, height, width) float32 in [0, 1]; left unchanged.
        seed, epoch : int
            With the sample, decide everything.
        samples : Tensor
            (batch,) int64, which samples these are, on the same device.

        Returns:
            Pictures of the same shape, float32 in [0, 1]. Raises UsageError where `check` does.
        """
        self.check(tuple(pictures.shape[1:]))
        for step, draws in self._steps(seed, epoch, samples):
            pictures = _apply(step, pictures, draws)
        return pictures

    def move_masks(self, masks: Tensor, seed: int, epoch: int, samples: Tensor) -> Tensor:
        """Move masks, (batch, height, width) uint8, as the pictures of the same seed, epoch and samples are moved.

        A pixel takes the class of the nearest one that it comes from, and 255, no class, where it comes from outside
        or is covered. Raises UsageError for a policy, which does not tell masks what it did.
        """
        planes = masks[:, None].float()
        for step, draws in self._steps(seed, epoch, samples):
            planes = _apply_to_masks(step, planes, draws)
        return planes[:, 0].to(masks.dtype)

    def _steps(self, seed: int, epoch: int, samples: Tensor) -> Iterator[tuple[Step, Tensor]]:
        """Yield what is done in order, each with random numbers of its own, (columns, batch)."""
        if not self.parts or not len(samples):
            return
        count = sum(part.column_count for part in self.parts)
        draws = uniforms(seed, epoch, samples, count, AUGMENTATION_STREAM).T.contiguous()  # (columns, batch)
        for step in _plan(self.parts):
            yield step, draws
            draws = draws[sum(part.column_count for part in step) :]


Step = tuple[Part | Policy, ...]


@lru_cache(maxsize=64)
def _plan(parts: Step) -> tuple[Step, ...]:
    """Join neighbouring parts that one affine map can do."""
    steps: list[Step] = []
    for part in parts:
        if steps and AFFINE.issuperset(getattr(member, "name", None) for member in (*steps[-1], part)):
            steps[-1] += (part,)
        else:
            steps.append((part,))
    return tuple(steps)


def _apply(step: Step, pictures: Tensor, draws: Tensor) -> Tensor:
    """Apply one step with the first rows of draws, (columns, batch)."""
    first = step[0]
    if isinstance(first, Policy):
        return first.apply(pictures, draws)
    if first.name == "colour":
        return _colour(pictures, first.amount, draws[:3])
    if first.name == "cutout":
        h, w = pictures.shape[-2:]
        return ops.cut_out(pictures, (draws[0] * w).long(), (draws[1] * h).long(), int(first.amount))
    return _move(step, pictures, draws, 0.0, "bilinear")


def _apply_to_masks(step: Step, planes: Tensor, draws: Tensor) -> Tensor:
    """Do to masks, (batch, 1, height, width) float32, what `_apply` does to their pictures."""
    first = step[0]
    if isinstance(first, Policy):
        raise UsageError(
            f"`augment` '{first.to_text()}' is a policy, which moves pictures and not their masks; give parts such as "
            "'flip,rotate:10,colour:0.2'."
        )
    if first.name == "colour":
        return planes
    if first.name == "cutout":
        h, w = planes.shape[-2:]
        return ops.cut_out(planes, (draws[0] * w).long(), (draws[1] * h).long(), int(first.amount), UNLABELLED)
    return _move(step, planes, draws, UNLABELLED, "nearest")


def _move(step: Step, pictures: Tensor, draws: Tensor, fill: float, how: str) -> Tensor:
    """Do neighbouring moves; what comes from outside is `fill`."""
    h, w = pictures.shape[-2:]
    moves: list[tuple[Part, Tensor]] = []
    for part in step:
        if isinstance(part, Part):
            moves.append((part, draws[: part.column_count]))
            draws = draws[part.column_count :]
    if COPIED.issuperset(part.name for part, _ in moves):
        return reduce(lambda moved, move: _copy(move[0], moved, move[1], fill), moves, pictures)
    return ops.sample_affine(pictures, reduce(ops.Affine.then, (_map(*move, h, w) for move in moves)), fill, how)


def _copy(part: Part, pictures: Tensor, draws: Tensor, fill: float) -> Tensor:
    """Do a flip, shift or crop, which only copy values."""
    if part.name in ("flip", "vflip"):
        return ops.flip_some(pictures, draws[0] < 0.5, -1 if part.name == "flip" else -2)
    margin = int(part.amount)
    left, top = 2 * margin - (draws * (2 * margin + 1)).long()
    return ops.cut_windows(pictures, top, left, margin, "reflect" if part.name == "crop" else "constant", fill)


def _map(part: Part, draws: Tensor, height: int, width: int) -> ops.Affine:
    """Return the affine map of one geometric part."""
    if part.name == "shift":
        right, down = (draws * (2 * part.amount + 1)).floor() - part.amount
        return ops.translation(right, down)
    if part.name in ("flip", "vflip"):
        side = 1.0 - 2.0 * (draws[0] < 0.5)
        return ops.Affine(a=side) if part.name == "flip" else ops.Affine(e=side)
    strength = (draws * 2.0 - 1.0) * part.amount  # (columns, batch)
    if part.name == "rotate":
        return ops.rotation(strength[0])
    if part.name == "shear":
        return ops.Affine(b=strength[0]).then(ops.Affine(d=strength[1]))
    if part.name == "scale":
        shrink = 1.0 / (1.0 + strength[0])
        return ops.Affine(a=shrink, e=shrink)
    return ops.translation(strength[0] * width, strength[1] * height)


def _colour(pictures: Tensor, amount: float, draws: Tensor) -> Tensor:
    factors = (draws * 2.0 - 1.0) * amount + 1.0  # (3, batch)
    pictures = ops.brightness(pictures, factors[0])
    return ops.saturation(ops.contrast(pictures, factors[1]), factors[2])


def preview(pictures: Tensor, augmentation: Augmentation, seed: int, count: int) -> Tensor:
    """Return the pictures (n, c, h, w) as the first `count` epochs would show them, (count, n, c, h, w)."""
    samples = torch.arange(len(pictures), device=pictures.device)
    return torch.stack([augmentation(pictures, seed, epoch, samples) for epoch in range(count)])


# Reading


def _parse_part(text: str) -> Part | Policy:
    name, amount = re.fullmatch(r"([^:\s]*)\s*:?\s*(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    name = ALIASES.get(name.lower(), name.lower())
    if name == "policy":
        return parse_policy(amount)
    if name in POLICIES and not amount:
        return POLICIES[name]
    if name not in KINDS:
        known = [*KINDS, *POLICIES, "policy"]
        raise UsageError(f"`augment` '{text}' is not known.{nearest(name, known)} Known: {', '.join(known)}.")
    return Part(name, _amount(text, name, amount))


def _amount(text: str, name: str, amount: str) -> float:
    kind = KINDS[name]
    if kind.default is None:
        if amount:
            raise UsageError(f"`augment` '{text}' takes no amount; write '{name}'.")
        return 0.0
    try:
        value = float(amount) if amount else float(kind.default)
    except ValueError:
        value = math.nan
    is_whole = kind.unit == "pixels"
    if not 0 < value <= kind.highest or (is_whole and value != int(value)):
        expected = f"a {'whole ' * is_whole}number above 0 and up to {kind.highest:g} ({kind.unit})"
        raise UsageError(f"`augment` '{text}' should have {expected}, such as '{name}:{_number_text(kind.default)}'.")
    return value


def _number_text(value: float) -> str:
    """The shortest text that reads as the same number."""
    return str(int(value)) if value == int(value) else repr(value)


# Mixing


def mixup(
    inputs: Tensor, targets: Tensor, classes: int, alpha: float, seed: int, epoch: int, samples: Tensor
) -> tuple[Tensor, Tensor]:
    """Blend each sample with the one before it in its batch (the first with the last).

    The share that a sample keeps of itself is drawn from Beta(alpha, alpha) by (seed, epoch, sample). Its
    partner is the only thing in this file that depends on the batch; batches are a function of (seed, epoch),
    so the result is one as well. Source: Zhang et al., "mixup: beyond empirical risk minimization" (2018), with
    one share a sample instead of one a batch.

    Parameters
    ----------
    inputs : Tensor
        (batch, ...) float32.
    targets : Tensor
        (batch,) int64 classes, or (batch, values) float32, which are blended as they are.
    classes : int
        How many classes there are; unused for values.
    alpha : float
        Positive; small values keep most samples nearly pure, 1 draws every share equally often.
    seed, epoch, samples : int, int, Tensor
        As in Augmentation.

    Returns:
        Blended inputs, and targets as (batch, classes) or (batch, values) float32.
    """
    if not alpha > 0:
        raise UsageError(f"The mixup strength is {alpha!r}; it must be a positive number, such as 0.2.")
    if not targets.is_floating_point():
        targets = F.one_hot(targets, classes).to(torch.float32)
    kept = _beta_quantiles(alpha, uniforms(seed, epoch, samples, 1, MIXUP_STREAM)[:, 0])
    return _blend_with_neighbour(inputs, kept), _blend_with_neighbour(targets, kept)


def _blend_with_neighbour(values: Tensor, kept: Tensor) -> Tensor:
    share = kept.view(-1, *[1] * (values.dim() - 1))
    return values * share + values.roll(1, dims=0) * (1.0 - share)


def _beta_quantiles(alpha: float, draws: Tensor) -> Tensor:
    """The quantile function of Beta(alpha, alpha) at `draws` in [0, 1), between the points of a table."""
    table = torch.from_numpy(_beta_table(alpha)).to(draws.device)
    place = draws * (len(table) - 1)
    below = place.long()
    low, high = table[below], table[below + 1]
    return low + (high - low) * (place - below)


@lru_cache(maxsize=8)
def _beta_table(alpha: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    from scipy.stats import beta

    return np.asarray(beta.ppf(np.linspace(0.0, 1.0, 4097), alpha, alpha), dtype=np.float32)
