"""One explained answer drawn: what speaks for it in blue, what speaks against it in orange."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from layerwise.diagnosis.attribution import Explanation
from layerwise.reports import markup, wording
from layerwise.reports.alignments import Alignment, alignment_chart
from layerwise.reports.charts import shorten
from layerwise.reports.figures import BLUE, INK, MUTED, ORANGE, TEXT_SIZE, legend, new_chart, new_figure, style, to_svg
from layerwise.reports.page import document
from layerwise.reports.pictures import Pixels, filter_pixels, picture_page, to_pixels
from layerwise.runs.atomic import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAPS_AT_MOST = 64
BARS_AT_MOST = 24
THUMBNAILS_AT_MOST = 400
CHANNELS_NAMED = 24
TOKENS_NAMED = 250


@dataclass(frozen=True)
class Labels:
    """What people call the parts of what is explained.

    title: such as 'picture.png by lenet5-digits'. output: the class or value that is explained.
    steps: the characters of tokens, or the tokens that a translator read. written: those of the translation.
    channels: of a series. picture: the sample as it looks, None where it is none.
    """

    title: str
    output: str
    steps: Sequence[str] = ()
    channels: Sequence[str] = ()
    picture: Pixels | None = None
    written: Sequence[str] = ()


@dataclass(frozen=True)
class Drawing:
    """A figure with its name as a file, its title, and a sentence on how to read it."""

    name: str
    title: str
    caption: str
    figure: Figure


def drawings(found: Explanation, labels: Labels) -> Iterator[Drawing]:
    """Yield a drawing of each part that was found."""
    if found.gradients is not None:
        yield Drawing(
            "gradients",
            "Integrated gradients",
            f"What each part adds to the score of {labels.output}. {completeness(found)}{_more_to_read(found)}",
            _drawn_parts(found, labels, found.gradients.values),
        )
    if found.occlusion is not None:
        caption = f"By how much the score of {labels.output} falls where a part is covered; orange: it rises."
        yield Drawing("occlusion", "Occlusion", caption, _drawn_parts(found, labels, found.occlusion))
    yield from _attention_drawings(found, labels)
    if found.filters is not None:
        caption = "The windows that the first convolution compares the picture with, each on its own scale."
        yield Drawing("filters", "First filters", caption, picture_page(filter_pixels(found.filters)))
    for layer, maps in found.maps.items():
        shown = [_grey(plane) for plane in maps[:MAPS_AT_MOST]]
        caption = f"{len(shown)} of {len(maps)} maps of {maps.shape[1]}x{maps.shape[2]}, each from dark to light."
        yield Drawing(f"maps-{layer}", f"Feature maps of {layer}", caption, picture_page(shown))


def completeness(found: Explanation) -> str:
    """Say how far the gradients add up to what they are to explain."""
    assert found.gradients is not None
    one = found.gradients
    verdict = "they add up" if one.is_complete else "they do not add up, so read them with care"
    return (
        f"They sum to {wording.decimal(one.values.sum().item())}, and the score is {wording.decimal(one.difference)} "
        f"above that of an empty sample: {verdict} ({one.points} points)."
    )


def score_in_words(found: Explanation) -> str:
    """Say what the score is that is explained."""
    what = "logarithm of probability" if found.kind == "translation" else "raw score"
    return f"{what} of {wording.decimal(found.score)}"


def _more_to_read(found: Explanation) -> str:
    if found.kind != "translation":
        return ""
    return " From left to right what was read, downwards what was written; blue made a token likelier, orange less so."


def _drawn_parts(found: Explanation, labels: Labels, values: Tensor) -> Figure:
    """Draw one number a part of the sample."""
    if found.kind == "picture":
        plane = values.sum(0) if values.ndim == 3 else values
        return _over_picture([plane.numpy()], [""], _shown(found, labels))
    if found.kind == "series":
        return _over_series(found, labels, values.numpy())
    if found.kind == "translation":
        return alignment_chart(Alignment(tuple(labels.steps), tuple(labels.written), values.numpy()), signed=True)
    if found.kind == "tokens":
        return _bars(values.numpy(), [str(step) for step in labels.steps or range(len(values))], in_order=True)
    return _bars(values.numpy(), list(found.groups) or [str(number) for number in range(len(values))])


def _attention_drawings(found: Explanation, labels: Labels) -> Iterator[Drawing]:
    if not found.attention:
        return
    name, weights = list(found.attention.items())[-1]
    if found.kind == "translation":
        looked = alignment_chart(Alignment(tuple(labels.steps), tuple(labels.written), weights[0].numpy()))
        caption = "What was looked at, from left to right, when each token was written, downwards."
        yield Drawing("attention", "Attention", caption, looked)
        return
    grid = _grid(weights.shape[-1] - 1, found.sample)
    if found.kind != "picture" or grid is None:
        figure = _matrices([one.numpy() for one in weights], [f"head {n + 1}" for n in range(len(weights))])
        yield Drawing("attention", f"Attention of {name}", "How much each step (a row) takes from each other.", figure)
        return
    rows = [one[0, 1:].view(grid).numpy() for one in weights]
    titles = [f"head {number + 1}" for number in range(len(rows))]
    caption = "How much the class token takes from each patch, by the heads of the last block."
    yield Drawing(
        "attention", f"Attention of {name}", caption, _over_picture(rows, titles, _shown(found, labels), signed=False)
    )
    if found.rollout is not None:
        plane = found.rollout[0, 1:].view(grid).numpy()
        caption = "How much of each patch reaches the class token through all blocks (Abnar and Zuidema 2020)."
        figure = _over_picture([plane], [""], _shown(found, labels), signed=False)
        yield Drawing("rollout", "Attention through all blocks", caption, figure)


def _grid(patches: int, sample: Tensor) -> tuple[int, int] | None:
    """Return rows and columns of the patches of a picture, in its proportions; None where they do not fit."""
    if sample.ndim != 3:
        return None
    height, width = sample.shape[1:]
    rows = max(1, round((patches * height / width) ** 0.5))
    return (rows, patches // rows) if rows * (patches // rows) == patches else None


def _shown(found: Explanation, labels: Labels) -> Pixels:
    """Return the picture as it looks, or from its darkest to its lightest number."""
    return labels.picture if labels.picture is not None else _as_pixels(found.sample)


def _as_pixels(sample: Tensor) -> Pixels:
    low, high = sample.min(), sample.max()
    return to_pixels(((sample - low) / (high - low).clamp_min(1e-12) * 255).round().byte()[None])[0]


def _grey(plane: Tensor) -> Pixels:
    return _as_pixels(plane[None])


def _colours() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("for and against", [ORANGE, "#ffffff", BLUE])


def _over_picture(
    planes: Sequence[NDArray[Any]], titles: Sequence[str], picture: Pixels, *, signed: bool = True
) -> Figure:
    """Draw the picture, and each plane over a pale copy of it. signed: white at zero, else at the least value."""
    figure = new_figure(2.3 * (1 + len(planes)), 2.5)
    panels: Any = figure.subplots(1, 1 + len(planes), squeeze=False)[0]
    height, width = picture.shape[:2]
    panels[0].imshow(picture)
    panels[0].set_title("as it is", fontsize=TEXT_SIZE, color=INK)
    pale = 255 - (255 - picture.mean(2)) * 0.35
    for axes, plane, title in zip(panels[1:], planes, titles, strict=True):
        reach = max(float(np.abs(plane).max()), 1e-12)
        low, high = (-reach, reach) if signed else (2 * float(plane.min()) - float(plane.max()), float(plane.max()))
        axes.imshow(pale, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
        axes.imshow(plane, cmap=_colours(), vmin=low, vmax=high, alpha=0.75, extent=(0, width, height, 0))
        axes.set_title(title, fontsize=TEXT_SIZE, color=INK)
    for axes in panels:
        axes.set_axis_off()
    return figure


def _matrices(planes: Sequence[NDArray[Any]], titles: Sequence[str]) -> Figure:
    figure = new_figure(2.3 * len(planes), 2.5)
    for axes, plane, title in zip(figure.subplots(1, len(planes), squeeze=False)[0], planes, titles, strict=True):
        axes.imshow(plane, cmap=_colours(), vmin=-float(plane.max()), vmax=float(plane.max()))
        axes.set_title(title, fontsize=TEXT_SIZE, color=INK)
        axes.set_axis_off()
    return figure


def _over_series(found: Explanation, labels: Labels, values: NDArray[Any]) -> Figure:
    """Draw the series above, and below it what each step, or each number of a step, brings."""
    steps = found.sample[~found.sample[:, 0].isnan()].numpy()
    values = values[: len(steps)]
    figure = new_figure(6.4, 4.2)
    above, below = figure.subplots(2, 1, sharex=True)
    for channel in steps.T:
        above.plot(channel, linewidth=1.2, color=MUTED if len(steps.T) > 1 else BLUE)
    style(above, "", "scaled value")
    if values.ndim == 1:
        below.bar(range(len(values)), values, color=[BLUE if value >= 0 else ORANGE for value in values])
        style(below, "step", "share in the score")
        return figure
    reach = max(float(np.abs(values).max()), 1e-12)
    below.imshow(values.T, aspect="auto", cmap=_colours(), vmin=-reach, vmax=reach, interpolation="nearest")
    style(below, "step", "", grid="")
    if len(labels.channels) <= CHANNELS_NAMED:
        below.set_yticks(range(len(labels.channels)), [shorten(name, 16) for name in labels.channels], fontsize=7)
    return figure


def _bars(values: NDArray[Any], names: Sequence[str], *, in_order: bool = False) -> Figure:
    """Draw a bar a part: in the order of the steps, or the strongest first."""
    order = np.arange(len(values)) if in_order else np.argsort(-np.abs(values), kind="stable")[:BARS_AT_MOST]
    figure, axes = new_chart("share in the score", "", height=0.6 + 0.24 * len(order), grid="x")
    colours = [BLUE if value >= 0 else ORANGE for value in values[order]]
    axes.barh(range(len(order)), values[order], color=colours)
    axes.set_yticks(range(len(order)), [shorten(names[place], 28).replace("$", r"\$") for place in order])
    axes.invert_yaxis()
    axes.axvline(0, color=MUTED, linewidth=0.8)
    return figure


def embedding_figure(
    places: NDArray[np.float64], labels: Sequence[int], classes: Sequence[str], pictures: Sequence[Pixels] = ()
) -> Figure:
    """Draw samples as points of a plane, coloured by their class, or as small pictures where there are some.

    places: (n, 2). labels: the class of each, empty where there are none.
    """
    import matplotlib as mpl

    figure = new_figure(9, 8)
    axes = figure.add_subplot()
    palette: Any = mpl.colormaps["tab20" if len(classes) > 10 else "tab10"]
    colours = [palette(label % palette.N) for label in labels] or [BLUE] * len(places)
    if len(pictures):
        _place_pictures(axes, places, colours, pictures)
    size = 3 if len(pictures) else 16
    groups = np.asarray(labels if len(labels) else [0] * len(places))
    for number in np.unique(groups):
        chosen = groups == number
        name = classes[number] if len(classes) else "samples"
        axes.scatter(places[chosen, 0], places[chosen, 1], s=size, color=[colours[int(np.argmax(chosen))]], label=name)
    axes.set_axis_off()
    legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0), markerscale=2 if size > 3 else 6)
    return figure


def token_figure(places: NDArray[np.float64], tokens: Sequence[str]) -> Figure:
    """Draw tokens at their places, (n, 2): the first ones as they are written, the others as points."""
    figure = new_figure(10, 9)
    axes = figure.add_subplot()
    axes.scatter(places[:, 0], places[:, 1], s=4, color=MUTED)
    for (x, y), token in list(zip(places, tokens, strict=True))[:TOKENS_NAMED]:
        name = token.strip() if token.startswith(" ") else f"·{token}"
        label = axes.text(x, y, name.replace("$", r"\$"), fontsize=TEXT_SIZE - 2, color=INK, ha="center", va="bottom")
        label.set_in_layout(False)
    axes.set_axis_off()
    return figure


def _place_pictures(
    axes: Axes, places: NDArray[np.float64], colours: Sequence[Any], pictures: Sequence[Pixels]
) -> None:
    """Lay small pictures at their places, framed in the colour of their class."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    zoom = 16 / max(pictures[0].shape[:2])
    for place, colour, picture in list(zip(places, colours, pictures, strict=True))[:THUMBNAILS_AT_MOST]:
        box = AnnotationBbox(OffsetImage(picture, zoom=zoom), (place[0], place[1]), pad=0.08, frameon=True)
        box.patch.set_edgecolor(colour)
        box.set_in_layout(False)  # a thumbnail beyond the edge would shrink the axes, even to nothing
        axes.add_artist(box)


def write_explanation(
    path: Path, labels: Labels, found: Explanation, drawn: Sequence[Drawing], commands: Sequence[tuple[str, str]]
) -> Path:
    """Write the page of an explanation, whole or not at all; return its path."""
    sections = [
        markup.section(
            one.name.replace(".", "-"),
            one.title,
            markup.chart(to_svg(one.figure, f"{one.title}. {one.caption}"), one.title, one.caption, wide=True),
        )
        for one in drawn
    ]
    if commands:
        lines = "\n".join(f"{command}  # {purpose}" for command, purpose in commands)
        sections.append(markup.section("next", "Next", markup.code(lines)))
    links = "".join(f'<a href="#{one.name.replace(".", "-")}">{escape(one.title)}</a>' for one in drawn)
    header = (
        f'<p class="kind">{escape(labels.title)}</p><h1>{markup.text(f"Why {labels.output}?")}</h1>'
        f"<p>{markup.text(f'It has a {score_in_words(found)}.')}</p>"
        f'<nav aria-label="Contents">{links}</nav>'
    )
    write_bytes(path, document(labels.title, header, "\n".join(sections)).encode())
    return path


__all__ = [
    "Drawing",
    "Labels",
    "completeness",
    "drawings",
    "embedding_figure",
    "score_in_words",
    "token_figure",
    "write_explanation",
]
