"""The one style of all figures, and the way from a figure to a file or into a page.

Colours follow Okabe and Ito (2008), which people with any colour vision can tell apart. In a page they are CSS
variables, so that the same chart is right on white and on black. matplotlib is imported when the first figure
is made, only through its objects: nothing global is changed but inside `rc_context`.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerwise.runs.atomic import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#1c2330", "#5a6474", "#d9dee7", "#fefefe"
BLUE, ORANGE, GREEN, PINK, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"

VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--paper",
    BLUE: "--blue",
    ORANGE: "--orange",
    GREEN: "--green",
    PINK: "--pink",
    SKY: "--sky",
}

WIDTH, HEIGHT = 4.8, 2.9  # inches; small, so that the text stays readable where a page is narrow
TEXT_SIZE = 10
PNG_DPI = 160
PAGE_SCALE = 1.4  # pixels of a page for a point of a figure: text of 10 points is as large as the page's own


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> Figure:
    """Return an empty figure of so many inches that arranges its axes by itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="none")


def new_chart(
    x_label: str, y_label: str, *, width: float = WIDTH, height: float = HEIGHT, grid: str = "y"
) -> tuple[Figure, Axes]:
    """Return a figure with one empty pair of axes in the house style. grid: 'x', 'y', 'both' or ''."""
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    style(axes, x_label, y_label, grid=grid)
    return figure, axes


def style(axes: Axes, x_label: str = "", y_label: str = "", *, grid: str = "y", title: str = "") -> None:
    """Give axes the house style: quiet lines, no frame, labels in words."""
    axes.set_facecolor("none")
    axes.set_xlabel(x_label, color=MUTED, fontsize=TEXT_SIZE)
    axes.set_ylabel(y_label, color=MUTED, fontsize=TEXT_SIZE)
    axes.set_title(title, color=INK, fontsize=TEXT_SIZE, loc="left")
    axes.tick_params(which="both", colors=MUTED, labelsize=TEXT_SIZE - 1, length=0)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(GRID)
    if grid:
        axes.grid(True, axis=grid, color=GRID, linewidth=0.7)  # type: ignore[arg-type]
        axes.set_axisbelow(True)


def legend(axes: Axes, **options: Any) -> None:
    """Add a legend without a frame above the axes, where it covers nothing, or elsewhere by `options` of matplotlib."""
    above = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "ncols": 4, "borderaxespad": 0.2}
    common = {"frameon": False, "fontsize": TEXT_SIZE - 0.5, "labelcolor": INK}
    axes.legend(**common, **(options or {**above, "handlelength": 1.4, "columnspacing": 1.2}))


def whole_numbers(axis: Axis, at_most: int = 5) -> None:
    """Let an axis that counts things have few ticks, at whole numbers, with commas."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(at_most, integer=True, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def save(figure: Figure, path: Path | str) -> None:
    """Write a figure on white, whole or not at all; the ending says the format (.png, .svg, .pdf).

    Raises:
        StorageError: the place cannot be written.
    """
    path, drawn = Path(path), io.BytesIO()
    kind = path.suffix.lower().removeprefix(".")
    with _quiet_about_glyphs():
        figure.savefig(drawn, format=kind, dpi=PNG_DPI, facecolor="white", pad_inches=0.15, bbox_inches="tight")
    write_bytes(path, drawn.getvalue())


@contextmanager
def _quiet_about_glyphs() -> Iterator[None]:
    """Class names may be in any script; a letter that the font lacks becomes a box, which is no fault."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        yield


def to_svg(figure: Figure, description: str) -> str:
    """Return a figure as an <svg> element for a page: no outside reference, colours from the page.

    description: what the figure shows, read aloud to those who cannot see it.
    """
    import matplotlib

    stream = io.StringIO()
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "layerwise"}
    with matplotlib.rc_context(settings), _quiet_about_glyphs():
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    drawing = stream.getvalue()
    prefix = "f" + hashlib.sha256(drawing.encode()).hexdigest()[:8] + "-"
    return _for_page(drawing[drawing.index("<svg") :], description, prefix)


def _for_page(svg: str, description: str, prefix: str) -> str:
    """Strip what only a file needs, make ids unique in the page, and take colours and font from it."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r'href="#', f'href="#{prefix}', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}", svg)
    svg = re.sub(r"(font: [^;\"]*?px) [^;\"]*", r"\1 var(--sans)", svg)
    svg = re.sub("|".join(VARIABLES), lambda match: f"var({VARIABLES[match.group()]})", svg)
    view = re.search(r'viewBox="([^"]*)"', svg)
    box = view.group(1) if view else f"0 0 {72 * WIDTH} {72 * HEIGHT}"
    widest = f"max-width:{PAGE_SCALE * float(box.split()[2]):.0f}px"
    startup_messages = f'<svg viewBox="{box}" style="{widest}" role="img" aria-label="{escape(description)}">'
    return startup_messages + svg[svg.index(">") + 1 :].strip()
