"""The few pieces of HTML that a report is made of. Every text that comes in is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from layerwise.data.dataset import Notice
from layerwise.reports.pictures import Pixels, to_uri


def text(words: str) -> str:
    """Return words for the page: escaped, and a figure kept on one line with its per cent sign."""
    return escape(words).replace(" %", "&nbsp;%")


def section(anchor: str, title: str, *pieces: str) -> str:
    """Return a titled section of the page; empty pieces are left out, and so is a section without any."""
    inside = "".join(pieces)
    if not inside:
        return ""
    heading = f'<h2 id="{anchor}-title">{escape(title)}</h2>'
    return f'<section id="{anchor}" aria-labelledby="{anchor}-title">{heading}{inside}</section>'


def subtitle(words: str) -> str:
    return f"<h3>{text(words)}</h3>"


def paragraph(words: str, kind: str = "") -> str:
    return f'<p class="{kind}">{text(words)}</p>' if kind else f"<p>{text(words)}</p>"


def columns(*pieces: str) -> str:
    """Return pieces side by side where the page is wide enough."""
    return f'<div class="columns">{"".join(pieces)}</div>' if any(pieces) else ""


def chart(svg: str, title: str, caption: str = "", *, wide: bool = False) -> str:
    """Return a chart with its title and a sentence on how to read it. wide: scrolls sideways on narrow screens."""
    told = f"<span>{text(caption)}</span>" if caption else ""
    body = f'<div class="wide" tabindex="0" role="group" aria-label="{escape(title)}">{svg}</div>' if wide else svg
    return f'<figure class="chart"><figcaption><b>{escape(title)}</b>{told}</figcaption>{body}</figure>'


def picture(uri: str, title: str, caption: str = "") -> str:
    """Return a picture of any size, given as a data: address, with its title and a sentence on how to read it."""
    told = f"<span>{text(caption)}</span>" if caption else ""
    heading = f"<figcaption><b>{escape(title)}</b>{told}</figcaption>"
    return (
        f'<figure class="chart">{heading}<img class="grid" src="{uri}" alt="{escape(title)}" loading="lazy"></figure>'
    )


def tiles(facts: Iterable[tuple[str, str, str]]) -> str:
    """Return key figures: (value, what it is, small print)."""
    cells = "".join(
        f"<div><dd>{text(value)}</dd><dt>{text(name)}</dt><dd class=small>{text(note)}</dd></div>"
        for value, name, note in facts
    )
    return f'<dl class="tiles">{cells}</dl>'


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "", words: int = 1) -> str:
    """Return a table. words: how many columns on the left are text; the others are figures, set to the right."""

    def cell(entry: str, place: int, tag: str) -> str:
        kind = "" if place < words else ' class="n"'
        return f"<{tag}{kind}>{text(entry)}</{tag}>"

    head = "".join(cell(heading, place, "th") for place, heading in enumerate(headings))
    body = "".join(
        "<tr>" + "".join(cell(entry, place, "td") for place, entry in enumerate(row)) + "</tr>" for row in rows
    )
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{escape(caption or "table")}">'
        f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def pairs(values: Mapping[str, str]) -> str:
    """Return names with their values as a list in two columns."""
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in values.items())
    return f'<dl class="pairs">{lines}</dl>'


def notices(found: Iterable[Notice]) -> str:
    """Return notices as a list, warnings marked by a word and not by colour alone."""
    lines = "".join(
        f'<li class="{escape(notice.severity)}"><b>{"Warning" if notice.severity == "warning" else "Note"}</b> '
        f"{text(notice.text)}</li>"
        for notice in found
    )
    return f'<ul class="notices">{lines}</ul>' if lines else ""


def code(lines: str) -> str:
    return f'<pre tabindex="0"><code>{escape(lines)}</code></pre>'


def coloured(pieces: Iterable[tuple[str, str, str]]) -> str:
    """Return running text on coloured grounds: (words, the colour as CSS or nothing, what a pointer is told)."""
    inside = "".join(
        f'<span title="{escape(told)}" style="background:{escape(colour or "none")}">{escape(words)}</span>'
        for words, colour, told in pieces
    )
    return f'<pre tabindex="0" class="running"><code>{inside}</code></pre>'


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """Return what colours stand for: (name, the colour as CSS)."""
    inside = "".join(
        f'<span><i style="background:{escape(colour)}"></i>{text(name)}</span> ' for name, colour in entries
    )
    return f'<p class="legend">{inside}</p>'


def folded(title: str, inside: str, *, is_open: bool = False) -> str:
    """Return something that is unfolded by a click, and always printed."""
    if not inside:
        return ""
    return f"<details{' open' if is_open else ''}><summary>{escape(title)}</summary>{inside}</details>"


def gallery(pictures: Sequence[Pixels], captions: Sequence[tuple[str, str]], *, kind: str = "") -> str:
    """Return pictures in a grid that fits any width. captions: (first line, second line), also read aloud."""
    cells = "".join(
        f'<figure><img src="{to_uri(pixels)}" alt="{escape(first)}. {escape(second)}" loading="lazy">'
        + (f"<figcaption><b>{text(first)}</b>{text(second)}</figcaption>" if kind != "bare" else "")
        + "</figure>"
        for pixels, (first, second) in zip(pictures, captions, strict=True)
    )
    return f'<div class="gallery {kind}">{cells}</div>' if cells else ""
