"""One answer of a network looked into: what it looks for, what it saw, and which parts of the sample it hangs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from layerwise.diagnosis import probes
from layerwise.diagnosis.attribution_methods import Attribution, Score, integrated_gradients, occlusion, spread, windows
from layerwise.errors import UsageError

Kind = Literal["picture", "series", "features", "tokens", "translation"]

PARTS = ("filters", "maps", "occlusion", "gradients", "attention")
KINDS: dict[int, Kind] = {3: "picture", 2: "series", 1: "features"}
WINDOW_SHARE = 7  # windows cover a side about so many times
UNKNOWN_TOKEN = 1


@dataclass(frozen=True)
class Explanation:
    """What was found out of one answer; what was not asked for, or cannot be had, is None or empty.

    sample: prepared, without the batch. output, score: the raw output that is explained, by its number, and its value;
        of a translation the logarithm of its probability.
    filters: of the first convolution, (filters, channels, height, width). maps: of layers, (channels, height, width).
    occlusion: how far the score falls where a part is covered: (height, width), (time,), or one number a group.
    gradients: what each part adds to the score: of the sample's shape, (time,) of tokens, (written, read) of a
        translation, or one number a group.
    attention: of each layer, (heads, queries, keys). rollout: through all layers, (queries, keys).
    groups: the columns of features that belong together.
    """

    kind: Kind
    sample: Tensor
    output: int
    score: float
    filters: Tensor | None = None
    maps: Mapping[str, Tensor] = field(default_factory=dict)
    occlusion: Tensor | None = None
    gradients: Attribution | None = None
    attention: Mapping[str, Tensor] = field(default_factory=dict)
    rollout: Tensor | None = None
    groups: Mapping[str, slice] = field(default_factory=dict)


def attribute(
    model: nn.Module,
    sample: Tensor,
    *,
    output: int | None = None,
    parts: Sequence[str] = (),
    layers: Sequence[str] = (),
    window: int | None = None,
    groups: Mapping[str, slice] | None = None,
) -> Explanation:
    """Explain the answer of any module to one prepared sample; the module is left as it was.

    Args:
        sample: without the batch: (channels, height, width), (time, channels), (features,) or (time,) int64 tokens.
        output: the number of the raw output to explain; the largest where it is left out.
        parts: which of filters, maps, occlusion, gradients and attention; all that apply where it is left out.
        layers: those whose maps are kept, by name, or 'all'; the first, middle and last convolution if left out.
        window: pixels a side that are covered at once; about a seventh of the picture if left out.
        groups: features that belong together, by the name of their column.

    Raises:
        UsageError: the module cannot read the sample, or a part was asked for that does not apply.
    """
    kind: Kind = "tokens" if not sample.is_floating_point() else _kind_of(sample)
    with evaluating(model):
        answer = _answer(model, sample[None])
        chosen = int(answer[0].argmax()) if output is None else output
        if not 0 <= chosen < answer.shape[1]:
            raise UsageError(f"the network has outputs 0 to {answer.shape[1] - 1}, received {chosen}.")

        def score(samples: Tensor) -> Tensor:
            return _answer(model, samples)[:, chosen]

        looked = _Looker(model, kind, sample, score, groups or {}, layers, window)
        found = dict(looked.find(parts))
    return Explanation(kind, sample, chosen, answer[0, chosen].item(), groups=groups or {}, **found)  # type: ignore[arg-type]


def _kind_of(sample: Tensor) -> Kind:
    if sample.ndim not in KINDS:
        raise UsageError(
            "a sample must be a picture (channels, height, width), a series (time, channels), features or tokens, "
            f"received a tensor of shape {tuple(sample.shape)}; leave the batch out."
        )
    return KINDS[sample.ndim]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Leave dropout and batch statistics out in the block."""
    modes = {layer: layer.training for layer in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for layer, mode in modes.items():
            layer.training = mode


def _answer(model: nn.Module, samples: Tensor) -> Tensor:
    """Return raw outputs, (n, outputs). Raises UsageError where the module gives none, or cannot read the samples."""
    shape = tuple(samples.shape[1:])
    try:
        outputs = model(samples.clone())  # some layers write in place
    except (RuntimeError, IndexError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UsageError(f"{type(model).__name__} cannot read a sample of shape {shape}: {reason}.") from error
    if isinstance(outputs, Tensor) and outputs.ndim == 1:
        outputs = outputs[:, None]
    if not isinstance(outputs, Tensor) or outputs.ndim != 2:
        given = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UsageError(
            f"{type(model).__name__} gives {given} for one sample, and what is explained is one row of numbers a "
            "sample, such as scores of classes."
        )
    return outputs


class _Looker:
    """Finds the parts of an explanation, each by a method of its name."""

    def __init__(
        self,
        model: nn.Module,
        kind: Kind,
        sample: Tensor,
        score: Score,
        groups: Mapping[str, slice],
        layers: Sequence[str],
        window: int | None,
    ) -> None:
        self.model, self.kind, self.sample, self.score = model, kind, sample, score
        self.groups, self.layers, self.window = groups, layers, window

    def find(self, parts: Sequence[str]) -> Iterator[tuple[str, object]]:
        """Yield fields of the explanation; those that were not asked for and do not apply are passed over."""
        for part in PARTS:
            if parts and part not in parts:
                continue
            method: Callable[[], dict[str, object]] = getattr(self, part)
            try:
                yield from method().items()
            except UsageError:
                if parts or (part == "maps" and self.layers) or (part == "occlusion" and self.window is not None):
                    raise

    def filters(self) -> dict[str, object]:
        return {"filters": probes.first_filters(self.model)}

    def maps(self) -> dict[str, object]:
        names = list(probes.convolutions(self.model))
        if not names and list(self.layers) in ([], ["all"]):
            raise UsageError(
                f"{type(self.model).__name__} has no convolution over pictures, so it has no maps to show."
            )
        if not self.layers:
            names = [names[place] for place in sorted({0, len(names) // 2, len(names) - 1})]
        elif list(self.layers) != ["all"]:
            names = list(self.layers)
        with torch.no_grad(), probes.feature_maps(self.model, names) as kept:
            _answer(self.model, self.sample[None])
        flat = [name for name, maps in kept.items() if maps.ndim != 4]
        if flat:
            raise UsageError(f"layer '{flat[0]}' gives {tuple(kept[flat[0]].shape)}, which are no maps over a picture.")
        return {"maps": {name: maps[0].float() for name, maps in kept.items()}}

    def occlusion(self) -> dict[str, object]:
        sample = self.sample
        if self.window is not None and (self.kind != "picture" or self.window < 1):
            wanted = "is for pictures; leave it out" if self.kind != "picture" else "must be at least 1 pixel"
            raise UsageError(f"`window` {wanted}, received {self.window}.")
        if self.kind == "picture":
            height, width = sample.shape[1:]
            side = self.window or max(1, round(min(height, width) / WINDOW_SHARE))
            if side > min(height, width):
                raise UsageError(f"`window` {side} is larger than the picture of {height}x{width} pixels.")
            masks = windows(height, width, side, max(1, side // 2))
            return {"occlusion": spread(occlusion(self.score, sample, masks, torch.zeros_like(sample)), masks)}
        if self.kind == "features":
            masks = torch.stack([_mask(len(sample), columns) for columns in self._groups().values()])
            return {"occlusion": occlusion(self.score, sample, masks, torch.zeros_like(sample))}
        masks = torch.eye(len(sample), dtype=torch.bool)
        if self.kind == "tokens":
            return {"occlusion": occlusion(self.score, sample, masks, torch.full_like(sample, UNKNOWN_TOKEN))}
        baseline = torch.where(sample.isnan(), sample, 0.0)
        return {"occlusion": occlusion(self.score, sample, masks[:, :, None], baseline)}

    def gradients(self) -> dict[str, object]:
        if self.kind == "tokens":
            return {"gradients": self._of_tokens()}
        baseline = torch.where(self.sample.isnan(), self.sample, 0.0)
        found = integrated_gradients(self.score, self.sample, baseline)
        if self.kind == "features":
            sums = torch.stack([found.values[columns].sum() for columns in self._groups().values()])
            found = Attribution(sums, found.difference, found.points)
        return {"gradients": found}

    def _of_tokens(self) -> Attribution:
        """Gradients of the vectors that tokens become, from vectors of zeros, summed for each token."""
        layer = probes.embedding_of(self.model)
        with torch.no_grad():
            vectors = layer(self.sample[None])[0]  # (time, depth)

        def score(rows: Tensor) -> Tensor:
            with probes.embedded_as(layer, rows):
                return self.score(self.sample.expand(len(rows), -1))

        found = integrated_gradients(score, vectors, torch.zeros_like(vectors))
        return Attribution(found.values.sum(1), found.difference, found.points)

    def attention(self) -> dict[str, object]:
        with torch.no_grad(), probes.attention(self.model) as kept:
            _answer(self.model, self.sample[None])
        if not kept:
            raise UsageError(f"{type(self.model).__name__} has no attention that could be shown.")
        shapes = {weights.shape for weights in kept.values()}
        alike = len(shapes) == 1 and all(shape[2] == shape[3] for shape in shapes)
        flow = probes.rollout(list(kept.values()))[0] if alike else None
        return {"attention": {name: weights[0].float() for name, weights in kept.items()}, "rollout": flow}

    def _groups(self) -> Mapping[str, slice]:
        return self.groups or {str(number): slice(number, number + 1) for number in range(len(self.sample))}


def _mask(count: int, columns: slice) -> Tensor:
    mask = torch.zeros(count, dtype=torch.bool)
    mask[columns] = True
    return mask
